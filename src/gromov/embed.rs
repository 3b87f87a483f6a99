//! Points for distances: classical multidimensional scaling.

use nalgebra::{DMatrix, SymmetricEigen};
use ndarray::{Array1, Array2, Axis};

use super::problem::check_distances;
use crate::error::{Error, Result};

/// Points in R^d whose squared distances are as close to C (m x m) as classical multidimensional
/// scaling makes them: m rows and d columns, centred, principal axes first.
///
/// ```text
/// B = -1/2 J C J,   J = 1 - 1 1^T / m,   points = the first d eigenvectors of B
///                                                 times the roots of their eigenvalues
/// ```
///
/// (Torgerson, "Multidimensional scaling: I. Theory and method", 1952.) Squared distances of points
/// in R^d are met exactly. **C holds squared distances**: square those that are not, as below.
/// Directions that the distances do not have, and those with negative eigenvalues, are 0. Axes
/// point where the coordinate that is largest in magnitude is positive.
///
/// # Errors
/// [`Error::Parameter`] for no dimensions or more than points, [`Error::Shape`] for a matrix that
/// is not square, [`Error::Data`] for one that is not symmetric, finite and non-negative.
///
/// # Example
/// ```
/// use gaspard::gromov::embed;
/// use ndarray::array;
/// let distances = array![[0.0, 3.0, 5.0], [3.0, 0.0, 4.0], [5.0, 4.0, 0.0]];
/// let points = embed(&distances.mapv(|d| d * d), 2)?;
/// let apart = &points.row(0) - &points.row(2);
/// assert!((apart.dot(&apart).sqrt() - 5.0).abs() < 1e-12);
/// # Ok::<(), gaspard::Error>(())
/// ```
pub fn embed(squared_distances: &Array2<f64>, dimensions: usize) -> Result<Array2<f64>> {
    let (points, cols) = squared_distances.dim();
    if points != cols || points == 0 {
        let found = format!("{points} x {cols}");
        return Err(Error::shape("the squared distances", "a square matrix", found));
    }
    if dimensions == 0 || dimensions > points {
        let problem = format!("{dimensions} for {points} points");
        let remedy = "give at least 1, and no more than there are points";
        return Err(Error::parameter("dimensions", problem, remedy));
    }
    check_distances("the squared distances", squared_distances)?;
    let count = points as f64;
    let rows: Array1<f64> = squared_distances.sum_axis(Axis(1)) / count;
    let cols: Array1<f64> = squared_distances.sum_axis(Axis(0)) / count;
    let mean = rows.sum() / count;
    let centred = |i: usize, j: usize| squared_distances[[i, j]] - rows[i] - cols[j] + mean;
    let products = DMatrix::from_fn(points, points, |i, j| -0.25 * (centred(i, j) + centred(j, i)));
    let SymmetricEigen { eigenvectors, eigenvalues } = SymmetricEigen::new(products);
    let mut order: Vec<usize> = (0..points).collect();
    order.sort_by(|&a, &b| eigenvalues[b].total_cmp(&eigenvalues[a]));
    let mut embedded = Array2::zeros((points, dimensions));
    for (mut column, &axis) in embedded.columns_mut().into_iter().zip(&order) {
        let vector = eigenvectors.column(axis);
        let largest = vector.iter().fold(0.0_f64, |a, &b| if b.abs() > a.abs() { b } else { a });
        let scale = eigenvalues[axis].max(0.0).sqrt().copysign(largest);
        column.iter_mut().zip(vector.iter()).for_each(|(out, entry)| *out = scale * entry);
    }
    Ok(embedded)
}

#[cfg(test)]
mod tests {
    use ndarray::array;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn squared(points: &Array2<f64>) -> Array2<f64> {
        Array2::from_shape_fn((points.nrows(), points.nrows()), |(i, j)| {
            let apart = &points.row(i) - &points.row(j);
            apart.dot(&apart)
        })
    }

    #[test]
    fn planar_points_keep_their_distances() {
        let mut random = ChaCha8Rng::seed_from_u64(3);
        let points = Array2::from_shape_simple_fn((25, 2), || random.random::<f64>());
        let distances = squared(&points);
        let embedded = embed(&distances, 2).unwrap();
        let error = (&squared(&embedded) - &distances).mapv(f64::abs);
        assert!(error.iter().all(|error| *error < 1e-13));
        // A third direction is not there.
        let space = embed(&distances, 3).unwrap();
        assert!(space.column(2).iter().all(|entry| entry.abs() < 1e-7));
        // Centred, the longer axis first.
        assert!(embedded.sum_axis(Axis(0)).iter().all(|sum| sum.abs() < 1e-12));
        let spread = |axis| embedded.column(axis).dot(&embedded.column(axis));
        assert!(spread(0) >= spread(1));
    }

    #[test]
    fn bad_input_is_refused() {
        let two = array![[0.0, 1.0], [1.0, 0.0]];
        assert!(matches!(embed(&two, 0), Err(Error::Parameter { .. })));
        assert!(matches!(embed(&two, 3), Err(Error::Parameter { .. })));
        assert!(matches!(embed(&Array2::zeros((0, 0)), 1), Err(Error::Shape { .. })));
        assert!(matches!(embed(&array![[0.0, 1.0]], 1), Err(Error::Shape { .. })));
        assert!(matches!(embed(&array![[0.0, 1.0], [2.0, 0.0]], 1), Err(Error::Data { .. })));
        assert!(matches!(embed(&array![[f64::NAN]], 1), Err(Error::Data { .. })));
    }
}
