//! Barycenters that are nothing but distances: free support, by block coordinate descent.

use std::ops::ControlFlow;
use std::time::Instant;

use ndarray::{Array1, Array2, Axis};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::exact::{Descent, Sides, inner, rounded, square, times};
use super::problem::check_distances;
use super::{Control, Problem, Solution, Space, check_shares, solve_from};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::observer::{Observer, Progress};

/// How the plans between the inputs and the barycenter are found.
#[derive(Clone, Debug, PartialEq)]
pub enum Plans {
    /// Without regularisation, by [`conditional_gradient`](super::conditional_gradient), on the
    /// CPU.
    Exact(Descent),
    /// With entropy, by [`solve`](super::solve), on the engine. Its annealing and its start are
    /// for the first round; after that every plan starts from the one before.
    Entropic(Control),
}

/// The distances C (m x m) between m points of given masses p that make
///
/// ```text
/// sum_i lambda_i E_i,   E_i = min over T_i of sum |D_i(x, x') - C(y, y')|² T_i(x, y) T_i(x', y')
/// ```
///
/// least, where T_i (n_i x m) are plans between the inputs' weights and p: the Gromov-Wasserstein
/// barycenter on a free support, by block coordinate descent (Peyré, Cuturi, Solomon,
/// "Gromov-Wasserstein Averaging of Kernel and Distance Matrices", 2016, algorithm 1). Plans and
/// distances take turns,
///
/// ```text
/// C = sum_i lambda_i T_i^T D_i T_i / (p p^T),
/// ```
///
/// equation 14 of the paper, which is the best C for these plans. With [`Plans::Exact`], the
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
/// assert!(found.converged && found.loss < 1e-12);
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
}

/// A barycenter on a free support.
#[derive(Clone, Debug)]
pub struct FreeSupportSolution {
    /// C: the distances between the points of the barycenter.
    pub distances: Array2<f64>,
    /// p: the masses of the points, summing to 1.
    pub masses: Array1<f64>,
    /// T_i of every input: its points in rows, those of the barycenter in columns.
    pub plans: Vec<Array2<f64>>,
    /// E_i of every input, between its distances and C under its plan, without entropy.
    pub values: Vec<f64>,
    /// sum_i lambda_i E_i.
    pub loss: f64,
    /// |C - C'| / |C| in the Frobenius norm, for the last two C.
    pub change: f64,
    /// True if the stop test was met.
    pub converged: bool,
    /// True if the observer stopped the solve.
    pub interrupted: bool,
    /// Rounds of plans and distances.
    pub iterations: usize,
    /// The way there, round by round.
    pub trace: Vec<LossPoint>,
    /// Seconds in the solver.
    pub seconds: f64,
}

/// The descent at a point in time.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "io", derive(serde::Serialize))]
pub struct LossPoint {
    /// Rounds done.
    pub iteration: usize,
    /// Seconds since the start.
    pub seconds: f64,
    /// sum_i lambda_i E_i after the round, without entropy.
    pub loss: f64,
    /// |C - C'| / |C| in the Frobenius norm.
    pub change: f64,
}

impl FreeSupport {
    /// The barycenter of inputs with equal weights on `points` points of equal mass, with plans
    /// without regularisation. Inputs count with mass 1.
    pub fn of(inputs: Vec<Space>, points: usize) -> Self {
        Self {
            weights: vec![1.0; inputs.len()],
            inputs,
            masses: Array1::from_elem(points, 1.0 / points.max(1) as f64),
            start: None,
            seed: 0,
            plans: Plans::Exact(Descent { tolerance: 1e-5, ..Descent::default() }),
            tolerance: None,
            max_iterations: 200,
        }
    }

