//! What a Gromov-Wasserstein solve found.

use ndarray::{Array1, Array2};

use super::plan::Terms;
use super::track::TracePoint;
use crate::outcome::Outcome;

/// A plan on a tree of spaces, with its values.
#[derive(Clone, Debug)]
pub struct Solution {
    /// The seed of the random start.
    pub seed: u64,
    /// The epsilon of the plan: the last that was solved at.
    pub epsilon: f64,
    /// The terms of the objective.
    pub terms: Terms,
    /// The mass of the plan.
    pub mass: f64,
    /// P_i of every node.
    pub marginals: Vec<Array1<f64>>,
    /// f_i of every node, in squared distances.
    pub potentials: Vec<Array1<f64>>,
    /// P_e of every edge, rows of its first node; only of the best of several starts, and where
    /// [`Control::plans`](super::Control) asks for them.
    pub plans: Vec<Array2<f64>>,
    /// How far the plan is from the one before, in L1, for a mass of 1: a bound.
    pub change: f64,
    /// How the solve ended: iterations are linearised problems, the tolerance is that of the change.
    /// Seconds are those of the whole batch of starts.
    pub outcome: Outcome,
    /// False if the solve ended before annealing had come down to the last epsilon.
    pub reached_epsilon: bool,
    /// True if the last two plans belong to a cycle of two.
    pub cycling: bool,
    /// Sweeps over the tree, of the whole batch of starts.
    pub sweeps: usize,
    /// The way there, iteration by iteration.
    pub trace: Vec<TracePoint>,
}
