//! What the device can do at most, measured.

use super::{Binding, Counts, clock};
use crate::engine::{DeviceKind, Engine};
use crate::error::Result;
use crate::kernels::ceiling::{copy, exponential, multiply_add};

/// Bytes of each of the two arrays of the copy: larger than the caches, of the largest GPUs too.
const COPY_BYTES: u64 = 256 << 20;
/// The same for a software adapter, whose bindings are small and whose cache is the CPU's.
const SMALL_COPY_BYTES: u64 = 64 << 20;
/// Threads that keep a large GPU busy, and tasks that keep a CPU busy.
const THREADS: usize = 1 << 20;
const TASKS: usize = 1 << 12;
/// Steps of a chain in one launch.
const STEPS: usize = 256;
const REPEATS: usize = 5;

/// What a device can do at most. Each is the best of five measurements.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "io", derive(serde::Serialize))]
pub struct Ceilings {
    /// Bytes a second, read and written together, of a large copy.
    pub bytes: f64,
    /// Exponentials a second, in registers.
    pub exponentials: f64,
    /// Floating-point operations a second of multiply-adds in registers, two for each.
    pub flops: f64,
}

/// Measures what an engine's device can do at most, in about three seconds.
///
/// # Errors
/// Any fault of the device, and [`crate::Error::Limit`] without room for two arrays to copy.
pub fn ceilings(engine: &Engine) -> Result<Ceilings> {
    let software = engine.device().is_some_and(|device| device.kind == DeviceKind::Software);
    let bytes = if software { SMALL_COPY_BYTES } else { COPY_BYTES };
    let length = (bytes / engine.bytes_per_number()) as usize;
    let source = engine.filled("source of the copy", length, 1.0)?;
    let mut target = engine.zeros("target of the copy", length)?;
    let copied = best(engine, || copy::copy(engine, &source, &mut target))?;
    drop((source, target));

    let threads = if engine.is_gpu() && !software { THREADS } else { TASKS };
    let mut out = engine.zeros("chains", threads)?;
    let made = best(engine, || exponential::exponential(engine, STEPS, &mut out))?;
    let added = best(engine, || multiply_add::multiply_add(engine, STEPS, 0.5, 0.25, &mut out))?;
    let steps = (threads * STEPS) as f64;
    Ok(Ceilings {
        bytes: 2.0 * bytes as f64 / copied,
        exponentials: steps * exponential::CHAINS as f64 / made,
        flops: 2.0 * steps * multiply_add::CHAINS as f64 / added,
    })
}

fn best(engine: &Engine, run: impl FnMut() -> Result<()>) -> Result<f64> {
    let seconds = clock::samples(engine, REPEATS, run)?;
    Ok(seconds.into_iter().fold(f64::INFINITY, f64::min))
}

impl Ceilings {
    /// The ceiling that binds, and the seconds that it allows; `None` for no work.
    pub(super) fn bound(&self, counts: &Counts) -> Option<(Binding, f64)> {
        [
            (Binding::Exponentials, counts.exponentials / self.exponentials),
            (Binding::Bandwidth, counts.bytes / self.bytes),
            (Binding::MultiplyAdds, counts.flops / self.flops),
        ]
        .into_iter()
        .filter(|(_, seconds)| *seconds > 0.0)
        .max_by(|a, b| a.1.total_cmp(&b.1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_part_binds() {
        let ceilings = Ceilings { bytes: 10.0, exponentials: 100.0, flops: 1000.0 };
        let counts = Counts { exponentials: 50.0, bytes: 20.0, flops: 100.0 };
        assert_eq!(ceilings.bound(&counts), Some((Binding::Bandwidth, 2.0)));
        assert_eq!(ceilings.bound(&Counts::default()), None);
    }
}
