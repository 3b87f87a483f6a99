//! Barycenters that are nothing but distances: free support, by block coordinate descent.

mod check;
mod input;
mod solution;
mod solve;

use ndarray::{Array1, Array2};

use super::exact::Descent;
use super::{Control, Space};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::observer::{Observer, in_parts};

pub use solution::FreeSupportSolution;

/// How the plans between the inputs and the barycenter are found.
#[derive(Clone, Debug, PartialEq)]
pub enum Plans {
    /// Without regularisation, by conditional gradient descent as in
    /// [`conditional_gradient`](super::conditional_gradient), on the CPU.
    Exact(Descent),
    /// With entropy, by [`Problem::solve`](super::Problem::solve), on the engine. Its annealing and its start are
    /// for the first round; after that every plan starts from the one before.
    Entropic(Control),
}

impl Plans {
    /// The entropic strength.
    fn epsilon(&self) -> f64 {
        match self {
            Self::Exact(_) => 0.0,
            Self::Entropic(control) => control.epsilon,
        }
    }

    /// The change of the barycenter that can be asked for: within the tolerance of entropic plans
    /// it wavers.
    fn tolerance_on(&self, engine: &Engine) -> f64 {
        match self {
            Self::Exact(_) => FINEST,
            Self::Entropic(control) => control.tolerance_on(engine).max(FINEST),
        }
    }
}

/// Features of points, which count beside distances.
#[derive(Clone, Debug, PartialEq)]
struct Features {
    /// The share of the distances; features have the rest.
    alpha: f64,
    /// f_i: a row for every point of input i.
    inputs: Vec<Array2<f64>>,
}

/// The relative change of the barycenter to stop at, where plans are exact.
const FINEST: f64 = 1e-5;

/// The distances C (m x m) between m points of given masses p that make
///
/// ```text
/// sum_i lambda_i V_i,   V_i = min over T_i of alpha sum |D_i(x, x') - C(y, y')|² T_i(x, y) T_i(x', y')
///                                      + (1 - alpha) sum |f_i(x) - g(y)|² T_i(x, y)
/// ```
///
/// least, where T_i (n_i x m) are plans between the inputs' weights and p: the Gromov-Wasserstein
/// barycenter on a free support, by block coordinate descent (Peyré, Cuturi, Solomon,
/// "Gromov-Wasserstein Averaging of Kernel and Distance Matrices", 2016, algorithm 1). Without
/// [`features`](FreeSupport::features) alpha is 1. With them, the features g (m x d) of the
/// barycenter's points are unknown too: the fused barycenter (Vayer, Chapel, Flamary, Tavenard,
/// Courty, "Optimal Transport for structured data with application on graphs", 2019). Plans take
/// turns with distances and features,
///
/// ```text
/// C = sum_i lambda_i T_i^T D_i T_i / (p p^T),   g(y) = sum_i lambda_i sum_x T_i(x, y) f_i(x) / p(y),
/// ```
///
/// which are the best for these plans (equation 14 of the first paper). With [`Plans::Exact`], the
/// default, no turn makes the objective larger. [`embed`](super::embed) draws C.
///
/// ```
/// use gaspard::gromov::{FreeSupport, Space, embed};
/// use gaspard::{Cost, Engine};
/// use ndarray::array;
/// // A triangle, and the same triangle turned and mirrored.
/// let weights = array![0.5, 0.3, 0.2];
/// let points = array![[0.0, 0.0], [2.0, 0.0], [0.0, 1.0]];
/// let turned = array![[5.0, 5.0], [5.0, 7.0], [6.0, 5.0]];
/// let a = Space::from_points(points, Cost::Euclidean, weights.clone())?;
/// let b = Space::from_points(turned, Cost::Euclidean, weights.clone())?;
/// let found = FreeSupport::of(vec![a, b], 3).masses(weights).solve(&Engine::cpu())?;
/// assert!(found.outcome.converged && found.loss() < 1e-12);
/// let points = embed(&found.distances.mapv(|distance| distance * distance), 2)?;
/// assert_eq!(points.dim(), (3, 2));
/// # Ok::<(), gaspard::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct FreeSupport {
    inputs: Vec<Space>,
    weights: Vec<f64>,
    masses: Array1<f64>,
    start: Option<Array2<f64>>,
    seed: u64,
    plans: Plans,
    tolerance: Option<f64>,
    max_iterations: usize,
    features: Option<Features>,
    start_features: Option<Array2<f64>>,
}

