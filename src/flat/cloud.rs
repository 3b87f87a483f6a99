//! Points with masses.

use ndarray::{Array1, Array2, ArrayView1};

use crate::error::{Error, Result};

/// Points with masses from 0 up, in units that mean something: they are not scaled. There may be no
/// mass at all.
///
/// ```
/// use gaspard::flat::Cloud;
/// use ndarray::array;
/// let cloud = Cloud::new("cells", array![[0.0, 1.0], [2.0, 0.5]], array![3.0, 1.0])?;
/// assert_eq!(cloud.mass(), 4.0);
/// # Ok::<(), gaspard::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Cloud {
    points: Array2<f64>,
    weights: Array1<f64>,
}

impl Cloud {
    /// Points (n, d) and their masses; `name` is what errors call it.
    ///
    /// # Errors
    /// [`Error::Shape`] where the numbers of points and masses differ, [`Error::Data`] for no points,
    /// coordinates that are not finite and masses that are negative or not finite.
    pub fn new(name: &str, points: Array2<f64>, weights: Array1<f64>) -> Result<Self> {
        if points.nrows() != weights.len() {
            let expected = format!("{}, one for each point", points.nrows());
            let found = weights.len().to_string();
            return Err(Error::shape(format!("the masses of {name}"), expected, found));
        }
        if points.is_empty() {
            return Err(Error::data(name, "it is empty", "give at least one point"));
        }
        if let Some(((point, _), value)) = points.indexed_iter().find(|(_, x)| !x.is_finite()) {
            let problem = format!("a coordinate of point {point} is {value}");
            return Err(Error::data(name, problem, "remove such points"));
        }
        let wrong = |mass: &f64| !(*mass >= 0.0 && mass.is_finite());
        if let Some((point, mass)) = weights.iter().enumerate().find(|(_, mass)| wrong(mass)) {
            let problem = format!("the mass of point {point} is {mass}");
            return Err(Error::data(name, problem, "masses are finite and not negative"));
        }
        if !weights.sum().is_finite() {
            return Err(Error::data(name, "its mass overflows", "give smaller masses"));
        }
        Ok(Self { points, weights })
    }

    /// A mass of 1 on every point.
    ///
    /// # Errors
    /// As [`Cloud::new`].
    pub fn counting(name: &str, points: Array2<f64>) -> Result<Self> {
        let count = points.nrows();
        Self::new(name, points, Array1::ones(count))
    }

    /// The points (n, d).
    pub fn points(&self) -> &Array2<f64> {
        &self.points
    }

    /// Their masses.
    pub fn weights(&self) -> &Array1<f64> {
        &self.weights
    }

    /// The sum of the masses.
    pub fn mass(&self) -> f64 {
        self.weights.sum()
    }

    /// The points that have mass.
    pub(crate) fn with_mass(&self) -> (Vec<ArrayView1<'_, f64>>, Vec<f64>) {
        let there = self.points.rows().into_iter().zip(&self.weights);
        there.filter(|(_, mass)| **mass > 0.0).map(|(point, mass)| (point, *mass)).unzip()
    }

    /// Refuses clouds in spaces of different dimensions.
    pub(crate) fn check_dimension(&self, other: &Self) -> Result<()> {
        let [expected, found] = [self, other].map(|cloud| cloud.points.ncols());
        if expected == found {
            return Ok(());
        }
        Err(Error::shape("the points", format!("{expected} coordinates"), found.to_string()))
    }
}

/// The Euclidean distance.
pub(crate) fn distance(x: ArrayView1<'_, f64>, y: ArrayView1<'_, f64>) -> f64 {
    x.iter().zip(y).map(|(x, y)| (x - y) * (x - y)).sum::<f64>().sqrt()
}
