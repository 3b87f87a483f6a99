//! The one error type: what is wrong, and what to do about it.

use std::path::PathBuf;

/// Everything that can go wrong in gaspard. User mistakes are values of this type, never panics.
///
/// ```
/// use gaspard::{Error, Measure};
/// use ndarray::array;
///
/// match Measure::new("a", array![0.5, f64::NAN], gaspard::Support::Abstract(2)) {
///     Err(Error::Data { .. }) => {}
///     other => panic!("{other:?}"),
/// }
/// # Ok::<(), gaspard::Error>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A parameter is outside its domain: a negative epsilon, weights that do not sum to one.
    #[error("{name}: {problem}; {remedy}")]
    Parameter {
        /// The parameter's name as the user wrote it.
        name: String,
        /// What is wrong with its value.
        problem: String,
        /// What to do about it.
        remedy: String,
    },
    /// Data that cannot be used: a NaN, a negative mass, a measure without mass.
    #[error("{what}: {problem}; {remedy}")]
    Data {
        /// Which input: a file name, or the role it plays.
        what: String,
        /// What is wrong with it.
        problem: String,
        /// What to do about it.
        remedy: String,
    },
    /// Sizes that do not fit together.
    #[error("{what}: expected {expected}, found {found}")]
    Shape {
        /// Which array or input.
        what: String,
        /// The size needed.
        expected: String,
        /// The size given.
        found: String,
    },
    /// A file that cannot be read or written.
    #[error("{}: {problem}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        problem: String,
    },
    /// The problem is larger than the device can hold; nothing was allocated.
    #[error("{what} needs {}, but {}; {remedy}", bytes(*needed), available_text(*available))]
    Limit {
        /// What was to be allocated.
        what: String,
        /// Bytes needed.
        needed: u64,
        /// Bytes that can be had.
        available: u64,
        /// What to do about it.
        remedy: String,
    },
    /// The device ran out of memory although the prediction said that it would not.
    #[error(
        "the device ran out of memory while allocating {what}; close other programs that use it, make the problem smaller, or use --device cpu"
    )]
    OutOfMemory {
        /// What was being allocated.
        what: String,
    },
    /// The device was lost: a driver reset, a watchdog, an unplugged card.
    #[error(
        "the device was lost ({reason}); run `gaspard check`, and use --device cpu if it happens again"
    )]
    DeviceLost {
        /// What the driver said.
        reason: String,
    },
    /// The driver refused a shader or a dispatch: a bug in gaspard or in the driver.
    #[error(
        "the device refused {what}: {reason}; please report this with the output of `gaspard devices`"
    )]
    Device {
        /// The kernel or resource.
        what: String,
        /// What the driver said.
        reason: String,
    },
    /// An observer stopped a solve so early that there is nothing to keep.
    #[error("interrupted before {before}: there is nothing to keep")]
    Interrupted {
        /// What there would have been first.
        before: String,
    },
    /// No device fits the request.
    #[error("no such device: {request}; {found}")]
    NoDevice {
        /// What was asked for.
        request: String,
        /// What there is instead.
        found: String,
    },
}

/// Shorthand for results with gaspard's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// A parameter outside its domain.
    pub fn parameter(
        name: impl Into<String>,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::Parameter { name: name.into(), problem: problem.into(), remedy: remedy.into() }
    }

    /// Unusable data.
    pub fn data(
        what: impl Into<String>,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::Data { what: what.into(), problem: problem.into(), remedy: remedy.into() }
    }

    /// Sizes that do not fit together.
    pub fn shape(
        what: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Self::Shape { what: what.into(), expected: expected.into(), found: found.into() }
    }

    /// A file that cannot be read or written.
    pub fn file(path: impl Into<PathBuf>, problem: impl std::fmt::Display) -> Self {
        Self::File { path: path.into(), problem: problem.to_string() }
    }

    /// True for mistakes in what was asked for (exit code 2) rather than in data or devices (exit code 1).
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Parameter { .. } | Self::NoDevice { .. })
    }
}

/// Bytes for people: `1.5 GiB`.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut value = count as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{count} B") } else { format!("{value:.1} {}", UNITS[unit]) }
}

fn available_text(available: u64) -> String {
    format!("only {} can be had", bytes(available))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limit_says_needed_available_and_remedy() {
        let error = Error::Limit {
            what: "the cost matrix".into(),
            needed: 3 << 30,
            available: 1 << 20,
            remedy: "use points".into(),
        };
        assert_eq!(
            error.to_string(),
            "the cost matrix needs 3.0 GiB, but only 1.0 MiB can be had; use points"
        );
    }
}
