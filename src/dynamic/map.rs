//! Maps from the primary space into others, which tell what moving costs there.

use ndarray::{Array2, Array3, ArrayViewD, Axis};

use super::Domain;
use crate::error::{Error, Result};

/// Another space that moves along: x moves there as T(x).
///
/// What is known of T are its values and its Jacobian at the centres of the cells; a particle that
/// moves with velocity v moves with J v there, which costs v^T J^T J v.
///
/// ```
/// use gaspard::dynamic::{Domain, Hill, Map};
///
/// let domain = Domain::new(&[8, 8], 4)?;
/// // Heights: one number at every cell, and its derivatives along both axes.
/// let slope = Map::from_fn(&domain, |x| vec![0.5 * x[0] + x[1]])?;
/// assert_eq!((slope.dimension(), slope.values().dim()), (1, (64, 1)));
/// assert!((slope.jacobian()[[0, 0, 1]] - 1.0).abs() < 1e-9);
/// let hill = Map::hills(&domain, &[Hill { centre: vec![0.5, 0.5], width: 0.1, height: 1.0 }])?;
/// assert!(hill.values().iter().all(|height| (0.0..=1.0).contains(height)));
/// # Ok::<(), gaspard::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Map {
    /// T at every cell: (cells, d).
    values: Array2<f64>,
    /// J at every cell: (cells, d, D).
    jacobian: Array3<f64>,
}

/// A hill of [`Map::hills`].
#[derive(Clone, Debug, PartialEq)]
pub struct Hill {
    /// Where its top is.
    pub centre: Vec<f64>,
    /// Its standard deviation.
    pub width: f64,
    /// How high it is.
    pub height: f64,
}

impl Map {
    /// A map that is given as a function of the points of the box. Its Jacobian is taken by central
    /// differences with a step that is small beside a cell.
    ///
    /// ```
    /// use gaspard::dynamic::{Domain, Map};
    /// let domain = Domain::new(&[16, 16], 8)?;
    /// let height = Map::from_fn(&domain, |x| vec![(x[0] * 3.0).sin() * x[1]])?;
    /// assert_eq!(height.dimension(), 1);
    /// # Ok::<(), gaspard::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Data`] where a value is not finite; [`Error::Shape`] where values differ in length.
    pub fn from_fn(domain: &Domain, map: impl Fn(&[f64]) -> Vec<f64>) -> Result<Self> {
        /// The step, in cells: rounding and curvature leave errors of about 1e-10.
        const STEP: f64 = 1e-3;
        let rates = domain.rates();
        let centres: Vec<Vec<f64>> = domain.centres().collect();
        let first = map(&centres[0]).len();
        let mut values = Array2::zeros((centres.len(), first));
        let mut jacobian = Array3::zeros((centres.len(), first, domain.dimension()));
        for (cell, centre) in centres.iter().enumerate() {
            let at = |axis: usize, step: f64| {
                let mut point = centre.clone();
                point[axis] += step / rates[axis + 1];
                map(&point)
            };
            let value = map(centre);
            if value.len() != first {
                let found = value.len().to_string();
                return Err(Error::shape("the values of a map", first.to_string(), found));
            }
            values.row_mut(cell).assign(&ndarray::ArrayView1::from(&value));
            for axis in 0..domain.dimension() {
                let (above, below) = (at(axis, STEP), at(axis, -STEP));
                for (row, (above, below)) in above.iter().zip(&below).enumerate() {
                    jacobian[[cell, row, axis]] = (above - below) * rates[axis + 1] / (2.0 * STEP);
                }
            }
        }
        Self::new(values, jacobian)
    }

    /// The same space on another scale: x moves there as `factor` x.
    ///
    /// # Errors
    /// [`Error::Data`] for a factor that is not finite.
    pub fn scaling(domain: &Domain, factor: f64) -> Result<Self> {
        let dimension = domain.dimension();
        let values = domain.centres().flatten().map(|x| factor * x).collect();
        let values = Array2::from_shape_vec((domain.grid.places(), dimension), values);
        let jacobian = Array3::from_shape_fn(
            (domain.grid.places(), dimension, dimension),
            |(_, row, axis)| if row == axis { factor } else { 0.0 },
        );
        Self::new(values.expect("a centre for every cell"), jacobian)
    }

    /// Heights of a plain with hills: the sum of h exp(-|x - c|²/(2 s²)) over them.
    ///
    /// # Errors
    /// [`Error::Shape`] for a centre of another dimension, [`Error::Parameter`] for a width that is
    /// not positive.
    pub fn hills(domain: &Domain, hills: &[Hill]) -> Result<Self> {
        for hill in hills {
            if hill.centre.len() != domain.dimension() {
                let expected = format!("{} coordinates", domain.dimension());
                let found = hill.centre.len().to_string();
                return Err(Error::shape("the centre of a hill", expected, found));
            }
            crate::validate::positive("width", hill.width, "give the width of a hill")?;
        }
        let (cells, dimension) = (domain.grid.places(), domain.dimension());
        let mut values = Array2::zeros((cells, 1));
        let mut jacobian = Array3::zeros((cells, 1, dimension));
        for (cell, point) in domain.centres().enumerate() {
            for Hill { centre, width, height } in hills {
                let apart: Vec<f64> = point.iter().zip(centre).map(|(x, c)| x - c).collect();
                let square: f64 = apart.iter().map(|x| x * x).sum();
                let value = height * (-square / (2.0 * width * width)).exp();
                values[[cell, 0]] += value;
                for (axis, apart) in apart.iter().enumerate() {
                    jacobian[[cell, 0, axis]] -= value * apart / (width * width);
                }
            }
        }
        Self::new(values, jacobian)
    }

