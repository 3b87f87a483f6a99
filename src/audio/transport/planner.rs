//! What finds plans for given delays, and what is known of them.

use crate::error::Result;
use crate::observer::Observer;

/// The delays of a plan: of every source at every microphone but the first, in frames.
pub(super) type Delays = Vec<f64>;

/// Finds the plans of many delays at once.
pub(super) trait Planner {
    /// Starts anew at an epsilon.
    fn begin(&mut self, epsilon: f64) -> Result<()>;

    /// The plans for the delays of each (scene, delays), not of those that are `None`, nor of those that
    /// an observer did not wait for. Between calls of `begin`, a plan goes on from where it was.
    fn step(
        &mut self,
        plans: &[(usize, Option<&[f64]>)],
        observer: &dyn Observer,
    ) -> Result<Vec<Option<Report>>>;
}

/// What is known of a plan.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Report {
    /// The sums of mass times 1, the lag and its square, for every source and microphone but the first.
    pub moments: Vec<[f64; 3]>,
    /// The value of the dual problem, or of the problem where the plan is exact.
    pub objective: f64,
    /// How far marginals are from what their laws want.
    pub residual: f64,
    /// What outlier source and relaxed marginals cost.
    pub price: f64,
}

/// Mass below which a source has no delay.
const NO_MASS: f64 = 1e-9;

impl Report {
    /// The delays that are best for the plan: mean lags. Those of sources without mass stay.
    pub(super) fn delays(&self, before: &[f64], largest: f64) -> Delays {
        let mean = |([mass, first, _], before): (&[f64; 3], &f64)| match *mass < NO_MASS {
            true => *before,
            false => (first / mass).clamp(-largest, largest),
        };
        self.moments.iter().zip(before).map(mean).collect()
    }

    /// What the plan costs at some delays, entropy apart.
    pub(super) fn cost(&self, delays: &[f64]) -> f64 {
        let moved = self.moments.iter().zip(delays).map(|([zeroth, first, second], delay)| {
            second - 2.0 * delay * first + delay * delay * zeroth
        });
        moved.sum::<f64>().max(0.0) + self.price
    }
}
