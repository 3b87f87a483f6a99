//! Where an iteration stands.

use super::pace::Pace;
use super::{Control, Problem, Residuals, TracePoint};
use crate::observer::Progress;

/// Where an iteration stands.
pub(super) struct Run {
    pub iteration: usize,
    pub pace: Pace,
    pub trace: Vec<TracePoint>,
    pub residuals: Residuals,
    pub interrupted: bool,
}

impl Run {
    /// `room` is the largest tau sigma.
    pub(super) fn new(control: &Control, problem: &Problem, room: f64) -> Self {
        Self {
            iteration: 0,
            pace: Pace::new(control, problem.frames_weight(), room),
            trace: Vec::new(),
            residuals: Residuals::default(),
            interrupted: false,
        }
    }

    pub(super) fn progress(&self, control: &Control) -> Progress {
        Progress {
            cost: self.trace.last().map(|point| point.total),
            ..Progress::new(
                self.iteration,
                control.max_iterations,
                self.residuals.worst(),
                control.tolerance,
            )
        }
    }
}
