//! Where the mass is, and what moving it costs.
//!
//! A [`Support`] says where the points of a measure are: on a [`Grid`], anywhere in space, on the
//! sphere, or nowhere in particular. A [`Geometry`] is the cost between two supports, in the
//! cheapest form that there is: computed on the fly for points, axis by axis for grids, stored
//! only when it was given as a matrix. On an engine it becomes an [`Operator`], which knows how to
//! take softmins along it and to apply couplings without storing them.

mod cost;
mod grid;
mod measure;
mod operator;
mod resample;
pub mod sphere;

use ndarray::{Array2, ArrayView2};

pub use cost::Cost;
pub use grid::Grid;
pub use measure::{Measure, Support};
pub use operator::{Operator, Side};
pub use resample::resampled;

use crate::engine::Engine;
use crate::error::{Error, Result};

/// The cost between every point of one support and every point of another.
///
/// ```
/// use gaspard::{Cost, Geometry, Measure};
/// use ndarray::array;
///
/// let a = Measure::uniform("a", array![[0.0, 0.0], [1.0, 0.0]])?;
/// let b = Measure::uniform("b", array![[0.0, 2.0]])?;
/// // Points whose costs are computed where they are needed, and a matrix of one's own.
/// let points = Geometry::between(a.support(), b.support(), Cost::SquaredEuclidean)?;
/// let matrix = Geometry::matrix(array![[4.0], [5.0]])?;
/// assert_eq!((points.shape(), points.dense()?), ((2, 1), matrix.dense()?));
/// # Ok::<(), gaspard::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Geometry {
    /// A stored matrix (n, m). Infinite entries forbid a pair.
    Matrix(Array2<f64>),
    /// Points (n, d) and (m, d) and the cost between them, computed on the fly: O((n + m) d)
    /// memory.
    Points {
        /// Points of the rows (n, d).
        x: Array2<f64>,
        /// Points of the columns (m, d).
        y: Array2<f64>,
        /// The cost of a pair.
        cost: Cost,
    },
    /// A cost that is a sum over the axes of a product of grids: one matrix (n_k, m_k) an axis.
    /// Softmins go axis by axis: O(N (n_1 + ... + n_d)) instead of O(N²).
    Separable(Vec<Array2<f64>>),
}

impl Geometry {
    /// A stored cost matrix.
    ///
    /// # Errors
    /// [`Error::Data`] for an empty matrix, a NaN or a cost of minus infinity.
    pub fn matrix(costs: Array2<f64>) -> Result<Self> {
        let geometry = Self::Matrix(costs);
        geometry.validate()?;
        Ok(geometry)
    }

    /// Points and the cost between them.
    ///
    /// # Errors
    /// [`Error::Shape`] where the dimensions differ, [`Error::Data`] for coordinates that are not
    /// finite, [`Error::Parameter`] for a power that is not positive.
    pub fn points(x: Array2<f64>, y: Array2<f64>, cost: Cost) -> Result<Self> {
        let geometry = Self::Points { x, y, cost: cost.simplified() };
        geometry.validate()?;
        Ok(geometry)
    }

    /// The cost between two supports, in its cheapest form.
    ///
    /// # Errors
    /// [`Error::Shape`] for supports of different dimensions, [`Error::Data`] for supports without
    /// places: those need [`Geometry::matrix`].
    pub fn between(a: &Support, b: &Support, cost: Cost) -> Result<Self> {
        let cost = cost.simplified();
        if let (Support::Grid(from), Support::Grid(to)) = (a, b) {
            let separable = cost == Cost::SquaredEuclidean && from.dimension() > 1;
            if separable && from.dimension() == to.dimension() {
                return Ok(Self::Separable(
                    (0..from.dimension())
                        .map(|axis| squared_differences(&from.axis(axis), &to.axis(axis)))
                        .collect(),
                ));
            }
        }
        let on_sphere = matches!((a, b), (Support::Sphere(_), Support::Sphere(_)));
        if matches!(cost, Cost::GreatCircle(_)) != on_sphere {
            return Err(Error::data(
                "the cost",
                format!("{cost} does not fit the supports"),
                "use great-circle costs between supports on the sphere, and only there",
            ));
        }
        Self::points(a.places()?, b.places()?, cost)
    }

