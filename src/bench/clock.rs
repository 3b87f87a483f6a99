//! Timing: warm up, grow the work until the clock can resolve it, repeat.

use std::time::Instant;

use crate::engine::Engine;
use crate::error::Result;

/// Work is grown until it takes this long.
const LONG_ENOUGH: f64 = 0.1;
/// Runs between two waits, at most.
const MAX_RUNS: usize = 1 << 16;

/// Seconds of the work that was launched: the device's own where it has timestamps and the engine
/// is profiling, else those on the wall.
pub(super) fn seconds(engine: &Engine, work: impl FnOnce() -> Result<()>) -> Result<f64> {
    let before = device_seconds(engine)?;
    let wall = wall(engine, work)?;
    let on_device = device_seconds(engine)? - before;
    Ok(if on_device > 0.0 { on_device } else { wall })
}

/// Seconds on the wall until the work is done, that of the host with it.
pub(super) fn wall(engine: &Engine, work: impl FnOnce() -> Result<()>) -> Result<f64> {
    engine.wait()?;
    let start = Instant::now();
    work()?;
    engine.wait()?;
    Ok(start.elapsed().as_secs_f64())
}

/// True where [`seconds`] are the device's own, as soon as anything has run.
pub(super) fn is_of_the_device(engine: &Engine) -> Result<bool> {
    Ok(device_seconds(engine)? > 0.0)
}

/// Zero on the CPU, whose profile is of the wall clock too.
fn device_seconds(engine: &Engine) -> Result<f64> {
    if !engine.is_gpu() {
        return Ok(0.0);
    }
    Ok(engine.profile()?.iter().map(|kernel| kernel.seconds).sum())
}

/// Seconds of one run, so many times over. Each sample is of as many runs as take a tenth of a
/// second.
pub(super) fn samples(
    engine: &Engine,
    samples: usize,
    mut run: impl FnMut() -> Result<()>,
) -> Result<Vec<f64>> {
    let mut of = |runs: usize| seconds(engine, || (0..runs).try_for_each(|_| run()));
    of(1)?; // compiles, and touches the memory
    let mut runs = 1;
    loop {
        let took = of(runs)?;
        if took >= LONG_ENOUGH || runs >= MAX_RUNS {
            break;
        }
        let wanted = (1.2 * LONG_ENOUGH / took.max(1e-9) * runs as f64).ceil();
        runs = (wanted as usize).clamp(2 * runs, 100 * runs).min(MAX_RUNS);
    }
    (0..samples).map(|_| Ok(of(runs)? / runs as f64)).collect()
}

/// The median; the mean of the middle two of an even number; of none, not a number.
pub(super) fn median(seconds: &[f64]) -> f64 {
    if seconds.is_empty() {
        return f64::NAN;
    }
    let mut sorted = seconds.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (low, high) = ((sorted.len() - 1) / 2, sorted.len() / 2);
    0.5 * (sorted[low] + sorted[high])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_grown_until_the_clock_can_resolve_it() {
        let engine = Engine::cpu();
        let pause = std::time::Duration::from_millis(2);
        let seconds = samples(&engine, 3, || {
            std::thread::sleep(pause);
            Ok(())
        })
        .unwrap();
        assert_eq!(seconds.len(), 3);
        assert!(median(&seconds) >= 0.002);
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0]), 2.5);
        assert!(median(&[]).is_nan());
    }
}
