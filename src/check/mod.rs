//! Every kernel of a GPU against its f64 twin: the first thing to run on a new device.
//!
//! Each case runs on the device and on the CPU with the same numbers, representable in f32, so
//! that what is compared is the kernel alone. What a case allows is a small multiple of what
//! rounding to f32 explains; where a device errs by more, its results cannot be trusted.

mod audio;
mod ceilings;
mod couplings;
mod dynamic;
mod flat;
mod flows;
mod gromov;
mod laws;
mod nodes;
mod random;
mod softmins;
mod solves;

use std::ops::ControlFlow;
use std::time::Instant;

use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::kernels::NEARLY_NOTHING;
use random::Random;

/// Half the spacing of f32 numbers near one, to state what is allowed in.
const ROUNDOFF: f64 = f32::EPSILON as f64 / 2.0;

/// One case: how far the device is from the CPU.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The kernel, as its shader is named, or `solve` for a whole solve.
    pub kernel: String,
    /// What was run on it; for a kernel that did not run, also why.
    pub case: String,
    /// The largest error over all results: absolute for logarithms, relative for sums; infinite
    /// for a kernel that did not run.
    pub error: f64,
    /// The largest error that rounding explains.
    pub allowed: f64,
    /// True if the error is at most what is allowed.
    pub passed: bool,
    /// Seconds on the device, compiling included.
    pub seconds: f64,
}

/// Runs every kernel on an engine and compares with the CPU. `observe` sees each row as it is
/// made, and may stop; rows made until then are returned.
///
/// ```
/// use gaspard::{Engine, check};
/// use std::ops::ControlFlow;
/// let rows = check::run(&Engine::cpu(), 0, &mut |row| {
///     println!("{:24} {:40} {:.1e}", row.kernel, row.case, row.error);
///     ControlFlow::Break(())
/// })?;
/// assert!(rows[0].passed);
/// # Ok::<(), gaspard::Error>(())
/// ```
///
/// # Errors
/// [`Error::DeviceLost`]. Whatever else goes wrong on the device is a row that did not pass.
pub fn run(
    engine: &Engine,
    seed: u64,
    observe: &mut dyn FnMut(&Row) -> ControlFlow<()>,
) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for list in [
        ceilings::cases,
        nodes::cases,
        softmins::cases,
        couplings::cases,
        gromov::cases,
        dynamic::cases,
        flows::cases,
        laws::cases,
        flat::cases,
        audio::cases,
        solves::cases,
    ] {
        for case in list(&mut Random::new(seed))? {
            let row = case.run(engine)?;
            let flow = observe(&row);
            rows.push(row);
            if flow.is_break() {
                return Ok(rows);
            }
        }
    }
    Ok(rows)
}

/// What errors are measured in.
enum Unit {
    /// Absolute: logarithms, and numbers of size one.
    Absolute,
    /// Relative to the result: sums without cancellation.
    Relative,
    /// Relative to these: for each result, the sum of the magnitudes of its terms.
    Terms(Vec<f64>),
}

/// What a case runs on an engine, and what comes out.
type Work = Box<dyn Fn(&Engine) -> Result<Vec<f64>>>;

struct Case {
    kernel: &'static str,
    name: String,
    unit: Unit,
    allowed: f64,
    work: Work,
}

impl Case {
    fn run(self, engine: &Engine) -> Result<Row> {
        let start = Instant::now();
        let found = (self.work)(engine);
        let seconds = start.elapsed().as_secs_f64();
        let (error, name) = match found {
            Ok(found) => (self.unit.error(&found, &(self.work)(&Engine::cpu())?), self.name),
            Err(lost @ Error::DeviceLost { .. }) => return Err(lost),
            Err(other) => (f64::INFINITY, format!("{}: {other}", self.name)),
        };
        Ok(Row {
            kernel: self.kernel.to_owned(),
            case: name,
            error,
            allowed: self.allowed,
            passed: error <= self.allowed,
            seconds,
        })
    }
}

impl Unit {
    /// The largest error; infinite where the two do not agree on what is nothing.
    fn error(&self, found: &[f64], expected: &[f64]) -> f64 {
        /// Sums below this are lost to the range of f32.
        const TINY: f64 = 1e-30;
        if found.len() != expected.len() {
            return f64::INFINITY;
        }
        let mut largest = 0.0_f64;
        for (place, (&found, &expected)) in found.iter().zip(expected).enumerate() {
            let nothing = (found < NEARLY_NOTHING, expected < NEARLY_NOTHING);
            let error = match (nothing, self) {
                ((true, true), _) => 0.0,
                ((true, false) | (false, true), _) => f64::INFINITY,
                (_, Self::Absolute) => (found - expected).abs(),
                (_, Self::Relative) => (found - expected).abs() / (expected.abs() + TINY),
                (_, Self::Terms(terms)) => (found - expected).abs() / (terms[place] + TINY),
            };
            // NaN would not win a comparison.
            largest = largest.max(if error.is_nan() { f64::INFINITY } else { error });
        }
        largest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_never_hidden() {
        let unit = Unit::Absolute;
        assert_eq!(unit.error(&[1.0, -1e30], &[1.5, -2e30]), 0.5);
        assert_eq!(unit.error(&[f64::NAN, 1.0], &[0.0, 1.0]), f64::INFINITY);
        assert_eq!(unit.error(&[0.0, f64::NAN], &[0.0, 1.0]), f64::INFINITY);
        assert_eq!(unit.error(&[0.0], &[-1e30]), f64::INFINITY);
        assert_eq!(unit.error(&[], &[0.0]), f64::INFINITY);
        assert_eq!(Unit::Relative.error(&[2.0], &[4.0]), 0.5);
        assert_eq!(Unit::Terms(vec![8.0]).error(&[2.0], &[4.0]), 0.25);
    }
}
