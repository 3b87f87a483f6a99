//! Adam, and how its rate and the penalty go along.

use super::plan::HEAD;
use super::{Plan, plan};

/// What stays the same all the time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Optimiser {
    pub beta_1: f64,
    pub beta_2: f64,
    /// Weight decay, added to the gradient.
    pub decay: f64,
    /// The length that gradients are cut to.
    pub clip: f64,
}

/// What changes from epoch to epoch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Step {
    /// The learning rate.
    pub rate: f64,
    /// lambda = 10 k_0 + Lambda_1 k_1 + Lambda_2 k_2.
    pub penalty: [f64; 3],
    /// 1 or 2: this epoch sets Lambda 1 = 2 D or Lambda 2 = Lambda 1 B / 0.02.
    pub sets: u8,
}

/// Where lambda starts.
pub(crate) const FIRST_LAMBDA: f64 = 10.0;
/// The penalty that the last lambda is to lead to.
pub(crate) const WANTED_PENALTY: f64 = 0.02;
/// What keeps Adam from dividing by nothing.
const TINY: f64 = 1e-8;

impl Step {
    /// As the kernel takes it, eight numbers for each epoch.
    pub(crate) fn table(steps: &[Self], optimiser: &Optimiser) -> Vec<f64> {
        let numbers = |(epoch, step): (usize, &Self)| {
            let count = epoch as i32 + 1;
            let bias = |beta: f64| 1.0 - beta.powi(count);
            let [k_0, k_1, k_2] = step.penalty;
            let rate = step.rate / bias(optimiser.beta_1);
            let correction = 1.0 / bias(optimiser.beta_2).sqrt();
            [rate, correction, k_0, k_1, k_2, f64::from(step.sets), 0.0, 0.0]
        };
        steps.iter().enumerate().flat_map(numbers).collect()
    }
}

/// lambda of an epoch.
pub(crate) fn lambda(step: &[f64], network: &[f64]) -> f64 {
    FIRST_LAMBDA * step[2] + network[plan::LAMBDA_1] * step[3] + network[plan::LAMBDA_2] * step[4]
}

/// Values and penalties with the lambda of their epoch, which earlier ones have set.
pub(crate) fn lambda_of(steps: &[Step], curve: &[[f64; 2]]) -> Vec<(f64, f64, f64)> {
    let (mut lambda_1, mut lambda_2) = (0.0, 0.0);
    let epochs = steps.iter().zip(curve);
    epochs
        .map(|(step, &[value, penalty])| {
            let [k_0, k_1, k_2] = step.penalty;
            let lambda = FIRST_LAMBDA * k_0 + lambda_1 * k_1 + lambda_2 * k_2;
            match step.sets {
                1 => lambda_1 = (2.0 * value).max(0.0),
                2 => lambda_2 = lambda_1 * penalty / WANTED_PENALTY,
                _ => {}
            }
            (value, penalty, lambda)
        })
        .collect()
}

/// One step of Adam on theta, in the order of PyTorch's: cut the gradient, add the decay.
pub(crate) fn adam(plan: &Plan, network: &mut [f64], optimiser: &Optimiser, step: &[f64]) {
    let count = plan.parameters;
    let (theta, rest) = network[HEAD..HEAD + 4 * count].split_at_mut(count);
    let (gradient, rest) = rest.split_at_mut(count);
    let (first, second) = rest.split_at_mut(count);
    let length = gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
    let shorter = (optimiser.clip / (length + 1e-6)).min(1.0);
    let Optimiser { beta_1, beta_2, decay, .. } = *optimiser;
    let (rate, correction) = (step[0], step[1]);
    let moments = first.iter_mut().zip(second);
    for ((theta, gradient), (first, second)) in theta.iter_mut().zip(gradient).zip(moments) {
        let gradient = decay * *theta + *gradient * shorter;
        *first = beta_1 * *first + (1.0 - beta_1) * gradient;
        *second = beta_2 * *second + (1.0 - beta_2) * gradient * gradient;
        *theta -= rate * *first / (second.sqrt() * correction + TINY);
    }
}
