//! Gromov-Wasserstein plans of two spaces without regularisation, by conditional gradient.

use std::time::Instant;

use ndarray::parallel::prelude::*;
use ndarray::{Array1, Array2, ArrayView2, Axis};

use super::Space;
use super::transfer::check_plan;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::linear::exact::{ExactPlan, exact};
use crate::observer::{Observer, Progress, stops};
use crate::outcome::Outcome;
use crate::validate::{at_least_one, from_zero};

/// Rows of a product that one thread computes at a time: the result does not depend on threads.
const ROWS: usize = 32;
/// A change of the objective below this part of its terms is rounding.
const ROUNDING: f64 = 1e-15;
/// Two masses may differ by this much, relatively.
const MASS_DIFFERENCE: f64 = crate::linear::exact::MASS_TOLERANCE;

/// The control of a conditional gradient descent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Descent {
    /// Stop when a step lowers the objective by no more than this part of it.
    pub tolerance: f64,
    /// Stop after so many steps at the latest; each is an exact transport problem.
    pub max_iterations: usize,
}

impl Default for Descent {
    fn default() -> Self {
        Self { tolerance: 1e-9, max_iterations: 1000 }
    }
}

impl Descent {
    /// Checks the parameters.
    ///
    /// # Errors
    /// [`Error::Parameter`] for one outside its domain.
    pub fn validate(&self) -> Result<()> {
        let remedy = "give the relative fall of the objective to stop at";
        from_zero("tolerance", self.tolerance, remedy)?;
        at_least_one("max-iterations", self.max_iterations)
    }
}

/// A plan between two spaces, and what it is worth.
#[derive(Clone, Debug, PartialEq)]
pub struct Matching {
    /// The plan: points of the first space in rows, of the second in columns.
    pub plan: Array2<f64>,
    /// E(P), the squared Gromov-Wasserstein distance where the plan is the best one.
    pub cost: f64,
    /// E of every plan from the start on: it never rises.
    pub trace: Vec<f64>,
    /// How the descent ended: iterations are its steps, the tolerance is that of the relative fall of the
    /// objective.
    pub outcome: Outcome,
}

/// A plan between two spaces that makes
///
/// ```text
/// E(P) = sum |D(x, x') - C(y, y')|² P(x, y) P(x', y')
/// ```
///
/// locally least among all plans with the spaces' weights as marginals, without regularisation, by
/// conditional gradient (Frank-Wolfe) descent from a plan that is given, whose marginals are put
/// right first, or else from the product of the weights: exact transport with the costs of the linearised problem, then the best
/// plan on the segment there, in closed form because E is quadratic (Vayer, Chapel, Flamary,
/// Tavenard, Courty, "Optimal Transport for structured data with application on graphs", 2019,
/// algorithms 1 and 2). It runs on the CPU, in f64; n m numbers are kept for each of five matrices.
///
/// # Errors
/// [`Error::Parameter`] for bad control, [`Error::Data`] for spaces of different mass and for a
/// start with entries that are no masses, [`Error::Shape`] for a start of another size, and
/// [`Error::Limit`] for distances that do not fit into memory.
///
/// # Example
/// ```
/// use gaspard::gromov::{Descent, Space, conditional_gradient};
/// use gaspard::Cost;
/// use ndarray::array;
/// let weights = array![0.2, 0.3, 0.5];
/// let points = array![[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]];
/// let turned = array![[5.0, 5.0], [5.0, 6.0], [3.0, 5.0]];
/// let a = Space::from_points(points, Cost::Euclidean, weights.clone())?;
/// let b = Space::from_points(turned, Cost::Euclidean, weights)?;
/// let matching = conditional_gradient(&a, &b, None, &Descent::default(), &mut ())?;
/// assert!(matching.cost < 1e-12);
/// assert!((matching.plan[[2, 2]] - 0.5).abs() < 1e-12);
/// # Ok::<(), gaspard::Error>(())
/// ```
pub fn conditional_gradient(
    a: &Space,
    b: &Space,
    start: Option<&Array2<f64>>,
    control: &Descent,
    observer: &mut dyn Observer,
) -> Result<Matching> {
    control.validate()?;
    a.validate("the first space")?;
    b.validate("the second space")?;
    let (mass_a, mass_b) = (a.weights.sum(), b.weights.sum());
    if (mass_a - mass_b).abs() > MASS_DIFFERENCE * mass_a.max(mass_b) {
        return Err(Error::data(
            "the spaces",
            format!("their masses {mass_a} and {mass_b} differ"),
            "scale their weights to the same total",
        ));
    }
    let product = || {
        let shape = (a.len(), b.len());
        Array2::from_shape_fn(shape, |(i, j)| a.weights[i] * b.weights[j] / mass_b)
    };
    let start = match start {
        Some(start) => {
            check_start(start, &a.weights, &b.weights)?;
            rounded(start, &a.weights, &b.weights)
        }
        None => product(),
    };
    let (d, c) = (a.dense_distances()?, b.dense_distances()?);
    let sides = Sides { d: &d, c: &c, mu: &a.weights, p: &b.weights, features: None };
    sides.descend(start, control, observer)
}

