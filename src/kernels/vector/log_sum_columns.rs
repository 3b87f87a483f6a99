//! Log-sum-exps of many columns side by side.

use multiversion::multiversion;
use multiversion::target::target_cfg_f;

use super::{LogSum, NOTHING, exp, larger, multiply_add};

/// Rows that are taken at a time: one rescaling per so many exponentials.
pub(crate) const ROWS_AT_ONCE: usize = 8;
/// Columns of a row whose scores are kept.
const COLUMNS_AT_ONCE: usize = 256;

/// For every column j: joins rows into the running totals, where row i adds
/// exp(bias_i - rate cost_ij). At most [`ROWS_AT_ONCE`] rows.
#[multiversion(targets("x86_64+avx2+fma", "x86_64+avx512f"))]
pub(crate) fn log_sum_columns(
    bias: &[f64],
    costs: &[&[f64]],
    rate: f64,
    peaks: &mut [f64],
    sums: &mut [f64],
) {
    if target_cfg_f!(any(target_feature = "fma", target_arch = "aarch64")) {
        log_sum_columns_of::<true>(bias, costs, rate, peaks, sums);
    } else {
        log_sum_columns_of::<false>(bias, costs, rate, peaks, sums);
    }
}

#[inline(always)]
fn log_sum_columns_of<const FUSED: bool>(
    bias: &[f64],
    costs: &[&[f64]],
    rate: f64,
    peaks: &mut [f64],
    sums: &mut [f64],
) {
    // Loops over many columns: the compiler turns only those into SIMD. Scores are kept: rows a
    // power of two apart share their places in the cache, so costs read again would have left it.
    let width = peaks.len();
    let sums = &mut sums[..width];
    let mut scores = [[0.0; COLUMNS_AT_ONCE]; ROWS_AT_ONCE];
    let mut fresh = [NOTHING; COLUMNS_AT_ONCE];
    for begin in (0..width).step_by(COLUMNS_AT_ONCE) {
        let end = (begin + COLUMNS_AT_ONCE).min(width);
        let fresh = &mut fresh[..end - begin];
        fresh.copy_from_slice(&peaks[begin..end]);
        for ((&bias, cost), scores) in bias.iter().zip(costs).zip(&mut scores) {
            for ((fresh, score), &cost) in fresh.iter_mut().zip(scores).zip(&cost[begin..end]) {
                *score = multiply_add::<FUSED>(-rate, cost, bias);
                *fresh = larger(*fresh, *score);
            }
        }
        for ((peak, sum), &fresh) in
            peaks[begin..end].iter_mut().zip(&mut sums[begin..end]).zip(&*fresh)
        {
            *sum *= exp::<FUSED>(*peak - fresh);
            *peak = fresh;
        }
        for scores in &scores[..bias.len()] {
            for ((sum, &fresh), &score) in sums[begin..end].iter_mut().zip(&*fresh).zip(scores) {
                *sum += exp::<FUSED>(score - fresh);
            }
        }
    }
}

/// Joins running sums into others.
#[multiversion(targets("x86_64+avx2+fma", "x86_64+avx512f"))]
pub(crate) fn join_columns(
    other_peaks: &[f64],
    other_sums: &[f64],
    peaks: &mut [f64],
    sums: &mut [f64],
) {
    let others = other_peaks.iter().zip(other_sums);
    for ((peak, sum), (&other_peak, &other_sum)) in peaks.iter_mut().zip(sums).zip(others) {
        let total = LogSum { peak: *peak, sum: *sum };
        let total = total.join::<false>(LogSum { peak: other_peak, sum: other_sum });
        (*peak, *sum) = (total.peak, total.sum);
    }
}

/// The logarithms of running sums.
#[multiversion(targets("x86_64+avx2+fma", "x86_64+avx512f"))]
pub(crate) fn logarithms(peaks: &[f64], sums: &[f64], out: &mut [f64]) {
    if target_cfg_f!(any(target_feature = "fma", target_arch = "aarch64")) {
        logarithms_of::<true>(peaks, sums, out);
    } else {
        logarithms_of::<false>(peaks, sums, out);
    }
}

#[inline(always)]
fn logarithms_of<const FUSED: bool>(peaks: &[f64], sums: &[f64], out: &mut [f64]) {
    for ((out, &peak), &sum) in out.iter_mut().zip(peaks).zip(sums) {
        *out = LogSum { peak, sum }.logarithm::<FUSED>();
    }
}
