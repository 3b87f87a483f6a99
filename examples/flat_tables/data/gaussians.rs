//! Samples of normal and of uniform distributions.

use gaspard::Result;
use gaspard::flat::Cloud;
use ndarray::Array2;
use rand::{Rng, RngExt};
use rand_distr::{Distribution, StandardNormal};

/// A normal distribution in the plane.
pub struct Gaussian {
    pub mean: [f64; 2],
    /// xx, xy and yy of its covariance.
    pub covariance: [f64; 3],
}

impl Gaussian {
    /// Points of mass 1 each.
    pub fn sample(&self, random: &mut impl Rng, count: usize) -> Result<Cloud> {
        let [xx, xy, yy] = self.covariance;
        // The Cholesky factor.
        let along = xx.sqrt();
        let (shear, across) = (xy / along, (yy - xy * xy / xx).sqrt());
        let mut points = Array2::zeros((count, 2));
        for mut point in points.rows_mut() {
            let [u, v]: [f64; 2] = std::array::from_fn(|_| StandardNormal.sample(random));
            point[0] = self.mean[0] + along * u;
            point[1] = self.mean[1] + shear * u + across * v;
        }
        Cloud::counting("a class", points)
    }
}

/// Points of mass 1 whose coordinates are uniform between two bounds.
pub fn cube(
    random: &mut impl Rng,
    dimension: usize,
    count: usize,
    [low, high]: [f64; 2],
) -> Result<Cloud> {
    let coordinate = || random.random_range(low..high);
    Cloud::counting("a cube", Array2::from_shape_simple_fn((count, dimension), coordinate))
}

/// Points of mass 1 on a line, normal with mean 0 and deviation 1.
pub fn line(random: &mut impl Rng, count: usize) -> Result<Cloud> {
    let coordinate = || StandardNormal.sample(random);
    Cloud::counting("a line", Array2::from_shape_simple_fn((count, 1), coordinate))
}
