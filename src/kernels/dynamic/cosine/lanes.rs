//! Cosine transforms of a few pairs of lines at once on the CPU: every step does the same for all
//! of them, which the compiler turns into SIMD. Compiled once per instruction set, as
//! [`crate::kernels::vector`] is.

use std::f64::consts::TAU;

use bytemuck::{Pod, Zeroable};
use multiversion::multiversion;
use multiversion::target::target_cfg_f;

use super::turns;
use crate::kernels::transform::{is_smooth, radices};
use crate::kernels::vector::multiply_add;

/// Pairs of lines that are transformed at once: one register of AVX2. Butterflies of twice as many
/// would not stay in its registers.
pub(crate) const LANES: usize = 4;

/// One real number of every pair.
type Part = [f64; LANES];

/// One complex number of every pair.
#[derive(Clone, Copy, Default, Pod, Zeroable)]
#[repr(C, align(32))]
pub(crate) struct Numbers {
    pub re: Part,
    pub im: Part,
}

/// A complex number that is the same for every pair.
type Factor = [f64; 2];

/// The transforms of lines of one length.
pub(super) struct Plan {
    radices: Vec<u32>,
    /// exp(-2 pi i k / N)
    twiddles: Vec<Factor>,
    /// w_k = exp(-i pi k / 2 N) by 2 for the way there, by N for the way back.
    turns: [Vec<Factor>; 2],
    /// Where the numbers of a line stand in order, and shuffled.
    seats: [Vec<usize>; 2],
}

/// The lines of one task, and as much room.
pub(super) struct Buffer {
    pub lines: Vec<Numbers>,
    spare: Vec<Numbers>,
}

impl Plan {
    /// True for the lengths that have a plan.
    pub(super) fn covers(length: usize) -> bool {
        is_smooth(length)
    }

    pub(super) fn new(length: usize) -> Self {
        let twiddle = |k: usize| {
            let (sine, cosine) = (TAU * k as f64 / length as f64).sin_cos();
            [cosine, -sine]
        };
        // Even places in order, odd ones in reverse behind them.
        let shuffled = |x: usize| match x % 2 {
            0 => x / 2,
            _ => length - 1 - x / 2,
        };
        let turns = [2.0, length as f64]
            .map(|by| turns(length).map(|[re, im]| [re / by, im / by]).collect::<Vec<_>>());
        Self {
            radices: radices(length),
            twiddles: (0..length).map(twiddle).collect(),
            turns,
            seats: [(0..length).collect(), (0..length).map(shuffled).collect()],
        }
    }

    /// Where the numbers of a line stand.
    pub(super) fn seats(&self, shuffled: bool) -> &[usize] {
        &self.seats[usize::from(shuffled)]
    }

    pub(super) fn buffer(&self) -> Buffer {
        let zeros = vec![Numbers::default(); self.twiddles.len()];
        Buffer { lines: zeros.clone(), spare: zeros }
    }

    /// From shuffled lines to their coefficients.
    pub(super) fn forward(&self, buffer: &mut Buffer) {
        forward(self, buffer);
    }

    /// From coefficients to the conjugate of shuffled lines.
    pub(super) fn inverse(&self, buffer: &mut Buffer) {
        inverse(self, buffer);
    }
}

#[multiversion(targets("x86_64+avx2+fma"))]
fn forward(plan: &Plan, buffer: &mut Buffer) {
    if target_cfg_f!(any(target_feature = "fma", target_arch = "aarch64")) {
        forward_of::<true>(plan, buffer);
    } else {
        forward_of::<false>(plan, buffer);
    }
}

#[multiversion(targets("x86_64+avx2+fma"))]
fn inverse(plan: &Plan, buffer: &mut Buffer) {
    if target_cfg_f!(any(target_feature = "fma", target_arch = "aarch64")) {
        inverse_of::<true>(plan, buffer);
    } else {
        inverse_of::<false>(plan, buffer);
    }
}

#[inline(always)]
fn forward_of<const FUSED: bool>(plan: &Plan, buffer: &mut Buffer) {
    fourier::<FUSED>(plan, buffer);
    let lines = &mut buffer.lines[..plan.twiddles.len()];
    for (k, turn) in plan.turns[0].iter().enumerate().take(lines.len() / 2 + 1).skip(1) {
        let m = lines.len() - k;
        // w_{N-k} = -i conj(w_k)
        let z = lines[k].times::<FUSED>(*turn);
        let mirrored = lines[m].times::<FUSED>(conjugate(*turn));
        lines[k] = z.plus(mirrored);
        lines[m] = mirrored.minus(z).turned();
    }
}

#[inline(always)]
fn inverse_of<const FUSED: bool>(plan: &Plan, buffer: &mut Buffer) {
    let lines = &mut buffer.lines[..plan.twiddles.len()];
    let turns = &plan.turns[1];
    lines[0] = lines[0].conjugate().scaled(turns[0][0]);
    for (k, turn) in turns.iter().enumerate().take(lines.len() / 2 + 1).skip(1) {
        let m = lines.len() - k;
        let (y, mirrored) = (lines[k].conjugate(), lines[m].conjugate().turned());
        lines[k] = y.minus(mirrored).times::<FUSED>(*turn);
        lines[m] = y.plus(mirrored).times::<FUSED>(conjugate(*turn));
    }
    fourier::<FUSED>(plan, buffer);
}

#[inline(always)]
fn conjugate([re, im]: Factor) -> Factor {
    [re, -im]
}

