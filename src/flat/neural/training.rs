//! What is trained, and how.

use super::schedule::Rate;
use crate::error::{Error, Result};
use crate::kernels::flat::network::{Constraint, MAX_LAYERS, MAX_WIDTH, Optimiser, Output, Plan};

/// How layers are kept from stretching space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layers {
    /// Weights divided by their largest singular value, estimated by power iterations that go on from
    /// epoch to epoch: what the paper does. Nearly 1-Lipschitz, with most singular values far below 1.
    Spectral,
    /// Weights made orthonormal by so many Björck iterations in every epoch, through which gradients
    /// flow.
    Bjorck {
        /// Iterations.
        iterations: usize,
    },
    /// Orthonormal weights: Adam along their manifold, and back onto it after each step.
    Orthonormal,
}

/// How the function is kept between -1 and 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// By a penalty on what is beyond, whose weight adapts: what the paper does.
    Penalty,
    /// By a clamp.
    Clamp,
}

/// Training of networks f: R^d -> R with group-sort activations, one for each pair of measures, so
/// that the integral of f against mu - nu becomes the flat metric.
///
/// Two ways are ready made:
///
/// * [`Training::paper`] is the estimator as published (Schmidt and Düll, "Computing the distance
///   between unbalanced distributions: the flat metric", 2025): spectral normalisation, groups of two,
///   an adaptive penalty, the mean over the last epochs.
/// * [`Training::tight`] never exceeds the flat metric and comes within a fraction of a percent of it
///   for smooth measures: orthonormal layers, sorting of whole layers, a clamp, and the c-transform
///   of the result.
///
/// ```
/// use gaspard::Engine;
/// use gaspard::flat::{Cloud, neural::Training};
/// use ndarray::array;
/// let point = Cloud::new("point", array![[0.0, 0.0]], array![2.0])?;
/// let others = Cloud::counting("others", array![[0.5, 0.0], [0.0, 1.5], [-3.0, 0.0]])?;
/// let trained = Training::tight().epochs(200).solve(&point, &others, &Engine::cpu())?;
/// // Two move, one is made.
/// assert!((trained.distance.value - 3.0).abs() < 0.03);
/// assert!(trained.distance.lower <= 3.0 + 1e-9 && trained.distance.upper >= 3.0 - 1e-9);
/// # Ok::<(), gaspard::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Training {
    hidden: Vec<usize>,
    group: Option<usize>,
    layers: Layers,
    bound: Bound,
    pub(super) epochs: usize,
    pub(super) rate: f64,
    pub(super) decay: Rate,
    betas: (f64, f64),
    weight_decay: f64,
    clip: Option<f64>,
    pub(super) centred: bool,
    pub(super) seed: u64,
}

impl Training {
    /// The published estimator: hidden layers of 64 and 64, 3000 epochs at a rate of 0.01 that falls
    /// to 0.9 of it after 32 and again after 64 epochs, gradients cut to a length of 10.
    pub fn paper() -> Self {
        Self {
            hidden: vec![64, 64],
            group: Some(2),
            layers: Layers::Spectral,
            bound: Bound::Penalty,
            epochs: 3000,
            rate: 0.01,
            decay: Rate::Steps { factor: 0.9, after: vec![32, 64] },
            betas: (0.9, 0.999),
            weight_decay: 0.0,
            clip: Some(10.0),
            centred: false,
            seed: 0,
        }
    }

    /// The lower bound: hidden layers of 64 and 64, 1500 epochs at a rate of 0.01 that falls to a
    /// fiftieth of it along a cosine; points are centred.
    pub fn tight() -> Self {
        Self {
            group: None,
            layers: Layers::Orthonormal,
            bound: Bound::Clamp,
            epochs: 1500,
            decay: Rate::Cosine { to: 0.02 },
            clip: None,
            centred: true,
            ..Self::paper()
        }
    }

    /// Units of each hidden layer: multiples of 4, 1024 at most.
    #[must_use]
    pub fn hidden(mut self, units: impl Into<Vec<usize>>) -> Self {
        self.hidden = units.into();
        self
    }

    /// Units that an activation sorts together: 2, or a multiple of 4 that divides every hidden layer;
    /// `None` for whole layers.
    #[must_use]
    pub fn group(mut self, units: Option<usize>) -> Self {
        self.group = units;
        self
    }

    /// How layers are kept from stretching space.
    #[must_use]
    pub fn layers(mut self, layers: Layers) -> Self {
        self.layers = layers;
        self
    }

    /// How the function is kept between -1 and 1.
    #[must_use]
    pub fn bound(mut self, bound: Bound) -> Self {
        self.bound = bound;
        self
    }

    /// Epochs: steps over all points of both measures.
    #[must_use]
    pub fn epochs(mut self, epochs: usize) -> Self {
        self.epochs = epochs;
        self
    }

