//! Generalised cross-correlation with phase transform.

use ndarray::{Array2, Axis};
use rustfft::num_complex::Complex64;

use super::pairs::Pairs;
use crate::audio::correlation::Correlation;
use crate::audio::delays::{self, DelaySearch};
use crate::audio::permutation;
use crate::audio::recording::Recording;
use crate::error::Result;

/// Steps in a sample.
const UPSAMPLING: usize = 4;

/// Below this share of the largest coefficient, a coefficient has no phase.
const FLOOR: f64 = 1e-12;

/// The delays (source, microphone) in samples, at the K highest peaks of
///
/// ```text
/// |c(d)|,   c = inverse transform of X_l conj(X_1) / |X_l conj(X_1)|
/// ```
///
/// with parabolas between quarters of a sample (Knapp and Carter 1976). Sources are in the order of
/// their delays at microphone 2. Peaks of further microphones belong to the source with whose delays
/// at the microphones between they agree best: by the sum of |c| of those pairs at the differences
/// of delays.
///
/// # Errors
/// [`Error::Shape`](crate::Error::Shape) for one microphone,
/// [`Error::Parameter`](crate::Error::Parameter) for a search that makes no sense,
/// [`Error::Data`](crate::Error::Data) for a silent microphone and where there are fewer peaks than
/// sources.
///
/// ```
/// use gaspard::audio::{DelaySearch, Simulation, baselines::gcc_phat};
/// use ndarray::{Array1, array};
/// use rand::{RngExt, SeedableRng};
/// let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(0);
/// let noise = Array1::from_shape_simple_fn(8000, || random.random_range(-1.0..1.0));
/// let scene = Simulation::new(8000, [noise])?.delays(array![[0.0, 37.4]]).snr(10.0).run()?;
/// let delays = gcc_phat(&scene.mixture, &DelaySearch::new(1, 8000))?;
/// assert!((delays[[0, 1]] - 37.4).abs() < 0.05);
/// # Ok::<(), gaspard::Error>(())
/// ```
pub fn gcc_phat(recording: &Recording, search: &DelaySearch) -> Result<Array2<f64>> {
    search.check(recording)?;
    let (count, microphones) = (search.sources, recording.microphones());
    let pairs = Pairs::new(recording, search.max_lag, phase);
    let mut delays = Array2::zeros((count, microphones));
    for microphone in 1..microphones {
        let found = pairs.get(0, microphone).map(f64::abs).peaks(count, search.min_distance);
        if found.len() < count {
            return Err(search.too_few(microphone, found.len()));
        }
        let agreement = |source: usize, peak: usize| -> f64 {
            let between = 1..microphone;
            between.map(|l| pairs.at(l, microphone, found[peak] - delays[[source, l]]).abs()).sum()
        };
        let (order, _) = permutation::best(count, agreement);
        (0..count).for_each(|source| delays[[source, microphone]] = found[order[source]]);
    }
    Ok(delays.select(Axis(0), &delays::order(delays.view())))
}

/// The correlation of phases.
fn phase(x: &[Complex64], y: &[Complex64], length: usize) -> Correlation {
    let mut cross: Vec<Complex64> = x.iter().zip(y).map(|(x, y)| y * x.conj()).collect();
    let most = cross.iter().map(|value| value.norm()).fold(f64::MIN_POSITIVE, f64::max);
    cross.iter_mut().for_each(|value| *value /= value.norm().max(FLOOR * most));
    Correlation::new(cross, length, UPSAMPLING)
}
