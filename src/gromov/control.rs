//! How the outer iteration goes along.

use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::linear::schedule::annealed;
use crate::validate::{annealing, at_least_one, from_zero, positive};

/// The largest epsilon that annealing starts from, in squared mean distances.
const COARSEST: f64 = 0.2;
/// Epsilon is not halved more often than this.
const MOST_REFINEMENTS: usize = 30;

/// From one plan to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Update {
    /// The step towards the plan of the linearised problem that makes the objective least, and the
    /// best mass where no node fixes it. The objective never rises.
    #[default]
    Safeguarded,
    /// The whole step, as in the paper's algorithm 1. With a free node it can fall into a cycle of
    /// two plans that it is slow to leave.
    Plain,
}

/// Where the iteration starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// Every entry of every edge's plan drawn from the uniform distribution.
    #[default]
    Random,
    /// The product of the weights: the same for every seed, and unable to tell points apart.
    Product,
}

/// The control of a Gromov-Wasserstein solve.
///
/// ```
/// use gaspard::gromov::{Control, Start, Update};
///
/// // Algorithm 1 as it was published: no annealing, whole steps, from the product of the weights.
/// let published = Control {
///     annealing: 1.0,
///     update: Update::Plain,
///     start: Start::Product,
///     ..Control::new(1.5e-4)
/// };
/// assert_eq!(published.seeds, 1);
/// # Ok::<(), gaspard::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Control {
    /// Entropic strength, in the units of squared distances.
    pub epsilon: f64,
    /// Stop when two plans in a row differ by at most this in L1, for a mass of 1, by the bound of
    /// Pinsker's inequality: 2 is everything; and the marginals of fixed nodes are off by no more.
    /// `None`: 1e-3 on the CPU, 1e-2 on a GPU.
    pub tolerance: Option<f64>,
    /// Stop after so many outer iterations at the latest, those of annealing included.
    pub max_iterations: usize,
    /// Sweeps over the tree in each of them at most. Between two spaces of fixed weights they are doubled,
    /// up to 640, where they run out and the objective rises, which steps from solved problems never let
    /// it do; not with [`Update::Plain`].
    pub inner_iterations: usize,
    /// The marginal error that a linearised problem is solved to, at the end; before, a tenth of
    /// what the plan changes is enough.
    pub inner_tolerance: f64,
    /// Start from a large epsilon and divide it by this factor from stage to stage until the
    /// target is reached; 1 switches annealing off, as the paper does. It finds better minima
    /// than a start at the target, and sooner.
    pub annealing: f64,
    /// From one plan to the next.
    pub update: Update,
    /// Where the iteration starts.
    pub start: Start,
    /// The first seed of random starts.
    pub seed: u64,
    /// Random starts that are solved at once, from `seed` on; the best counts.
    pub seeds: usize,
    /// Keep the plans of the best start: a matrix in f64 for every edge, however they were computed.
    pub plans: bool,
    /// In the end, halve epsilon so many times and solve again from where it is.
    pub refinements: usize,
}

impl Control {
    /// The defaults at this epsilon.
    pub fn new(epsilon: f64) -> Self {
        Self {
            epsilon,
            tolerance: None,
            max_iterations: 300,
            inner_iterations: 40,
            inner_tolerance: 1e-6,
            annealing: 4.0,
            update: Update::default(),
            start: Start::default(),
            seed: 0,
            seeds: 1,
            plans: true,
            refinements: 0,
        }
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// [`Error::Parameter`] for one outside its domain.
    pub fn validate(&self) -> Result<()> {
        positive("epsilon", self.epsilon, "give the entropic strength in squared distances")?;
        positive("inner-tolerance", self.inner_tolerance, "give the marginal error to stop at")?;
        if let Some(tolerance) = self.tolerance {
            let remedy = "give the change of the plan to stop at, or 0 to use all iterations";
            from_zero("tolerance", tolerance, remedy)?;
        }
        annealing(self.annealing)?;
        at_least_one("max-iterations", self.max_iterations)?;
        at_least_one("inner-iterations", self.inner_iterations)?;
        at_least_one("seeds", self.seeds)?;
        if self.refinements > MOST_REFINEMENTS {
            let problem = format!("{} of them", self.refinements);
            let remedy = format!("give {MOST_REFINEMENTS} at most: each one halves epsilon");
            return Err(Error::parameter("refinements", problem, remedy));
        }
        Ok(())
    }

    /// The change of the plan to stop at, on this engine.
    pub(super) fn tolerance_on(&self, engine: &Engine) -> f64 {
        self.tolerance.unwrap_or(if engine.is_gpu() { 1e-2 } else { 1e-3 })
    }

    /// The epsilons that are solved at, one after the other, for spaces of this mean squared
    /// distance.
    pub(super) fn epsilons(&self, scale: f64) -> Vec<f64> {
        let mut epsilons = annealed(self.epsilon, self.annealing, COARSEST * scale);
        let refined =
            (1..=self.refinements).map(|halvings| self.epsilon / 2.0_f64.powi(halvings as i32));
        epsilons.extend(refined);
        epsilons
    }
}
