//! Softmins of many lines under the same costs, as matrix products: how the CPU twin of
//! `softmin_axis` takes one multiply-add a pair instead of one exponential.
//!
//! For shifts S = rate C, a pivot target p and a stretch of sources k,
//!
//! ```text
//! log sum_k exp(v_k - S_ik) = M + r_i + log sum_k K_ik u_k
//! u_k  = exp(v_k - S_pk - M)        M   the largest v_k - S_pk of the stretch
//! K_ik = exp(S_pk - S_ik - r_i)     r_i the largest S_pk - S_ik of the stretch
//! ```
//!
//! K is the same for all lines, and u for all targets that share the pivot. This is exact to
//! rounding, not an approximation: u is 1 somewhere, and there K_ik >= exp(-spread), where the
//! spread is the range of S_pk - S_ik over the stretch. So the sum is at least exp(-spread). Blocks
//! of targets and stretches of sources are halved until the spread is at most [`SPREAD`]; what is
//! dropped, below exp(-[`REACH`]), is then less than 2 n exp(REACH - SPREAD), 4e-22 n, of the sum.
//! The products that remain are at least exp(-2 REACH), never subnormal, which some processors add
//! a hundred times slower.

use multiversion::multiversion;
use multiversion::target::target_cfg_f;
use rayon::prelude::*;

use super::vector::{LogSum, NOTHING, exp, larger, multiply_add};

/// Lines that are multiplied at a time. Sums of 6 targets by 8 lines fill the registers of AVX2.
pub(crate) const LINES: usize = 8;
/// Targets that are multiplied at a time.
const TARGETS: usize = 6;
/// The largest spread of a block.
const SPREAD: f64 = 300.0;
/// Exponentials of less than minus this count as zero.
const REACH: f64 = 350.0;
/// Blocks smaller than this save nothing: every stretch of sources takes an exponential to join,
/// every block of targets one to begin.
const MIN_TARGETS: usize = 2 * TARGETS;
const MIN_SOURCES: usize = 16;

/// One number for each of the lines that are multiplied together.
pub(crate) type Lines = [f64; LINES];

/// The exponentials of the costs between two axes, in blocks.
pub(crate) struct Kernel {
    sources: usize,
    targets: usize,
    /// Targets that share a pivot: a multiple of [`TARGETS`].
    block: usize,
    /// Sources of a stretch.
    stretch: usize,
    /// S at the pivot of each block.
    pivots: Vec<f64>,
    /// K: for every six targets, source by source.
    factors: Vec<[f64; TARGETS]>,
    /// r: for every six targets, stretch by stretch.
    tops: Vec<[f64; TARGETS]>,
}

/// What the products of one block need, made for eight lines at a time.
#[derive(Default)]
pub(crate) struct Scratch {
    /// u, source by source.
    terms: Vec<Lines>,
    /// M, stretch by stretch.
    peaks: Vec<Lines>,
}

impl Kernel {
    /// The kernel of these shifts (targets, sources); `None` where no block of a useful size has a
    /// small enough spread: epsilon is far below the square of a cell, or pairs are forbidden.
    pub(crate) fn new(shifts: &[f64], sources: usize) -> Option<Self> {
        let targets = shifts.len() / sources;
        let mut block = targets.next_multiple_of(TARGETS);
        let mut stretch = sources;
        while spread(shifts, sources, block, stretch) > SPREAD {
            if block >= stretch {
                block = (block / 2).next_multiple_of(TARGETS);
            } else {
                stretch = stretch.div_ceil(2);
            }
            if block < MIN_TARGETS || stretch < MIN_SOURCES {
                return None;
            }
        }
        let pivots = shifts.chunks(block * sources).flat_map(|block| pivot(block, sources));
        let mut kernel = Self {
            sources,
            targets,
            block,
            stretch,
            pivots: pivots.copied().collect(),
            factors: vec![[0.0; TARGETS]; targets.div_ceil(TARGETS) * sources],
            tops: vec![[0.0; TARGETS]; targets.div_ceil(TARGETS) * sources.div_ceil(stretch)],
        };
        let Self { pivots, factors, tops, .. } = &mut kernel;
        factors
            .par_chunks_mut(sources)
            .zip(tops.par_chunks_mut(sources.div_ceil(stretch)))
            .zip(shifts.par_chunks(TARGETS * sources))
            .enumerate()
            .for_each(|(panel, ((factors, tops), shifts))| {
                let pivot = &pivots[panel * TARGETS / block * sources..][..sources];
                for (target, shifts) in shifts.chunks(sources).enumerate() {
                    for (part, top) in tops.iter_mut().enumerate() {
                        let begin = part * stretch;
                        let end = (begin + stretch).min(sources);
                        top[target] = factors_of(
                            &pivot[begin..end],
                            &shifts[begin..end],
                            target,
                            &mut factors[begin..end],
                        );
                    }
                }
            });
        Some(kernel)
    }

