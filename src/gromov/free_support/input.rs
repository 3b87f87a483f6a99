//! One input of a free-support barycenter: its plan, and what the barycenter learns from it.

use ndarray::{Array1, Array2, Axis, concatenate};

use super::Plans;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gromov::exact::{Descent, FeatureCosts, Sides, inner, rounded, square, times};
use crate::gromov::{Control, Fused, Problem, Solution, Space, Terms};
use crate::observer::{Observer, Untold};

/// The barycenter on its way.
pub(super) struct Center {
    /// C.
    pub distances: Array2<f64>,
    /// g, one row a point.
    pub features: Option<Array2<f64>>,
    /// p.
    pub masses: Array1<f64>,
}

/// An input on its way: its distances and its plan.
pub(super) struct Input {
    distances: Array2<f64>,
    squares: Array2<f64>,
    features: Option<Array2<f64>>,
    /// The share of the distances beside features.
    alpha: f64,
    pub weights: Array1<f64>,
    pub plan: Array2<f64>,
    /// True if the plan met its own stop test.
    pub settled: bool,
    /// Exact transport problems or sweeps so far.
    pub steps: usize,
    /// What the last entropic solve found.
    last: Option<Solution>,
}

/// What the barycenter learns from an input.
pub(super) struct Spread {
    /// T^T D T.
    pub distances: Array2<f64>,
    /// T^T f.
    pub features: Option<Array2<f64>>,
    /// The sums of T.
    rows: Array1<f64>,
    cols: Array1<f64>,
}

impl Input {
    /// `features` come with the share alpha of the distances.
    pub(super) fn new(
        space: &Space,
        features: Option<(f64, Array2<f64>)>,
        masses: &Array1<f64>,
        index: usize,
    ) -> Result<Self> {
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
            alpha: features.as_ref().map_or(1.0, |(alpha, _)| *alpha),
            features: features.map(|(_, features)| features),
            weights,
            settled: false,
            steps: 0,
            last: None,
        })
    }

    /// The next plan, for a barycenter as it is.
    pub(super) fn improve(
        &mut self,
        plans: &Plans,
        center: &Center,
        engine: &Engine,
        observer: &dyn Observer,
    ) -> Result<()> {
        let mut observer = Untold(observer);
        match plans {
            Plans::Exact(control) => self.descend(control, center, &mut observer),
            Plans::Entropic(control) => self.diffuse(control, center, engine, &mut observer),
        }
    }

    fn descend(
        &mut self,
        control: &Descent,
        center: &Center,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        let costs = self.feature_costs(center);
        let sides = Sides {
            d: &self.distances,
            c: &center.distances,
            mu: &self.weights,
            p: &center.masses,
            features: costs.as_ref().map(|costs| FeatureCosts { alpha: self.alpha, costs }),
        };
        let found = sides.descend(self.plan.clone(), control, observer)?;
        self.steps += found.outcome.iterations;
        self.settled = found.outcome.converged;
        self.plan = found.plan;
        Ok(())
    }

    fn diffuse(
        &mut self,
        control: &Control,
        center: &Center,
        engine: &Engine,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        let problem = self.pair_with(center)?;
        let solution = match &self.last {
            Some(last) => {
                let control = Control { annealing: 1.0, ..control.clone() };
                problem.solve_from(last, &control, engine, observer)?
            }
            None => match problem.solve_with(control, engine, observer) {
                // The plan stays what it was.
                Err(Error::Interrupted { .. }) => return Ok(()),
                found => found?,
            },
        };
        // What is left of the marginals' error would count as a better fit.
        self.plan = rounded(&solution.plans[0], &self.weights, &center.masses);
        self.settled = solution.outcome.converged;
        self.steps += solution.sweeps;
        self.last = Some(solution);
        Ok(())
    }

    /// The entropic problem. Features are labels that no two points share.
    fn pair_with(&self, center: &Center) -> Result<Problem> {
        let (n, m) = self.plan.dim();
        let space = Space::from_matrix(self.distances.clone(), self.weights.clone())?;
        let other = Space::from_matrix(center.distances.clone(), center.masses.clone())?;
        let (Some(own), Some(others)) = (&self.features, &center.features) else {
            return Ok(Problem::pair(space, other));
        };
        let all = concatenate(Axis(0), &[own.view(), others.view()])
            .map_err(|error| Error::shape("the features", "equal columns", error.to_string()))?;
        let label_costs = squared_distances(&all, &all);
        let pair =
            Problem::pair(space.labelled((0..n).collect()), other.labelled((n..n + m).collect()));
        Ok(Problem { fused: Some(Fused { alpha: self.alpha, label_costs }), ..pair })
    }

    /// |f(x) - g(y)|², where there are features.
    fn feature_costs(&self, center: &Center) -> Option<Array2<f64>> {
        Some(squared_distances(self.features.as_ref()?, center.features.as_ref()?))
    }

    pub(super) fn spread(&self) -> Spread {
        let product = times(self.distances.view(), self.plan.view());
        let features = self.features.as_ref();
        Spread {
            distances: times(self.plan.t(), product.view()),
            features: features.map(|features| times(self.plan.t(), features.view())),
            rows: self.plan.sum_axis(Axis(1)),
            cols: self.plan.sum_axis(Axis(0)),
        }
    }

    /// The terms of V, and of the entropy where there is one, beside the barycenter as it is.
    pub(super) fn terms(&self, spread: &Spread, center: &Center) -> Terms {
        // E(T) = a^T D² a + b^T C² b - 2 <T^T D T, C>, with a and b the sums of T.
        let Spread { distances, features, rows, cols } = spread;
        let own = rows.dot(&self.squares.dot(rows));
        let own = own + cols.dot(&square(&center.distances).dot(cols));
        let structure = (own - 2.0 * inner(distances, &center.distances)).max(0.0);
        // <M, T> likewise: a^T |f|² + b^T |g|² - 2 <T^T f, g>.
        let labels = match (&self.features, features, &center.features) {
            (Some(own), Some(carried), Some(others)) => {
                let squares = rows.dot(&norms(own)) + cols.dot(&norms(others));
                (squares - 2.0 * inner(carried, others)).max(0.0)
            }
            _ => 0.0,
        };
        Terms {
            structure: self.alpha * structure,
            labels: (1.0 - self.alpha) * labels,
            regularisation: self.last.as_ref().map_or(0.0, |last| last.terms.regularisation),
            marginal: 0.0,
        }
    }
}

/// |row|² of every row.
fn norms(features: &Array2<f64>) -> Array1<f64> {
    features.rows().into_iter().map(|row| row.dot(&row)).collect()
}

/// Between the rows of two matrices.
fn squared_distances(a: &Array2<f64>, b: &Array2<f64>) -> Array2<f64> {
    Array2::from_shape_fn((a.nrows(), b.nrows()), |(i, j)| {
        a.row(i).iter().zip(b.row(j)).map(|(a, b)| (a - b) * (a - b)).sum()
    })
}
