//! Formulas written down as they stand, in f64, with nothing clever.

use gaspard::Side;
use ndarray::{Array1, Array2, Axis};

/// log sum exp of scores; -1e30 where nothing is left.
pub fn log_sum_exp(scores: impl Iterator<Item = f64> + Clone) -> f64 {
    let peak = scores.clone().fold(f64::NEG_INFINITY, f64::max);
    if peak < -1e29 {
        return -1e30;
    }
    peak + scores.map(|score| (score - peak).exp()).sum::<f64>().ln()
}

/// onto rows: log sum_j exp(bias_j - C_ij / epsilon); onto columns the same over i.
pub fn softmin(costs: &Array2<f64>, onto: Side, epsilon: f64, bias: &[f64]) -> Vec<f64> {
    let lanes = match onto {
        Side::Rows => costs.lanes(Axis(1)),
        Side::Cols => costs.lanes(Axis(0)),
    };
    lanes
        .into_iter()
        .map(|lane| {
            log_sum_exp(lane.into_iter().zip(bias).map(|(cost, bias)| bias - cost / epsilon))
        })
        .collect()
}

/// exp(f_i + g_j - C_ij / epsilon)
pub fn coupling(costs: &Array2<f64>, epsilon: f64, f: &[f64], g: &[f64]) -> Array2<f64> {
    Array2::from_shape_fn(costs.dim(), |(i, j)| (f[i] + g[j] - costs[[i, j]] / epsilon).exp())
}

/// The coupling that minimises <P, C> + epsilon KL(P | a b^T) with marginals a and b, by so many
/// plain Sinkhorn iterations in the log domain.
pub fn sinkhorn(
    costs: &Array2<f64>,
    a: &[f64],
    b: &[f64],
    epsilon: f64,
    iterations: usize,
) -> Array2<f64> {
    let log = |weights: &[f64]| -> Vec<f64> { weights.iter().map(|weight| weight.ln()).collect() };
    let (log_a, log_b) = (log(a), log(b));
    let mut f = vec![0.0; a.len()];
    let mut g = vec![0.0; b.len()];
    for _ in 0..iterations {
        f = softmin(costs, Side::Rows, epsilon, &add(&g, &log_b)).iter().map(|x| -x).collect();
        g = softmin(costs, Side::Cols, epsilon, &add(&f, &log_a)).iter().map(|x| -x).collect();
    }
    coupling(costs, epsilon, &add(&f, &log_a), &add(&g, &log_b))
}

fn add(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}

/// Row sums and column sums.
pub fn marginals(coupling: &Array2<f64>) -> (Array1<f64>, Array1<f64>) {
    (coupling.sum_axis(Axis(1)), coupling.sum_axis(Axis(0)))
}
