//! What is kept of a Gromov-Wasserstein solve in JSON.

use serde::Serialize;

use super::record::thinned;
use crate::gromov::{FreeSupportSolution, Solution, TracePoint};
use crate::outcome::Outcome;

/// The numbers of a Gromov-Wasserstein solve, in squared distances times squared mass.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GromovResults {
    /// The cost of the matching without regularisation, edges and labels weighted: for two spaces
    /// of mass 1, the square of the Gromov-Wasserstein distance (of its entropic plan).
    pub transport: f64,
    /// The part of the distances in it.
    pub structure: f64,
    /// The part of the labels in it.
    pub labels: f64,
    /// epsilon (2 m S(P) - m²).
    pub regularisation: f64,
    /// The penalties of KL nodes.
    pub marginal: f64,
    /// The objective: the sum of transport, regularisation and marginal.
    pub total: f64,
    /// The mass of the plan.
    pub mass: f64,
    /// Linearised problems solved; on a free support, rounds of plans and distances.
    pub outer_iterations: usize,
    /// Sweeps over the tree, for all starts together; where plans are exact, transport problems.
    pub sweeps: usize,
    /// How far the plan is from the one before, in L1, for a mass of 1: a bound. On a free support,
    /// the relative change of the barycenter.
    pub change: f64,
    /// How the solve ended: iterations are `outer_iterations`, seconds those for all starts together.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// False if the run ended before annealing had come down to the epsilon asked for.
    pub reached_epsilon: bool,
    /// True if the iteration goes to and fro between two plans.
    pub cycling: bool,
    /// The entropic strength of the plan.
    pub epsilon: f64,
    /// The seed of the start that these results are from.
    pub seed: u64,
    /// Objective, transport and seed of every start, the best first.
    pub starts: Vec<StartRecord>,
    /// The way there; of long runs about a thousand points of it.
    pub trace: Vec<TracePoint>,
}

/// What one start led to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct StartRecord {
    /// Its seed.
    pub seed: u64,
    /// The objective.
    pub total: f64,
    /// The cost of the matching.
    pub transport: f64,
    /// True if the stop test was met.
    pub converged: bool,
}

impl GromovResults {
    /// The results of several starts, the best first; `None` for none.
    pub fn of(solutions: &[Solution]) -> Option<Self> {
        let best = solutions.first()?;
        let start = |solution: &Solution| StartRecord {
            seed: solution.seed,
            total: solution.terms.total(),
            transport: solution.terms.transport(),
            converged: solution.outcome.converged,
        };
        Some(Self {
            transport: best.terms.transport(),
            structure: best.terms.structure,
            labels: best.terms.labels,
            regularisation: best.terms.regularisation,
            marginal: best.terms.marginal,
            total: best.terms.total(),
            mass: best.mass,
            outer_iterations: best.outcome.iterations,
            sweeps: best.sweeps,
            change: best.change,
            outcome: best.outcome.clone(),
            reached_epsilon: best.reached_epsilon,
            cycling: best.cycling,
            epsilon: best.epsilon,
            seed: best.seed,
            starts: solutions.iter().map(start).collect(),
            trace: thinned(&best.trace),
        })
    }

    /// The results of several starts on a free support, at this epsilon (0 where plans are exact),
    /// the best first; `None` for none.
    pub fn of_free_support(solutions: &[FreeSupportSolution], epsilon: f64) -> Option<Self> {
        let best = solutions.first()?;
        let start = |solution: &FreeSupportSolution| StartRecord {
            seed: solution.seed,
            total: solution.terms.total(),
            transport: solution.loss(),
            converged: solution.outcome.converged,
        };
        Some(Self {
            transport: best.loss(),
            structure: best.terms.structure,
            labels: best.terms.labels,
            regularisation: best.terms.regularisation,
            marginal: 0.0,
            total: best.terms.total(),
            mass: 1.0,
            outer_iterations: best.outcome.iterations,
            sweeps: solutions.iter().map(|solution| solution.steps).sum(),
            change: best.change,
            outcome: Outcome {
                interrupted: solutions.iter().any(|solution| solution.outcome.interrupted),
                seconds: solutions.iter().map(|solution| solution.outcome.seconds).sum(),
                ..best.outcome.clone()
            },
            reached_epsilon: true,
            cycling: false,
            epsilon,
            seed: best.seed,
            starts: solutions.iter().map(start).collect(),
            trace: thinned(&best.trace),
        })
    }
}
