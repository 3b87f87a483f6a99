//! A point mass against anything: a closed form.

use ndarray::ArrayView1;

use super::cloud::distance;
use super::{Cloud, Distance};
use crate::error::{Error, Result};
use crate::kernels::flat::FURTHEST;

/// The flat metric between a mass at one point and a cloud: the nearest points are served first, up
/// to a distance of 2 (proposition 1 of the paper, in one line):
///
/// ```text
/// rho = m + n + sum_i t_i (r_i - 2),   t_i = clamp(m - (alpha_1 + ... + alpha_i-1), 0, alpha_i)
/// ```
///
/// over the radii r_i < 2 in ascending order, n the mass of the cloud.
///
/// ```
/// use gaspard::flat::{Cloud, dirac};
/// use ndarray::array;
/// let cloud = Cloud::counting("far", array![[0.5], [1.5], [3.0]])?;
/// let distance = dirac(2.0, array![0.0].view(), &cloud)?;
/// // 0.5 + 1.5 for what moves, 1 for what is too far.
/// assert!((distance.value - 3.0).abs() < 1e-14);
/// # Ok::<(), gaspard::Error>(())
/// ```
///
/// # Errors
/// [`Error::Data`] for a mass that is negative or not finite, or a place that is not finite;
/// [`Error::Shape`] for another dimension than that of the cloud.
pub fn dirac(mass: f64, place: ArrayView1<'_, f64>, cloud: &Cloud) -> Result<Distance> {
    let point = place.to_owned().insert_axis(ndarray::Axis(0));
    Cloud::new("the point", point, ndarray::array![mass])?.check_dimension(cloud)?;
    let (points, weights) = cloud.with_mass();
    let mut near: Vec<(f64, f64)> = points
        .into_iter()
        .map(|there| distance(place, there))
        .zip(weights)
        .filter(|(radius, _)| *radius < FURTHEST)
        .collect();
    near.sort_by(|a, b| a.0.total_cmp(&b.0));
    let other = cloud.mass();
    let mut left = mass;
    let mut value = mass + other;
    for (radius, weight) in near {
        let moved = weight.min(left);
        value += moved * (radius - FURTHEST);
        left -= moved;
    }
    if !value.is_finite() {
        return Err(Error::data("the masses", "their sum overflows", "give smaller masses"));
    }
    Ok(Distance::new(value, (value, value), [mass, other]))
}
