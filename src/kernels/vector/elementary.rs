//! Elementary functions without branches, which the compiler turns into SIMD.

use multiversion::multiversion;
use multiversion::target::target_cfg_f;

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
    use crate::kernels::NOTHING;

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
}
