//! The multichannel Wiener filter after alignment.

use std::f64::consts::TAU;

use ndarray::{Array2, Array3, ArrayView1, ArrayView2, ArrayView3, Axis};

use super::{Complex, by_frequency};
use crate::audio::complex::{Matrix, load, mean_diagonal, solve};
use crate::audio::recording::Recording;
use crate::audio::signal::{delayed, stacked};
use crate::audio::spectrogram::between;
use crate::audio::stft::Stft;
use crate::error::Result;

/// What is added to a covariance to invert it, relative to its mean diagonal.
const REGULAR: f64 = 1e-6;

/// All that the filters are made of.
pub(super) struct Filter<'a> {
    pub recording: &'a Recording,
    pub stft: Stft,
    /// v (source, F, T) at the frames of this transform.
    pub powers: ArrayView3<'a, f64>,
    pub noise: ArrayView1<'a, f64>,
    pub delays: ArrayView2<'a, f64>,
}

/// Another source, as the aligned microphones hear it.
struct Interferer {
    source: usize,
    /// D_l in samples.
    offsets: Vec<f64>,
    /// rho(D_l - D_q), row by row.
    coherence: Vec<f64>,
}

impl Filter<'_> {
    /// Every source (source, F, T).
    pub(super) fn all(&self) -> Result<Array3<Complex>> {
        let (sources, frequencies, frames) = self.powers.dim();
        let mut all = Array3::zeros((sources, frequencies, frames));
        for target in 0..sources {
            all.index_axis_mut(Axis(0), target).assign(&self.one(target)?);
        }
        Ok(all)
    }

    /// One source (F, T).
    fn one(&self, target: usize) -> Result<Array2<Complex>> {
        let (sources, frequencies, frames) = self.powers.dim();
        let delays = self.delays.row(target);
        let aligned: Vec<_> = delays
            .iter()
            .enumerate()
            .map(|(microphone, delay)| delayed(self.recording.channel(microphone), -delay))
            .collect();
        let mixtures = self.stft.forward_all(stacked(&aligned).view());
        let interferers: Vec<Interferer> =
            (0..sources).filter(|j| *j != target).map(|j| self.interferer(target, j)).collect();
        let found = by_frequency(1, frequencies, frames, |f| {
            self.at_frequency(f, target, &interferers, mixtures.index_axis(Axis(1), f))
        })?;
        Ok(found.index_axis_move(Axis(0), 0))
    }

    fn interferer(&self, target: usize, source: usize) -> Interferer {
        let offsets = (&self.delays.row(source) - &self.delays.row(target)).to_vec();
        let weights = self.stft.weights().to_vec();
        let coherence = offsets
            .iter()
            .flat_map(|a| offsets.iter().map(|b| overlap(&weights, *a - b)).collect::<Vec<_>>())
            .collect();
        Interferer { source, offsets, coherence }
    }

    /// The target at one frequency (1, T).
    fn at_frequency(
        &self,
        f: usize,
        target: usize,
        interferers: &[Interferer],
        mixtures: ArrayView2<'_, Complex>,
    ) -> Result<Array2<Complex>> {
        let (microphones, frames) = mixtures.dim();
        let powers = self.powers.index_axis(Axis(1), f);
        let rows: Vec<Vec<f64>> =
            interferers.iter().map(|j| powers.row(j.source).to_vec()).collect();
        let turn = -TAU * f as f64 / self.stft.fft() as f64;
        let hop = self.stft.hop() as f64;
        // The phases of the coherences do not change in time.
        let coherences: Vec<Vec<Complex>> = interferers
            .iter()
            .map(|Interferer { offsets, coherence, .. }| {
                let pairs = offsets.iter().flat_map(|a| offsets.iter().map(move |b| a - b));
                pairs
                    .zip(coherence)
                    .map(|(gap, rho)| Complex::from_polar(*rho, turn * gap))
                    .collect()
            })
            .collect();
        let mut found = Array2::zeros((1, frames));
        let mut covariance = Matrix::zeros(microphones, microphones);
        let mut mixture = vec![Complex::ZERO; microphones];
        let mut amplitudes = vec![0.0; microphones];
        for t in 0..frames {
            let power = powers[[target, t]];
            covariance.fill(power.into());
            load(&mut covariance, self.noise[f]);
            for ((Interferer { offsets, .. }, row), coherence) in
                interferers.iter().zip(&rows).zip(&coherences)
            {
                for (amplitude, offset) in amplitudes.iter_mut().zip(offsets) {
                    *amplitude = within(row, t as f64 - offset / hop).sqrt();
                }
                for l in 0..microphones {
                    for q in 0..microphones {
                        let both = amplitudes[l] * amplitudes[q];
                        covariance[(l, q)] += coherence[l * microphones + q] * both;
                    }
                }
            }
            let regular = REGULAR * mean_diagonal(&covariance);
            load(&mut covariance, regular);
            mixture.iter_mut().zip(mixtures.column(t)).for_each(|(to, from)| *to = *from);
            solve(&mut covariance, &mut mixture)?;
            found[[0, t]] = mixture.iter().sum::<Complex>() * power;
        }
        Ok(found)
    }
}

/// v at a frame, 0 where there is none.
fn within(row: &[f64], at: f64) -> f64 {
    if at < 0.0 || at > (row.len() - 1) as f64 { 0.0 } else { between(row, at) }
}

/// rho(D): the overlap of a window with itself D samples later, linear between whole samples.
fn overlap(weights: &[f64], samples: f64) -> f64 {
    let at = |shift: usize| -> f64 {
        let later = weights.get(shift..).unwrap_or_default();
        weights.iter().zip(later).map(|(a, b)| a * b).sum()
    };
    let (shift, share) = (samples.abs() as usize, samples.abs().fract());
    ((1.0 - share) * at(shift) + share * at(shift + 1)) / at(0)
}
