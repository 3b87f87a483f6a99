//! Points at given distances from the origin, in uniform directions.

use gaspard::flat::Cloud;
use gaspard::{Error, Result};
use ndarray::Array2;
use rand::{Rng, RngExt};
use rand_distr::{Distribution, StandardNormal};

/// A point of mass 1 at each of these distances.
pub fn at_radii(random: &mut impl Rng, dimension: usize, radii: &[f64]) -> Result<Cloud> {
    let mut points = Array2::<f64>::zeros((radii.len(), dimension));
    for (mut point, radius) in points.rows_mut().into_iter().zip(radii) {
        point.iter_mut().for_each(|x| *x = StandardNormal.sample(random));
        let length = point.dot(&point).sqrt();
        if length == 0.0 {
            return Err(Error::data(
                "a direction",
                "all its numbers are zero",
                "take another seed",
            ));
        }
        point *= radius / length;
    }
    Cloud::counting("the sphere", points)
}

/// `count` radii, a share of them in (0, 2), which is how far mass moves, the others in (2, 200).
pub fn near_and_far(random: &mut impl Rng, count: usize, share: f64) -> Vec<f64> {
    let near = (share * count as f64).floor() as usize;
    let radius =
        |k| if k < near { random.random_range(0.0..2.0) } else { random.random_range(2.0..200.0) };
    (0..count).map(radius).collect()
}
