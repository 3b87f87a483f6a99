//! Separation from recordings to sources: everything in this module together.
//!
//! 1. *Noise.* Its level is estimated from a low quantile of the spectrograms ([`NoiseLevel`]).
//! 2. *Delays.* Spectrograms without three times that level go to [`transport`](super::transport):
//!    several starts, the best end by its cost. Frequencies that
//!    together hold less than a thousandth of all that is heard are left out.
//! 3. *Masks* for these delays, from spectrograms without the level once.
//! 4. *Refinement.* Sources by their masks are correlated with the other microphones, which gives
//!    delays to a fraction of a sample.
//! 5. *Sound* by one of three filters ([`Filter`]).
//!
//! Long recordings are worked through in blocks of [`Separator::block`] seconds that overlap. Delays do
//! not change over a recording, and are found once, for all of it: the frequencies of (up to eight, the
//! loudest) blocks stand beside one another in one problem of transport, so that sources keep their
//! numbers from block to block. Masks and filters are made block by block. What a block says within the
//! largest delay of where it was cut off does not count; in the middle of the overlap one block fades
//! linearly into the next, in spectrograms and in sound. Beyond the samples of the recording and of the
//! sources and the spectrograms of these, memory does not grow with the length.

mod blocks;
mod known;
mod options;
mod search;
mod separated;
mod separator;
mod signals;
mod spectra;

pub use options::{Filter, Method, NoiseLevel};
pub use search::{Delays, Landscape, Search};
pub use separated::Separated;
pub use separator::Separator;