    /// lambda: how much each input counts. Only shares matter.
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
    /// divided by the largest.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
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
    /// [`Error::Data`], [`Error::Shape`] and [`Error::Parameter`] for bad input; where plans are
    /// entropic also what [`solve`](super::solve) may return.
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
        self.validate()?;
        let begin = Instant::now();
        let masses = &self.masses / self.masses.sum();
        let inputs = self.inputs.iter().enumerate();
        let inputs = inputs.map(|(index, space)| Input::new(space, &masses, index));
        let mut inputs = inputs.collect::<Result<Vec<_>>>()?;
        let total: f64 = self.weights.iter().sum();
        let shares: Vec<f64> = self.weights.iter().map(|weight| weight / total).collect();
        let mut distances = match &self.start {
            Some(start) => start.clone(),
            None => random_distances(self.seed, masses.len()),
        };
        let tolerance = self.tolerance_on(engine);
        let mut values = vec![f64::NAN; inputs.len()];
        let mut trace = Vec::new();
        let (mut converged, mut interrupted) = (false, false);
        for iteration in 1..=self.max_iterations {
            for input in &mut inputs {
                self.improve(input, &distances, &masses, engine, observer)?;
            }
            // Those that were interrupted on the way are plans as well.
            let spread: Vec<_> = inputs.iter().map(Input::spread).collect();
            let next = barycenter_of(&spread, &shares, &masses);
            let squares = square(&next);
            for ((value, input), spread) in values.iter_mut().zip(&inputs).zip(&spread) {
                *value = input.value(spread, &next, &squares);
            }
            let change = norm(&(&next - &distances)) / norm(&next).max(f64::MIN_POSITIVE);
            distances = next;
            let loss = values.iter().zip(&shares).map(|(value, share)| share * value).sum();
            trace.push(LossPoint {
                iteration,
                seconds: begin.elapsed().as_secs_f64(),
                loss,
                change,
            });
            converged = change <= tolerance && inputs.iter().all(|input| input.settled);
            let progress = Progress {
                iteration,
                max_iterations: self.max_iterations,
                residual: change,
                tolerance,
                epsilon: self.epsilon(),
                running: (usize::from(!converged), 1),
                part: (1, 1),
            };
            interrupted |= observer.progress(&progress) == ControlFlow::Break(());
            interrupted |= observer.interrupted();
            if converged || interrupted {
                break;
            }
        }
        let last = trace.last().copied();
        Ok(FreeSupportSolution {
            distances,
            masses,
            plans: inputs.into_iter().map(|input| input.plan).collect(),
            values,
            loss: last.map_or(f64::NAN, |point| point.loss),
            change: last.map_or(f64::INFINITY, |point| point.change),
            converged: converged && !interrupted,
            interrupted,
            iterations: trace.len(),
            trace,
            seconds: begin.elapsed().as_secs_f64(),
        })
    }

    /// The change of C to stop at.
    fn tolerance_on(&self, engine: &Engine) -> f64 {
        self.tolerance.unwrap_or(match &self.plans {
            Plans::Exact(_) => 1e-5,
            Plans::Entropic(control) => control.tolerance_on(engine).max(1e-5),
        })
    }

    /// The entropic strength of the plans.
    fn epsilon(&self) -> f64 {
        match &self.plans {
            Plans::Exact(_) => 0.0,
            Plans::Entropic(control) => control.epsilon,
        }
    }

    /// The next plan of an input, for these distances of the barycenter.
    fn improve(
        &self,
        input: &mut Input,
        distances: &Array2<f64>,
        masses: &Array1<f64>,
        engine: &Engine,
        observer: &dyn Observer,
    ) -> Result<()> {
        let mut observer = Within(observer);
        match &self.plans {
            Plans::Exact(control) => {
                let Input { distances: d, weights: mu, .. } = &*input;
                let sides = Sides { d, c: distances, mu, p: masses };
                let found = sides.descend(input.plan.clone(), control, &mut observer)?;
                input.plan = found.plan;
                input.settled = found.converged;
            }
            Plans::Entropic(control) => {
                let space = Space::from_matrix(input.distances.clone(), input.weights.clone())?;
                let center = Space::from_matrix(distances.clone(), masses.clone())?;
                let problem = Problem::pair(space, center);
                let solution = match &input.last {
                    Some(last) => {
                        let control = Control { annealing: 1.0, ..control.clone() };
                        Some(solve_from(&problem, last, &control, engine, &mut observer)?)
                    }
                    None => {
                        super::solve(&problem, control, engine, &mut observer)?.into_iter().next()
                    }
                };
                if let Some(solution) = solution {
                    // What is left of the marginals' error would count as a better fit.
                    input.plan = rounded(&solution.plans[0], &input.weights, masses);
                    input.settled = solution.converged;
                    input.last = Some(solution);
                }
            }
        }
        Ok(())
    }

    fn validate(&self) -> Result<()> {
        if self.inputs.is_empty() {
            return Err(Error::data("the inputs", "there are none", "give at least one"));
        }
        if self.weights.len() != self.inputs.len() {
            let expected = format!("one for each of {} inputs", self.inputs.len());
            return Err(Error::shape("the weights", expected, self.weights.len().to_string()));
        }
        check_shares("the weights", self.weights.iter().copied())?;
        let points = self.masses.len();
        if points == 0 {
            return Err(Error::parameter("points", "it is 0", "give the barycenter at least 1"));
        }
        if let Some(mass) = self.masses.iter().find(|mass| !(mass.is_finite() && **mass > 0.0)) {
            return Err(Error::data(
                "the masses of the barycenter",
                format!("one of them is {mass}"),
                "every point needs a mass: without one its distances mean nothing",
            ));
        }
        if let Some(start) = &self.start {
            let (rows, cols) = start.dim();
            if (rows, cols) != (points, points) {
                let expected = format!("{points} x {points}, one row for each mass");
                return Err(Error::shape("the start", expected, format!("{rows} x {cols}")));
            }
            check_distances("the start", start)?;
        }
        if let Some(tolerance) = self.tolerance.filter(|value| value.is_nan() || *value < 0.0) {
            let problem = format!("{tolerance} is not a number from 0 up");
            let remedy = "give the relative change of the distances to stop at";
            return Err(Error::parameter("tolerance", problem, remedy));
        }
        if self.max_iterations == 0 {
            return Err(Error::parameter("max-iterations", "it is 0", "give at least 1"));
        }
        match &self.plans {
            Plans::Exact(control) => control.validate(),
            Plans::Entropic(control) => control.validate(),
        }
    }
}

