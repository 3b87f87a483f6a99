//! Recordings at other rates.

use ndarray::Array2;
use rubato::audioadapter_buffers::direct::SequentialSlice;
use rubato::{Fft, FixedSync, Resampler};

use super::recording::Recording;
use crate::error::{Error, Result};

/// Samples that are transformed at once.
const CHUNK: usize = 4096;

impl Recording {
    /// The same sound at another rate, by band-limited interpolation: what lies above half the
    /// lower one of the rates is lost. Delays between microphones are kept.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a rate of 0, and for pairs of rates that have no common divisor to
    /// speak of.
    ///
    /// ```
    /// use gaspard::audio::Recording;
    /// use ndarray::Array2;
    /// let tone = |rate: u32| {
    ///     Array2::from_shape_fn((1, rate as usize), |(_, n)| (1000.0 * n as f64 / f64::from(rate)).sin())
    /// };
    /// let recording = Recording::new("a tone", 16_000, tone(16_000))?.resampled(8000)?;
    /// let difference = &recording.channels() - &tone(8000);
    /// assert!(difference.iter().skip(500).take(7000).all(|error| error.abs() < 1e-3));
    /// # Ok::<(), gaspard::Error>(())
    /// ```
    pub fn resampled(&self, rate: u32) -> Result<Self> {
        if rate == self.rate() {
            return Ok(self.clone());
        }
        let fail = |problem: String| {
            let remedy = "choose a rate that has a large common divisor with that of the recording";
            Error::parameter("rate", problem, remedy)
        };
        let (microphones, samples) = self.channels().dim();
        let [from, to] = [self.rate(), rate].map(|rate| rate as usize);
        let mut resampler = Fft::<f64>::new(from, to, CHUNK, microphones, FixedSync::Both)
            .map_err(|error| fail(error.to_string()))?;
        let flat: Vec<f64> = self.channels().iter().copied().collect();
        let input = SequentialSlice::new(&flat, microphones, samples)
            .map_err(|error| fail(error.to_string()))?;
        let output = resampler
            .process_all(&input, samples, None)
            .map_err(|error| fail(error.to_string()))?
            .take_data();
        let count = output.len() / microphones;
        let channels = Array2::from_shape_fn((microphones, count), |(microphone, sample)| {
            output[sample * microphones + microphone]
        });
        Self::new("the resampled recording", rate, channels)
    }
}