    /// Into how many stretches the sources are cut.
    #[cfg(test)]
    pub(crate) fn stretches(&self) -> usize {
        self.sources.div_ceil(self.stretch)
    }

    /// The softmins of some lines, eight by eight: `values` holds each eight source by source;
    /// `put` takes the results of each eight target by target.
    pub(crate) fn softmin(
        &self,
        values: &[Lines],
        scratch: &mut Scratch,
        mut put: impl FnMut(usize, usize, &Lines),
    ) {
        let Self { sources, targets, block, stretch, .. } = *self;
        let stretches = sources.div_ceil(stretch);
        let Scratch { terms, peaks } = scratch;
        terms.resize(values.len(), [0.0; LINES]);
        peaks.resize(values.len() / sources * stretches, [0.0; LINES]);
        let mut results = [[0.0; LINES]; TARGETS];
        for (index, pivot) in self.pivots.chunks(sources).enumerate() {
            for ((values, terms), peaks) in values
                .chunks(sources)
                .zip(terms.chunks_mut(sources))
                .zip(peaks.chunks_mut(stretches))
            {
                for (((values, pivot), terms), peaks) in values
                    .chunks(stretch)
                    .zip(pivot.chunks(stretch))
                    .zip(terms.chunks_mut(stretch))
                    .zip(peaks)
                {
                    *peaks = terms_of(values, pivot, terms);
                }
            }
            let first = index * block;
            // All lines for six targets before the next six: K comes from far, u from near.
            for target in (first..(first + block).min(targets)).step_by(TARGETS) {
                let panel = target / TARGETS;
                let factors = &self.factors[panel * sources..][..sources];
                let tops = &self.tops[panel * stretches..][..stretches];
                let lines = terms.chunks(sources).zip(peaks.chunks(stretches));
                for (eight, (terms, peaks)) in lines.enumerate() {
                    products(factors, tops, terms, peaks, stretch, &mut results);
                    for (place, result) in results.iter().take(targets - target).enumerate() {
                        put(eight, target + place, result);
                    }
                }
            }
        }
    }
}

/// The shifts of the target in the middle of a block.
fn pivot(block: &[f64], sources: usize) -> &[f64] {
    let targets = block.len() / sources;
    &block[targets / 2 * sources..][..sources]
}

/// The largest range of S_pk - S_ik over a stretch of sources, for any target.
fn spread(shifts: &[f64], sources: usize, block: usize, stretch: usize) -> f64 {
    shifts
        .par_chunks(block * sources)
        .map(|shifts| {
            let pivot = pivot(shifts, sources);
            shifts
                .par_chunks(sources)
                .map(|shifts| {
                    let stretches = pivot.chunks(stretch).zip(shifts.chunks(stretch));
                    stretches.map(|(pivot, shifts)| range(pivot, shifts)).fold(0.0, f64::max)
                })
                .reduce(|| 0.0, f64::max)
        })
        .reduce(|| 0.0, f64::max)
}

/// The largest difference less the smallest.
#[multiversion(targets("x86_64+avx2+fma", "x86_64+avx512f"))]
fn range(a: &[f64], b: &[f64]) -> f64 {
    let (mut low, mut high) = ([f64::MAX; LINES], [f64::MIN; LINES]);
    for (a, b) in a.chunks(LINES).zip(b.chunks(LINES)) {
        for (lane, (a, b)) in a.iter().zip(b).enumerate() {
            let difference = a - b;
            low[lane] = -larger(-low[lane], -difference);
            high[lane] = larger(high[lane], difference);
        }
    }
    high.into_iter().fold(f64::MIN, f64::max) - low.into_iter().fold(f64::MAX, f64::min)
}