    /// Number of points on each side: (n, m).
    pub fn shape(&self) -> (usize, usize) {
        match self {
            Self::Matrix(costs) => costs.dim(),
            Self::Points { x, y, .. } => (x.nrows(), y.nrows()),
            Self::Separable(axes) => {
                (axes.iter().map(Array2::nrows).product(), axes.iter().map(Array2::ncols).product())
            }
        }
    }

    /// Checks sizes and values.
    ///
    /// # Errors
    /// As [`Geometry::matrix`] and [`Geometry::points`].
    pub fn validate(&self) -> Result<()> {
        let (n, m) = self.shape();
        if n == 0 || m == 0 {
            return Err(Error::data(
                "the geometry",
                format!("it is empty ({n} x {m} points)"),
                "give at least one point on each side",
            ));
        }
        match self {
            Self::Matrix(costs) => check_costs(costs.view()),
            Self::Separable(axes) => {
                if axes.is_empty() {
                    let remedy = "give the costs along one axis or more";
                    return Err(Error::data("the geometry", "it has no axes", remedy));
                }
                axes.iter().try_for_each(|axis| check_costs(axis.view()))?;
                // Their share of the objective is summed through their logarithms.
                if axes.iter().flatten().any(|cost| *cost < 0.0) {
                    return Err(Error::data(
                        "the costs along an axis",
                        "one of them is negative",
                        "add a constant to the axis: it changes no coupling of fixed mass",
                    ));
                }
                Ok(())
            }
            Self::Points { x, y, cost } => {
                if x.ncols() != y.ncols() || x.ncols() == 0 {
                    return Err(Error::shape(
                        "the points",
                        format!(
                            "the same dimension on both sides, at least 1 (rows have {})",
                            x.ncols()
                        ),
                        y.ncols().to_string(),
                    ));
                }
                if !(cost.power() > 0.0 && cost.power().is_finite()) {
                    return Err(Error::parameter(
                        "the power of the cost",
                        format!("{} is not a positive number", cost.power()),
                        "use for example power:1.5",
                    ));
                }
                for (name, points) in
                    [("the points of the rows", x), ("the points of the columns", y)]
                {
                    check_points(name, points.view())?;
                    if let Cost::GreatCircle(_) = cost {
                        sphere::check_on_sphere(name, points)?;
                    }
                }
                Ok(())
            }
        }
    }

    /// The cost of one pair.
    pub fn cost(&self, i: usize, j: usize) -> f64 {
        match self {
            Self::Matrix(costs) => costs[[i, j]],
            Self::Points { x, y, cost } => {
                let steps = x.row(i).into_iter().zip(y.row(j)).map(|(x, y)| (x - y).powi(2));
                cost.of_square(steps.sum())
            }
            Self::Separable(axes) => {
                // The last axis runs fastest on both sides.
                let (mut i, mut j, mut total) = (i, j, 0.0);
                for axis in axes.iter().rev() {
                    total += axis[[i % axis.nrows(), j % axis.ncols()]];
                    i /= axis.nrows();
                    j /= axis.ncols();
                }
                total
            }
        }
    }

    /// The whole cost matrix (n, m).
    ///
    /// # Errors
    /// [`Error::Limit`] where the CPU has no room for it.
    pub fn dense(&self) -> Result<Array2<f64>> {
        let (n, m) = self.shape();
        Engine::cpu().require(
            "the cost matrix",
            n as u64 * m as u64 * 8,
            "use an entropic solver, which does not store it",
        )?;
        Ok(match self {
            Self::Matrix(costs) => costs.clone(),
            _ => Array2::from_shape_fn((n, m), |(i, j)| self.cost(i, j)),
        })
    }

