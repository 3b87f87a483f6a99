//! Small complex matrices: one for each frequency, or for each frequency and time.

use nalgebra::DMatrix;
use rustfft::num_complex::Complex64;

use crate::error::{Error, Result};

/// A matrix of complex numbers.
pub(crate) type Matrix = DMatrix<Complex64>;

/// A real number.
pub(crate) fn real(value: f64) -> Complex64 {
    Complex64::new(value, 0.0)
}

/// The real part of the trace over the size.
pub(crate) fn mean_diagonal(matrix: &Matrix) -> f64 {
    matrix.diagonal().iter().map(|value| value.re).sum::<f64>() / matrix.nrows() as f64
}

/// Adds `value` to the diagonal.
pub(crate) fn load(matrix: &mut Matrix, value: f64) {
    (0..matrix.nrows()).for_each(|row| matrix[(row, row)] += value);
}

/// Half of the sum with its adjoint: what rounding does not keep Hermitian.
pub(crate) fn hermitian(matrix: &Matrix) -> Matrix {
    (matrix + matrix.adjoint()) * real(0.5)
}

/// Solves A x = b, where A is Hermitian and positive definite: it has been loaded. Neither is kept; b
/// becomes x.
pub(crate) fn solve(matrix: &mut Matrix, right: &mut [Complex64]) -> Result<()> {
    let size = right.len();
    for pivot in 0..size {
        let diagonal = matrix[(pivot, pivot)].re;
        if diagonal <= 0.0 || diagonal.is_nan() {
            return Err(singular());
        }
        for row in pivot + 1..size {
            let factor = matrix[(row, pivot)] / diagonal;
            for column in pivot + 1..size {
                let above = matrix[(pivot, column)];
                matrix[(row, column)] -= factor * above;
            }
            let above = right[pivot];
            right[row] -= factor * above;
        }
    }
    for row in (0..size).rev() {
        for column in row + 1..size {
            let known = right[column];
            right[row] -= matrix[(row, column)] * known;
        }
        right[row] /= matrix[(row, row)].re;
    }
    Ok(())
}

fn singular() -> Error {
    let remedy = "check that the microphones did not record the same signal, and the scale of it";
    Error::data("the recording", "a covariance matrix of the microphones is singular", remedy)
}

/// The inverse of a matrix that has been loaded, so that it has one.
pub(crate) fn inverse(matrix: Matrix) -> Result<Matrix> {
    // The determinant of a small one would underflow.
    let most = matrix.iter().map(|value| value.norm()).fold(f64::MIN_POSITIVE, f64::max);
    let scale = real(1.0 / most);
    (matrix * scale).try_inverse().map(|inverse| inverse * scale).ok_or_else(singular)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn solutions_are_those_of_the_inverse() {
        for size in 1..6 {
            let entry = |i: usize, j: usize| {
                let (i, j) = (i as f64, j as f64);
                Complex64::new((i * 1.7 - j).sin(), (i + 2.3 * j).cos())
            };
            let root = Matrix::from_fn(size, size, entry);
            let mut matrix = &root * root.adjoint();
            load(&mut matrix, 0.1);
            let right: Vec<Complex64> = (0..size).map(|i| entry(i, 7)).collect();
            let expected =
                inverse(matrix.clone()).unwrap() * Matrix::from_vec(size, 1, right.clone());
            let mut found = right;
            solve(&mut matrix, &mut found).unwrap();
            for (a, b) in found.iter().zip(&expected) {
                assert!((a - b).norm() < 1e-10 * (1.0 + b.norm()), "{size}");
            }
        }
        assert!(solve(&mut Matrix::zeros(2, 2), &mut [real(1.0); 2]).is_err());
    }
}
