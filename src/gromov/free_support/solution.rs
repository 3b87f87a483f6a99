//! What a free-support solve found.

use ndarray::{Array1, Array2};

use crate::gromov::{Terms, TracePoint};
use crate::outcome::Outcome;

/// A barycenter on a free support.
#[derive(Clone, Debug)]
pub struct FreeSupportSolution {
    /// The seed of the random start.
    pub seed: u64,
    /// C: the distances between the points of the barycenter.
    pub distances: Array2<f64>,
    /// g: the features of the points, one row each, where the inputs have some.
    pub features: Option<Array2<f64>>,
    /// p: the masses of the points, summing to 1.
    pub masses: Array1<f64>,
    /// T_i of every input: its points in rows, those of the barycenter in columns.
    pub plans: Vec<Array2<f64>>,
    /// V_i of every input under its plan, without entropy.
    pub values: Vec<f64>,
    /// The objective, with the shares of the inputs: `structure` is the part of the distances with
    /// its share alpha, `labels` that of the features with the rest, `regularisation` that of the
    /// entropy, 0 for exact plans.
    pub terms: Terms,
    /// The relative change in the Frobenius norm at the last turn: of C, or of the features where
    /// that is larger.
    pub change: f64,
    /// How the solve ended: iterations are rounds of plans and distances, the tolerance is that of the
    /// change.
    pub outcome: Outcome,
    /// Steps towards all plans together: exact transport problems, or sweeps of entropic ones.
    pub steps: usize,
    /// The way there, round by round.
    pub trace: Vec<TracePoint>,
}

impl FreeSupportSolution {
    /// sum_i lambda_i V_i, without entropy.
    pub fn loss(&self) -> f64 {
        self.terms.transport()
    }
}
