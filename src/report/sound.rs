//! Pictures of separation: spectrograms and masks over seconds and hertz, objectives over delays.

use std::ops::Range;

use ndarray::ArrayView2;

use super::heatmap::Heatmap;
use crate::audio::Stft;
use crate::audio::separate::Landscape;

/// Decibels below the loudest bin that are told apart.
const DYNAMIC: f64 = 60.0;

/// A power spectrogram (frequency, frame) of a recording at some rate, from `loudest` down to 60 dB
/// below: with one value for `loudest`, pictures can be compared.
pub fn spectrogram(
    title: &str,
    power: ArrayView2<'_, f64>,
    stft: &Stft,
    rate: u32,
    loudest: f64,
) -> Heatmap {
    let decibels = power.mapv(|power| 10.0 * (power / loudest).log10());
    let (seconds, hertz) = axes(power, stft, rate);
    Heatmap::new(("seconds", seconds), ("hertz", hertz), decibels)
        .colours(-DYNAMIC..0.0)
        .title(format!("{title}: 0 to -{DYNAMIC:.0} dB"))
}

/// The shares (frequency, frame) of a source, from 0 to 1.
pub fn mask(title: &str, shares: ArrayView2<'_, f64>, stft: &Stft, rate: u32) -> Heatmap {
    let (seconds, hertz) = axes(shares, stft, rate);
    Heatmap::new(("seconds", seconds), ("hertz", hertz), shares.to_owned())
        .colours(0.0..1.0)
        .title(format!("{title}: shares from 0 to 1"))
}

/// The objective over the delays of two sources, in samples, with a cross where they were found. Of one
/// source, the same along a line.
pub fn landscape(title: &str, landscape: &Landscape, found: &[f64]) -> Heatmap {
    let (first, last) = (landscape.lags[0], landscape.lags[landscape.lags.len() - 1]);
    let half = if landscape.lags.len() > 1 { 0.5 * (landscape.lags[1] - first) } else { 0.5 };
    let lags = first - half..last + half;
    let (name, up) = match landscape.values.nrows() {
        1 => ("", 0.0..1.0),
        _ => ("delay of source 2, samples", lags.clone()),
    };
    let values = landscape.values.clone();
    let map = Heatmap::new(("delay of source 1, samples", lags), (name, up), values).title(title);
    match found {
        [first, second, ..] => map.mark(*first, *second),
        [only] => map.mark(*only, 0.5),
        [] => map,
    }
}

/// Seconds and hertz that frames and frequencies fill.
fn axes(values: ArrayView2<'_, f64>, stft: &Stft, rate: u32) -> (Range<f64>, Range<f64>) {
    let frame = stft.hop() as f64 / f64::from(rate);
    let bin = f64::from(rate) / stft.fft() as f64;
    let around = |count: usize, step: f64| -0.5 * step..(count as f64 - 0.5) * step;
    (around(values.ncols(), frame), around(values.nrows(), bin))
}
