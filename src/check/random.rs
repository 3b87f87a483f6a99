//! Random inputs that both engines hold exactly.

use ndarray::Array2;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::kernels::NOTHING;

pub(super) struct Random(ChaCha8Rng);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// A number from `low` to `high`, representable in f32.
    pub(super) fn number(&mut self, low: f64, high: f64) -> f64 {
        single(self.0.random_range(low..high))
    }

    pub(super) fn vector(&mut self, count: usize, low: f64, high: f64) -> Vec<f64> {
        (0..count).map(|_| self.number(low, high)).collect()
    }

    pub(super) fn matrix(&mut self, rows: usize, cols: usize, low: f64, high: f64) -> Array2<f64> {
        Array2::from_shape_simple_fn((rows, cols), || self.number(low, high))
    }

    /// Logarithms between plus and minus `scale`, every third of them [`NOTHING`] if `holes`.
    pub(super) fn logs(&mut self, count: usize, scale: f64, holes: bool) -> Vec<f64> {
        let mut logs = self.vector(count, -scale, scale);
        if holes {
            logs.iter_mut().skip(2).step_by(3).for_each(|log| *log = NOTHING);
        }
        logs
    }

    /// Unit vectors (count, 3).
    pub(super) fn directions(&mut self, count: usize) -> Array2<f64> {
        let mut points = self.matrix(count, 3, -1.0, 1.0);
        for mut point in points.rows_mut() {
            let length = point.dot(&point).sqrt();
            point.mapv_inplace(|coordinate| single(coordinate / length));
        }
        points
    }
}

/// The nearest number that a GPU can hold.
pub(super) fn single(value: f64) -> f64 {
    f64::from(value as f32)
}
