//! What is asked for, and the way through.

use std::time::Instant;

use super::blocks::Blocks;
use super::options::{Filter, Method, NoiseLevel};
use super::search::{self, Delays, Landscape, Search};
use super::separated::Separated;
use super::{known, signals, spectra};
use crate::audio::delays::at_least_two;
use crate::audio::permutation;
use crate::audio::recording::Recording;
use crate::audio::spectrogram::Remainder;
use crate::audio::stft::Stft;
use crate::audio::transport::{Plan, Start};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::observer::{Latched, Observer};

/// Seconds over which one block fades into the next.
const FADE: f64 = 0.5;

/// Separates recordings into sources as microphone 1 hears them.
///
/// ```
/// use gaspard::Engine;
/// use gaspard::audio::{Separator, Simulation, Speaker, Voice, metrics};
/// use ndarray::array;
/// let speakers = [Speaker::new(Voice::Low), Speaker::new(Voice::High)];
/// let sources = speakers.map(|speaker| speaker.speak(8000, 12_000));
/// let scene = Simulation::new(8000, sources)?
///     .delays(array![[0.0, 700.0], [0.0, -412.5]])
///     .snr(20.0)
///     .run()?;
/// let found = Separator::new(2).separate(&scene.mixture, &Engine::cpu())?;
///
/// let delays = found.delays.expect("transport finds delays").samples;
/// let error = metrics::delay_error(scene.delays.view(), delays.view(), 8000, 200)?;
/// assert!(error.samples < 1.0);
/// let mixture = scene.mixture.channel(0);
/// let gain = metrics::sdr_improvement(scene.images.view(), found.signals.view(), mixture)?;
/// assert!(gain.value > 6.0);
/// # Ok::<(), gaspard::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Separator {
    pub(super) sources: usize,
    pub(super) method: Method,
    pub(super) filter: Filter,
    pub(super) noise: Option<NoiseLevel>,
    pub(super) remainder: Remainder,
    pub(super) refine: Option<bool>,
    pub(super) max_lag: f64,
    pub(super) start: Start,
    pub(super) plan: Plan,
    pub(super) tolerance: Option<f64>,
    pub(super) max_iterations: Option<usize>,
    pub(super) delay_rate: Option<u32>,
    pub(super) block: f64,
    pub(super) seed: u64,
}

/// A recording, and what all steps need to know of it.
pub(super) struct Job<'a> {
    pub separator: &'a Separator,
    pub recording: &'a Recording,
    pub engine: &'a Engine,
    pub stft: Stft,
    pub blocks: Blocks,
}

impl Separator {
    /// So many sources, by [`Method::Robust`].
    pub fn new(sources: usize) -> Self {
        Self {
            sources,
            method: Method::default(),
            filter: Filter::default(),
            noise: None,
            remainder: Remainder::default(),
            refine: None,
            max_lag: 0.3,
            start: Start::Grid { step: None, top: Self::starts(sources) },
            plan: Plan::default(),
            tolerance: None,
            max_iterations: None,
            delay_rate: None,
            block: 8.0,
            seed: 0,
        }
    }

    /// How many sets of lags of a grid the search starts from by default: sets of more than two sources
    /// are grown lag by lag, and the best ones of few are not always in those of many.
    pub fn starts(sources: usize) -> usize {
        if sources > 2 { 20 } else { 5 }
    }

    /// How sources are separated.
    #[must_use]
    pub fn method(self, method: Method) -> Self {
        Self { method, ..self }
    }

    /// How sound is made.
    #[must_use]
    pub fn filter(self, filter: Filter) -> Self {
        Self { filter, ..self }
    }

    /// What is known of the noise: that it is white by default, nothing with [`Method::Paper`], which
    /// does not look at it.
    #[must_use]
    pub fn noise(self, noise: NoiseLevel) -> Self {
        Self { noise: Some(noise), ..self }
    }

