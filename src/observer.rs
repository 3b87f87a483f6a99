//! Progress and cancelling: what a solve tells its caller while it runs.

use std::ops::ControlFlow;

/// Where a solve stands, at a stop test.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// Iterations done.
    pub iteration: usize,
    /// Iterations allowed.
    pub max_iterations: usize,
    /// The stop test's residual, for a batch the largest of those still running.
    pub residual: f64,
    /// The residual at which the solve stops.
    pub tolerance: f64,
    /// The entropic strength of this stage, where there is one.
    pub epsilon: Option<f64>,
    /// The cost so far, where it is known.
    pub cost: Option<f64>,
    /// Problems of a batch still running, and in all.
    pub running: (usize, usize),
    /// Where this solve is one of a sequence: which one, from 1, and of how many.
    pub part: (usize, usize),
}

/// Watches a solve, and may stop it; what was computed until then is kept.
///
/// ```
/// use std::ops::ControlFlow;
///
/// use gaspard::{Engine, Measure, Progress, Transport};
/// use ndarray::array;
///
/// let a = Measure::uniform("a", array![[0.0], [1.0]])?;
/// let b = Measure::uniform("b", array![[0.5], [2.0]])?;
/// let mut looks = 0;
/// let mut watch = |progress: &Progress| {
///     looks += 1;
///     println!("{} of {}: {:.1e}", progress.iteration, progress.max_iterations, progress.residual);
///     ControlFlow::Continue(())
/// };
/// Transport::between(&a, &b).epsilon(0.1).solve_with(&Engine::cpu(), &mut watch)?;
/// assert!(looks > 0);
/// # Ok::<(), gaspard::Error>(())
/// ```
pub trait Observer {
    /// Called at every stop test.
    fn progress(&mut self, progress: &Progress) -> ControlFlow<()>;

    /// Asked at every iteration: true to stop as soon as possible.
    fn interrupted(&self) -> bool {
        false
    }
}

/// Watches nothing.
impl Observer for () {
    fn progress(&mut self, _: &Progress) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// A closure watches the stop tests.
impl<F: FnMut(&Progress) -> ControlFlow<()>> Observer for F {
    fn progress(&mut self, progress: &Progress) -> ControlFlow<()> {
        self(progress)
    }
}

/// One of a sequence of solves, for an observer that watches them all.
pub(crate) struct Part<'a> {
    pub observer: &'a mut dyn Observer,
    /// Which one, from 1, and of how many.
    pub part: (usize, usize),
}

impl Observer for Part<'_> {
    fn progress(&mut self, progress: &Progress) -> ControlFlow<()> {
        self.observer.progress(&Progress { part: self.part, ..progress.clone() })
    }

    fn interrupted(&self) -> bool {
        self.observer.interrupted()
    }
}
