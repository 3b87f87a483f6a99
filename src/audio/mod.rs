//! Sound: several speakers at several microphones.

pub mod transport;