    /// Who gets what belongs to no source; nobody by default.
    #[must_use]
    pub fn remainder(self, remainder: Remainder) -> Self {
        Self { remainder, ..self }
    }

    /// Whether delays are refined to a fraction of a sample. They are by default, but for
    /// [`Method::Paper`].
    #[must_use]
    pub fn refine(self, refine: bool) -> Self {
        Self { refine: Some(refine), ..self }
    }

    /// No delay is further from zero than so many seconds; 0.3 by default.
    #[must_use]
    pub fn max_lag(self, seconds: f64) -> Self {
        Self { max_lag: seconds, ..self }
    }

    /// Where the search of the delays starts, in frames of 25 ms; by default from the best
    /// [`Separator::starts`] sets of lags of a grid.
    #[must_use]
    pub fn start(self, start: Start) -> Self {
        Self { start, ..self }
    }

    /// How plans are found while delays are searched for.
    #[must_use]
    pub fn plan(self, plan: Plan) -> Self {
        Self { plan, ..self }
    }

    /// Stop the search of the delays when none moves by more frames of 25 ms in a step; 0.001 by default.
    #[must_use]
    pub fn tolerance(self, frames: f64) -> Self {
        Self { tolerance: Some(frames), ..self }
    }

    /// Stop the search of the delays after so many steps at each epsilon at the latest; 12 by default.
    /// The best of all starts may take four times as many at the last one.
    #[must_use]
    pub fn max_iterations(self, iterations: usize) -> Self {
        Self { max_iterations: Some(iterations), ..self }
    }

    /// Samples per second that delays are searched at, by default those of the recording. Most of what
    /// speech tells of delays is below 4 kHz, and at 8000 the search is faster. Masks and sound are made
    /// at the rate of the recording.
    #[must_use]
    pub fn delay_rate(self, rate: u32) -> Self {
        Self { delay_rate: Some(rate), ..self }
    }

    /// Recordings longer than so many seconds are worked through in blocks; 8 by default.
    #[must_use]
    pub fn block(self, seconds: f64) -> Self {
        Self { block: seconds, ..self }
    }

    /// The seed of [`Method::Mnmf`].
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Separates a recording.
    ///
    /// # Errors
    /// [`Error::Shape`] for one microphone, [`Error::Parameter`] for options that do not make sense for
    /// it, [`Error::Data`] for silence, and the errors of the method.
    pub fn separate(&self, recording: &Recording, engine: &Engine) -> Result<Separated> {
        self.separate_with(recording, engine, &mut ())
    }

    /// The same, watched; of a recording that was stopped within, what was not reached is silent.
    ///
    /// # Errors
    /// As [`Separator::separate`].
    pub fn separate_with(
        &self,
        recording: &Recording,
        engine: &Engine,
        observer: &mut dyn Observer,
    ) -> Result<Separated> {
        let begin = Instant::now();
        let observer = &mut Latched::new(observer);
        let job = self.job(recording, engine)?;
        if !self.is_transport() {
            return known::separated(&job, observer, begin);
        }
        let search = search::search(&job, observer)?;
        let spectra = spectra::spectra(&job, &search, observer)?;
        let masked = signals::masked(&job, &spectra, observer)?;
        let samples = match self.refines() {
            true => search.refined(&job, &masked),
            false => search.samples(&job),
        };
        let delays = Delays { samples, search: Some(search) };
        let mut separated = signals::separated(&job, delays, spectra, masked, observer)?;
        separated.outcome.seconds = begin.elapsed().as_secs_f64();
        Ok(separated)
    }

    /// Only the delays, by transport.
    ///
    /// # Errors
    /// As [`Separator::separate`]; [`Error::Parameter`] for a method without transport.
    pub fn delays(&self, recording: &Recording, engine: &Engine) -> Result<Delays> {
        self.delays_with(recording, engine, &mut ())
    }