    /// The first learning rate.
    #[must_use]
    pub fn rate(mut self, rate: f64) -> Self {
        self.rate = rate;
        self
    }

    /// How the learning rate falls.
    #[must_use]
    pub fn decay(mut self, decay: Rate) -> Self {
        self.decay = decay;
        self
    }

    /// What Adam keeps of its two moments from epoch to epoch.
    #[must_use]
    pub fn betas(mut self, first: f64, second: f64) -> Self {
        self.betas = (first, second);
        self
    }

    /// Adds so much of the weights to their gradient.
    #[must_use]
    pub fn weight_decay(mut self, weight_decay: f64) -> Self {
        self.weight_decay = weight_decay;
        self
    }

    /// The length that gradients are cut to; `None` for no cut.
    #[must_use]
    pub fn clip(mut self, length: Option<f64>) -> Self {
        self.clip = length;
        self
    }

    /// Subtract the mean of both measures' means from all points first.
    #[must_use]
    pub fn centred(mut self, centred: bool) -> Self {
        self.centred = centred;
        self
    }

    /// What the first networks are drawn with.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// True if values are those of the last epochs on average, not the best.
    pub(super) fn is_mean(&self) -> bool {
        self.bound == Bound::Penalty
    }

    /// The shape of the networks for points of this dimension.
    pub(super) fn plan(&self, dimension: usize) -> Plan {
        let constraint = match self.layers {
            Layers::Spectral => Constraint::Spectral,
            Layers::Bjorck { iterations } => Constraint::Bjorck { iterations },
            Layers::Orthonormal => Constraint::Orthonormal,
        };
        let output = match self.bound {
            Bound::Penalty => Output::Penalised,
            Bound::Clamp => Output::Clamped,
        };
        // A group larger than a layer is all of it.
        let group = self.group.unwrap_or(MAX_WIDTH);
        Plan::new(dimension, &self.hidden, group, constraint, output)
    }

    pub(super) fn optimiser(&self) -> Optimiser {
        Optimiser {
            beta_1: self.betas.0,
            beta_2: self.betas.1,
            decay: self.weight_decay,
            clip: self.clip.unwrap_or(f64::INFINITY),
        }
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// [`Error::Parameter`] for one outside its domain.
    pub fn validate(&self) -> Result<()> {
        let fail = |name: &str, problem: String, remedy: &str| {
            Err(Error::parameter(name, problem, remedy))
        };
        if self.hidden.is_empty() || self.hidden.len() >= MAX_LAYERS {
            let problem = format!("there are {}", self.hidden.len());
            return fail("hidden layers", problem, "give 1 to 12");
        }
        let allowed = |units: &usize| (4..=MAX_WIDTH).contains(units) && units.is_multiple_of(4);
        if let Some(units) = self.hidden.iter().find(|units| !allowed(units)) {
            let problem = format!("one has {units} units");
            return fail("hidden layers", problem, "give multiples of 4, 1024 at most");
        }
        if let Some(group) = self.group {
            let fits = |units: &usize| units.is_multiple_of(group);
            let allowed = group == 2 || (group > 0 && group.is_multiple_of(4));
            if !allowed || !self.hidden.iter().all(fits) {
                let remedy = "give 2, or a multiple of 4 that divides every hidden layer";
                return fail("the group", format!("it is {group}"), remedy);
            }
        }
        if let Layers::Bjorck { iterations } = self.layers
            && !(1..=100).contains(&iterations)
        {
            return fail("Björck iterations", format!("they are {iterations}"), "give 1 to 100");
        }
        if self.epochs == 0 {
            return fail("epochs", "there are none".to_owned(), "give at least 1");
        }
        if !(self.rate > 0.0 && self.rate.is_finite()) {
            return fail("the rate", format!("it is {}", self.rate), "give a positive number");
        }
        let (first, second) = self.betas;
        if !((0.0..1.0).contains(&first) && (0.0..1.0).contains(&second)) {
            let problem = format!("they are {first} and {second}");
            return fail("the betas", problem, "give numbers from 0 to less than 1");
        }
        if !(self.weight_decay >= 0.0 && self.weight_decay.is_finite()) {
            let problem = format!("it is {}", self.weight_decay);
            return fail("the weight decay", problem, "give a number from 0 up");
        }
        if let Some(clip) = self.clip.filter(|clip| clip.is_nan() || *clip <= 0.0) {
            return fail("the clip", format!("it is {clip}"), "give a positive length, or none");
        }
        let factor = match self.decay {
            Rate::Constant => 1.0,
            Rate::Steps { factor, .. } | Rate::Exponential { factor } => factor,
            Rate::Cosine { to } => to,
        };
        if !(0.0..=1.0).contains(&factor) {
            return fail("the decay", format!("a factor is {factor}"), "give one from 0 to 1");
        }
        Ok(())
    }
}
