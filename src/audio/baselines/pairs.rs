//! Correlations of all pairs of microphones.

use rayon::prelude::*;
use rustfft::num_complex::Complex64;

use crate::audio::correlation::{Correlation, Lags, correlation_length};
use crate::audio::recording::Recording;
use crate::audio::signal::spectrum;

/// One function of the lag for each pair.
pub(super) struct Pairs {
    microphones: usize,
    lags: Vec<Lags>,
}

impl Pairs {
    /// What `correlate` makes of the spectra of two microphones and their length. Of pairs with
    /// microphone 1 lags go up to `most`, of others up to twice that.
    pub(super) fn new(
        recording: &Recording,
        most: usize,
        correlate: impl Fn(&[Complex64], &[Complex64], usize) -> Correlation + Sync,
    ) -> Self {
        let microphones = recording.microphones();
        let length = correlation_length(recording.len());
        let spectra: Vec<_> = recording
            .channels()
            .rows()
            .into_iter()
            .map(|samples| spectrum(samples, length))
            .collect();
        let pairs: Vec<(usize, usize)> =
            (0..microphones).flat_map(|l| (l + 1..microphones).map(move |m| (l, m))).collect();
        let lags = pairs
            .into_par_iter()
            .map(|(l, m)| {
                let reach = if l == 0 { most } else { (2 * most).min(recording.len() - 1) };
                correlate(&spectra[l], &spectra[m], length).within(reach)
            })
            .collect();
        Self { microphones, lags }
    }

    /// Of microphones l < m.
    pub(super) fn get(&self, l: usize, m: usize) -> &Lags {
        let before = l * self.microphones - l * (l + 1) / 2;
        &self.lags[before + m - l - 1]
    }

    /// At the lag of a pair that is nearest to this one, 0 beyond all.
    pub(super) fn at(&self, l: usize, m: usize, lag: f64) -> f64 {
        let lags = self.get(l, m);
        let index = ((lag - lags.first) / lags.step).round();
        if index < 0.0 { 0.0 } else { lags.values.get(index as usize).copied().unwrap_or(0.0) }
    }
}