fn check_start(start: &Array2<f64>, mu: &Array1<f64>, p: &Array1<f64>) -> Result<()> {
    if start.dim() != (mu.len(), p.len()) {
        let ((n, m), (rows, cols)) = ((mu.len(), p.len()), start.dim());
        return Err(Error::shape("the start", format!("{n} x {m}"), format!("{rows} x {cols}")));
    }
    check_plan("the start", start.view())
}

/// A plan with the right marginals near one that has not (Altschuler, Weed, Rigollet, "Near-linear
/// time approximation algorithms for optimal transport via Sinkhorn iteration", 2017, algorithm 2):
/// rows, then columns that have too much are scaled down, and what is missing is spread out.
pub(super) fn rounded(start: &Array2<f64>, mu: &Array1<f64>, p: &Array1<f64>) -> Array2<f64> {
    // In standard layout, whatever that of the start is.
    let mut plan = Array2::from_shape_fn(start.dim(), |pair| start[pair]);
    for (axis, weights) in [(Axis(0), mu), (Axis(1), p)] {
        for (mut lane, &weight) in plan.axis_iter_mut(axis).zip(weights) {
            let sum = lane.sum();
            if sum > weight {
                lane *= weight / sum;
            }
        }
    }
    let missing =
        |axis, weights: &Array1<f64>| (weights - &plan.sum_axis(axis)).mapv(|x| x.max(0.0));
    let (rows, cols) = (missing(Axis(1), mu), missing(Axis(0), p));
    let total = cols.sum();
    if total > 0.0 {
        plan.indexed_iter_mut().for_each(|((i, j), entry)| *entry += rows[i] * cols[j] / total);
    }
    plan
}

/// Two spaces as the descent sees them: distances D and weights mu in rows, C and p in columns.
#[derive(Clone, Copy)]
pub(super) struct Sides<'a> {
    pub d: &'a Array2<f64>,
    pub c: &'a Array2<f64>,
    pub mu: &'a Array1<f64>,
    pub p: &'a Array1<f64>,
    /// What pairs of points cost beside distances.
    pub features: Option<FeatureCosts<'a>>,
}

/// Costs M of pairs of points: the objective is alpha E(P) + (1 - alpha) <M, P>.
#[derive(Clone, Copy)]
pub(super) struct FeatureCosts<'a> {
    pub alpha: f64,
    pub costs: &'a Array2<f64>,
}

impl FeatureCosts<'_> {
    /// (1 - alpha) <M, P>.
    fn energy(&self, plan: &Array2<f64>) -> f64 {
        (1.0 - self.alpha) * inner(self.costs, plan)
    }
}

