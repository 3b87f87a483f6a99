//! Metrics on the cells, in the eigenbasis that the kernels project in.

use nalgebra::{DMatrix, SymmetricEigen};
use ndarray::Array2;

use crate::error::{Error, Result};

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
