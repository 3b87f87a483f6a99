//! Masses of a coupling, and sums over them.

use multiversion::multiversion;
use multiversion::target::target_cfg_f;

use super::{exp, multiply_add};

/// mass_j = exp(potential + bias_j - rate cost_j), zero where that is below the least normal float:
/// what is hardly a number makes products slow.
#[multiversion(targets("x86_64+avx2+fma", "x86_64+avx512f"))]
pub(crate) fn masses(potential: f64, bias: &[f64], cost: &[f64], rate: f64, mass: &mut [f64]) {
    if target_cfg_f!(any(target_feature = "fma", target_arch = "aarch64")) {
        masses_of::<true>(potential, bias, cost, rate, mass);
    } else {
        masses_of::<false>(potential, bias, cost, rate, mass);
    }
}

#[inline(always)]
fn masses_of<const FUSED: bool>(
    potential: f64,
    bias: &[f64],
    cost: &[f64],
    rate: f64,
    mass: &mut [f64],
) {
    for ((mass, &bias), &cost) in mass.iter_mut().zip(bias).zip(cost) {
        let score = multiply_add::<FUSED>(-rate, cost, potential + bias);
        let value = exp::<FUSED>(score);
        *mass = if score < -708.0 { 0.0 } else { value };
    }
}

/// sum_j mass_j value_j; an infinite value where there is no mass counts as zero.
pub(crate) fn weighted_sum(mass: &[f64], values: &[f64]) -> f64 {
    let terms = mass.iter().zip(values);
    terms.map(|(&mass, &value)| if mass > 0.0 { mass * value } else { 0.0 }).sum()
}
