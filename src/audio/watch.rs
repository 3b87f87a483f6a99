//! What iterations tell whoever watches them.

use std::ops::ControlFlow;

use crate::observer::{Observer, Progress};

/// Tells of an iteration; false where it shall be the last.
pub(crate) fn goes_on(
    observer: &mut dyn Observer,
    iteration: usize,
    max_iterations: usize,
    residual: f64,
) -> bool {
    let progress = Progress {
        iteration,
        max_iterations,
        residual,
        tolerance: 0.0,
        epsilon: None,
        cost: None,
        running: (1, 1),
        part: (1, 1),
    };
    observer.progress(&progress).is_continue() && !observer.interrupted()
}

/// Asks an observer whether to stop, and tells it nothing.
pub(crate) struct Untold<'a>(pub &'a dyn Observer);

impl Observer for Untold<'_> {
    fn progress(&mut self, _: &Progress) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn interrupted(&self) -> bool {
        self.0.interrupted()
    }
}