    /// A map that is sampled at the centres of the cells: an array of shape (cells..., d), or
    /// (cells...) for d = 1. Its Jacobian is taken by central differences of neighbours, and by
    /// one-sided ones at the border.
    ///
    /// # Errors
    /// [`Error::Shape`] for another shape, [`Error::Data`] for a value that is not finite.
    pub fn sampled(domain: &Domain, samples: ArrayViewD<'_, f64>) -> Result<Self> {
        let dimension = domain.dimension();
        let samples = match samples.ndim() {
            axes if axes == dimension => samples.insert_axis(Axis(dimension)),
            _ => samples,
        };
        if samples.ndim() != dimension + 1 || samples.shape()[..dimension] != *domain.cells() {
            let expected = format!("{:?} and one more axis", domain.cells());
            let found = format!("{:?}", samples.shape());
            return Err(Error::shape("a map", expected, found));
        }
        let (cells, width) = (domain.grid.places(), samples.shape()[dimension]);
        let flat: Vec<f64> = samples.iter().copied().collect();
        let values = Array2::from_shape_vec((cells, width), flat).expect("as many values");
        let rates = domain.rates();
        let mut jacobian = Array3::zeros((cells, width, dimension));
        for axis in 0..dimension {
            let sides = domain.cells();
            let stride: usize = sides[axis + 1..].iter().product();
            for cell in 0..cells {
                let at = cell / stride % sides[axis];
                let (below, above) = (usize::from(at > 0), usize::from(at + 1 < sides[axis]));
                let factor = rates[axis + 1] / (below + above) as f64;
                for row in 0..width {
                    let difference =
                        values[[cell + above * stride, row]] - values[[cell - below * stride, row]];
                    jacobian[[cell, row, axis]] = factor * difference;
                }
            }
        }
        Self::new(values, jacobian)
    }

    fn new(values: Array2<f64>, jacobian: Array3<f64>) -> Result<Self> {
        if values.ncols() == 0 {
            return Err(Error::data("a map", "it has no values", "give at least one coordinate"));
        }
        if !values.iter().chain(&jacobian).all(|value| value.is_finite()) {
            let remedy = "give finite values, and maps that have derivatives";
            return Err(Error::data("a map", "a value or a derivative is not finite", remedy));
        }
        Ok(Self { values, jacobian })
    }

    /// Dimensions of the other space.
    pub fn dimension(&self) -> usize {
        self.values.ncols()
    }

    /// T at the centres of the cells in row-major order: (cells, d).
    pub fn values(&self) -> &Array2<f64> {
        &self.values
    }

    /// J at the centres of the cells: (cells, d, D).
    pub fn jacobian(&self) -> &Array3<f64> {
        &self.jacobian
    }

    /// J^T J at a cell: what moving costs there.
    pub(super) fn metric(&self, cell: usize) -> Array2<f64> {
        let jacobian = self.jacobian.index_axis(Axis(0), cell);
        jacobian.t().dot(&jacobian)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derivatives_are_those_of_the_functions() {
        let domain = Domain::new(&[7, 5], 2).unwrap();
        let close = |a: &Map, b: &Map| {
            let pairs = a.values.iter().chain(&a.jacobian).zip(b.values.iter().chain(&b.jacobian));
            pairs.into_iter().for_each(|(a, b)| assert!((a - b).abs() < 1e-5, "{a} {b}"));
        };
        let hill =
            |x: f64, y: f64, width: f64, height: f64| Hill { centre: vec![x, y], width, height };
        let hills = [hill(0.3, 0.4, 0.2, 1.0), hill(0.8, 0.1, 0.3, -0.5)];
        let numeric = Map::from_fn(&domain, |x| {
            let part = |hill: &Hill| {
                let square = (x[0] - hill.centre[0]).powi(2) + (x[1] - hill.centre[1]).powi(2);
                hill.height * (-square / (2.0 * hill.width * hill.width)).exp()
            };
            vec![hills.iter().map(part).sum()]
        });
        close(&Map::hills(&domain, &hills).unwrap(), &numeric.unwrap());
        let numeric = Map::from_fn(&domain, |x| vec![1.5 * x[0], 1.5 * x[1]]).unwrap();
        close(&Map::scaling(&domain, 1.5).unwrap(), &numeric);
        assert!(Map::hills(&domain, &[Hill { centre: vec![0.1], ..hills[0].clone() }]).is_err());
        assert!(Map::hills(&domain, &[Hill { width: 0.0, ..hills[0].clone() }]).is_err());
        assert!(Map::scaling(&domain, f64::NAN).is_err());
    }
}