    /// [`Separator::delays`], watched.
    ///
    /// # Errors
    /// As [`Separator::delays`].
    pub fn delays_with(
        &self,
        recording: &Recording,
        engine: &Engine,
        observer: &mut dyn Observer,
    ) -> Result<Delays> {
        let observer = &mut Latched::new(observer);
        let job = self.transport_job(recording, engine)?;
        let mut search = search::search(&job, observer)?;
        let samples = if self.refines() {
            let spectra = spectra::spectra(&job, &search, observer)?;
            search.refined(&job, &signals::masked(&job, &spectra, observer)?)
        } else {
            search.samples(&job)
        };
        // Refinement can be stopped too.
        search.outcome.interrupted |= observer.interrupted();
        Ok(Delays { samples, search: Some(search) })
    }

    /// The objective of the delay search around delays that were found.
    ///
    /// # Errors
    /// As [`Separator::delays`]; [`Error::Parameter`] where there is no such microphone other than
    /// the first, counted from 0.
    pub fn landscape(
        &self,
        recording: &Recording,
        found: &Search,
        microphone: usize,
        engine: &Engine,
        observer: &dyn Observer,
    ) -> Result<Landscape> {
        search::landscape(&self.transport_job(recording, engine)?, found, microphone, observer)
    }

    pub(super) fn is_transport(&self) -> bool {
        matches!(self.method, Method::Robust | Method::Paper)
    }

    pub(super) fn refines(&self) -> bool {
        self.refine.unwrap_or(self.method == Method::Robust)
    }

    pub(super) fn noise_level(&self) -> NoiseLevel {
        match self.method {
            Method::Paper => NoiseLevel::None,
            _ => self.noise.unwrap_or_default(),
        }
    }

    fn transport_job<'a>(
        &'a self,
        recording: &'a Recording,
        engine: &'a Engine,
    ) -> Result<Job<'a>> {
        if !self.is_transport() {
            let problem = format!("{:?} has no delays of its own", self.method);
            return Err(Error::parameter("method", problem, "use Robust or Paper"));
        }
        self.job(recording, engine)
    }

    fn job<'a>(&'a self, recording: &'a Recording, engine: &'a Engine) -> Result<Job<'a>> {
        permutation::check(self.sources)?;
        at_least_two(recording)?;
        self.noise_level().validate()?;
        for (name, seconds) in [("max-lag", self.max_lag), ("block", self.block)] {
            if !(seconds > 0.0 && seconds.is_finite()) {
                let problem = format!("{seconds} s");
                return Err(Error::parameter(name, problem, "give a positive number"));
            }
        }
        let silent = |row: ndarray::ArrayView1<'_, f64>| row.iter().all(|sample| *sample == 0.0);
        if let Some(microphone) = recording.channels().rows().into_iter().position(silent) {
            let name = format!("microphone {}", microphone + 1);
            return Err(Error::data(name, "it is silent", "leave it out"));
        }
        let stft = Stft::at_rate(recording.rate())?;
        if recording.len() < 2 * stft.hop() {
            let problem = format!("{:.4} s", recording.seconds());
            return Err(Error::data("the recording", problem, "record 0.05 s or more"));
        }
        let samples = |seconds: f64| (seconds * f64::from(recording.rate())).round() as usize;
        let margin = samples(self.max_lag).min(recording.len()) + stft.window();
        // What is short enough for one block has no overlaps.
        let longest = samples(self.block);
        let blocks = match recording.len() <= longest {
            true => Blocks::whole(recording.len()),
            false => Blocks::new(recording.len(), stft.hop(), longest, margin, samples(FADE))?,
        };
        Ok(Job { separator: self, recording, engine, stft, blocks })
    }
}

impl Job<'_> {
    /// The samples of a block.
    pub(super) fn piece(&self, block: usize) -> Recording {
        let range = self.blocks.range(block);
        let channels = self.recording.channels().slice_move(ndarray::s![.., range]).to_owned();
        Recording::new("a block", self.recording.rate(), channels)
            .expect("a part of a recording is one")
    }
}
