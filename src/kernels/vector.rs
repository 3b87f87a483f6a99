//! Vectorised elementary functions for the CPU twins: a branch-free exponential that the compiler
//! turns into SIMD, and the log-sum-exp loops built on it. Compiled once per instruction set and
//! chosen at run time.

use multiversion::multiversion;

/// Stands for the logarithm of zero on both engines; WGSL has no infinities.
pub const NOTHING: f64 = -1e30;
/// Everything below this is [`NOTHING`]: far below every score that means something, far above a
/// forbidden cost at a large epsilon.
pub const NEARLY_NOTHING: f64 = -1e20;

/// Rows that the column-wise loops take at a time: one rescaling per so many exponentials.
pub(crate) const ROWS_AT_ONCE: usize = 8;
/// Scores computed at a time by the row-wise loops: they stay in the first-level cache.
const CHUNK: usize = 512;

/// exp(x) to about 1 ulp for x in [-708, 709]; zero below.
#[inline(always)]
pub(crate) fn exp(x: f64) -> f64 {
    // x = n ln 2 + r with |r| <= ln 2 / 2; adding 1.5 * 2^52 rounds to the integer n and leaves it
    // in the low bits.
    const SHIFT: f64 = 6_755_399_441_055_744.0;
    const LN2_HIGH: f64 = 6.931_471_803_691_238e-1;
    const LN2_LOW: f64 = 1.908_214_929_270_587_7e-10;
    let clamped = if x < -708.0 { -708.0 } else { x };
    let shifted = clamped * std::f64::consts::LOG2_E + SHIFT;
    let n = shifted - SHIFT;
    let r = (clamped - n * LN2_HIGH) - n * LN2_LOW;
    // Taylor coefficients, grouped in pairs so that independent products overlap.
    let r2 = r * r;
    let r4 = r2 * r2;
    let low = (1.0 + r) + r2 * (0.5 + r * (1.0 / 6.0));
    let middle = (1.0 / 24.0 + r * (1.0 / 120.0)) + r2 * (1.0 / 720.0 + r * (1.0 / 5040.0));
    let high = (1.0 / 40_320.0 + r * (1.0 / 362_880.0))
        + r2 * (1.0 / 3_628_800.0 + r * (1.0 / 39_916_800.0))
        + r4 * (1.0 / 479_001_600.0 + r * (1.0 / 6_227_020_800.0));
    let polynomial = low + r4 * (middle + r4 * high);
    let power = f64::from_bits((shifted.to_bits() << 52).wrapping_add(1.0_f64.to_bits()));
    if x < -708.0 { 0.0 } else { polynomial * power }
}

/// A running log-sum-exp: a peak and the sum of exponentials relative to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogSum {
    pub peak: f64,
    pub sum: f64,
}

impl LogSum {
    pub(crate) const EMPTY: Self = Self { peak: NOTHING, sum: 0.0 };

    #[inline(always)]
    pub(crate) fn join(self, other: Self) -> Self {
        let peak = if self.peak > other.peak { self.peak } else { other.peak };
        let sum = self.sum * exp(self.peak - peak) + other.sum * exp(other.peak - peak);
        Self { peak, sum }
    }

    /// The natural logarithm of the sum, or [`NOTHING`]. A score that is not a number makes the
    /// result none; shaders need not notice.
    #[inline(always)]
    pub(crate) fn logarithm(self) -> f64 {
        let value = self.peak + self.sum.ln();
        if value < NEARLY_NOTHING { NOTHING } else { value }
    }
}

#[inline(always)]
fn log_sum_of(scores: &[f64]) -> LogSum {
    // Four running values: one would make the loop wait for each addition.
    let mut peaks = [NOTHING; 4];
    let quads = scores.chunks_exact(4);
    for &rest in quads.remainder() {
        peaks[0] = if rest > peaks[0] { rest } else { peaks[0] };
    }
    for quad in quads {
        for lane in 0..4 {
            peaks[lane] = if quad[lane] > peaks[lane] { quad[lane] } else { peaks[lane] };
        }
    }
    let peak = peaks.into_iter().fold(NOTHING, f64::max);
    let mut sums = [0.0; 8];
    let octets = scores.chunks_exact(8);
    for (lane, &rest) in octets.remainder().iter().enumerate() {
        sums[lane] = exp(rest - peak);
    }
    for octet in octets {
        for lane in 0..8 {
            sums[lane] += exp(octet[lane] - peak);
        }
    }
    LogSum { peak, sum: sums.into_iter().sum() }
}

/// log sum_j exp(bias_j - rate cost_j).
#[multiversion(targets("x86_64+avx2+fma", "x86_64+avx512f"))]
pub(crate) fn log_sum_row(bias: &[f64], cost: &[f64], rate: f64) -> LogSum {
    let mut total = LogSum::EMPTY;
    let mut scores = [0.0; CHUNK];
    for (bias, cost) in bias.chunks(CHUNK).zip(cost.chunks(CHUNK)) {
        let scores = &mut scores[..bias.len()];
        for ((score, &bias), &cost) in scores.iter_mut().zip(bias).zip(cost) {
            *score = bias - rate * cost;
        }
        total = total.join(log_sum_of(scores));
    }
    total
}

