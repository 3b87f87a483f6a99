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

/// The inverse of a matrix that has been loaded, so that it has one.
pub(crate) fn inverse(matrix: Matrix) -> Result<Matrix> {
    // The determinant of a small one would underflow.
    let most = matrix.iter().map(|value| value.norm()).fold(f64::MIN_POSITIVE, f64::max);
    let scale = real(1.0 / most);
    (matrix * scale).try_inverse().map(|inverse| inverse * scale).ok_or_else(|| {
        let remedy =
            "check that the microphones did not record the same signal, and the scale of it";
        Error::data("the recording", "a covariance matrix of the microphones is singular", remedy)
    })
}
