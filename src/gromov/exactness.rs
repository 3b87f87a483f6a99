//! How exactly linearised problems are solved: as far as the objective needs it to fall.

use super::{Control, Problem, Update};
use crate::linear::pace::Pace;
use crate::linear::{self, Law};

/// Sweeps from one look at the marginals to the next.
pub(super) const CHECK_EVERY: usize = 10;
/// The marginal error that a linearised problem is solved to while the plan still changes much.
const COARSEST: f64 = 1e-2;
/// The marginal error beside the change of the plan.
const SHARE: f64 = 0.1;
/// Sweeps for a linearised problem are doubled up to this.
const MOST: usize = 640;

/// How exactly the linearised problems of one epsilon are solved, one after the other.
///
/// Few sweeps for each are enough as long as the objective falls: potentials go on from where they
/// were. At a small epsilon, potentials can be far off where marginals hardly are: plans then follow
/// costs of long ago, and the iteration swings for ever around what it should settle at. The sign
/// of it is an objective that rises, which steps from solved problems never let it do.
pub(super) struct Exactness {
    control: linear::Control,
    pace: Pace,
    /// Sweeps at most, and how many that can become.
    budget: usize,
    most: usize,
    /// The marginal error that no problem is solved beyond, and that the next one is solved to.
    least: f64,
    tolerance: f64,
    /// True if the sweeps were not enough for the last one.
    ran_out: bool,
    /// J of the plan that each start was linearised at.
    values: Vec<f64>,
}

impl Exactness {
    pub(super) fn new(problem: &Problem, control: &Control, epsilon: f64) -> Self {
        let first = control.inner_iterations;
        // More sweeps, bolder ones, where both are known to help: over-relaxation has its theory for two
        // fixed marginals. KL nodes were seen to hold it up, and stars around a free node never settled.
        let is_pair =
            problem.nodes.len() == 2 && problem.nodes.iter().all(|node| node.law == Law::Fixed);
        let plain = control.update == Update::Plain || !is_pair;
        let linear = linear::Control {
            check_every: CHECK_EVERY,
            relaxation: plain.then_some(1.0),
            max_iterations: first,
            ..linear::Control::new(epsilon)
        };
        Self {
            pace: Pace::new(&linear, true, 0, control.inner_tolerance),
            control: linear,
            budget: first,
            most: if plain { first } else { first.max(MOST) },
            least: control.inner_tolerance,
            tolerance: control.inner_tolerance,
            ran_out: false,
            values: Vec::new(),
        }
    }

    /// The next problem: plans changed by so much, and these are the values of the objective, NaN for
    /// starts that do not run.
    pub(super) fn begin(&mut self, change: f64, values: Vec<f64>) {
        let rises = values.iter().zip(&self.values).any(|(now, before)| now > before);
        if self.ran_out && rises {
            self.budget = (2 * self.budget).min(self.most);
        }
        // At the start of an epsilon, they are still those of another.
        if change.is_finite() {
            self.values = values;
        }
        self.tolerance = (SHARE * change).min(COARSEST).max(self.least);
        self.pace.again();
        self.ran_out = true;
    }

    /// Sweeps for this problem at most.
    pub(super) fn budget(&self) -> usize {
        self.budget
    }

    /// The over-relaxation of the next sweep.
    pub(super) fn relaxation(&self) -> f64 {
        self.pace.relaxation
    }

    /// True if a marginal error is small enough.
    pub(super) fn suffices(&mut self, residual: f64) -> bool {
        self.ran_out = residual > self.tolerance;
        if self.ran_out {
            self.pace.adapt(residual, &self.control);
        }
        !self.ran_out
    }
}