    /// A bound on the largest finite cost, cheap to compute.
    pub fn cost_bound(&self) -> f64 {
        let largest = |costs: &Array2<f64>| {
            costs.iter().filter(|cost| cost.is_finite()).fold(0.0_f64, |a, &b| a.max(b.abs()))
        };
        match self {
            Self::Matrix(costs) => largest(costs),
            Self::Separable(axes) => axes.iter().map(largest).sum(),
            Self::Points { cost: Cost::GreatCircle(p), .. } => std::f64::consts::PI.powf(*p),
            Self::Points { x, y, cost } => {
                let square = (0..x.ncols()).map(|axis| {
                    let all = x.column(axis).into_iter().chain(y.column(axis));
                    let (low, high) = all.fold((f64::MAX, f64::MIN), |(low, high), &value| {
                        (low.min(value), high.max(value))
                    });
                    (high - low).powi(2)
                });
                cost.of_square(square.sum())
            }
        }
    }

    /// The mean cost under the product of two weight vectors, from at most about 10⁶ pairs.
    pub fn mean_cost(&self, a: &[f64], b: &[f64]) -> f64 {
        const SIDE: usize = 1024;
        let pick = |weights: &[f64]| -> Vec<usize> {
            let carrying: Vec<usize> = (0..weights.len()).filter(|&i| weights[i] > 0.0).collect();
            let stride = carrying.len().div_ceil(SIDE).max(1);
            carrying.into_iter().step_by(stride).collect()
        };
        let (rows, cols) = (pick(a), pick(b));
        let (mut sum, mut mass) = (0.0, 0.0);
        for &i in &rows {
            for &j in &cols {
                let cost = self.cost(i, j);
                if cost.is_finite() {
                    sum += a[i] * b[j] * cost;
                    mass += a[i] * b[j];
                }
            }
        }
        if mass > 0.0 { sum / mass } else { 0.0 }
    }

    /// Bytes that [`Geometry::operator`] allocates on an engine.
    pub fn bytes(&self, engine: &Engine) -> u64 {
        let numbers = match self {
            Self::Matrix(costs) => costs.len(),
            Self::Points { x, y, .. } => x.len() + y.len(),
            Self::Separable(axes) => {
                let (n, m) = self.shape();
                // The axes in both directions, and two intermediate arrays.
                let largest = operator::largest_intermediate(axes).max(n).max(m);
                2 * axes.iter().map(Array2::len).sum::<usize>() + 2 * largest
            }
        };
        numbers as u64 * engine.bytes_per_number()
    }

    /// This geometry on an engine.
    ///
    /// # Errors
    /// [`Error::Limit`] where it does not fit, and any fault of the device.
    pub fn operator(&self, engine: &Engine) -> Result<Operator> {
        Operator::new(engine, &[self])
    }

    /// The same costs with rows and columns exchanged.
    pub fn transposed(&self) -> Self {
        match self {
            Self::Matrix(costs) => Self::Matrix(costs.t().to_owned()),
            Self::Points { x, y, cost } => Self::Points { x: y.clone(), y: x.clone(), cost: *cost },
            Self::Separable(axes) => {
                Self::Separable(axes.iter().map(|axis| axis.t().to_owned()).collect())
            }
        }
    }
}

fn squared_differences(from: &[f64], to: &[f64]) -> Array2<f64> {
    Array2::from_shape_fn((from.len(), to.len()), |(i, j)| (from[i] - to[j]).powi(2))
}

fn check_costs(costs: ArrayView2<'_, f64>) -> Result<()> {
    match costs.iter().find(|cost| cost.is_nan() || **cost == f64::NEG_INFINITY) {
        None => Ok(()),
        Some(cost) => Err(Error::data(
            "the costs",
            format!("one of them is {cost}"),
            "costs are finite, or infinite to forbid a pair",
        )),
    }
}

fn check_points(what: &str, points: ArrayView2<'_, f64>) -> Result<()> {
    match points.iter().find(|value| !value.is_finite()) {
        None => Ok(()),
        Some(value) => Err(Error::data(
            what,
            format!("one of the coordinates is {value}"),
            "remove such points, or give them finite places",
        )),
    }
}
