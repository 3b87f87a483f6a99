//! The paper's data, made anew: every generator is seeded.

pub mod cells;
pub mod gaussians;
pub mod images;
pub mod principal;
pub mod spheres;

use std::fmt::Display;

use gaspard::{Error, Result};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Random numbers that depend on the seed and on what they are for only.
pub fn random(seed: u64, purpose: u64) -> ChaCha8Rng {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(purpose);
    random
}

/// A law whose parameters may be out of its domain.
fn law<T>(made: std::result::Result<T, impl Display>) -> Result<T> {
    made.map_err(|error| Error::data("a random law", error.to_string(), "take another seed"))
}
