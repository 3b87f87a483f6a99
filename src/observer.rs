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
    /// The entropic strength of this stage.
    pub epsilon: f64,
    /// Problems of a batch still running, and in all.
    pub running: (usize, usize),
}

/// Watches a solve, and may stop it; what was computed until then is kept.
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
