//! What is kept of a dynamic solve in JSON.

use ndarray::ArrayD;
use serde::Serialize;

use super::record::thinned;
use crate::dynamic::{Residuals, Solution, TracePoint};
use crate::outcome::Outcome;

/// The numbers of a dynamic solve, for densities of mean 1 on a box of volume 1: squared lengths.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DynamicResults {
    /// The kinetic cost in every space, without its weight; the primary one first.
    pub costs: Vec<f64>,
    /// The cost of making and losing mass.
    pub reaction: f64,
    /// The sum of all costs, each with its weight.
    pub total: f64,
    /// A bound from above on the optimum of the discrete problem, where one that says something was
    /// found.
    pub upper_bound: Option<f64>,
    /// How far the last iteration was from a solution.
    pub residuals: Residuals,
    /// What is left of the divergence, beside steps times the largest density.
    pub divergence: f64,
    /// How the solve ended: the tolerance is that of the residuals.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// The way there; of long runs about a thousand points of it.
    pub trace: Vec<TracePoint>,
}

impl From<&Solution> for DynamicResults {
    fn from(solution: &Solution) -> Self {
        Self {
            costs: solution.costs.clone(),
            reaction: solution.reaction,
            total: solution.total,
            upper_bound: solution.upper_bound,
            residuals: solution.residuals,
            divergence: solution.divergence,
            outcome: solution.outcome.clone(),
            trace: thinned(&solution.trace),
        }
    }
}

/// Densities at the nodes of time as pictures have them: rounding, and what is left to converge, may
/// be a little below nothing.
pub fn frames(solution: &Solution) -> Vec<ArrayD<f64>> {
    solution.density.outer_iter().map(|frame| frame.mapv(|rho| rho.max(0.0))).collect()
}

/// Up to `count` of these frames, from the first to the last, as evenly as they come.
///
/// ```
/// use gaspard::report::dynamic::chosen;
/// use ndarray::arr0;
///
/// let frames: Vec<_> = (0..9).map(|t| arr0(f64::from(t)).into_dyn()).collect();
/// let some: Vec<f64> = chosen(&frames, 3).iter().map(|frame| frame.sum()).collect();
/// assert_eq!(some, [0.0, 4.0, 8.0]);
/// # Ok::<(), gaspard::Error>(())
/// ```
pub fn chosen(frames: &[ArrayD<f64>], count: usize) -> Vec<ArrayD<f64>> {
    let count = count.min(frames.len());
    let last = frames.len().saturating_sub(1);
    (0..count).map(|k| frames[k * last / count.saturating_sub(1).max(1)].clone()).collect()
}
