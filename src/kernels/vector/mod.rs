//! Vectorised loops for the CPU twins: elementary functions that the compiler turns into SIMD, and
//! what is built on them. Compiled once per instruction set and chosen at run time.
//!
//! Every function that is compiled so has a body with a parameter FUSED: true where the
//! instruction set has fused multiply-adds, which make an exponential 1.4 times faster. Elsewhere
//! they would be calls of a slow library function.

mod distances;
mod elementary;
mod log_sum;
mod log_sum_columns;
mod masses;

pub(crate) use distances::{square_roots, squared_distances};
pub(crate) use elementary::{exp, exp_all, larger, ln, multiply_add, multiply_add_chains};
pub(crate) use log_sum::{LogSum, join_scores, log_sum_row};
pub(crate) use log_sum_columns::{ROWS_AT_ONCE, join_columns, log_sum_columns, logarithms};
pub(crate) use masses::{masses, weighted_sum};

/// Stands for the logarithm of zero on both engines; WGSL has no infinities.
pub const NOTHING: f64 = -1e30;
/// Everything below this is [`NOTHING`]: far below every score that means something, far above a
/// forbidden cost at a large epsilon.
pub const NEARLY_NOTHING: f64 = -1e20;

/// Scores computed at a time by the row-wise loops: they stay in the first-level cache.
pub(crate) const CHUNK: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_that_is_not_a_number_is_not_swallowed() {
        let scores = [0.0, f64::NAN, 1.0];
        assert!(log_sum_row(&scores, &[0.0; 3], 1.0).is_nan());
        assert!(join_scores(LogSum::EMPTY, &[0.0; 3], &mut { scores }, 1.0).sum.is_nan());
        let (mut peaks, mut sums, mut logs) = ([NOTHING; 3], [0.0; 3], [0.0; 3]);
        log_sum_columns(&[0.0], &[&scores], -1.0, &mut peaks, &mut sums);
        logarithms(&peaks, &sums, &mut logs);
        assert!(logs[1].is_nan() && logs[0] == 0.0 && logs[2] == 1.0, "{logs:?}");
    }

    #[test]
    fn rows_and_columns_agree_with_the_naive_sum() {
        for width in [1, 3, 4, 7, 8, 9, 511, 512, 513, 1100] {
            let bias: Vec<f64> = (0..width).map(|j| (j as f64 * 0.7).sin() * 40.0).collect();
            let cost: Vec<f64> = (0..width).map(|j| (j as f64 * 0.3).cos().abs()).collect();
            let naive: f64 = bias.iter().zip(&cost).map(|(b, c)| f64::exp(b - 9.0 * c)).sum();
            let row = log_sum_row(&bias, &cost, 9.0);
            assert!((row - naive.ln()).abs() < 1e-12, "{width}: {row}");
            let mut peaks = vec![NOTHING; width];
            let mut sums = vec![0.0; width];
            log_sum_columns(&[2.0, -1.0], &[&cost, &bias], 0.5, &mut peaks, &mut sums);
            let mut logs = vec![0.0; width];
            logarithms(&peaks, &sums, &mut logs);
            for j in 0..width {
                let naive = f64::exp(2.0 - 0.5 * cost[j]) + f64::exp(-1.0 - 0.5 * bias[j]);
                assert!((logs[j] - naive.ln()).abs() < 1e-13);
            }
        }
    }

    #[test]
    fn nothing_stays_nothing() {
        assert!(log_sum_row(&[NOTHING; 5], &[1.0; 5], 1.0) < NEARLY_NOTHING);
        assert!(log_sum_row(&[], &[], 1.0) < NEARLY_NOTHING);
    }
}