impl FreeSupport {
    /// The barycenter of inputs with equal weights on `points` points of equal mass, with plans
    /// without regularisation. Inputs count with mass 1.
    pub fn of(inputs: Vec<Space>, points: usize) -> Self {
        Self {
            weights: vec![1.0 / inputs.len().max(1) as f64; inputs.len()],
            inputs,
            masses: Array1::from_elem(points, 1.0 / points.max(1) as f64),
            start: None,
            seed: 0,
            plans: Plans::Exact(Descent { tolerance: 1e-5, ..Descent::default() }),
            tolerance: None,
            max_iterations: 200,
            features: None,
            start_features: None,
        }
    }

    /// lambda: how much each input counts, not negative, summing to 1.
    #[must_use]
    pub fn weights(mut self, weights: &[f64]) -> Self {
        self.weights = weights.to_vec();
        self
    }

    /// p: the masses of the barycenter's points, one for each, none of them 0. They are scaled to
    /// sum to 1.
    #[must_use]
    pub fn masses(mut self, masses: Array1<f64>) -> Self {
        self.masses = masses;
        self
    }

    /// The C to start from, instead of a random one.
    #[must_use]
    pub fn start(mut self, distances: Array2<f64>) -> Self {
        self.start = Some(distances);
        self
    }

    /// The seed of the random start: the squared distances of m Gaussian points in the plane,
    /// divided by the largest, and for every point the features of some point of some input.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// f: the features of every input, a row for each of its points, and the share alpha of the
    /// distances beside them, from 0 to 1 as in [`Fused`](super::Fused).
    #[must_use]
    pub fn features(mut self, inputs: Vec<Array2<f64>>, alpha: f64) -> Self {
        self.features = Some(Features { alpha, inputs });
        self
    }

    /// The g to start from, where there are [`features`](FreeSupport::features), instead of those
    /// of random points of the inputs.
    #[must_use]
    pub fn start_features(mut self, start: Array2<f64>) -> Self {
        self.start_features = Some(start);
        self
    }

    /// How plans are found.
    #[must_use]
    pub fn plans(mut self, plans: Plans) -> Self {
        self.plans = plans;
        self
    }

    /// Stop when C changes by no more than this, relatively, and all plans have met their own stop
    /// tests. The default is 1e-5, or the tolerance of entropic plans, within which C wavers.
    #[must_use]
    pub fn tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = Some(tolerance);
        self
    }

    /// Stop after so many rounds at the latest.
    #[must_use]
    pub fn max_iterations(mut self, rounds: usize) -> Self {
        self.max_iterations = rounds;
        self
    }

    /// Finds the barycenter.
    ///
    /// # Errors
    /// [`Error::Data`], [`Error::Shape`] and [`Error::Parameter`] for bad input, [`Error::Limit`] for
    /// matrices that do not fit; where plans are entropic also what [`Problem::solve`](super::Problem::solve) may
    /// return.
    pub fn solve(&self, engine: &Engine) -> Result<FreeSupportSolution> {
        self.solve_with(engine, &mut ())
    }

    /// As [`FreeSupport::solve`], watched. The observer sees rounds, with the relative change of C
    /// as residual, and may stop within a round; what was found until then is kept.
    ///
    /// # Errors
    /// As [`FreeSupport::solve`].
    pub fn solve_with(
        &self,
        engine: &Engine,
        observer: &mut dyn Observer,
    ) -> Result<FreeSupportSolution> {
        self.validate(engine)?;
        solve::solve(self, engine, observer)
    }

    /// The barycenters of so many random starts, from the seed on, one after the other; the best
    /// first. Those that were done before an interrupt are kept.
    ///
    /// # Errors
    /// As [`FreeSupport::solve`], and [`Error::Parameter`] for no starts, or several that are all
    /// given by [`FreeSupport::start`].
    pub fn solve_seeds(
        &self,
        seeds: usize,
        engine: &Engine,
        observer: &mut dyn Observer,
    ) -> Result<Vec<FreeSupportSolution>> {
        if seeds == 0 || seeds > 1 && self.start.is_some() {
            let problem = format!("{seeds} starts");
            let remedy = "give at least 1, and no more where the start is given";
            return Err(Error::parameter("seeds", problem, remedy));
        }
        let mut solutions = in_parts(seeds, observer, |start, observer| {
            let seed = self.seed.wrapping_add(start as u64);
            let solution = self.clone().seed(seed).solve_with(engine, observer)?;
            let interrupted = solution.outcome.interrupted;
            Ok((solution, interrupted))
        })?;
        solutions.sort_by(|a, b| a.terms.total().total_cmp(&b.terms.total()));
        Ok(solutions)
    }
}
