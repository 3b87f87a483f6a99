//! Metrics on the cells, in the eigenbasis that the kernels project in.

use nalgebra::{DMatrix, SymmetricEigen};
use ndarray::Array2;

use crate::error::{Error, Result};
use crate::kernels::dynamic::Layout;

/// The eigenvalues and, with more than one axis, the eigenvectors of a metric at every cell, as
/// [`crate::kernels::dynamic::dual::dual`] takes those of one field: number after number, each for
/// all cells. Eigenvalues below `floor` are raised to it.
///
/// # Errors
/// [`Error::Data`] unless every metric is positive definite.
pub(super) fn eigenbasis(metrics: &[Array2<f64>], floor: f64) -> Result<Vec<f64>> {
    let (cells, dimension) = (metrics.len(), metrics[0].nrows());
    let turned = if dimension > 1 { dimension * dimension } else { 0 };
    let mut numbers = vec![0.0; (dimension + turned) * cells];
    for (cell, metric) in metrics.iter().enumerate() {
        let matrix = DMatrix::from_fn(dimension, dimension, |i, j| metric[[i, j]]);
        let eigen = SymmetricEigen::new(matrix);
        for vector in 0..dimension {
            let value = eigen.eigenvalues[vector].max(floor);
            if !(value > 0.0 && value.is_finite()) {
                let problem = format!("its eigenvalue {value} at cell {cell} is not positive");
                let remedy = "give the primary space a positive weight";
                return Err(Error::data("the metric", problem, remedy));
            }
            numbers[vector * cells + cell] = value;
            if dimension > 1 {
                for axis in 0..dimension {
                    let number = dimension + axis * dimension + vector;
                    numbers[number * cells + cell] = eigen.eigenvectors[(axis, vector)];
                }
            }
        }
    }
    Ok(numbers)
}

/// The eigenbases of the metrics of all fields at all places, to compute with.
pub(super) struct Eigenbases<'a> {
    layout: &'a Layout,
    numbers: &'a [f64],
}

impl<'a> Eigenbases<'a> {
    pub(super) fn new(layout: &'a Layout, numbers: &'a [f64]) -> Self {
        Self { layout, numbers }
    }

    /// Sum over eigenvectors q of q f(lambda) (q . b), for the momentum b of a field at a place.
    pub(super) fn apply(
        &self,
        field: usize,
        place: usize,
        b: &[f64],
        f: impl Fn(f64) -> f64,
    ) -> [f64; 3] {
        let dimension = self.layout.dimension();
        let each = self.layout.metric_numbers() / self.layout.fields;
        let number = |number: usize| {
            self.numbers[(field * each + number) * self.layout.grid.places() + place]
        };
        let turn = |axis: usize, vector: usize| match dimension {
            1 => 1.0,
            _ => number(dimension + axis * dimension + vector),
        };
        let mut sum = [0.0; 3];
        for vector in 0..dimension {
            let along: f64 = b.iter().enumerate().map(|(axis, b)| turn(axis, vector) * b).sum();
            let scaled = f(number(vector)) * along;
            (0..dimension).for_each(|axis| sum[axis] += turn(axis, vector) * scaled);
        }
        sum
    }
}

/// Dual points (b, a) of one metric carried over to another such that velocities G^-1 b / 2 stay, and
/// with them how far a + sum b^T G^-1 b / 4 is below zero.
pub(super) fn with_other_metric(
    layout: &Layout,
    from: &[f64],
    to: &[f64],
    dual: &[f64],
) -> Vec<f64> {
    let (cells, places) = (layout.grid.cells(), layout.grid.places());
    let (from, to) = (Eigenbases::new(layout, from), Eigenbases::new(layout, to));
    let mut carried = dual.to_vec();
    for cell in 0..cells {
        let density = layout.density() * cells + cell;
        for field in 0..layout.fields {
            let component = |axis: usize| layout.momentum(field, axis) * cells + cell;
            let b: Vec<f64> = (1..=layout.dimension()).map(|axis| dual[component(axis)]).collect();
            let velocity = from.apply(field, cell % places, &b, |lambda| 0.5 / lambda);
            let velocity = &velocity[..b.len()];
            let moved = to.apply(field, cell % places, velocity, |lambda| 2.0 * lambda);
            for (axis, (v, (old, new))) in velocity.iter().zip(b.iter().zip(moved)).enumerate() {
                carried[component(axis + 1)] = new;
                carried[density] += 0.5 * v * (old - new);
            }
        }
    }
    carried
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::dynamic::SpaceTime;
    use ndarray::array;

    #[test]
    fn velocities_stay_where_the_metric_changes() {
        let layout = Layout {
            grid: SpaceTime { time: 1, space: vec![1, 1] },
            rates: vec![1.0; 3],
            fields: 1,
            source: false,
        };
        let (g, h) = (array![[2.0, 0.5], [0.5, 1.0]], array![[1.0, 0.0], [0.0, 3.0]]);
        let bases = [&g, &h].map(|metric| eigenbasis(std::slice::from_ref(metric), 0.0).unwrap());
        // b = 2 G v, and a so that the point is 0.1 inside.
        let v = array![0.3, -0.7];
        let energy = |metric: &Array2<f64>| v.dot(&metric.dot(&v));
        let b = 2.0 * g.dot(&v);
        let dual = [b[0], b[1], -energy(&g) - 0.1];
        let found = with_other_metric(&layout, &bases[0], &bases[1], &dual);
        let b = 2.0 * h.dot(&v);
        for (found, expected) in found.iter().zip([b[0], b[1], -energy(&h) - 0.1]) {
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
    }
}