/// Stockham's algorithm, as in `shaders/common/fourier.wgsl`.
#[inline(always)]
fn fourier<const FUSED: bool>(plan: &Plan, Buffer { lines, spare }: &mut Buffer) {
    let mut span = 1;
    for &radix in &plan.radices {
        match radix {
            2 => stage::<2, FUSED>(lines, spare, &plan.twiddles, span),
            3 => stage::<3, FUSED>(lines, spare, &plan.twiddles, span),
            4 => stage::<4, FUSED>(lines, spare, &plan.twiddles, span),
            _ => stage::<5, FUSED>(lines, spare, &plan.twiddles, span),
        }
        std::mem::swap(lines, spare);
        span *= radix as usize;
    }
}

#[inline(always)]
fn stage<const RADIX: usize, const FUSED: bool>(
    from: &[Numbers],
    to: &mut [Numbers],
    twiddles: &[Factor],
    span: usize,
) {
    let step = from.len() / RADIX;
    let blocks = step / span;
    for (block, to) in to.chunks_exact_mut(span * RADIX).enumerate() {
        let from = &from[block * span..];
        for k in 0..span {
            let mut z = [Numbers::default(); RADIX];
            for q in 0..RADIX {
                z[q] = from[q * step + k];
                if q > 0 && span > 1 {
                    z[q] = z[q].times::<FUSED>(twiddles[q * k * blocks]);
                }
            }
            let z = butterfly::<RADIX, FUSED>(z);
            for q in 0..RADIX {
                to[q * span + k] = z[q];
            }
        }
    }
}

/// The Fourier transform of a few numbers.
#[inline(always)]
fn butterfly<const RADIX: usize, const FUSED: bool>(z: [Numbers; RADIX]) -> [Numbers; RADIX] {
    let mut out = z;
    match RADIX {
        2 => {
            out[0] = z[0].plus(z[1]);
            out[1] = z[0].minus(z[1]);
        }
        3 => {
            let both = z[1].plus(z[2]);
            let across = z[1].minus(z[2]).scaled(0.866_025_403_784_438_6).turned();
            let middle = z[0].plus_scaled::<FUSED>(-0.5, both);
            out[0] = z[0].plus(both);
            out[1] = middle.plus(across);
            out[2] = middle.minus(across);
        }
        4 => {
            let (even, odd) = (z[0].plus(z[2]), z[1].plus(z[3]));
            let (straight, across) = (z[0].minus(z[2]), z[1].minus(z[3]).turned());
            out[0] = even.plus(odd);
            out[1] = straight.plus(across);
            out[2] = even.minus(odd);
            out[3] = straight.minus(across);
        }
        5 => {
            // cos and sin of 72 and of 144 degrees.
            const COS: [f64; 2] = [0.309_016_994_374_947_45, -0.809_016_994_374_947_5];
            const SIN: [f64; 2] = [0.951_056_516_295_153_5, 0.587_785_252_292_473_1];
            let mix = |z: Numbers, [a, b]: [f64; 2], near: Numbers, far: Numbers| {
                z.plus_scaled::<FUSED>(a, near).plus_scaled::<FUSED>(b, far)
            };
            let (near, far) = (z[1].plus(z[4]), z[2].plus(z[3]));
            let (r, s) = (z[1].minus(z[4]), z[2].minus(z[3]));
            let p = mix(z[0], COS, near, far);
            let q = mix(z[0], [COS[1], COS[0]], near, far);
            let t = r.scaled(SIN[0]).plus_scaled::<FUSED>(SIN[1], s).turned();
            let v = r.scaled(SIN[1]).plus_scaled::<FUSED>(-SIN[0], s).turned();
            out[0] = z[0].plus(near).plus(far);
            out[1] = p.plus(t);
            out[2] = q.plus(v);
            out[3] = q.minus(v);
            out[4] = p.minus(t);
        }
        _ => unreachable!("a radix from 2 to 5"),
    }
    out
}

impl Numbers {
    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        Self { re: sum(self.re, other.re), im: sum(self.im, other.im) }
    }

    #[inline(always)]
    fn minus(self, other: Self) -> Self {
        Self { re: difference(self.re, other.re), im: difference(self.im, other.im) }
    }

    #[inline(always)]
    fn plus_scaled<const FUSED: bool>(self, factor: f64, other: Self) -> Self {
        Self {
            re: multiplied::<FUSED>(factor, other.re, self.re),
            im: multiplied::<FUSED>(factor, other.im, self.im),
        }
    }

    #[inline(always)]
    fn scaled(self, factor: f64) -> Self {
        Self { re: scaled(factor, self.re), im: scaled(factor, self.im) }
    }

    #[inline(always)]
    fn times<const FUSED: bool>(self, [re, im]: Factor) -> Self {
        Self {
            re: multiplied::<FUSED>(re, self.re, scaled(-im, self.im)),
            im: multiplied::<FUSED>(re, self.im, scaled(im, self.re)),
        }
    }

    /// -i z
    #[inline(always)]
    fn turned(self) -> Self {
        Self { re: self.im, im: scaled(-1.0, self.re) }
    }

    #[inline(always)]
    fn conjugate(self) -> Self {
        Self { re: self.re, im: scaled(-1.0, self.im) }
    }
}

/// a b + c
#[inline(always)]
fn multiplied<const FUSED: bool>(a: f64, b: Part, c: Part) -> Part {
    let fma = multiply_add::<FUSED>;
    [fma(a, b[0], c[0]), fma(a, b[1], c[1]), fma(a, b[2], c[2]), fma(a, b[3], c[3])]
}

#[inline(always)]
fn scaled(a: f64, b: Part) -> Part {
    [a * b[0], a * b[1], a * b[2], a * b[3]]
}

#[inline(always)]
fn sum(a: Part, b: Part) -> Part {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3]]
}

#[inline(always)]
fn difference(a: Part, b: Part) -> Part {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2], a[3] - b[3]]
}
