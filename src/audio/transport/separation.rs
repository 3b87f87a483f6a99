//! The problem, and how it is solved.

use ndarray::Array2;

use super::options::{Options, Plan, Start, Weights};
use super::scene::{self, Scene};
use super::solution::Solution;
use super::solve::plan_at;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::linear::Law;
use crate::observer::Observer;

/// The separation of what several microphones heard into sources.
///
/// ```
/// use gaspard::Engine;
/// use gaspard::audio::transport::Separation;
/// use ndarray::Array2;
/// // Two bursts at two frequencies: one is heard three frames later, the other five frames earlier.
/// let mut first = Array2::zeros((2, 50));
/// let mut second = Array2::zeros((2, 50));
/// (first[[0, 10]], second[[0, 13]]) = (1.0, 1.0);
/// (first[[1, 40]], second[[1, 35]]) = (1.0, 1.0);
/// let solution = Separation::new(&[first, second], 2)?.solve(&Engine::cpu())?;
/// let mut delays = solution.delays.column(1).to_vec();
/// delays.sort_by(f64::total_cmp);
/// assert!((delays[0] + 5.0).abs() < 1e-3 && (delays[1] - 3.0).abs() < 1e-3);
/// # Ok::<(), gaspard::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Separation {
    pub(super) spectrograms: Vec<Array2<f64>>,
    pub(super) sources: usize,
    pub(super) options: Options,
}

impl Separation {
    /// Power spectrograms (frequencies, frames), one for each microphone, and how many sources there
    /// are; with the options of [`Separation::robust`].
    ///
    /// # Errors
    /// [`Error::Shape`] for fewer than two microphones or spectrograms of different shapes,
    /// [`Error::Data`] for values that are negative or not finite and for silence,
    /// [`Error::Parameter`] for no sources.
    pub fn new(spectrograms: &[Array2<f64>], sources: usize) -> Result<Self> {
        scene::validate(spectrograms)?;
        if sources == 0 {
            return Err(Error::parameter("sources", "there is none", "give at least one"));
        }
        let options = Options::default();
        Ok(Self { spectrograms: spectrograms.to_vec(), sources, options })
    }

    /// All options as in the paper: everything that a microphone heard belongs to a source and is
    /// moved to what another heard.
    #[must_use]
    pub fn paper(self) -> Self {
        Self { options: Options { outlier: None, ..Options::default() }, ..self }
    }

    /// All options such that noise does little harm: with an outlier source.
    #[must_use]
    pub fn robust(self) -> Self {
        Self { options: Options::default(), ..self }
    }

    /// Entropic strengths, in squared frames, one after another; 4, 1, 0.5 by default.
    #[must_use]
    pub fn epsilons(mut self, epsilons: impl Into<Vec<f64>>) -> Self {
        self.options.epsilons = epsilons.into();
        self
    }

    /// What it costs to leave a unit of mass to the outlier source instead of moving it, in squared
    /// frames and for every microphone but the first; none: everything is moved. 4 by default, that is
    /// two frames.
    #[must_use]
    pub fn outlier(mut self, cost: Option<f64>) -> Self {
        self.options.outlier = cost;
        self
    }

    /// The same while masks are made; by default 2.25 times as much.
    #[must_use]
    pub fn mask_outlier(mut self, cost: Option<f64>) -> Self {
        self.options.mask_outlier = Some(cost);
        self
    }

    /// What is asked of the marginals: [`Law::Fixed`] by default, [`Law::Kl`] or [`Law::Tv`], with
    /// strengths in squared frames.
    #[must_use]
    pub fn relaxation(mut self, law: Law) -> Self {
        self.options.relaxation = law;
        self
    }

    /// Where the descent starts.
    #[must_use]
    pub fn start(mut self, start: Start) -> Self {
        self.options.start = start;
        self
    }

    /// No delay is further from zero than so many frames; 12 by default.
    #[must_use]
    pub fn max_lag(mut self, frames: f64) -> Self {
        self.options.max_lag = frames;
        self
    }

    /// How much frequencies count.
    #[must_use]
    pub fn weights(mut self, weights: Weights) -> Self {
        self.options.weights = weights;
        self
    }

    /// The power that spectrograms are taken to before anything else; 1 by default, 0.5 for magnitudes.
    #[must_use]
    pub fn power(mut self, power: f64) -> Self {
        self.options.power = power;
        self
    }

    /// How plans are found.
    #[must_use]
    pub fn plan(mut self, plan: Plan) -> Self {
        self.options.plan = plan;
        self
    }

    /// Iterations for each plan while delays are found; 30 by default.
    #[must_use]
    pub fn inner_iterations(mut self, iterations: usize) -> Self {
        self.options.inner_iterations = iterations;
        self
    }

    /// Steps of the delays at each epsilon, at most; 12 by default. The best of all starts may take four
    /// times as many at the last one.
    #[must_use]
    pub fn max_iterations(mut self, iterations: usize) -> Self {
        self.options.max_iterations = iterations;
        self
    }

    /// Stop when no delay moves by more frames in a step; 0.001 by default.
    #[must_use]
    pub fn tolerance(mut self, frames: f64) -> Self {
        self.options.tolerance = frames;
        self
    }

    /// Iterations for the plan that masks are made of, at most; 150 by default.
    #[must_use]
    pub fn mask_iterations(mut self, iterations: usize) -> Self {
        self.options.mask_iterations = iterations;
        self
    }

    /// Finds delays and masks.
    ///
    /// # Errors
    /// [`Error::Parameter`] for options that do not make sense, [`Error::Limit`] for what does not fit
    /// on the engine, and any fault of the device.
    pub fn solve(&self, engine: &Engine) -> Result<Solution> {
        self.solve_with(engine, &mut ())
    }

    /// [`Separation::solve`], watched; what was found until it was stopped is kept.
    ///
    /// # Errors
    /// As [`Separation::solve`].
    pub fn solve_with(&self, engine: &Engine, observer: &mut dyn Observer) -> Result<Solution> {
        let mut all = Self::solve_batch(std::slice::from_ref(self), engine, observer)?;
        Ok(all.remove(0))
    }

    /// Masks for known delays (sources, microphones), in frames: for example of spectrograms less
    /// cleaned than those that the delays were found from.
    ///
    /// # Errors
    /// As [`Separation::solve`]; [`Error::Shape`] and [`Error::Data`] for delays that are none.
    pub fn separate_at(&self, delays: &Array2<f64>, engine: &Engine) -> Result<Solution> {
        self.separate_at_with(delays, engine, &())
    }

    /// [`Separation::separate_at`]; an observer that does not wait gets masks that are less exact.
    ///
    /// # Errors
    /// As [`Separation::separate_at`].
    pub fn separate_at_with(
        &self,
        delays: &Array2<f64>,
        engine: &Engine,
        observer: &dyn Observer,
    ) -> Result<Solution> {
        self.validate()?;
        let (sources, microphones) = (self.sources, self.spectrograms.len());
        self.options.validate_delays("to separate at", delays, sources, microphones)?;
        plan_at(self, delays, engine, observer)
    }

    pub(super) fn validate(&self) -> Result<()> {
        let frames = self.spectrograms[0].ncols();
        self.options.validate(self.sources, self.spectrograms.len(), frames)
    }

    pub(super) fn scene(&self) -> Result<Scene> {
        Scene::new(&self.spectrograms, self.options.weights, self.options.power)
    }
}
