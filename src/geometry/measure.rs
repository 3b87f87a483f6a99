//! Measures: weights on a support.

use ndarray::{Array1, Array2, ArrayViewD};

use super::Grid;
use crate::error::{Error, Result};

/// Where the points of a measure are.
#[derive(Clone, Debug, PartialEq)]
pub enum Support {
    /// The cell centres of a grid.
    Grid(Grid),
    /// Points (n, d).
    Points(Array2<f64>),
    /// Unit vectors (n, 3); see [`crate::geometry::sphere`].
    Sphere(Array2<f64>),
    /// So many points of which only costs are known.
    Abstract(usize),
}

impl Support {
    /// Number of points.
    pub fn len(&self) -> usize {
        match self {
            Self::Grid(grid) => grid.len(),
            Self::Points(points) | Self::Sphere(points) => points.nrows(),
            Self::Abstract(count) => *count,
        }
    }

    /// True without points.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The points' coordinates (n, d).
    ///
    /// # Errors
    /// [`Error::Data`] for an abstract support, which has none.
    pub fn places(&self) -> Result<Array2<f64>> {
        match self {
            Self::Grid(grid) => Ok(grid.points()),
            Self::Points(points) | Self::Sphere(points) => Ok(points.clone()),
            Self::Abstract(_) => Err(Error::data(
                "the support",
                "it has no coordinates to compute costs from",
                "give the costs as a matrix",
            )),
        }
    }
}

/// Non-negative weights on a support. Weights may be zero, but not all of them.
///
/// ```
/// use gaspard::Measure;
/// use ndarray::array;
/// let image = array![[0.0, 3.0], [1.0, 0.0]].into_dyn();
/// let measure = Measure::density("image", image.view())?.normalised();
/// assert_eq!(measure.weights()[1], 0.75);
/// # Ok::<(), gaspard::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Measure {
    weights: Array1<f64>,
    support: Support,
}

impl Measure {
    /// Weights on a support. `name` is what errors call it.
    ///
    /// # Errors
    /// [`Error::Shape`] where the lengths differ, [`Error::Data`] for weights that are negative,
    /// not finite, or all zero.
    pub fn new(name: &str, weights: impl Into<Array1<f64>>, support: Support) -> Result<Self> {
        let weights = weights.into();
        if weights.len() != support.len() {
            return Err(Error::shape(
                format!("the weights of {name}"),
                format!("{}, one for each point", support.len()),
                weights.len().to_string(),
            ));
        }
        if weights.is_empty() {
            return Err(Error::data(name, "it is empty", "give at least one point"));
        }
        if let Some((place, weight)) =
            weights.iter().enumerate().find(|(_, weight)| !weight.is_finite() || **weight < 0.0)
        {
            let problem = format!("weight {place} is {weight}");
            return Err(Error::data(name, problem, "weights are finite and not negative"));
        }
        let mass = weights.sum();
        if mass <= 0.0 || !mass.is_finite() {
            return Err(Error::data(
                name,
                if mass <= 0.0 { "it has no mass" } else { "its mass overflows" },
                "at least one weight must be positive, and their sum finite",
            ));
        }
        Ok(Self { weights, support })
    }

    /// The same weight 1/n on every point (n, d).
    ///
    /// # Errors
    /// As [`Measure::new`].
    pub fn uniform(name: &str, points: Array2<f64>) -> Result<Self> {
        let count = points.nrows();
        Self::new(name, Array1::from_elem(count, 1.0 / count as f64), Support::Points(points))
    }

    /// A density on the unit grid of its array's shape, one to three axes; weights as they are.
    ///
    /// # Errors
    /// As [`Measure::new`] and [`Grid::unit`].
    pub fn density(name: &str, density: ArrayViewD<'_, f64>) -> Result<Self> {
        let shape = density.shape().to_vec();
        if shape.is_empty() || shape.len() > 3 || shape.contains(&0) {
            return Err(Error::data(
                name,
                format!("a density of shape {shape:?}"),
                "densities have one to three axes, each at least one cell long",
            ));
        }
        let weights: Array1<f64> = density.iter().copied().collect();
        Self::new(name, weights, Support::Grid(Grid::unit(&shape)?))
    }

    /// The weights.
    pub fn weights(&self) -> &Array1<f64> {
        &self.weights
    }

    /// The support.
    pub fn support(&self) -> &Support {
        &self.support
    }

    /// The sum of the weights.
    pub fn mass(&self) -> f64 {
        self.weights.sum()
    }

    /// The same measure with mass 1.
    #[must_use]
    pub fn normalised(mut self) -> Self {
        self.weights /= self.mass();
        self
    }
}
