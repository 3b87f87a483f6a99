//! Vectorised elementary functions for the CPU twins: a branch-free exponential and logarithm that
//! the compiler turns into SIMD, and the log-sum-exp loops built on them. Compiled once per
//! instruction set and chosen at run time.
//!
//! Every function that is compiled so has a body with a parameter FUSED: true where the
//! instruction set has fused multiply-adds, which make an exponential 1.4 times faster. Elsewhere
//! they would be calls of a slow library function.

use multiversion::multiversion;
use multiversion::target::target_cfg_f;

/// Stands for the logarithm of zero on both engines; WGSL has no infinities.
pub const NOTHING: f64 = -1e30;
/// Everything below this is [`NOTHING`]: far below every score that means something, far above a
/// forbidden cost at a large epsilon.
pub const NEARLY_NOTHING: f64 = -1e20;

/// Rows that the column-wise loops take at a time: one rescaling per so many exponentials.
pub(crate) const ROWS_AT_ONCE: usize = 8;
/// Columns of a row whose scores the column-wise loops keep.
const COLUMNS_AT_ONCE: usize = 256;
/// Scores computed at a time by the row-wise loops: they stay in the first-level cache.
pub(crate) const CHUNK: usize = 512;
/// Running maxima and sums that a loop over scores keeps: one would make it wait for each addition.
const LANES: usize = 16;
/// ln 2 in two parts; the product of the first with an exponent is exact.
const LN2_HIGH: f64 = 6.931_471_803_691_238e-1;
const LN2_LOW: f64 = 1.908_214_929_270_587_7e-10;

/// a b + c, rounded once if `FUSED`.
#[inline(always)]
pub(crate) fn multiply_add<const FUSED: bool>(a: f64, b: f64, c: f64) -> f64 {
    if FUSED { a.mul_add(b, c) } else { a * b + c }
}

/// The larger one, or the one that is a number. `if a > b { a } else { b }` would become a masked
/// store where the result replaces one of the two, which some processors take 20 cycles for.
#[inline(always)]
pub(crate) fn larger(a: f64, b: f64) -> f64 {
    a.max(b)
}

/// exp(x) to about 1 ulp for x in [-708, 709]. Below, it stays at exp(-708), 3e-308, which is
/// nothing beside the 1 that every log-sum-exp has; the selection of a zero would be a tenth of
/// the cost.
#[inline(always)]
pub(crate) fn exp<const FUSED: bool>(x: f64) -> f64 {
    // x = n ln 2 + r with |r| <= ln 2 / 2; adding 1.5 * 2^52 rounds to the integer n and leaves it
    // in the low bits.
    const SHIFT: f64 = 6_755_399_441_055_744.0;
    let fma = multiply_add::<FUSED>;
    let clamped = if x < -708.0 { -708.0 } else { x };
    let shifted = fma(clamped, std::f64::consts::LOG2_E, SHIFT);
    let n = shifted - SHIFT;
    let r = fma(-n, LN2_LOW, fma(-n, LN2_HIGH, clamped));
    // 1 + r + r^2 / 2 + r^3 q(r), with q the Chebyshev fit of degree 8: off by 4e-17. Grouped so
    // that independent products overlap.
    let r2 = r * r;
    let r4 = r2 * r2;
    let low = fma(r2, fma(r, 0.166_666_666_666_666_66, 0.5), 1.0 + r);
    let middle = fma(
        r2,
        fma(r, 1.984_126_985_433_861e-4, 1.388_888_890_588_154_2e-3),
        fma(r, 8.333_333_333_332_155e-3, 4.166_666_666_665_136e-2),
    );
    let high = fma(
        r2,
        fma(r, 2.509_555_467_711_111_2e-8, 2.761_380_686_153_829e-7),
        fma(r, 2.755_728_006_701_698e-6, 2.480_153_638_869_076_6e-5),
    );
    let polynomial = fma(r4, fma(r4, high, middle), low);
    // Times 2^n: n is added to the exponent field.
    f64::from_bits(polynomial.to_bits().wrapping_add(shifted.to_bits() << 52))
}