/// An input on its way: its distances and its plan.
struct Input {
    distances: Array2<f64>,
    squares: Array2<f64>,
    weights: Array1<f64>,
    plan: Array2<f64>,
    /// True if the plan met its own stop test.
    settled: bool,
    /// What the last entropic solve found.
    last: Option<Solution>,
}

/// What the barycenter learns from an input: T^T D T, and the sums of T.
struct Spread {
    carried: Array2<f64>,
    rows: Array1<f64>,
    cols: Array1<f64>,
}

impl Input {
    fn new(space: &Space, masses: &Array1<f64>, index: usize) -> Result<Self> {
        let name = format!("input {index}");
        space.validate(&name)?;
        let total = space.weights.sum();
        if !(total > 0.0 && total.is_finite()) {
            let problem = format!("its mass is {total}");
            return Err(Error::data(name, problem, "give some point a positive weight"));
        }
        let weights = &space.weights / total;
        let distances = space.dense_distances()?;
        let shape = (weights.len(), masses.len());
        Ok(Self {
            plan: Array2::from_shape_fn(shape, |(i, j)| weights[i] * masses[j]),
            squares: square(&distances),
            distances,
            weights,
            settled: false,
            last: None,
        })
    }

    fn spread(&self) -> Spread {
        let product = times(self.distances.view(), self.plan.view());
        Spread {
            carried: times(self.plan.t(), product.view()),
            rows: self.plan.sum_axis(Axis(1)),
            cols: self.plan.sum_axis(Axis(0)),
        }
    }

    /// E(T) = a^T D² a + b^T C² b - 2 <T^T D T, C>, with a and b the sums of T.
    fn value(&self, spread: &Spread, distances: &Array2<f64>, squares: &Array2<f64>) -> f64 {
        let Spread { carried, rows, cols } = spread;
        let own = rows.dot(&self.squares.dot(rows)) + cols.dot(&squares.dot(cols));
        (own - 2.0 * inner(carried, distances)).max(0.0)
    }
}

/// sum_i lambda_i T_i^T D_i T_i / (p p^T), symmetric to the last bit.
fn barycenter_of(spread: &[Spread], shares: &[f64], masses: &Array1<f64>) -> Array2<f64> {
    let mut sum = Array2::zeros((masses.len(), masses.len()));
    for (Spread { carried, .. }, &share) in spread.iter().zip(shares) {
        sum.scaled_add(0.5 * share, carried);
        sum.scaled_add(0.5 * share, &carried.t());
    }
    let divisor = |i: usize, j: usize| masses[i] * masses[j];
    Array2::from_shape_fn(sum.dim(), |(i, j)| (sum[[i.min(j), i.max(j)]] / divisor(i, j)).max(0.0))
}

/// Squared distances of Gaussian points in the plane, divided by the largest.
fn random_distances(seed: u64, points: usize) -> Array2<f64> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    // Box and Muller: two coordinates from one radius and one angle.
    let places: Vec<[f64; 2]> = (0..points)
        .map(|_| {
            let radius = (-2.0 * (1.0 - random.random::<f64>()).ln()).sqrt();
            let (sin, cos) = (std::f64::consts::TAU * random.random::<f64>()).sin_cos();
            [radius * cos, radius * sin]
        })
        .collect();
    let distances = Array2::from_shape_fn((points, points), |(i, j)| {
        let [[a, b], [c, d]] = [places[i], places[j]];
        (a - c).powi(2) + (b - d).powi(2)
    });
    let largest = distances.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    distances / largest
}

/// The Frobenius norm.
fn norm(matrix: &Array2<f64>) -> f64 {
    inner(matrix, matrix).sqrt()
}

/// Watches the solves within a round: they may be interrupted, but their progress is not that of
/// the barycenter.
struct Within<'a>(&'a dyn Observer);

impl Observer for Within<'_> {
    fn progress(&mut self, _: &Progress) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn interrupted(&self) -> bool {
        self.0.interrupted()
    }
}
