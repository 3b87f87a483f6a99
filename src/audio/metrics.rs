//! How near estimates are to the truth. Sources have no order: every metric takes the permutation
//! that is best for it.

use ndarray::{ArrayView1, ArrayView2, ArrayView3, Axis};

use super::permutation;
use crate::error::{Error, Result};

/// A value, and which estimate stands for which source.
#[derive(Clone, Debug, PartialEq)]
pub struct Matched {
    /// The metric.
    pub value: f64,
    /// Source k is the estimate `order[k]`, both counted from 0.
    pub order: Vec<usize>,
}

/// How far delays are off.
#[derive(Clone, Debug, PartialEq)]
pub struct DelayError {
    /// The root mean square error in samples.
    pub samples: f64,
    /// In frames of the spectrogram.
    pub frames: f64,
    /// In milliseconds.
    pub milliseconds: f64,
    /// Source k is the estimate `order[k]`, both counted from 0.
    pub order: Vec<usize>,
}

/// The root mean square error of delays (source, microphone) in samples, over all sources and all
/// microphones but the first:
///
/// ```text
/// sqrt( 1/(K (L - 1)) sum_k sum_{l >= 2} (tau_k^(l) - estimate_k^(l))² )
/// ```
///
/// # Errors
/// [`Error::Shape`] where the shapes differ or there is only one microphone, [`Error::Parameter`]
/// for more than 6 sources and for a rate or a hop of 0.
///
/// ```
/// use gaspard::audio::metrics::delay_error;
/// use ndarray::array;
/// let (truth, found) = (array![[0.0, 400.0], [0.0, -200.0]], array![[0.0, -200.0], [0.0, 480.0]]);
/// let error = delay_error(truth.view(), found.view(), 8000, 200)?;
/// assert_eq!(error.order, [1, 0]);
/// assert!((error.milliseconds - 10.0 / 2.0_f64.sqrt()).abs() < 1e-12);
/// # Ok::<(), gaspard::Error>(())
/// ```
pub fn delay_error(
    truth: ArrayView2<'_, f64>,
    found: ArrayView2<'_, f64>,
    rate: u32,
    hop: usize,
) -> Result<DelayError> {
    same_shape("the delays", truth.shape(), found.shape())?;
    let (sources, microphones) = truth.dim();
    permutation::check(sources)?;
    if microphones < 2 {
        return Err(Error::shape("the delays", "two or more microphones", microphones.to_string()));
    }
    if rate == 0 || hop == 0 {
        let problem = format!("{rate} Hz, a hop of {hop} samples");
        return Err(Error::parameter("rate and hop", problem, "give positive numbers"));
    }
    let distance = |k: usize, p: usize| {
        let pairs = truth.row(k).into_iter().zip(found.row(p)).skip(1);
        pairs.map(|(a, b)| (a - b) * (a - b)).sum::<f64>()
    };
    let (order, sum) = permutation::best(sources, |k, p| -distance(k, p));
    let samples = (-sum / (sources * (microphones - 1)) as f64).sqrt();
    let milliseconds = 1000.0 * samples / f64::from(rate);
    Ok(DelayError { samples, frames: samples / hop as f64, milliseconds, order })
}

/// The mean relative error of power spectrograms (source, F, T):
///
/// ```text
/// 1/K sum_k |S_k - estimate_k|² / |S_k|²
/// ```
///
/// # Errors
/// [`Error::Shape`] where the shapes differ, [`Error::Parameter`] for more than 6 sources,
/// [`Error::Data`] for a true source that is silent.
pub fn spectrogram_error(
    truth: ArrayView3<'_, f64>,
    found: ArrayView3<'_, f64>,
) -> Result<Matched> {
    same_shape("the spectrograms", truth.shape(), found.shape())?;
    let sources = truth.dim().0;
    permutation::check(sources)?;
    let energy = |k: usize| truth.index_axis(Axis(0), k).iter().map(|s| s * s).sum::<f64>();
    if let Some(silent) = (0..sources).find(|k| energy(*k) == 0.0) {
        return Err(silent_source(silent));
    }
    let error = |k: usize, p: usize| {
        let pairs = truth.index_axis(Axis(0), k);
        let pairs = pairs.iter().zip(found.index_axis_move(Axis(0), p));
        pairs.map(|(a, b)| (a - b) * (a - b)).sum::<f64>() / energy(k)
    };
    let (order, sum) = permutation::best(sources, |k, p| -error(k, p));
    Ok(Matched { value: -sum / sources as f64, order })
}

/// By how many decibels the signal-to-distortion ratio is better than that of the mixture at
/// microphone 1, on average over the sources (source, sample):
///
/// ```text
/// 1/K sum_k 10 log10( sum_n (s_k[n] - x_1[n])² / sum_n (s_k[n] - estimate_k[n])² )
/// ```
///
/// Nothing is scaled or filtered to fit: estimates are those of the source at microphone 1.
///
/// # Errors
/// [`Error::Shape`] where the shapes differ, [`Error::Parameter`] for more than 6 sources,
/// [`Error::Data`] where a source is the mixture already.
pub fn sdr_improvement(
    truth: ArrayView2<'_, f64>,
    found: ArrayView2<'_, f64>,
    mixture: ArrayView1<'_, f64>,
) -> Result<Matched> {
    same_shape("the sources", truth.shape(), found.shape())?;
    same_shape("the mixture", &truth.shape()[1..], mixture.shape())?;
    let sources = truth.nrows();
    permutation::check(sources)?;
    let distance = |a: ArrayView1<'_, f64>, b: ArrayView1<'_, f64>| -> f64 {
        a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
    };
    if let Some(source) = (0..sources).find(|k| distance(truth.row(*k), mixture) == 0.0) {
        let problem = format!("source {} is all that microphone 1 records", source + 1);
        return Err(Error::data("the mixture", problem, "there is nothing to separate"));
    }
    let gain = |k: usize, p: usize| {
        // An estimate without any error is as good as 300 dB.
        let before = distance(truth.row(k), mixture);
        let after = distance(truth.row(k), found.row(p)).max(1e-30 * before);
        10.0 * (before / after).log10()
    };
    let (order, sum) = permutation::best(sources, gain);
    Ok(Matched { value: sum / sources as f64, order })
}

fn silent_source(source: usize) -> Error {
    let problem = format!("source {} is silent", source + 1);
    Error::data("the true sources", problem, "leave it out")
}

fn same_shape(what: &str, expected: &[usize], found: &[usize]) -> Result<()> {
    if expected == found {
        return Ok(());
    }
    Err(Error::shape(what, format!("{expected:?}"), format!("{found:?}")))
}
