//! Softmins under costs that stay the same while biases hardly move, as matrix-vector products: how the
//! CPU takes one multiply-add a pair instead of a distance and an exponential (absorption of potentials:
//! Schmitzer, Stabilized sparse scaling algorithms for entropy regularized transport problems, 2019,
//! section 3.2).
//!
//! For anchors r and c near the potentials, K_ij = exp(r_i + c_j - rate C_ij) is kept. Then
//!
//! ```text
//! log sum_j exp(b_j - rate C_ij) = M - r_i + log sum_j K_ij exp(b_j - c_j - M),  M = max_j (b_j - c_j)
//! ```
//!
//! and the same onto columns. This is exact to rounding, not an approximation: every row and column
//! has a sum of K of at least exp(-depth), and weights exp(b_j - c_j - M) are at least exp(-spread). As
//! long as depth and spread together are at most [`SPREAD`], what is dropped of K, below exp(-[`REACH`]),
//! is less than n exp(SPREAD - REACH), 2e-22 n, of any sum.

use multiversion::multiversion;
use multiversion::target::target_cfg_f;
use rayon::prelude::*;

use super::vector::{NEARLY_NOTHING, masses, multiply_add};
use crate::engine::{Array, Engine};
use crate::error::Result;

/// How far biases may be from the anchors.
const SPREAD: f64 = 300.0;
/// Exponentials of less than minus this count as zero. Products with the least weight are still
/// normal numbers.
const REACH: f64 = 350.0;
/// Rows that a task takes; sums down columns are added in this order, whatever the threads.
const ROWS: usize = 64;
/// Sums that run side by side.
const LANES: usize = 16;

/// The exponentials of one problem.
pub(crate) struct Absorbed {
    /// r, c.
    anchors: [Vec<f64>; 2],
    /// The depth of rows and of columns.
    depths: [f64; 2],
    /// K (rows, columns).
    factors: Array,
}

impl Absorbed {
    /// From anchors of rows and columns and costs row by row: `costs` leaves those of a row.
    pub(crate) fn new(
        engine: &Engine,
        rate: f64,
        rows: Vec<f64>,
        columns: Vec<f64>,
        costs: impl Fn(usize, &mut [f64]) + Sync,
    ) -> Result<Self> {
        let least = (-REACH).exp();
        let width = columns.len();
        let mut factors = engine.zeros("exponentials", rows.len() * width)?;
        factors.host_mut()?.par_chunks_mut(ROWS * width).enumerate().for_each(
            |(chunk, factors)| {
                let mut distances = vec![0.0; width];
                for (row, factors) in factors.chunks_mut(width).enumerate() {
                    let row = chunk * ROWS + row;
                    costs(row, &mut distances);
                    masses(rows[row], &columns, &distances, rate, factors);
                    for factor in factors {
                        *factor = if *factor < least { 0.0 } else { *factor };
                    }
                }
            },
        );
        let ones = [vec![1.0; width], vec![1.0; rows.len()]];
        let mut absorbed = Self { anchors: [rows, columns], depths: [0.0; 2], factors };
        let mut sums = [vec![0.0; absorbed.anchors[0].len()], vec![0.0; width]];
        absorbed.rows(&ones[0], &mut sums[0])?;
        absorbed.columns(&ones[1], &mut sums[1])?;
        let depth = |sums: &[f64]| sums.iter().fold(0.0_f64, |depth, sum| depth.max(-sum.ln()));
        absorbed.depths = [depth(&sums[0]), depth(&sums[1])];
        Ok(absorbed)
    }

    /// log sum_j exp(b_j - rate C_ij) onto rows, the same over i onto columns; false, and nothing is done,
    /// where the bias is too far from the anchors.
    pub(crate) fn softmin(&self, onto_rows: bool, bias: &[f64], out: &mut [f64]) -> Result<bool> {
        let (from, onto) = if onto_rows { (1, 0) } else { (0, 1) };
        // What is no number is there, and makes the sum none.
        let there = |bias: f64| bias.is_nan() || bias > NEARLY_NOTHING;
        let apart = || {
            let pairs = bias.iter().zip(&self.anchors[from]).filter(|(bias, _)| there(**bias));
            pairs.map(|(bias, anchor)| bias - anchor)
        };
        let (low, high) = apart()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)));
        if !(high.is_finite() && high - low + self.depths[onto] <= SPREAD) {
            return Ok(false);
        }
        let weight = |(bias, anchor): (&f64, &f64)| match there(*bias) {
            true => (bias - anchor - high).exp(),
            false => 0.0,
        };
        let weights: Vec<f64> = bias.iter().zip(&self.anchors[from]).map(weight).collect();
        match onto_rows {
            true => self.rows(&weights, out)?,
            false => self.columns(&weights, out)?,
        }
        for (out, anchor) in out.iter_mut().zip(&self.anchors[onto]) {
            *out = high - anchor + out.ln();
        }
        Ok(true)
    }

    fn rows(&self, weights: &[f64], out: &mut [f64]) -> Result<()> {
        let factors = self.factors.host()?;
        out.par_chunks_mut(ROWS).zip(factors.par_chunks(ROWS * weights.len())).for_each(
            |(out, factors)| {
                for (out, factors) in out.iter_mut().zip(factors.chunks(weights.len())) {
                    *out = dot(factors, weights);
                }
            },
        );
        Ok(())
    }

    fn columns(&self, weights: &[f64], out: &mut [f64]) -> Result<()> {
        let width = out.len();
        let factors = self.factors.host()?;
        let parts: Vec<Vec<f64>> = factors
            .par_chunks(ROWS * width)
            .zip(weights.par_chunks(ROWS))
            .map(|(factors, weights)| {
                let mut sums = vec![0.0; width];
                for (factors, weight) in factors.chunks(width).zip(weights) {
                    add(*weight, factors, &mut sums);
                }
                sums
            })
            .collect();
        out.fill(0.0);
        parts.iter().for_each(|part| add(1.0, part, out));
        Ok(())
    }
}

