//! How a run ended, and the exit code that says so.

use std::process::ExitCode;

use gaspard::Error;
use gaspard::report::record::Results;

/// The end of a run that has written its results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// All went well.
    Done,
    /// The stop test was not met within the iterations allowed.
    NotConverged,
    /// Ctrl-C cut it short.
    Interrupted,
}

impl Status {
    /// How the run that found these results ended.
    pub(super) fn of(results: &Results) -> Self {
        match (results.interrupted, results.converged) {
            (true, _) => Self::Interrupted,
            (false, true) => Self::Done,
            (false, false) => Self::NotConverged,
        }
    }

    pub(super) fn code(self) -> ExitCode {
        ExitCode::from(match self {
            Self::Done => 0,
            Self::NotConverged => 3,
            Self::Interrupted => 130,
        })
    }
}

/// The exit code of a run that failed.
pub(super) fn code_of(error: &Error) -> ExitCode {
    ExitCode::from(if error.is_usage() { 2 } else { 1 })
}
