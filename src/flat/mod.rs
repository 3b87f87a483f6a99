//! The flat metric: the distance of measures whose masses differ.
//!
//! ```text
//! rho(mu, nu) = sup { ∫ f d(mu - nu) : |f| <= 1, f is 1-Lipschitz }
//! ```
//!
//! Moving a unit of mass over a distance r costs r, making or losing it costs 1, so that nothing
//! moves further than 2 (Schmidt and Düll, "Computing the distance between unbalanced
//! distributions: the flat metric", 2025; Piccoli and Rossi 2014).

mod certificate;
mod cloud;
mod crossover;
mod dirac;
mod exact;
mod extension;
mod method;
pub mod neural;
mod sinkhorn;

pub use certificate::{Certificate, lower_bound, upper_bound};
pub use cloud::Cloud;
pub use dirac::dirac;
pub use exact::{Exact, exact};
pub use extension::extended;
pub use method::{Found, Method, Pair};
pub use sinkhorn::{Bracket, Sinkhorn};

/// What sums of masses are off by, relatively, at most.
const ROUNDING: f64 = 1e-13;

/// A distance and what is known of it.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "io", derive(serde::Serialize))]
pub struct Distance {
    /// rho, in units of mass.
    pub value: f64,
    /// rho over the smaller of the two masses, by which it does not depend on how finely measures
    /// are sampled; none where that is zero.
    pub normalised: Option<f64>,
    /// rho is at least this.
    pub lower: f64,
    /// rho is at most this.
    pub upper: f64,
}

impl Distance {
    pub(crate) fn new(value: f64, (lower, upper): (f64, f64), masses: [f64; 2]) -> Self {
        let least = masses[0].min(masses[1]);
        // Nothing is below zero, and all can be lost and made; sums of masses are rounded.
        let upper = upper.min((masses[0] + masses[1]) * (1.0 + ROUNDING)).max(0.0) + 0.0;
        let lower = lower.max(0.0).min(upper);
        Self { value, normalised: (least > 0.0).then(|| value / least), lower, upper }
    }
}
