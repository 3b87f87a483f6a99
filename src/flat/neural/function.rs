//! A learned test function.

use ndarray::{Array1, Array2, ArrayView2, Axis};
use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::kernels::flat::network::{Constraint, HEAD, Output, Pass, Plan};

/// Points that a thread evaluates at a time.
const POINTS_AT_ONCE: usize = 1024;

/// The function f: R^d -> R that a network has learned: nearly 1-Lipschitz, and between -1 and 1, or
/// nearly, so that the integral of f against mu - nu is nearly the flat metric.
///
/// ```
/// use gaspard::Engine;
/// use gaspard::flat::Cloud;
/// use gaspard::flat::neural::Training;
/// use ndarray::array;
///
/// let a = Cloud::counting("a", array![[0.0, 0.0], [0.5, 0.0]])?;
/// let b = Cloud::counting("b", array![[1.0, 1.0]])?;
/// let training = Training::tight().epochs(20).hidden(&[16, 16]);
/// let trained = training.solve(&a, &b, &Engine::cpu())?;
/// let f = trained.function.evaluate(&array![[0.0, 0.0], [2.0, 2.0]])?;
/// assert!(f.iter().all(|value| value.abs() <= 1.0));
/// # Ok::<(), gaspard::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct TestFunction {
    /// The shape, with weights that are applied as they are.
    plan: Plan,
    /// A head that is not used, and theta.
    numbers: Vec<f64>,
    centre: Array1<f64>,
}

impl TestFunction {
    /// `applied` has the weights that are applied and the biases.
    pub(super) fn new(shape: &Plan, applied: &[f64], centre: Array1<f64>) -> Self {
        // Orthonormal layers are those without anything between W and what is applied.
        let plan = shape.with_constraint(Constraint::Orthonormal);
        let numbers = std::iter::repeat_n(0.0, HEAD).chain(applied.iter().copied()).collect();
        let mut function = Self { plan, numbers, centre };
        if function.is_clamped() {
            function.guard();
        }
        function
    }

    fn is_clamped(&self) -> bool {
        self.plan.output == Output::Clamped
    }

    /// Divides weights by what they may stretch by more than 1: f is then 1-Lipschitz, whatever rounding
    /// did to them. The bound is that of Gershgorin on W^T W, which is 1 to rounding for orthonormal
    /// layers; the singular values themselves for others.
    fn guard(&mut self) {
        for layer in &self.plan.layers {
            let shape = (layer.outputs, layer.inputs);
            let weights = &mut self.numbers[layer.matrix()];
            let matrix = ArrayView2::from_shape(shape, &*weights).expect("of this size");
            let matrix = if shape.0 < shape.1 { matrix.reversed_axes() } else { matrix };
            let gram = matrix.t().dot(&matrix);
            let rows = gram.outer_iter().map(|row| row.iter().map(|x| x.abs()).sum::<f64>());
            let mut stretch = rows.fold(0.0, f64::max).sqrt();
            if stretch > 1.0 + 1e-4 {
                let gram =
                    nalgebra::DMatrix::from_fn(gram.nrows(), gram.ncols(), |i, j| gram[[i, j]]);
                stretch = gram.symmetric_eigenvalues().max().sqrt() * (1.0 + 1e-12);
            }
            if stretch > 1.0 {
                weights.iter_mut().for_each(|weight| *weight /= stretch);
            }
        }
    }

    /// f at points (n, d).
    ///
    /// ```
    /// use gaspard::Engine;
    /// use gaspard::flat::{Cloud, neural::Training};
    /// use ndarray::array;
    /// let a = Cloud::counting("a", array![[0.0, 0.0], [0.1, 0.0]])?;
    /// let b = Cloud::counting("b", array![[1.0, 0.0]])?;
    /// let trained = Training::tight().epochs(100).solve(&a, &b, &Engine::cpu())?;
    /// let f = trained.function.evaluate(&array![[0.0, 0.0], [1.0, 0.0]])?;
    /// assert!(f[0] - f[1] > 0.9 && f[0] - f[1] <= 1.0 + 1e-12);
    /// # Ok::<(), gaspard::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Shape`] for points of another dimension.
    pub fn evaluate(&self, points: &Array2<f64>) -> Result<Array1<f64>> {
        if points.ncols() != self.plan.dimension() {
            let expected = format!("{} coordinates", self.plan.dimension());
            return Err(Error::shape("the points", expected, points.ncols().to_string()));
        }
        let pass = Pass::new(&self.plan, &self.numbers);
        let parts: Vec<Array1<f64>> = points
            .axis_chunks_iter(Axis(0), POINTS_AT_ONCE)
            .into_par_iter()
            .map(|part| pass.values((&part - &self.centre).view()))
            .collect();
        let values = parts.into_iter().flatten();
        Ok(match self.is_clamped() {
            true => values.map(|value| value.clamp(-1.0, 1.0)).collect(),
            false => values.collect(),
        })
    }

    /// Numbers of points and weights: what a caller may want to tell.
    pub fn parameters(&self) -> usize {
        self.plan.parameters
    }
}
