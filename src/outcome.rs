//! How a solve ended, in the same words for every solver.

use std::time::Instant;

use crate::engine::Engine;

/// How a solve ended: the part of every solution that does not depend on what was solved.
///
/// ```
/// use gaspard::{Engine, Measure, Transport};
/// use ndarray::array;
///
/// let a = Measure::uniform("a", array![[0.0], [1.0]])?;
/// let b = Measure::uniform("b", array![[0.5], [2.0]])?;
/// let plan = Transport::between(&a, &b).epsilon(0.1).solve(&Engine::cpu())?;
/// let outcome = plan.outcome();
/// assert!(outcome.converged && !outcome.interrupted);
/// println!("{} iterations in {:.3} s on {}", outcome.iterations, outcome.seconds, outcome.device);
/// # Ok::<(), gaspard::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "io", derive(serde::Serialize))]
pub struct Outcome {
    /// True if the stop test was met; with annealing, at the epsilon that was asked for.
    pub converged: bool,
    /// True if the observer stopped the solve. What was found until then is there.
    pub interrupted: bool,
    /// Iterations that were made: what one of them is, the solver says.
    pub iterations: usize,
    /// The residual that the stop test asked for: what it is a residual of, the solver says.
    pub tolerance: f64,
    /// Seconds in the solver.
    pub seconds: f64,
    /// The device that solved, in one line.
    pub device: String,
}

impl Outcome {
    /// Of a solve on an engine that began then and stopped by its own test after so many iterations.
    pub(crate) fn new(engine: &Engine, begin: Instant, iterations: usize, tolerance: f64) -> Self {
        Self {
            converged: true,
            interrupted: false,
            iterations,
            tolerance,
            seconds: begin.elapsed().as_secs_f64(),
            device: engine.description(),
        }
    }

    /// Of this solve and of another one after it: converged if both are, stopped if one was, with the
    /// effort of both.
    #[must_use]
    pub fn and(self, other: &Self) -> Self {
        Self {
            converged: self.converged && other.converged,
            interrupted: self.interrupted || other.interrupted,
            iterations: self.iterations + other.iterations,
            seconds: self.seconds + other.seconds,
            ..self
        }
    }
}