impl Sides<'_> {
    /// From a plan with the right marginals downwards.
    pub(super) fn descend(
        &self,
        start: Array2<f64>,
        control: &Descent,
        observer: &mut dyn Observer,
    ) -> Result<Matching> {
        let begin = Instant::now();
        let row_squares = square(self.d).dot(self.mu);
        let col_squares = square(self.c).dot(self.p);
        // As long as the marginals stay what they are, E(P) = squares - 2 <D P C, P>.
        let squares = row_squares.dot(self.mu) + col_squares.dot(self.p);
        let alpha = self.features.map_or(1.0, |features| features.alpha);
        let mut plan = start;
        let mut product = times(times(self.d.view(), plan.view()).view(), self.c.view());
        let energy = |plan: &Array2<f64>, product: &Array2<f64>| {
            let features = self.features.map_or(0.0, |features| features.energy(plan));
            alpha * (squares - 2.0 * inner(plan, product)) + features
        };
        let mut cost = energy(&plan, &product);
        let mut trace = vec![cost.max(0.0)];
        let (mut converged, mut interrupted) = (false, false);
        for iteration in 1..=control.max_iterations {
            let mut costs = Array2::from_shape_fn(plan.dim(), |(i, j)| {
                alpha * (row_squares[i] + col_squares[j] - 2.0 * product[[i, j]])
            });
            if let Some(features) = self.features {
                costs.scaled_add(0.5 * (1.0 - alpha), features.costs);
            }
            let costs = costs.as_slice().expect("made row by row");
            let (mu, p) = (self.mu.to_vec(), self.p.to_vec());
            let vertex = exact(&mu, &p, costs, &mut || observer.interrupted())?;
            let vertex_product = self.product_with_vertex(&vertex, plan.dim());
            let vertex = dense(&vertex, plan.dim());
            // J(P + s step) = J(P) + 2 s slope + s² curvature.
            let step = &vertex - &plan;
            let slope = inner_with_costs(&step, costs);
            let curvature = -2.0 * alpha * inner(&step, &(&vertex_product - &product));
            let share = best_share(slope, curvature);
            for (at, to) in [(&mut plan, &vertex), (&mut product, &vertex_product)] {
                *at *= 1.0 - share;
                at.scaled_add(share, to);
            }
            cost = energy(&plan, &product);
            trace.push(cost.max(0.0));
            let fall = -share * (2.0 * slope + share * curvature);
            let residual =
                (fall - ROUNDING * (squares + cost)).max(0.0) / cost.max(f64::MIN_POSITIVE);
            let Descent { max_iterations, tolerance } = *control;
            let progress = Progress {
                cost: Some(cost),
                ..Progress::new(iteration, max_iterations, residual, tolerance)
            };
            interrupted |= stops(observer, &progress);
            converged = residual <= control.tolerance;
            if converged || interrupted {
                break;
            }
        }
        Ok(Matching {
            plan,
            cost: cost.max(0.0),
            outcome: Outcome {
                converged: converged && !interrupted,
                interrupted,
                ..Outcome::new(&Engine::cpu(), begin, trace.len() - 1, control.tolerance)
            },
            trace,
        })
    }

    /// D S C for a plan S that is nearly all zeros: one dense product, on the smaller side.
    fn product_with_vertex(&self, vertex: &ExactPlan, (n, m): (usize, usize)) -> Array2<f64> {
        if n < m {
            // D S column by column, then times C.
            let mut left = Array2::<f64>::zeros((m, n));
            for &(i, j, mass) in &vertex.coupling {
                left.row_mut(j as usize).scaled_add(mass, &self.d.row(i as usize));
            }
            times(left.t(), self.c.view())
        } else {
            let mut right = Array2::<f64>::zeros((n, m));
            for &(i, j, mass) in &vertex.coupling {
                right.row_mut(i as usize).scaled_add(mass, &self.c.row(j as usize));
            }
            times(self.d.view(), right.view())
        }
    }
}

/// The s in [0, 1] that makes 2 s slope + s² curvature least.
fn best_share(slope: f64, curvature: f64) -> f64 {
    if slope >= 0.0 {
        // Nothing to gain: the plan is the best of its linearised problem.
        0.0
    } else if curvature > -slope {
        -slope / curvature
    } else {
        1.0
    }
}

fn dense(vertex: &ExactPlan, shape: (usize, usize)) -> Array2<f64> {
    let mut plan = Array2::zeros(shape);
    for &(i, j, mass) in &vertex.coupling {
        plan[[i as usize, j as usize]] = mass;
    }
    plan
}

/// D², entry by entry.
pub(super) fn square(distances: &Array2<f64>) -> Array2<f64> {
    distances.mapv(|distance| distance * distance)
}

/// <A, B>.
pub(super) fn inner(a: &Array2<f64>, b: &Array2<f64>) -> f64 {
    // Row by row, so that sums are short.
    a.outer_iter().zip(b.outer_iter()).map(|(a, b)| a.dot(&b)).sum()
}

fn inner_with_costs(a: &Array2<f64>, costs: &[f64]) -> f64 {
    let rows = a.outer_iter().zip(costs.chunks(a.ncols()));
    rows.map(|(a, costs)| a.iter().zip(costs).map(|(a, cost)| a * cost).sum::<f64>()).sum()
}

/// A B, blocks of rows in parallel.
pub(super) fn times(a: ArrayView2<'_, f64>, b: ArrayView2<'_, f64>) -> Array2<f64> {
    let mut out = Array2::zeros((a.nrows(), b.ncols()));
    out.axis_chunks_iter_mut(Axis(0), ROWS)
        .into_par_iter()
        .zip(a.axis_chunks_iter(Axis(0), ROWS).into_par_iter())
        .for_each(|(mut out, a)| ndarray::linalg::general_mat_mul(1.0, &a, &b, 0.0, &mut out));
    out
}

#[cfg(test)]
mod tests {
    use ndarray::array;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::Cost;

    fn cloud(seed: u64, points: usize) -> Space {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let places = Array2::from_shape_simple_fn((points, 2), || random.random::<f64>());
        let weights = Array1::from_shape_simple_fn(points, || 0.2 + random.random::<f64>());
        let total = weights.sum();
        Space::from_points(places, Cost::Euclidean, weights / total).unwrap()
    }

