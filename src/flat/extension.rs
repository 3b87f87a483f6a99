//! Test functions beyond the points that they were found on.

use ndarray::{Array1, Array2};
use rayon::prelude::*;

use super::Cloud;
use super::cloud::distance;
use crate::error::{Error, Result};

/// The test function of a potential anywhere: f(z) = clip(min_j (f_j + |z - y_j|), -1, 1), which is
/// 1-Lipschitz, and f_j at the points y_j of the second cloud where that is so between them (McShane
/// 1934).
///
/// ```
/// use gaspard::flat::{Cloud, exact, extended};
/// use ndarray::array;
/// let a = Cloud::counting("a", array![[0.0]])?;
/// let b = Cloud::counting("b", array![[1.5]])?;
/// let found = exact(&a, &b, &mut || false)?;
/// let f = extended(&b, &found.f_b, &array![[0.0], [0.5], [1.5]])?;
/// assert!((f[0] - f[2] - 1.5).abs() < 1e-12 && (f[0] - f[1] - 0.5).abs() < 1e-12);
/// # Ok::<(), gaspard::Error>(())
/// ```
///
/// # Errors
/// [`Error::Shape`] unless there is a value for each point of the cloud, and for points of another
/// dimension.
pub fn extended(b: &Cloud, f_b: &[f64], points: &Array2<f64>) -> Result<Array1<f64>> {
    if f_b.len() != b.weights().len() {
        let expected = format!("{} numbers", b.weights().len());
        return Err(Error::shape("the test function", expected, f_b.len().to_string()));
    }
    if points.ncols() != b.points().ncols() {
        let expected = format!("{} coordinates", b.points().ncols());
        return Err(Error::shape("the points", expected, points.ncols().to_string()));
    }
    let value = |index: usize| {
        let here = points.row(index);
        let there = b.points().rows().into_iter().zip(f_b);
        let least = there.map(|(y, f)| f + distance(here, y)).fold(f64::INFINITY, f64::min);
        least.clamp(-1.0, 1.0)
    };
    Ok((0..points.nrows()).into_par_iter().map(value).collect::<Vec<_>>().into())
}
