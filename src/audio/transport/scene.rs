//! What the microphones heard, as columns of mass one.

use ndarray::Array2;

use super::options::Weights;
use crate::error::{Error, Result};
use crate::numeric::compensated_sum;

/// A frequency with less than this share of the mass of the loudest one is silent.
const SILENCE: f64 = 1e-10;

/// The spectrograms of one recording, frequency by frequency, each column scaled to mass one.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scene {
    pub frequencies: usize,
    pub microphones: usize,
    pub frames: usize,
    /// (frequencies, microphones, frames).
    pub columns: Vec<f64>,
    /// How much each frequency counts: one in all, nothing for those that are silent.
    pub masses: Vec<f64>,
}

/// Refuses what are no spectrograms.
pub(super) fn validate(spectrograms: &[Array2<f64>]) -> Result<()> {
    let [first, _, ..] = spectrograms else {
        let found = spectrograms.len().to_string();
        return Err(Error::shape("the spectrograms", "at least two microphones", found));
    };
    if first.is_empty() {
        return Err(Error::data("the spectrograms", "they are empty", "give at least one frame"));
    }
    for (microphone, spectrogram) in spectrograms.iter().enumerate() {
        let what = || format!("the spectrogram of microphone {}", microphone + 1);
        if spectrogram.dim() != first.dim() {
            let shape = |(frequencies, frames)| format!("{frequencies} x {frames}");
            return Err(Error::shape(what(), shape(first.dim()), shape(spectrogram.dim())));
        }
        let wrong = |value: &f64| !(*value >= 0.0 && value.is_finite());
        if let Some(((f, t), value)) = spectrogram.indexed_iter().find(|(_, value)| wrong(value)) {
            let problem = format!("frequency {f}, frame {t} is {value}");
            return Err(Error::data(what(), problem, "powers are finite and not negative"));
        }
        if spectrogram.iter().all(|value| *value == 0.0) {
            return Err(Error::data(what(), "it is silent", "leave that microphone out"));
        }
    }
    Ok(())
}

impl Scene {
    /// Spectrograms to some power, weighted.
    pub(super) fn new(spectrograms: &[Array2<f64>], weights: Weights, power: f64) -> Result<Self> {
        let (frequencies, frames) = spectrograms[0].dim();
        let microphones = spectrograms.len();
        // In units of the largest, so that no power overflows.
        let peak = spectrograms.iter().flatten().copied().fold(0.0, f64::max);
        let mut columns = Vec::with_capacity(frequencies * microphones * frames);
        let mut sums = Vec::with_capacity(frequencies * microphones);
        for f in 0..frequencies {
            for spectrogram in spectrograms {
                let column = spectrogram.row(f).map(|value| (value / peak).powf(power)).to_vec();
                sums.push(compensated_sum(column.iter().copied()));
                columns.extend(column);
            }
        }
        let loudest: Vec<f64> = (0..microphones)
            .map(|l| sums.iter().skip(l).step_by(microphones).copied().fold(0.0, f64::max))
            .collect();
        let mut masses = vec![0.0; frequencies];
        for (mass, sums) in masses.iter_mut().zip(sums.chunks(microphones)) {
            if sums.iter().zip(&loudest).all(|(sum, most)| *sum > SILENCE * most) {
                let mean = sums.iter().sum::<f64>() / microphones as f64;
                *mass = match weights {
                    Weights::Mass => mean,
                    Weights::Sqrt => mean.sqrt(),
                    Weights::Flat => 1.0,
                };
            }
        }
        let total = compensated_sum(masses.iter().copied());
        if total == 0.0 {
            let problem = "no frequency is heard by all microphones";
            return Err(Error::data("the spectrograms", problem, "check what was recorded"));
        }
        masses.iter_mut().for_each(|mass| *mass /= total);
        for (column, sum) in columns.chunks_mut(frames).zip(&sums) {
            if *sum > 0.0 {
                column.iter_mut().for_each(|value| *value /= sum);
            }
        }
        Ok(Self { frequencies, microphones, frames, columns, masses })
    }

    /// The column of a microphone at a frequency.
    pub(super) fn column(&self, frequency: usize, microphone: usize) -> &[f64] {
        let place = frequency * self.microphones + microphone;
        &self.columns[place * self.frames..(place + 1) * self.frames]
    }

    /// The same with only some of the microphones.
    pub(super) fn with_microphones(&self, chosen: &[usize]) -> Self {
        let mut columns = Vec::with_capacity(self.frequencies * chosen.len() * self.frames);
        for f in 0..self.frequencies {
            chosen.iter().for_each(|l| columns.extend_from_slice(self.column(f, *l)));
        }
        Self { microphones: chosen.len(), columns, masses: self.masses.clone(), ..*self }
    }

    /// The same with only so many frequencies, those that count most, in their order.
    pub(super) fn heaviest(&self, count: usize) -> Self {
        let mut order: Vec<usize> = (0..self.frequencies).collect();
        order.sort_by(|a, b| self.masses[*b].total_cmp(&self.masses[*a]));
        order.truncate(count);
        order.sort_unstable();
        let size = self.microphones * self.frames;
        let columns =
            order.iter().flat_map(|f| &self.columns[f * size..(f + 1) * size]).copied().collect();
        let masses = order.iter().map(|f| self.masses[*f]).collect();
        Self { frequencies: order.len(), columns, masses, ..*self }
    }
}
