//! How much of a spectrogram is noise.
//!
//! The power of white noise in a bin of a spectrogram is exponentially distributed. Its mean N is
//! then known from any quantile, and a low one is little touched by speech, which leaves most bins
//! to the noise:
//!
//! ```text
//! N = Q_q / (-ln(1 - q)),     Q_q the q-quantile of |X(f, t)|²
//! ```
//!
//! The more bins speech rises above the noise in, the more N is too high: for one voice 1.1 times
//! at a signal-to-noise ratio of 0 dB, 1.4 times at 15 dB.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, ArrayView3, Axis};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::stft::Stft;
use crate::error::{Error, Result};

/// A quantile that speech hardly reaches.
pub const QUANTILE: f64 = 0.2;

/// What is left of a bin that holds no more than noise.
const REMAINDER: f64 = 1e-3;

/// N (F) of white noise of this variance: `sum_n w[n]²` times the variance.
///
/// # Errors
/// [`Error::Parameter`] for a variance that is negative or not finite.
///
/// ```
/// use gaspard::audio::{noise, Stft};
/// let noise = noise::known(&Stft::new(256, 200, 256)?, 0.5)?;
/// assert!(noise.iter().all(|level| (level - 48.0).abs() < 1e-9));
/// # Ok::<(), gaspard::Error>(())
/// ```
pub fn known(stft: &Stft, variance: f64) -> Result<Array1<f64>> {
    if !(variance >= 0.0 && variance.is_finite()) {
        let problem = format!("it is {variance}");
        return Err(Error::parameter("variance", problem, "give 0 or more"));
    }
    Ok(Array1::from_elem(stft.frequencies(), stft.noise_gain() * variance))
}

/// N (F) of white noise, from power spectrograms (microphone, F, T). Bins that are exactly 0, as
/// where a signal was filled up, do not count.
///
/// ```
/// use gaspard::audio::{noise, spectrogram, Simulation, Speaker, Stft, Voice};
///
/// // A second of a voice in two, with noise.
/// let voice = Speaker::new(Voice::Low).speak(8000, 8000);
/// let scene = Simulation::new(8000, [voice])?.samples(16_000).snr(10.0).run()?;
/// let stft = Stft::at_rate(8000)?;
/// let power = spectrogram::power(&stft.forward_all(scene.mixture.channels()));
/// let level = noise::white(power.view(), noise::QUANTILE)?;
/// assert!(level.len() == stft.frequencies() && level.iter().all(|n| *n == level[0] && *n > 0.0));
/// // What rises above it.
/// let voiced = noise::subtracted(power.index_axis(ndarray::Axis(0), 0), level.view(), 1.0)?;
/// assert!(voiced.sum() < power.sum() && voiced.iter().all(|power| *power >= 0.0));
/// # Ok::<(), gaspard::Error>(())
/// ```
///
/// # Errors
/// [`Error::Parameter`] for a quantile that is not between 0 and 1.
pub fn white(power: ArrayView3<'_, f64>, quantile: f64) -> Result<Array1<f64>> {
    check(quantile)?;
    let level = level(power.iter().copied(), quantile);
    Ok(Array1::from_elem(power.dim().1, level))
}

/// N (F) of noise that differs from frequency to frequency, from power spectrograms
/// (microphone, F, T). Bins that are exactly 0 do not count.
///
/// # Errors
/// As [`white`].
pub fn coloured(power: ArrayView3<'_, f64>, quantile: f64) -> Result<Array1<f64>> {
    check(quantile)?;
    let levels = power.axis_iter(Axis(1)).map(|bins| level(bins.iter().copied(), quantile));
    Ok(levels.collect())
}

/// max(R - factor N, R / 1000) of a power spectrogram R (F, T): factor 3 to find delays, 1 to
/// rebuild sources.
///
/// # Errors
/// [`Error::Shape`] where N has not F entries.
pub fn subtracted(
    power: ArrayView2<'_, f64>,
    noise: ArrayView1<'_, f64>,
    factor: f64,
) -> Result<Array2<f64>> {
    check_length(noise, power.nrows())?;
    let mut rest = power.to_owned();
    for (mut row, level) in rest.rows_mut().into_iter().zip(noise) {
        row.mapv_inplace(|power| (power - factor * level).max(REMAINDER * power));
    }
    Ok(rest)
}

/// Refuses a noise level that is not one number a frequency.
pub(crate) fn check_length(noise: ArrayView1<'_, f64>, frequencies: usize) -> Result<()> {
    if noise.len() == frequencies {
        return Ok(());
    }
    let found = noise.len().to_string();
    Err(Error::shape("the noise", format!("{frequencies} frequencies"), found))
}

fn check(quantile: f64) -> Result<()> {
    if quantile > 0.0 && quantile < 1.0 {
        return Ok(());
    }
    let problem = format!("it is {quantile}");
    Err(Error::parameter("quantile", problem, "use a number between 0 and 1, such as 0.2"))
}

fn level(power: impl Iterator<Item = f64>, quantile: f64) -> f64 {
    let mut bins: Vec<f64> = power.filter(|power| *power > 0.0).collect();
    if bins.is_empty() {
        return 0.0;
    }
    let at = (quantile * (bins.len() - 1) as f64).round() as usize;
    let (_, value, _) = bins.select_nth_unstable_by(at, f64::total_cmp);
    *value / -(1.0 - quantile).ln()
}

/// A standard normal number, by Box and Muller.
pub(crate) fn normal(random: &mut ChaCha8Rng) -> f64 {
    let radius: f64 = random.random_range(f64::MIN_POSITIVE..1.0);
    let angle: f64 = random.random_range(0.0..std::f64::consts::TAU);
    (-2.0 * radius.ln()).sqrt() * angle.cos()
}
