//! How a run ended, and the exit code that says so.

use std::process::ExitCode;

use gaspard::report::dynamic::DynamicResults;
use gaspard::report::gromov::GromovResults;
use gaspard::report::record::Results;
use gaspard::{Error, Outcome};

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

/// What every run has to say at its end.
pub(super) trait Summary {
    /// How the run that found these results ended.
    fn status(&self) -> Status;

    /// The numbers that count, by name.
    fn numbers(&self) -> Vec<(&'static str, f64)>;
}

impl Summary for Results {
    fn status(&self) -> Status {
        Status::of(&self.outcome)
    }

    fn numbers(&self) -> Vec<(&'static str, f64)> {
        vec![
            ("value", self.value),
            ("linear", self.linear),
            ("entropic", self.entropic),
            ("marginal_terms", self.marginal_terms),
            ("marginal_error", self.marginal_error),
            ("epsilon", self.epsilon),
        ]
    }
}

impl Summary for GromovResults {
    fn status(&self) -> Status {
        Status::of(&self.outcome)
    }

    fn numbers(&self) -> Vec<(&'static str, f64)> {
        vec![
            ("transport", self.transport),
            ("regularisation", self.regularisation),
            ("marginal", self.marginal),
            ("total", self.total),
            ("mass", self.mass),
            ("epsilon", self.epsilon),
        ]
    }
}

impl Summary for DynamicResults {
    fn status(&self) -> Status {
        Status::of(&self.outcome)
    }

    fn numbers(&self) -> Vec<(&'static str, f64)> {
        let names = ["cost_0", "cost_1", "cost_2", "cost_3"];
        let costs = names.into_iter().zip(self.costs.iter().copied());
        [("total", self.total)]
            .into_iter()
            .chain(costs)
            .chain([
                ("reaction", self.reaction),
                ("consistency", self.residuals.consistency),
                ("stationarity", self.residuals.stationarity),
            ])
            .collect()
    }
}

impl Status {
    pub(super) fn of(outcome: &Outcome) -> Self {
        Self::new(outcome.interrupted, outcome.converged)
    }

    pub(super) fn new(interrupted: bool, converged: bool) -> Self {
        match (interrupted, converged) {
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
    match error {
        Error::Interrupted { .. } => Status::Interrupted.code(),
        _ => ExitCode::from(if error.is_usage() { 2 } else { 1 }),
    }
}
