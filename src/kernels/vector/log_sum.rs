//! Log-sum-exps that run: of a row of scores at a time, and joined to one another.

use multiversion::multiversion;
use multiversion::target::target_cfg_f;

use super::{CHUNK, NEARLY_NOTHING, NOTHING, exp, larger, ln, multiply_add};

/// Running maxima and sums that a loop over scores keeps: one would make it wait for each addition.
const LANES: usize = 16;

/// A running log-sum-exp: a peak and the sum of exponentials relative to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogSum {
    pub peak: f64,
    pub sum: f64,
}

impl LogSum {
    pub(crate) const EMPTY: Self = Self { peak: NOTHING, sum: 0.0 };

    #[inline(always)]
    pub(crate) fn join<const FUSED: bool>(self, other: Self) -> Self {
        let peak = larger(self.peak, other.peak);
        let sum = multiply_add::<FUSED>(
            self.sum,
            exp::<FUSED>(self.peak - peak),
            other.sum * exp::<FUSED>(other.peak - peak),
        );
        Self { peak, sum }
    }

    /// The natural logarithm of the sum, or [`NOTHING`]. A score that is not a number makes the
    /// result none; shaders need not notice.
    #[inline(always)]
    pub(crate) fn logarithm<const FUSED: bool>(self) -> f64 {
        let value = self.peak + ln::<FUSED>(self.sum);
        if value < NEARLY_NOTHING { NOTHING } else { value }
    }
}

#[inline(always)]
fn log_sum_of<const FUSED: bool>(scores: &[f64]) -> LogSum {
    let mut peaks = [NOTHING; LANES];
    let groups = scores.chunks_exact(LANES);
    for (peak, &rest) in peaks.iter_mut().zip(groups.remainder()) {
        *peak = larger(*peak, rest);
    }
    for group in groups {
        for lane in 0..LANES {
            peaks[lane] = larger(peaks[lane], group[lane]);
        }
    }
    let peak = peaks.into_iter().fold(NOTHING, f64::max);
    let mut sums = [0.0; LANES];
    let groups = scores.chunks_exact(LANES);
    for (sum, &rest) in sums.iter_mut().zip(groups.remainder()) {
        *sum = exp::<FUSED>(rest - peak);
    }
    for group in groups {
        for lane in 0..LANES {
            sums[lane] += exp::<FUSED>(group[lane] - peak);
        }
    }
    LogSum { peak, sum: sums.into_iter().sum() }
}

/// log sum_j exp(bias_j - rate cost_j).
#[multiversion(targets("x86_64+avx2+fma", "x86_64+avx512f"))]
pub(crate) fn log_sum_row(bias: &[f64], cost: &[f64], rate: f64) -> f64 {
    if target_cfg_f!(any(target_feature = "fma", target_arch = "aarch64")) {
        log_sum_row_of::<true>(bias, cost, rate)
    } else {
        log_sum_row_of::<false>(bias, cost, rate)
    }
}

#[inline(always)]
fn log_sum_row_of<const FUSED: bool>(bias: &[f64], cost: &[f64], rate: f64) -> f64 {
    let mut total = LogSum::EMPTY;
    let mut scores = [0.0; CHUNK];
    for (bias, cost) in bias.chunks(CHUNK).zip(cost.chunks(CHUNK)) {
        let scores = &mut scores[..bias.len()];
        for ((score, &bias), &cost) in scores.iter_mut().zip(bias).zip(cost) {
            *score = multiply_add::<FUSED>(-rate, cost, bias);
        }
        total = total.join::<FUSED>(log_sum_of::<FUSED>(scores));
    }
    total.logarithm::<FUSED>()
}

/// Joins log sum_j exp(bias_j - rate cost_j) into a running total; turns the costs into scores.
#[multiversion(targets("x86_64+avx2+fma", "x86_64+avx512f"))]
pub(crate) fn join_scores(total: LogSum, bias: &[f64], costs: &mut [f64], rate: f64) -> LogSum {
    if target_cfg_f!(any(target_feature = "fma", target_arch = "aarch64")) {
        join_scores_of::<true>(total, bias, costs, rate)
    } else {
        join_scores_of::<false>(total, bias, costs, rate)
    }
}

#[inline(always)]
fn join_scores_of<const FUSED: bool>(
    total: LogSum,
    bias: &[f64],
    costs: &mut [f64],
    rate: f64,
) -> LogSum {
    for (score, &bias) in costs.iter_mut().zip(bias) {
        *score = multiply_add::<FUSED>(-rate, *score, bias);
    }
    total.join::<FUSED>(log_sum_of::<FUSED>(costs))
}
