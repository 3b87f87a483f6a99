//! Networks before training.

use nalgebra::DMatrix;
use rand::{Rng, RngExt};
use rand_distr::{Distribution, StandardNormal};

use super::{Constraint, Plan};

/// The numbers of a network up to its points, at the start (as the code of the paper has it): W
/// orthogonal times a gain, biases uniform, the vectors of power iterations normal about a mean that
/// is not zero; all scaled by 1 / sqrt(inputs), but orthonormal layers, which have gain 1.
pub(crate) fn initial(plan: &Plan, random: &mut impl Rng) -> Vec<f64> {
    let mut network = vec![0.0; plan.fixed];
    for layer in &plan.layers {
        let bound = 1.0 / (layer.inputs as f64).sqrt();
        let gain = if plan.constraint == Constraint::Orthonormal { 1.0 } else { bound };
        let weights = orthogonal(layer.outputs, layer.inputs, random);
        for (place, weight) in layer.matrix().zip(weights.transpose().iter()) {
            network[place] = gain * weight;
        }
        for bias in &mut network[layer.bias..layer.bias + layer.outputs] {
            *bias = random.random_range(-bound..bound);
        }
        for left in &mut network[layer.left..layer.left + layer.outputs] {
            *left = bound * (normal(random) - 1.0);
        }
    }
    network
}

/// A matrix with orthonormal rows or columns, whichever are fewer; all such are equally likely.
fn orthogonal(rows: usize, cols: usize, random: &mut impl Rng) -> DMatrix<f64> {
    let (large, small) = (rows.max(cols), rows.min(cols));
    let qr = DMatrix::from_fn(large, small, |_, _| normal(random)).qr();
    let (mut q, r) = qr.unpack();
    for (mut column, diagonal) in q.column_iter_mut().zip(r.diagonal().iter()) {
        if *diagonal < 0.0 {
            column.neg_mut();
        }
    }
    if rows < cols { q.transpose() } else { q }
}

fn normal(random: &mut impl Rng) -> f64 {
    StandardNormal.sample(random)
}
