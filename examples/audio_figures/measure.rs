//! What every method makes of a scene.

use std::collections::BTreeMap;

use gaspard::Result;
use gaspard::audio::baselines::{Fdica, Mnmf, delay_and_sum, gcc_phat, mccc};
use gaspard::audio::metrics::{delay_error, sdr_improvement, spectrogram_error};
use gaspard::audio::separate::{Filter, Method, Separated};
use gaspard::audio::{DelaySearch, Scene, Separator, Stft, spectrogram};
use ndarray::{Array2, Array3};

use crate::common::Context;
use crate::scene::{HOP, RATE, Range};

/// Numbers by "figure/method".
pub type Numbers = BTreeMap<String, f64>;

struct Judge<'a> {
    scene: &'a Scene,
    stft: Stft,
    truth: Array3<f64>,
    numbers: Numbers,
}

pub fn all(scene: &Scene, range: Range, context: &Context) -> Result<Numbers> {
    let stft = Stft::at_rate(RATE)?;
    let truth = spectrogram::power(&stft.forward_all(scene.images.view()));
    let mut judge = Judge { scene, stft, truth, numbers: Numbers::new() };
    let recording = &scene.mixture;
    let search = DelaySearch::new(2, RATE).min_distance(range.apart());
    judge.delays("GCC-PHAT", gcc_phat(recording, &search))?;
    judge.delays("MCCC", mccc(recording, &search))?;
    let sums = delay_and_sum(recording, scene.delays.view())?;
    judge.sound("delay and sum, true delays", &sums)?;
    judge.sound("FDICA", &Fdica::new(stft.with_hop(64)?).solve(recording)?)?;
    judge.sound("MNMF", &Mnmf::new(stft.with_hop(64)?, 2).solve(recording)?)?;
    for (name, method) in [("robust", Method::Robust), ("paper", Method::Paper)] {
        let separator = Separator::new(2).method(method);
        let found = separator.separate(recording, &context.engine)?;
        judge.transport(name, &found)?;
    }
    let masked = Separator::new(2).filter(Filter::Mask).separate(recording, &context.engine)?;
    judge.gain("robust, mask only", &masked.signals)?;
    Ok(judge.numbers)
}

impl Judge<'_> {
    fn transport(&mut self, name: &str, found: &Separated) -> Result<()> {
        let delays = found.delays.as_ref().expect("transport finds delays");
        self.delays(name, Ok(delays.samples.clone()))?;
        let coarse = &delays.search.as_ref().expect("by a search").frames * HOP as f64;
        if coarse != delays.samples {
            self.delays(&format!("{name}, before refinement"), Ok(coarse))?;
        }
        self.spectra(name, &found.spectrograms)?;
        self.gain(name, &found.signals)
    }

    /// Root mean square errors in frames, and the largest error; none where peaks are too few.
    fn delays(&mut self, name: &str, found: Result<Array2<f64>>) -> Result<()> {
        let Ok(found) = found else { return Ok(()) };
        let truth = &self.scene.delays;
        let error = delay_error(truth.view(), found.view(), RATE, HOP)?;
        let largest =
            error.order.iter().enumerate().map(|(k, p)| (truth[[k, 1]] - found[[*p, 1]]).abs());
        let largest = largest.fold(0.0, f64::max) / HOP as f64;
        self.keep("fig2", name, error.frames);
        self.keep("largest", name, largest);
        Ok(())
    }

    fn sound(&mut self, name: &str, signals: &Array2<f64>) -> Result<()> {
        let spectra = spectrogram::power(&self.stft.forward_all(signals.view()));
        self.spectra(name, &spectra)?;
        self.gain(name, signals)
    }

    fn spectra(&mut self, name: &str, found: &Array3<f64>) -> Result<()> {
        let error = spectrogram_error(self.truth.view(), found.view())?.value;
        self.keep("fig3", name, error);
        Ok(())
    }

    fn gain(&mut self, name: &str, signals: &Array2<f64>) -> Result<()> {
        let mixture = self.scene.mixture.channel(0);
        let gain = sdr_improvement(self.scene.images.view(), signals.view(), mixture)?.value;
        self.keep("fig4", name, gain);
        Ok(())
    }

    fn keep(&mut self, figure: &str, name: &str, value: f64) {
        self.numbers.insert(format!("{figure}/{name}"), value);
    }
}