/// ln(x) to about 2 ulp for positive normal numbers; minus infinity for zero, and what is not a
/// number stays none.
#[inline(always)]
pub(crate) fn ln<const FUSED: bool>(x: f64) -> f64 {
    // x = 2^n m with m between sqrt(1/2) and sqrt(2): with the difference of the bits of 1 and
    // sqrt(1/2) added, the exponent field is n + 1023; under the exponent of 2^52 it is a float.
    const ROOT_HALF: u64 = 0x3fe6_a09e_667f_3bcd;
    const CARRIER: u64 = 0x4330_0000_0000_0000;
    let fma = multiply_add::<FUSED>;
    let bits = x.to_bits().wrapping_add(1.0_f64.to_bits() - ROOT_HALF);
    let n = f64::from_bits((bits >> 52) | CARRIER) - (4_503_599_627_370_496.0 + 1023.0);
    let f = f64::from_bits((bits & 0x000f_ffff_ffff_ffff) + ROOT_HALF) - 1.0;
    // ln(1 + f) = 2 artanh(s) = f - s (f - s^2 p(s^2)), with p the Chebyshev fit of degree 6.
    let s = f / (2.0 + f);
    let z = s * s;
    let z2 = z * z;
    let low = fma(z, 0.399_999_999_998_982_7, 0.666_666_666_666_667);
    let middle = fma(z, 0.222_222_110_437_768_57, 0.285_714_286_265_336_2);
    let high =
        fma(z2, 0.146_191_661_348_879_7, fma(z, 0.153_315_016_111_453_3, 0.181_828_957_501_191_93));
    let series = fma(z2, fma(z2, high, middle), low);
    let logarithm = f - (s * fma(-z, series, f) - n * LN2_LOW);
    let logarithm = fma(n, LN2_HIGH, logarithm);
    if x > 0.0 { logarithm } else { f64::NEG_INFINITY + x }
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

/// squares_j = sum_k (here_k - there_kj)^2, for up to four coordinates at a time; with
/// `accumulate`, added to what is there.
#[multiversion(targets("x86_64+avx2+fma", "x86_64+avx512f"))]
pub(crate) fn squared_distances(
    here: &[f64],
    there: &[&[f64]],
    accumulate: bool,
    squares: &mut [f64],
) {
    if target_cfg_f!(any(target_feature = "fma", target_arch = "aarch64")) {
        squared_distances_of::<true>(here, there, accumulate, squares);
    } else {
        squared_distances_of::<false>(here, there, accumulate, squares);
    }
}

#[inline(always)]
fn squared_distances_of<const FUSED: bool>(
    here: &[f64],
    there: &[&[f64]],
    accumulate: bool,
    squares: &mut [f64],
) {
    let count = squares.len();
    let begin = |square: f64| if accumulate { square } else { 0.0 };
    let add = |here: f64, there: f64, square: f64| {
        let step = here - there;
        multiply_add::<FUSED>(step, step, square)
    };
    match (here, there) {
        (&[x], &[a]) => {
            for (square, &a) in squares.iter_mut().zip(&a[..count]) {
                *square = add(x, a, begin(*square));
            }
        }
        (&[x, y], &[a, b]) => {
            for ((square, &a), &b) in squares.iter_mut().zip(&a[..count]).zip(&b[..count]) {
                *square = add(y, b, add(x, a, begin(*square)));
            }
        }
        (&[x, y, z], &[a, b, c]) => {
            for (((square, &a), &b), &c) in
                squares.iter_mut().zip(&a[..count]).zip(&b[..count]).zip(&c[..count])
            {
                *square = add(z, c, add(y, b, add(x, a, begin(*square))));
            }
        }
        (&[x, y, z, w], &[a, b, c, d]) => {
            for ((((square, &a), &b), &c), &d) in squares
                .iter_mut()
                .zip(&a[..count])
                .zip(&b[..count])
                .zip(&c[..count])
                .zip(&d[..count])
            {
                *square = add(w, d, add(z, c, add(y, b, add(x, a, begin(*square)))));
            }
        }
        _ => unreachable!("one to four coordinates at a time"),
    }
}

/// Replaces every number by its square root.
#[multiversion(targets("x86_64+avx2+fma", "x86_64+avx512f"))]
pub(crate) fn square_roots(values: &mut [f64]) {
    for value in values {
        *value = value.sqrt();
    }
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

/// Replaces every x by exp(rate x).
#[multiversion(targets("x86_64+avx2+fma", "x86_64+avx512f"))]
pub(crate) fn exp_all(rate: f64, values: &mut [f64]) {
    if target_cfg_f!(any(target_feature = "fma", target_arch = "aarch64")) {
        exp_all_of::<true>(rate, values);
    } else {
        exp_all_of::<false>(rate, values);
    }
}

#[inline(always)]
fn exp_all_of<const FUSED: bool>(rate: f64, values: &mut [f64]) {
    for value in values {
        *value = exp::<FUSED>(rate * *value);
    }
}

/// So many times x -> factor x + summand for every chain, in registers.
#[multiversion(targets("x86_64+avx2+fma", "x86_64+avx512f"))]
pub(crate) fn multiply_add_chains<const CHAINS: usize>(
    steps: usize,
    factor: f64,
    summand: f64,
    chains: &mut [f64; CHAINS],
) {
    if target_cfg_f!(any(target_feature = "fma", target_arch = "aarch64")) {
        multiply_add_chains_of::<true, CHAINS>(steps, factor, summand, chains);
    } else {
        multiply_add_chains_of::<false, CHAINS>(steps, factor, summand, chains);
    }
}

#[inline(always)]
fn multiply_add_chains_of<const FUSED: bool, const CHAINS: usize>(
    steps: usize,
    factor: f64,
    summand: f64,
    chains: &mut [f64; CHAINS],
) {
    let mut values = *chains;
    for _ in 0..steps {
        for value in &mut values {
            *value = multiply_add::<FUSED>(*value, factor, summand);
        }
    }
    *chains = values;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_agrees_with_the_standard_library() {
        let mut x = -740.0;
        while x < 700.0 {
            let expected = f64::exp(f64::max(x, -708.0));
            for found in [exp::<false>(x), exp::<true>(x)] {
                let error = (found - expected).abs();
                assert!(error <= 2.0 * f64::EPSILON * expected, "exp({x}): {error:e}");
            }
            x += 0.037;
        }
        assert!(exp::<false>(NOTHING) < 1e-300);
        assert_eq!(exp::<false>(0.0), 1.0);
        assert!(exp::<false>(f64::NAN).is_nan() && exp::<true>(f64::NAN).is_nan());
    }

    #[test]
    fn ln_agrees_with_the_standard_library() {
        let near_one = (1..2000).map(|step| 0.9 + f64::from(step) * 1e-4);
        let everywhere = (-1020..1020).map(|power| 1.37 * 2.0_f64.powi(power));
        for x in near_one.chain(everywhere).chain([f64::MIN_POSITIVE, 0.5, 2.0, f64::MAX]) {
            for found in [ln::<false>(x), ln::<true>(x)] {
                let error = (found - x.ln()).abs();
                assert!(error <= 2.0 * f64::EPSILON * x.ln().abs(), "ln({x}): {error:e}");
            }
        }
        assert_eq!(ln::<false>(1.0), 0.0);
        assert_eq!(ln::<false>(0.0), f64::NEG_INFINITY);
        assert!(ln::<true>(f64::NAN).is_nan());
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
                for found in [exp::<false>(x), exp::<true>(x)] {
                    let error = (found - x.exp()).abs() / x.exp();
                    assert!(error <= 2.0 * f64::EPSILON, "exp({x}): {error:e}");
                }
            }
        }
        for exp in [exp::<false>, exp::<true>] {
            // Below -708 it stays at what it is there.
            assert!(exp(-708.0) >= f64::MIN_POSITIVE);
            assert_eq!(exp(f64::NEG_INFINITY), exp(-708.0));
            assert_eq!(exp(f64::MIN_POSITIVE), 1.0);
            assert_eq!(exp(-f64::MIN_POSITIVE), 1.0);
        }
    }

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
