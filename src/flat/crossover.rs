//! Which method is the quickest, from small problems on the device at hand.

use std::time::Instant;

use ndarray::Array2;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::neural::Training;
use super::{Cloud, Method, Sinkhorn, exact};
use crate::engine::{DeviceKind, Engine};
use crate::error::Result;

/// Up to so many pairs of points the simplex takes less than a tenth of a second.
const AT_ONCE: f64 = 1e6;
/// Seconds beyond which neither the simplex nor Sinkhorn is waited for.
pub(crate) const PATIENCE_SECONDS: f64 = 600.0;
/// Points of each cloud that the simplex is measured with.
const SIMPLEX_POINTS: usize = 500;
/// How the time of the simplex grows with the pairs of points: from 2.2 ms at 300 x 200 to 68 ms at
/// 1000 x 1000 and about 20 s at 12,000 x 6000.
const SIMPLEX_POWER: f64 = 1.12;
/// Iterations whose difference in time is measured.
const FEW: usize = 4;
const MANY: usize = 24;
/// Iterations that bounds within 1 % take, bounds included: 60 for normal clouds, 260 for equal masses
/// in clusters.
const ITERATIONS: f64 = 150.0;

/// The method for clouds of so many points.
pub(super) fn choose((n, m): (usize, usize), engine: &Engine) -> Result<Method> {
    let pairs = n as f64 * m as f64;
    if pairs <= AT_ONCE {
        return Ok(Method::Exact);
    }
    // The simplex stores costs twice over.
    let fits = Engine::cpu().require("the costs", 16 * pairs as u64, "").is_ok();
    let simplex = if fits { simplex_seconds(pairs)? } else { f64::INFINITY };
    let entropic = sinkhorn_seconds(pairs, engine)?;
    log::info!("simplex {simplex:.1} s, Sinkhorn {entropic:.1} s expected");
    Ok(if simplex.min(entropic) > PATIENCE_SECONDS {
        Method::Neural(Training::tight())
    } else if simplex <= entropic {
        Method::Exact
    } else {
        Method::Sinkhorn(Sinkhorn::new())
    })
}

/// Seconds that the simplex is expected to take.
fn simplex_seconds(pairs: f64) -> Result<f64> {
    let [a, b] = clouds(SIMPLEX_POINTS)?;
    let begin = Instant::now();
    exact(&a, &b, &mut || false)?;
    let measured = SIMPLEX_POINTS as f64 * SIMPLEX_POINTS as f64;
    Ok(begin.elapsed().as_secs_f64() * (pairs / measured).powf(SIMPLEX_POWER))
}

/// Seconds that Sinkhorn is expected to take.
fn sinkhorn_seconds(pairs: f64, engine: &Engine) -> Result<f64> {
    let is_real = |kind| kind != DeviceKind::Software;
    let points = match engine.device() {
        Some(device) if is_real(device.kind) => 8192,
        Some(_) => 128,
        None => 1024,
    };
    let [a, b] = clouds(points)?;
    // The first one compiles. Bounds that no iteration reaches: all of them are made.
    let take = |iterations| -> Result<f64> {
        let sinkhorn = Sinkhorn::new().tolerance(1e-12).max_iterations(iterations);
        let begin = Instant::now();
        sinkhorn.solve(&a, &b, engine)?;
        Ok(begin.elapsed().as_secs_f64())
    };
    take(1)?;
    // The better one of two: others may be at work here.
    let best = |iterations| -> Result<f64> { Ok(take(iterations)?.min(take(iterations)?)) };
    let (few, many) = (best(FEW)?, best(MANY)?);
    // All else is never ten times what iterations are: below that, it is noise.
    let each = ((many - few) / (MANY - FEW) as f64).max(0.1 * many / MANY as f64);
    Ok(each * ITERATIONS * pairs / (points as f64 * points as f64))
}

/// Two clouds of as many points in the plane, half a unit apart.
fn clouds(points: usize) -> Result<[Cloud; 2]> {
    let cloud = |seed, shift: f64| {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let places = Array2::from_shape_simple_fn((points, 2), || random.random_range(-1.0..1.0));
        Cloud::counting("a cloud", places + shift)
    };
    Ok([cloud(1, 0.0)?, cloud(2, 0.5)?])
}
