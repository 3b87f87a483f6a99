//! The linear core: entropic transport on trees, and exact transport.

mod divergence;
pub mod exact;
mod law;
mod schedule;
mod transport;
pub mod tree;

pub use divergence::Divergence;
pub use law::Law;
pub use schedule::Control;
pub use transport::{Transport, TransportSolution};