/// log sum_j exp(score_j).
#[multiversion(targets("x86_64+avx2+fma", "x86_64+avx512f"))]
pub(crate) fn log_sum(scores: &[f64]) -> LogSum {
    log_sum_of(scores)
}

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
    let width = peaks.len();
    let sums = &mut sums[..width];
    let mut fresh = [NOTHING; CHUNK];
    for begin in (0..width).step_by(CHUNK) {
        let end = (begin + CHUNK).min(width);
        let fresh = &mut fresh[..end - begin];
        fresh.copy_from_slice(&peaks[begin..end]);
        for (&bias, cost) in bias.iter().zip(costs) {
            for (fresh, &cost) in fresh.iter_mut().zip(&cost[begin..end]) {
                let score = bias - rate * cost;
                *fresh = if score > *fresh { score } else { *fresh };
            }
        }
        for ((peak, sum), &fresh) in
            peaks[begin..end].iter_mut().zip(&mut sums[begin..end]).zip(&*fresh)
        {
            *sum *= exp(*peak - fresh);
            *peak = fresh;
        }
        for (&bias, cost) in bias.iter().zip(costs) {
            for ((sum, &fresh), &cost) in
                sums[begin..end].iter_mut().zip(&*fresh).zip(&cost[begin..end])
            {
                *sum += exp((bias - rate * cost) - fresh);
            }
        }
    }
}

/// Replaces every score by its exponential.
#[multiversion(targets("x86_64+avx2+fma", "x86_64+avx512f"))]
pub(crate) fn exp_all(scores: &mut [f64]) {
    for score in scores {
        *score = exp(*score);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_agrees_with_the_standard_library() {
        let mut x = -740.0;
        while x < 700.0 {
            let expected = if x < -708.0 { 0.0 } else { f64::exp(x) };
            let error = (exp(x) - expected).abs();
            assert!(error <= 4.0 * f64::EPSILON * expected, "exp({x}): {error:e}");
            x += 0.037;
        }
        assert_eq!(exp(NOTHING), 0.0);
        assert_eq!(exp(0.0), 1.0);
    }

    #[test]
    fn exp_is_exact_to_an_ulp_or_two_and_honest_at_its_edges() {
        // Every power of two that a result can have, and neighbours of the places where the
        // reduction rounds to another one.
        for power in -1021..1023 {
            for part in [0.0, 0.3, 0.499_999_999, 0.5, 0.500_000_001, 0.9] {
                let x = (f64::from(power) + part) * std::f64::consts::LN_2;
                if x < -708.0 {
                    continue;
                }
                let error = (exp(x) - x.exp()).abs() / x.exp();
                assert!(error <= 2.0 * f64::EPSILON, "exp({x}): {error:e}");
            }
        }
        assert!(exp(-708.0) >= f64::MIN_POSITIVE);
        assert_eq!(exp((-708.0_f64).next_down()), 0.0);
        assert_eq!(exp(f64::NEG_INFINITY), 0.0);
        assert_eq!(exp(f64::MIN_POSITIVE), 1.0);
        assert_eq!(exp(-f64::MIN_POSITIVE), 1.0);
        assert!(exp(f64::NAN).is_nan());
    }

    #[test]
    fn a_score_that_is_not_a_number_is_not_swallowed() {
        let scores = [0.0, f64::NAN, 1.0];
        assert!(log_sum(&scores).logarithm().is_nan());
        assert!(log_sum_row(&scores, &[0.0; 3], 1.0).logarithm().is_nan());
        let (mut peaks, mut sums) = ([NOTHING; 3], [0.0; 3]);
        log_sum_columns(&[0.0], &[&scores], 1.0, &mut peaks, &mut sums);
        let logs: Vec<f64> =
            (0..3).map(|j| LogSum { peak: peaks[j], sum: sums[j] }.logarithm()).collect();
        assert!(logs[1].is_nan() && logs[0] == 0.0 && logs[2] == -1.0);
    }

    #[test]
    fn rows_and_columns_agree_with_the_naive_sum() {
        for width in [1, 3, 4, 7, 8, 9, 511, 512, 513, 1100] {
            let bias: Vec<f64> = (0..width).map(|j| (j as f64 * 0.7).sin() * 40.0).collect();
            let cost: Vec<f64> = (0..width).map(|j| (j as f64 * 0.3).cos().abs()).collect();
            let naive: f64 = bias.iter().zip(&cost).map(|(b, c)| f64::exp(b - 9.0 * c)).sum();
            let row = log_sum_row(&bias, &cost, 9.0).logarithm();
            assert!((row - naive.ln()).abs() < 1e-12, "{width}: {row}");
            let mut peaks = vec![NOTHING; width];
            let mut sums = vec![0.0; width];
            log_sum_columns(&[2.0, -1.0], &[&cost, &bias], 0.5, &mut peaks, &mut sums);
            for j in 0..width {
                let naive = f64::exp(2.0 - 0.5 * cost[j]) + f64::exp(-1.0 - 0.5 * bias[j]);
                let got = LogSum { peak: peaks[j], sum: sums[j] }.logarithm();
                assert!((got - naive.ln()).abs() < 1e-13);
            }
        }
    }

    #[test]
    fn nothing_stays_nothing() {
        assert!(log_sum(&[NOTHING; 5]).logarithm() < NEARLY_NOTHING);
        assert!(log_sum(&[]).logarithm() < NEARLY_NOTHING);
    }
}
