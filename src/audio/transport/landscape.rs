//! The objective over delays.

use ndarray::Array2;

use super::Separation;
use super::score::Scorer;
use super::solution::flat;
use crate::engine::Engine;
use crate::error::Result;
use crate::observer::Observer;

impl Separation {
    /// How good delays (sources, microphones) are, in frames: for each, the dual value after a few
    /// iterations, of the frequencies that count most only. The lower, the better. It is what starts
    /// are chosen by; not a number for those that an observer did not wait for.
    ///
    /// ```
    /// use gaspard::Engine;
    /// use gaspard::audio::transport::Separation;
    /// use ndarray::{Array2, array};
    /// let mut heard = [Array2::zeros((1, 30)), Array2::zeros((1, 30))];
    /// (heard[0][[0, 10]], heard[1][[0, 13]]) = (1.0, 1.0);
    /// let delays = [1.0, 3.0, 5.0].map(|delay| array![[0.0, delay]]);
    /// let scores = Separation::new(&heard, 1)?.scores(&delays, &Engine::cpu(), &())?;
    /// assert!(scores[1] < scores[0] && scores[1] < scores[2]);
    /// # Ok::<(), gaspard::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Separation::separate_at`].
    pub fn scores(
        &self,
        delays: &[Array2<f64>],
        engine: &Engine,
        observer: &dyn Observer,
    ) -> Result<Vec<f64>> {
        self.validate()?;
        let (sources, microphones) = (self.sources, self.spectrograms.len());
        for one in delays {
            self.options.validate_delays("to score", one, sources, microphones)?;
        }
        let scene = self.scene()?;
        let largest = self.options.largest_lag(scene.frames);
        let candidates: Vec<_> = delays.iter().map(|one| (0, flat(one, largest))).collect();
        if candidates.is_empty() {
            return Ok(Vec::new());
        }
        let scorer = Scorer::new(engine, &self.options, &[scene]);
        let scores = scorer.scores(&candidates, observer)?;
        Ok(scores
            .into_iter()
            .map(|score| if score == f64::INFINITY { f64::NAN } else { score })
            .collect())
    }
}