/// One target's K over a stretch; returns its r.
#[multiversion(targets("x86_64+avx2+fma", "x86_64+avx512f"))]
fn factors_of(pivot: &[f64], shifts: &[f64], target: usize, factors: &mut [[f64; TARGETS]]) -> f64 {
    let differences = || pivot.iter().zip(shifts).map(|(pivot, shift)| pivot - shift);
    let mut top = f64::MIN;
    for difference in differences() {
        top = larger(top, difference);
    }
    for (factor, difference) in factors.iter_mut().zip(differences()) {
        let score = difference - top;
        factor[target] = if score < -REACH { 0.0 } else { exp::<false>(score) };
    }
    top
}

/// u of eight lines over a stretch; returns their M.
#[multiversion(targets("x86_64+avx2+fma", "x86_64+avx512f"))]
fn terms_of(values: &[Lines], pivot: &[f64], terms: &mut [Lines]) -> Lines {
    if target_cfg_f!(any(target_feature = "fma", target_arch = "aarch64")) {
        terms_with::<true>(values, pivot, terms)
    } else {
        terms_with::<false>(values, pivot, terms)
    }
}

#[inline(always)]
fn terms_with<const FUSED: bool>(values: &[Lines], pivot: &[f64], terms: &mut [Lines]) -> Lines {
    let mut peaks = [2.0 * NOTHING; LINES];
    for (values, &pivot) in values.iter().zip(pivot) {
        for line in 0..LINES {
            let score = values[line] - pivot;
            peaks[line] = larger(peaks[line], score);
        }
    }
    for ((terms, values), &pivot) in terms.iter_mut().zip(values).zip(pivot) {
        for line in 0..LINES {
            terms[line] = (values[line] - pivot) - peaks[line];
        }
    }
    // In one long loop, which the compiler turns into SIMD; eight by eight it would not.
    for term in terms.as_flattened_mut() {
        let exponential = exp::<FUSED>(*term);
        *term = if *term < -REACH { 0.0 } else { exponential };
    }
    peaks
}

/// The softmins of six targets and eight lines.
#[multiversion(targets("x86_64+avx2+fma", "x86_64+avx512f"))]
fn products(
    factors: &[[f64; TARGETS]],
    tops: &[[f64; TARGETS]],
    terms: &[Lines],
    peaks: &[Lines],
    stretch: usize,
    results: &mut [Lines; TARGETS],
) {
    if target_cfg_f!(any(target_feature = "fma", target_arch = "aarch64")) {
        products_with::<true>(factors, tops, terms, peaks, stretch, results);
    } else {
        products_with::<false>(factors, tops, terms, peaks, stretch, results);
    }
}

#[inline(always)]
fn products_with<const FUSED: bool>(
    factors: &[[f64; TARGETS]],
    tops: &[[f64; TARGETS]],
    terms: &[Lines],
    peaks: &[Lines],
    stretch: usize,
    results: &mut [Lines; TARGETS],
) {
    let mut peak = [[NOTHING; LINES]; TARGETS];
    let mut sum = [[0.0; LINES]; TARGETS];
    for (part, (factors, terms)) in factors.chunks(stretch).zip(terms.chunks(stretch)).enumerate() {
        let mut fresh_sum = [[0.0; LINES]; TARGETS];
        for (factors, terms) in factors.iter().zip(terms) {
            for target in 0..TARGETS {
                for line in 0..LINES {
                    fresh_sum[target][line] = multiply_add::<FUSED>(
                        factors[target],
                        terms[line],
                        fresh_sum[target][line],
                    );
                }
            }
        }
        let mut fresh_peak = [[0.0; LINES]; TARGETS];
        for target in 0..TARGETS {
            for line in 0..LINES {
                fresh_peak[target][line] = peaks[part][line] + tops[part][target];
            }
        }
        if part == 0 {
            (peak, sum) = (fresh_peak, fresh_sum);
        } else {
            let joined = peak.as_flattened_mut().iter_mut().zip(sum.as_flattened_mut());
            let fresh = fresh_peak.as_flattened().iter().zip(fresh_sum.as_flattened());
            for ((peak, sum), (&fresh_peak, &fresh_sum)) in joined.zip(fresh) {
                let total = LogSum { peak: *peak, sum: *sum };
                let fresh = LogSum { peak: fresh_peak, sum: fresh_sum };
                let total = total.join::<FUSED>(fresh);
                (*peak, *sum) = (total.peak, total.sum);
            }
        }
    }
    let totals = peak.as_flattened().iter().zip(sum.as_flattened());
    for (result, (&peak, &sum)) in results.as_flattened_mut().iter_mut().zip(totals) {
        *result = LogSum { peak, sum }.logarithm::<FUSED>();
    }
}
