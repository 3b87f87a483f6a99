//! A bound from below out of any potential.

use rayon::prelude::*;

use super::Cloud;
use super::cloud::distance;
use crate::error::{Error, Result};
use crate::kernels::linear::segment_sum::compensated_sum;

/// A lower bound on the flat metric from any potential `psi` on the points of `b`, and the potential
/// that it leads to: phi on the points of `a`, psi on those of `b`, both at most 1 and with phi_i +
/// psi_j <= |x_i - y_j| (spec 3.4):
///
/// ```text
/// phi_i = min(1, min_j (d_ij - psi_j)),  psi_j = min(1, min_i (d_ij - phi_i)),  phi once more;
/// bound = sum a_i phi_i + sum b_j psi_j
/// ```
///
/// Each of the three passes can only increase it. O(n m) time and O(n + m) memory.
///
/// ```
/// use gaspard::flat::{Cloud, lower_bound};
/// use ndarray::array;
/// let a = Cloud::counting("a", array![[0.0]])?;
/// let b = Cloud::counting("b", array![[0.7]])?;
/// assert!((lower_bound(&a, &b, &[0.0])?.value - 0.7).abs() < 1e-14);
/// # Ok::<(), gaspard::Error>(())
/// ```
///
/// # Errors
/// [`Error::Shape`] for clouds in different dimensions, and unless there is a number for every point
/// of `b`; [`Error::Data`] for one that is not a number.
pub fn lower_bound(a: &Cloud, b: &Cloud, psi: &[f64]) -> Result<Certificate> {
    a.check_dimension(b)?;
    let count = b.weights().len();
    if psi.len() != count {
        let expected = format!("{count} numbers");
        return Err(Error::shape("a potential", expected, psi.len().to_string()));
    }
    if psi.iter().any(|value| value.is_nan()) {
        return Err(Error::data("a potential", "a value is NaN", "give numbers"));
    }
    let clipped: Vec<f64> = psi.iter().map(|value| value.clamp(-1.0, 1.0)).collect();
    let phi = transformed(a, b, &clipped);
    let psi = transformed(b, a, &phi);
    let phi = transformed(a, b, &psi);
    let terms = [(a, &phi), (b, &psi)].into_iter().flat_map(|(cloud, potential)| {
        cloud.weights().iter().zip(potential).map(|(mass, value)| mass * value)
    });
    let value = compensated_sum(&terms.collect::<Vec<_>>());
    Ok(Certificate { value, phi, psi })
}

/// What [`lower_bound`] finds.
#[derive(Clone, Debug, PartialEq)]
pub struct Certificate {
    /// The bound.
    pub value: f64,
    /// The potential on the points of the first cloud.
    pub phi: Vec<f64>,
    /// The potential on the points of the second cloud; f = -psi there.
    pub psi: Vec<f64>,
}

/// min(1, min_j (|x_i - y_j| - potential_j)) over all points of `there`, with or without mass.
fn transformed(here: &Cloud, there: &Cloud, potential: &[f64]) -> Vec<f64> {
    (0..here.weights().len())
        .into_par_iter()
        .map(|i| {
            let x = here.points().row(i);
            let all = there.points().rows().into_iter().zip(potential);
            all.map(|(y, value)| distance(x, y) - value).fold(1.0, f64::min)
        })
        .collect()
}
