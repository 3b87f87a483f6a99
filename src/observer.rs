//! Progress and cancelling: what a solve tells its caller while it runs.

use std::ops::ControlFlow;

use crate::error::{Error, Result};

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

impl Progress {
    /// Of one problem that is still running, with no more to tell.
    pub fn new(iteration: usize, max_iterations: usize, residual: f64, tolerance: f64) -> Self {
        Self {
            iteration,
            max_iterations,
            residual,
            tolerance,
            epsilon: None,
            cost: None,
            running: (1, 1),
            part: (1, 1),
        }
    }
}

/// Watches a solve, and may stop it; what was computed until then is kept, or where there is nothing
/// yet the solve returns [`Error::Interrupted`].
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

/// Tells of an iteration, and asks whether it shall be the last.
pub(crate) fn stops(observer: &mut dyn Observer, progress: &Progress) -> bool {
    observer.progress(progress).is_break() || observer.interrupted()
}

/// Remembers that an observer said stop, so that whatever comes next stops too: a closure says so once.
pub(crate) struct Latched<'a> {
    observer: &'a mut dyn Observer,
    stopped: bool,
}

impl<'a> Latched<'a> {
    pub(crate) fn new(observer: &'a mut dyn Observer) -> Self {
        Self { observer, stopped: false }
    }
}

impl Observer for Latched<'_> {
    fn progress(&mut self, progress: &Progress) -> ControlFlow<()> {
        let flow = self.observer.progress(progress);
        self.stopped |= flow.is_break();
        flow
    }

    fn interrupted(&self) -> bool {
        self.stopped || self.observer.interrupted()
    }
}

/// Asks an observer whether to stop, and tells it nothing: of solves within an iteration.
pub(crate) struct Untold<'a>(pub &'a dyn Observer);

impl Observer for Untold<'_> {
    fn progress(&mut self, _: &Progress) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn interrupted(&self) -> bool {
        self.0.interrupted()
    }
}

/// Solves one part after another until one was interrupted, and returns those that have a solution;
/// `solve` gets the number of the part, from 0, and tells whether it was.
pub(crate) fn in_parts<T>(
    parts: usize,
    observer: &mut dyn Observer,
    mut solve: impl FnMut(usize, &mut dyn Observer) -> Result<(T, bool)>,
) -> Result<Vec<T>> {
    let mut solutions = Vec::with_capacity(parts);
    for part in 0..parts {
        let mut observer = Part { observer: &mut *observer, part: (part + 1, parts) };
        let (solution, interrupted) = match solve(part, &mut observer) {
            Err(Error::Interrupted { .. }) => break,
            found => found?,
        };
        solutions.push(solution);
        if interrupted {
            break;
        }
    }
    Ok(solutions)
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
