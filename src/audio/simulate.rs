//! Scenes whose truth is known.

use ndarray::{Array1, Array2, ArrayView1, Axis, s};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::delays;
use super::noise::normal;
use super::recording::Recording;
use super::signal::{delayed, stacked};
use crate::error::{Error, Result};

/// Sources that reach microphones at given delays, without walls, in white noise:
///
/// ```text
/// x_l[n] = sum_k g_k^(l) s_k[n - tau_k^(l)] + sigma w_l[n]
/// ```
///
/// ```
/// use gaspard::audio::{Simulation, Speaker, Voice};
/// use ndarray::array;
/// let speakers = [Speaker::new(Voice::Low), Speaker::new(Voice::High)];
/// let sources = speakers.map(|speaker| speaker.speak(8000, 12_000));
/// let scene = Simulation::new(8000, sources)?
///     .delays(array![[0.0, 700.0], [0.0, -412.5]])
///     .snr(20.0)
///     .run()?;
/// assert_eq!(scene.mixture.microphones(), 2);
/// // Nothing is cut off: the second source reaches microphone 2 before microphone 1.
/// assert_eq!(scene.mixture.len(), 413 + 12_000 + 700);
/// # Ok::<(), gaspard::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Simulation {
    rate: u32,
    sources: Vec<Array1<f64>>,
    delays: Array2<f64>,
    gains: Option<Array2<f64>>,
    snr: Option<f64>,
    samples: Option<usize>,
    seed: u64,
}

/// A mixture and what it is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Scene {
    /// What the microphones record.
    pub mixture: Recording,
    /// The sources at microphone 1 (source, sample), without noise.
    pub images: Array2<f64>,
    /// The delays (source, microphone) in samples.
    pub delays: Array2<f64>,
    /// sigma², the variance of the noise at every microphone.
    pub noise_variance: f64,
}

impl Simulation {
    /// Sources of any lengths at a rate in hertz; two microphones without delays until told
    /// otherwise.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a rate of 0, [`Error::Data`] for no sources, sources without
    /// samples and samples that are not finite.
    pub fn new(rate: u32, sources: impl IntoIterator<Item = Array1<f64>>) -> Result<Self> {
        let sources: Vec<Array1<f64>> = sources.into_iter().collect();
        if sources.is_empty() {
            return Err(Error::data("the sources", "there are none", "give at least one"));
        }
        for (index, source) in sources.iter().enumerate() {
            let samples = source.view().insert_axis(Axis(0)).to_owned();
            Recording::new(&format!("source {}", index + 1), rate, samples)?;
        }
        let delays = Array2::zeros((sources.len(), 2));
        Ok(Self { rate, sources, delays, gains: None, snr: None, samples: None, seed: 0 })
    }

    /// tau (source, microphone) in samples, with fractions; the first column is 0.
    pub fn delays(self, delays: Array2<f64>) -> Self {
        Self { delays, ..self }
    }

    /// g (source, microphone); 1 everywhere by default.
    pub fn gains(self, gains: Array2<f64>) -> Self {
        Self { gains: Some(gains), ..self }
    }

    /// The power of all sources together over that of the noise, both averaged over the
    /// microphones, in decibels; no noise by default.
    pub fn snr(self, decibels: f64) -> Self {
        Self { snr: Some(decibels), ..self }
    }

    /// Samples of the recording; by default as many as nothing is cut off.
    pub fn samples(self, samples: usize) -> Self {
        Self { samples: Some(samples), ..self }
    }

    /// The seed of the noise.
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Makes the scene. Sources begin so late that they begin within it at every microphone.
    ///
    /// # Errors
    /// [`Error::Shape`], [`Error::Data`] and [`Error::Parameter`] for delays, gains and a
    /// signal-to-noise ratio that make no sense.
    pub fn run(&self) -> Result<Scene> {
        let count = self.sources.len();
        let microphones = self.delays.ncols();
        delays::check(self.delays.view(), count, microphones.max(1))?;
        let gains = self.gains.clone().unwrap_or_else(|| Array2::ones((count, microphones)));
        if gains.dim() != self.delays.dim() {
            let expected = format!("{count} sources x {microphones} microphones");
            return Err(Error::shape("the gains", expected, format!("{:?}", gains.dim())));
        }
        if gains.iter().any(|gain| !gain.is_finite()) {
            return Err(Error::data("the gains", "one is not finite", "give finite numbers"));
        }
        if let Some(snr) = self.snr.filter(|snr| !snr.is_finite()) {
            let remedy = "give decibels, or leave it out for no noise";
            return Err(Error::parameter("snr", format!("it is {snr}"), remedy));
        }
        let lead = self.delays.iter().fold(0.0_f64, |lead, delay| lead.max(-delay)).ceil();
        let tail = self.delays.iter().fold(0.0_f64, |tail, delay| tail.max(*delay)).ceil();
        let longest = self.sources.iter().map(Array1::len).max().unwrap_or(0);
        const LONGEST: f64 = (1_u64 << 32) as f64;
        if lead + tail > LONGEST {
            let problem = format!("they span {:.0} samples", lead + tail);
            return Err(Error::data("the delays", problem, "give smaller delays, in samples"));
        }
        let whole = lead as usize + longest + tail as usize;
        let samples = self.samples.unwrap_or(whole);
        if samples == 0 {
            return Err(Error::parameter("samples", "it is 0", "give at least one"));
        }
        let placed: Vec<Array1<f64>> = self
            .sources
            .iter()
            .map(|source| placed(source.view(), lead as usize, whole.max(samples)))
            .collect();
        let image = |source: usize, microphone: usize| {
            let delay = self.delays[[source, microphone]];
            let image = delayed(placed[source].view(), delay);
            image.slice_move(s![..samples]) * gains[[source, microphone]]
        };
        let clean: Vec<Array1<f64>> = (0..microphones)
            .into_par_iter()
            .map(|microphone| {
                (0..count).map(|source| image(source, microphone)).reduce(|a, b| a + b)
            })
            .map(|sum| sum.expect("there is a source"))
            .collect();
        let mut mixture = stacked(&clean);
        let power = mixture.iter().map(|x| x * x).sum::<f64>() / mixture.len() as f64;
        let noise_variance = self.snr.map_or(0.0, |snr| power * 10.0_f64.powf(-snr / 10.0));
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        if noise_variance > 0.0 {
            let sigma = noise_variance.sqrt();
            mixture.mapv_inplace(|value| value + sigma * normal(&mut random));
        }
        let images: Vec<Array1<f64>> = (0..count).map(|source| image(source, 0)).collect();
        Ok(Scene {
            mixture: Recording::new("the mixture", self.rate, mixture)?,
            images: stacked(&images),
            delays: self.delays.clone(),
            noise_variance,
        })
    }
}

fn placed(source: ArrayView1<'_, f64>, lead: usize, samples: usize) -> Array1<f64> {
    let at = |n: usize| n.checked_sub(lead).and_then(|n| source.get(n)).copied();
    Array1::from_shape_fn(samples, |n| at(n).unwrap_or(0.0))
}
