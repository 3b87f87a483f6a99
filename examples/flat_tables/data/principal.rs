//! Principal components of large matrices.

use nalgebra::{DMatrix, SymmetricEigen};
use ndarray::{Array1, Array2, Axis, s};
use rand::Rng;
use rand_distr::{Distribution, StandardNormal};

/// Steps for each singular value that is wanted, and how many there are at least.
const STEPS: usize = 12;
const FEWEST_STEPS: usize = 60;

/// The largest singular values of a matrix, and its rows in the basis of its right singular vectors
/// (n x count): U S, by Lanczos steps on X X^T, each one made orthogonal to all before.
pub fn components(random: &mut impl Rng, x: &Array2<f64>, count: usize) -> (Vec<f64>, Array2<f64>) {
    let rows = x.nrows();
    let count = count.min(rows);
    let steps = (STEPS * count).max(FEWEST_STEPS).min(rows);
    let mut basis = Array2::<f64>::zeros((steps, rows));
    let mut tridiagonal = DMatrix::<f64>::zeros(steps, steps);
    let mut next = Array1::from_shape_simple_fn(rows, || StandardNormal.sample(random));
    let mut length = f64::sqrt(next.dot(&next));
    let mut found = 0;
    // Zero but for rounding: there is nothing beyond what was found.
    let least = 1e-12 * x.iter().map(|value| value * value).sum::<f64>();
    while found < steps && length > if found == 0 { 0.0 } else { least } {
        basis.row_mut(found).assign(&(next / length));
        if found > 0 {
            tridiagonal[(found, found - 1)] = length;
            tridiagonal[(found - 1, found)] = length;
        }
        let last = basis.row(found);
        next = x.dot(&x.t().dot(&last));
        tridiagonal[(found, found)] = next.dot(&last);
        found += 1;
        let before = basis.slice(s![..found, ..]);
        for _ in 0..2 {
            let overlaps = before.dot(&next);
            next -= &before.t().dot(&overlaps);
        }
        length = next.dot(&next).sqrt();
    }
    let SymmetricEigen { eigenvectors, eigenvalues } =
        tridiagonal.view((0, 0), (found, found)).into_owned().symmetric_eigen();
    let mut order: Vec<usize> = (0..found).collect();
    order.sort_by(|&i, &j| eigenvalues[j].total_cmp(&eigenvalues[i]));
    order.truncate(count);
    let values: Vec<f64> = order.iter().map(|&k| eigenvalues[k].max(0.0).sqrt()).collect();
    let mut scores = Array2::zeros((rows, order.len()));
    for ((mut column, &k), value) in scores.axis_iter_mut(Axis(1)).zip(&order).zip(&values) {
        for (vector, weight) in basis.rows().into_iter().zip(eigenvectors.column(k)) {
            column.scaled_add(weight * value, &vector);
        }
    }
    (values, scores)
}

#[test]
fn components_are_those_of_the_singular_value_decomposition() {
    let mut random = super::random(1, 0);
    let x = Array2::from_shape_simple_fn((70, 40), || StandardNormal.sample(&mut random));
    let (values, scores) = components(&mut random, &x, 5);
    let svd = DMatrix::from_fn(70, 40, |i, j| x[[i, j]]).svd(true, false);
    let u = svd.u.unwrap();
    let mut order: Vec<usize> = (0..40).collect();
    order.sort_by(|&i, &j| svd.singular_values[j].total_cmp(&svd.singular_values[i]));
    for (k, &j) in order.iter().take(5).enumerate() {
        assert!((values[k] - svd.singular_values[j]).abs() < 1e-9 * values[0]);
        let expected = Array1::from_iter(u.column(j).iter().map(|x| x * values[k]));
        let found = scores.column(k);
        let sign = expected.dot(&found).signum();
        assert!((&found * sign - expected).iter().all(|difference| difference.abs() < 1e-6));
    }
}
