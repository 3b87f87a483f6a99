//! What separation finds.

use ndarray::{Array1, Array2, Array3, Axis};

use super::options::Filter;
use super::search::Delays;
use crate::audio::recording::Recording;
use crate::audio::stft::Stft;
use crate::error::Result;
use crate::outcome::Outcome;

/// Sources as microphone 1 hears them.
#[derive(Clone, Debug, PartialEq)]
pub struct Separated {
    /// Samples per second.
    pub rate: u32,
    /// The sources (source, sample), as loud as at microphone 1.
    pub signals: Array2<f64>,
    /// Their delays; none of methods that find sources without them.
    pub delays: Option<Delays>,
    /// The transform that masks and spectrograms belong to.
    pub stft: Stft,
    /// The shares of the sources (source, frequency, frame) in what microphone 1 hears, from 0 to 1.
    pub masks: Array3<f64>,
    /// Their power spectrograms (source, frequency, frame).
    pub spectrograms: Array3<f64>,
    /// The level of the noise (frequency) in power spectrograms.
    pub noise: Array1<f64>,
    /// The filter that made the sound; none of methods that have no choice.
    pub filter: Option<Filter>,
    /// How the separation ended: of transport, converged, iterations and tolerance are those of the search
    /// of the delays; seconds are those of all of it.
    pub outcome: Outcome,
}

impl Separated {
    /// A source by itself, counted from 0.
    ///
    /// # Errors
    /// Those of [`Recording::new`].
    ///
    /// # Panics
    /// Where there is no such source.
    pub fn source(&self, source: usize) -> Result<Recording> {
        let samples = self.signals.row(source).insert_axis(Axis(0)).to_owned();
        Recording::new(&format!("source {}", source + 1), self.rate, samples)
    }

    /// The share of each source in the energy of all their spectrograms and of what belongs to nobody,
    /// given the power spectrogram of microphone 1 (frequency, frame).
    pub fn energies(&self, heard: &Array2<f64>) -> Vec<f64> {
        let all = heard.sum().max(f64::MIN_POSITIVE);
        self.spectrograms.outer_iter().map(|power| power.sum() / all).collect()
    }
}