#[multiversion(targets("x86_64+avx2+fma", "x86_64+avx512f"))]
fn dot(a: &[f64], b: &[f64]) -> f64 {
    if target_cfg_f!(any(target_feature = "fma", target_arch = "aarch64")) {
        dot_of::<true>(a, b)
    } else {
        dot_of::<false>(a, b)
    }
}

#[inline(always)]
fn dot_of<const FUSED: bool>(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; LANES];
    let (a, b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest = a.remainder().iter().zip(b.remainder()).map(|(a, b)| a * b).sum::<f64>();
    for (a, b) in a.zip(b) {
        for lane in 0..LANES {
            sums[lane] = multiply_add::<FUSED>(a[lane], b[lane], sums[lane]);
        }
    }
    sums.iter().sum::<f64>() + rest
}

/// out += weight values
#[multiversion(targets("x86_64+avx2+fma", "x86_64+avx512f"))]
fn add(weight: f64, values: &[f64], out: &mut [f64]) {
    if target_cfg_f!(any(target_feature = "fma", target_arch = "aarch64")) {
        add_of::<true>(weight, values, out);
    } else {
        add_of::<false>(weight, values, out);
    }
}

#[inline(always)]
fn add_of<const FUSED: bool>(weight: f64, values: &[f64], out: &mut [f64]) {
    for (out, value) in out.iter_mut().zip(values) {
        *out = multiply_add::<FUSED>(weight, *value, *out);
    }
}

#[cfg(test)]
mod tests {
    use super::super::NOTHING;
    use super::*;

    /// Of scores that are given, for anchors that are the softmins of no bias.
    fn naive(
        onto_rows: bool,
        sizes: (usize, usize),
        cost: impl Fn(usize, usize) -> f64,
        bias: &[f64],
    ) -> Vec<f64> {
        let (rows, columns) = sizes;
        let (targets, sources) = if onto_rows { (rows, columns) } else { (columns, rows) };
        let of = |target: usize| {
            let score = |source: usize| {
                let (i, j) = if onto_rows { (target, source) } else { (source, target) };
                bias[source] - cost(i, j)
            };
            let peak = (0..sources).map(score).fold(f64::NEG_INFINITY, f64::max);
            peak + (0..sources).map(|source| (score(source) - peak).exp()).sum::<f64>().ln()
        };
        (0..targets).map(of).collect()
    }

    #[test]
    fn sums_are_those_in_logarithms() {
        for sizes in [(1, 1), (3, 70), (130, 33), (65, 64)] {
            for scale in [1.0, 50.0, 2000.0] {
                let (rows, columns) = sizes;
                let cost = |i: usize, j: usize| {
                    scale * (i as f64 / rows as f64 - j as f64 / columns as f64).powi(2)
                };
                let r: Vec<f64> =
                    naive(true, sizes, cost, &vec![0.0; columns]).iter().map(|x| -x).collect();
                let c: Vec<f64> = naive(false, sizes, cost, &r).iter().map(|x| -x).collect();
                let row = |i: usize, out: &mut [f64]| {
                    out.iter_mut().enumerate().for_each(|(j, out)| *out = cost(i, j) / 2.0);
                };
                let kept = Absorbed::new(&Engine::cpu(), 2.0, r.clone(), c.clone(), row).unwrap();
                for (onto_rows, anchor) in [(true, &c), (false, &r)] {
                    let mut bias: Vec<f64> =
                        (0..anchor.len()).map(|k| anchor[k] + 40.0 * (k as f64).sin()).collect();
                    if bias.len() > 2 {
                        bias[1] = NOTHING;
                    }
                    let wanted = naive(onto_rows, sizes, cost, &bias);
                    let mut found = vec![0.0; wanted.len()];
                    assert!(kept.softmin(onto_rows, &bias, &mut found).unwrap());
                    for (found, wanted) in found.iter().zip(&wanted) {
                        assert!((found - wanted).abs() < 1e-12 * (1.0 + wanted.abs()), "{sizes:?}");
                    }
                    if let [first, .., last] = &mut bias[..] {
                        (*first, *last) = (0.0, 1000.0);
                        assert!(!kept.softmin(onto_rows, &bias, &mut found).unwrap());
                    }
                    bias.fill(NOTHING);
                    assert!(!kept.softmin(onto_rows, &bias, &mut found).unwrap());
                    bias.fill(f64::NAN);
                    assert!(!kept.softmin(onto_rows, &bias, &mut found).unwrap());
                }
            }
        }
    }
}