    /// E(P) as it stands.
    fn naive(a: &Space, b: &Space, plan: &Array2<f64>) -> f64 {
        let mut sum = 0.0;
        for ((i, j), p) in plan.indexed_iter() {
            for ((k, l), q) in plan.indexed_iter() {
                sum += (a.distance(i, k) - b.distance(j, l)).powi(2) * p * q;
            }
        }
        sum
    }

    #[test]
    fn the_objective_never_rises_and_the_plan_is_one() {
        for (seed, (n, m)) in [(9, 7), (5, 12), (8, 8)].into_iter().enumerate() {
            let (a, b) = (cloud(seed as u64, n), cloud(100 + seed as u64, m));
            let found = conditional_gradient(&a, &b, None, &Descent::default(), &mut ()).unwrap();
            assert!(found.outcome.converged);
            assert!(
                found.trace.windows(2).all(|pair| pair[1] <= pair[0] + 1e-15),
                "{:?}",
                found.trace
            );
            assert!(found.trace[0] > found.cost);
            assert!((found.cost - naive(&a, &b, &found.plan)).abs() < 1e-13);
            for (axis, weights) in [(1, &a.weights), (0, &b.weights)] {
                let error = found.plan.sum_axis(Axis(axis)) - weights;
                assert!(error.iter().all(|error| error.abs() < 1e-13));
            }
            // From where it is, it goes nowhere.
            let again =
                conditional_gradient(&a, &b, Some(&found.plan), &Descent::default(), &mut ());
            assert!((again.unwrap().cost - found.cost).abs() < 1e-12);
        }
    }

    #[test]
    fn the_step_is_the_best_on_its_segment() {
        for (slope, curvature) in [(-1.0, 4.0), (-1.0, 0.5), (-1.0, -3.0), (0.0, -1.0)] {
            let value = |s: f64| 2.0 * s * slope + s * s * curvature;
            let best = value(best_share(slope, curvature));
            let least =
                (0..=100).map(|k| value(f64::from(k) / 100.0)).fold(f64::INFINITY, f64::min);
            // At slope 0 the plan is stationary, and the descent says so.
            assert!(best <= least + 1e-12 || slope == 0.0, "{slope} {curvature}");
        }
    }

    #[test]
    fn starts_are_rounded_to_plans() {
        let (a, b) = (cloud(1, 4), cloud(2, 3));
        let start = array![[0.9, 0.0, 0.0], [0.0, 0.0, 0.2], [0.0, 0.1, 0.0], [0.1, 0.1, 0.1]];
        let plan = rounded(&start, &a.weights, &b.weights);
        for (axis, weights) in [(1, &a.weights), (0, &b.weights)] {
            let error = plan.sum_axis(Axis(axis)) - weights;
            assert!(error.iter().all(|error| error.abs() < 1e-15));
        }
        let again = rounded(&plan, &a.weights, &b.weights);
        assert!((again - plan).iter().all(|change| change.abs() < 1e-15));
    }

    #[test]
    fn an_observer_stops_it() {
        let (a, b) = (cloud(1, 10), cloud(2, 9));
        let mut stop = |_: &Progress| std::ops::ControlFlow::Break(());
        let found = conditional_gradient(&a, &b, None, &Descent::default(), &mut stop).unwrap();
        assert!(found.outcome.interrupted && !found.outcome.converged && found.trace.len() == 2);
    }

    #[test]
    fn bad_input_is_refused() {
        let (a, b) = (cloud(1, 3), cloud(2, 2));
        let solve = |a: &Space, b: &Space, start: Option<&Array2<f64>>, control: Descent| {
            conditional_gradient(a, b, start, &control, &mut ())
        };
        let good = Descent::default();
        let wrong = array![[0.5, 0.0], [0.0, f64::NAN], [0.0, 0.0]];
        assert!(matches!(solve(&a, &b, Some(&wrong), good), Err(Error::Data { .. })));
        assert!(matches!(solve(&b, &a, Some(&wrong), good), Err(Error::Shape { .. })));
        let heavy = Space { weights: &a.weights * 2.0, ..a.clone() };
        assert!(matches!(solve(&heavy, &b, None, good), Err(Error::Data { .. })));
        let control = Descent { tolerance: f64::NAN, ..good };
        assert!(matches!(solve(&a, &b, None, control), Err(Error::Parameter { .. })));
        let control = Descent { max_iterations: 0, ..good };
        assert!(matches!(solve(&a, &b, None, control), Err(Error::Parameter { .. })));
    }
}
