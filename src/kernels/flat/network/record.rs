//! What a network keeps of its epochs, and what is taken out in the end.

use super::optimiser::WANTED_PENALTY;
use super::plan::{BEST, HEAD, LAMBDA_1, LAMBDA_2, SCALES};
use super::{Constraint, Output, Plan};

/// Notes the value and the penalty of an epoch before its step: the best theta, where each value is a
/// bound, and the lambdas that this epoch sets.
pub(crate) fn note(
    plan: &Plan,
    network: &mut [f64],
    [value, penalty]: [f64; 2],
    sets: u8,
    first: bool,
) {
    if first || value > network[BEST] {
        network[BEST] = value;
        if plan.output == Output::Clamped {
            network.copy_within(plan.theta(), plan.beside(4).start);
        }
    }
    match sets {
        1 => network[LAMBDA_1] = (2.0 * value).max(0.0),
        2 => network[LAMBDA_2] = network[LAMBDA_1] * penalty / WANTED_PENALTY,
        _ => {}
    }
}

/// Goes back to the best theta.
pub(crate) fn restore_best(plan: &Plan, network: &mut [f64]) {
    network.copy_within(plan.beside(4), plan.theta().start);
}

/// The weights that are applied and the biases, in the order of theta.
pub(crate) fn applied(plan: &Plan, network: &[f64], out: &mut [f64]) {
    for (index, layer) in plan.layers.iter().enumerate() {
        let scale = match plan.constraint {
            Constraint::Spectral => network[SCALES + index],
            _ => 1.0,
        };
        let count = layer.inputs * layer.outputs;
        let (weights, bias) =
            out[layer.weights - HEAD..][..count + layer.outputs].split_at_mut(count);
        for (out, weight) in weights.iter_mut().zip(&network[layer.effective..]) {
            *out = scale * weight;
        }
        bias.copy_from_slice(&network[layer.bias..layer.bias + layer.outputs]);
    }
}
