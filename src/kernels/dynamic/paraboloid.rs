//! Projections on paraboloids on the CPU, a few cells at a time, which stop when their own roots are
//! found. Every loop over cells is simple enough for the compiler to turn into SIMD, and told that
//! its arrays do not overlap by being a function; all is inlined into twins that are compiled once
//! per instruction set.

/// Cells that are projected at a time: as few as keep the loops worth their start.
const STRETCH: usize = 32;

/// Newton steps at most: from cold, a step at least multiplies by 3/2.
const STEPS: usize = 100;

/// A number for every cell of a stretch.
#[derive(Clone)]
#[repr(align(64))]
struct Row([f64; STRETCH]);

/// Room for f(r) = r - a - sum lambda b² / (r + 2 lambda)² of some cells.
pub(super) struct Newton {
    /// The sum.
    squares: Row,
    slopes: Row,
    /// 1 / (r + 2 lambda), for every component.
    shares: Vec<Row>,
}

impl Newton {
    pub(super) fn new(components: usize) -> Self {
        let zeros = || Row([0.0; STRETCH]);
        Self { squares: zeros(), slopes: zeros(), shares: vec![zeros(); components] }
    }

    /// Projects points (b, a) on a + sum b²/(4 lambda) <= 0, in place. `roots` are where Newton's
    /// iteration starts, or 0, and become those of f; 0 where a point stays where it is.
    #[inline(always)]
    pub(super) fn project(
        &mut self,
        lambdas: &[&[f64]],
        vectors: &mut [Vec<f64>],
        a: &mut [f64],
        roots: &mut [f64],
    ) {
        for first in (0..a.len()).step_by(STRETCH) {
            let end = (first + STRETCH).min(a.len());
            let (a, roots) = (&mut a[first..end], &mut roots[first..end]);
            self.find(lambdas, vectors, first, a, roots);
            for (k, vector) in vectors.iter_mut().enumerate() {
                shrink(&lambdas[k][first..end], &self.shares[k].0, &mut vector[first..end]);
            }
            lower(roots, &self.squares.0, a);
        }
    }

    /// Finds the roots.
    #[inline(always)]
    fn find(
        &mut self,
        lambdas: &[&[f64]],
        vectors: &[Vec<f64>],
        first: usize,
        a: &[f64],
        r: &mut [f64],
    ) {
        let mut last = [0.0; STRETCH];
        last[..r.len()].copy_from_slice(r);
        raise(a, r);
        self.evaluate(lambdas, vectors, first, r);
        if !any_moves(a, &self.squares.0, r) {
            return;
        }
        if mark_cold(a, &self.squares.0, r, &mut last) {
            for lane in (0..r.len()).filter(|&lane| last[lane] != 0.0) {
                r[lane] = r[lane].max(start(lambdas, vectors, first + lane));
            }
            self.evaluate(lambdas, vectors, first, r);
        }
        for _ in 0..STEPS {
            step(a, &self.squares.0, &self.slopes.0, r);
            self.evaluate(lambdas, vectors, first, r);
            if !any_moves(a, &self.squares.0, r) {
                break;
            }
        }
    }

    /// The sums at r, with their slopes.
    #[inline(always)]
    fn evaluate(&mut self, lambdas: &[&[f64]], vectors: &[Vec<f64>], first: usize, r: &[f64]) {
        let Self { squares, slopes, shares } = self;
        let cells = first..first + r.len();
        for (k, shares) in shares.iter_mut().enumerate() {
            let (lambda, b) = (&lambdas[k][cells.clone()], &vectors[k][cells.clone()]);
            if k == 0 {
                add_part::<true>(lambda, b, r, &mut shares.0, &mut squares.0, &mut slopes.0);
            } else {
                add_part::<false>(lambda, b, r, &mut shares.0, &mut squares.0, &mut slopes.0);
            }
        }
    }
}

/// What a component has in the sums, of which it may be the first.
#[inline(always)]
fn add_part<const FIRST: bool>(
    lambdas: &[f64],
    vector: &[f64],
    r: &[f64],
    shares: &mut [f64],
    squares: &mut [f64],
    slopes: &mut [f64],
) {
    let sums = squares.iter_mut().zip(slopes);
    let own = lambdas.iter().zip(vector).zip(r).zip(shares);
    for ((((lambda, b), r), share), (squares, slope)) in own.zip(sums) {
        *share = 1.0 / (r + 2.0 * lambda);
        let shrunk = b * *share;
        let square = lambda * shrunk * shrunk;
        *squares = if FIRST { square } else { *squares + square };
        *slope = if FIRST { 1.0 } else { *slope } + 2.0 * square * *share;
    }
}

/// f, and what it is rounded by.
#[inline(always)]
fn value(r: f64, a: f64, squares: f64) -> (f64, f64) {
    (r - a - squares, 4.0 * f64::EPSILON * (r + a.abs() + squares))
}

/// 1 if r is to go on. Where f is positive at the lowest r that comes into question, the point lies
/// inside.
#[inline(always)]
fn moves(r: f64, a: f64, squares: f64) -> f64 {
    let (f, rounding) = value(r, a, squares);
    let above = (f > rounding) & (r > a.max(0.0));
    if above | (f < -rounding) { 1.0 } else { 0.0 }
}

#[inline(always)]
fn any_moves(a: &[f64], squares: &[f64], r: &[f64]) -> bool {
    let mut any = 0;
    for ((r, a), squares) in r.iter().zip(a).zip(squares) {
        any |= moves(*r, *a, *squares).to_bits();
    }
    any != 0
}

/// A Newton step where f is not zero. Roots that are found stay: what a cell gets does not depend on
/// its neighbours.
#[inline(always)]
fn step(a: &[f64], squares: &[f64], slopes: &[f64], r: &mut [f64]) {
    for ((r, a), (squares, slope)) in r.iter_mut().zip(a).zip(squares.iter().zip(slopes)) {
        let step = moves(*r, *a, *squares) * value(*r, *a, *squares).0 / slope;
        *r = (*r - step).max(a.max(0.0));
    }
}

/// From last roots to marks of points that lie outside and have none; true if there are any. At the
/// lowest r, f is negative outside only.
#[inline(always)]
fn mark_cold(a: &[f64], squares: &[f64], r: &[f64], last: &mut [f64]) -> bool {
    let mut any = 0;
    for ((r, a), (squares, last)) in r.iter().zip(a).zip(squares.iter().zip(last)) {
        let cold = (*last == 0.0) & (value(*r, *a, *squares).0 < 0.0);
        *last = if cold { 1.0 } else { 0.0 };
        any |= last.to_bits();
    }
    any != 0
}

/// To the least r that a root can have.
#[inline(always)]
fn raise(a: &[f64], r: &mut [f64]) {
    r.iter_mut().zip(a).for_each(|(r, a)| *r = r.max(a.max(0.0)));
}

/// b becomes 2 lambda b / (r + 2 lambda).
#[inline(always)]
fn shrink(lambdas: &[f64], shares: &[f64], vector: &mut [f64]) {
    for ((b, lambda), share) in vector.iter_mut().zip(lambdas).zip(shares) {
        *b *= 2.0 * lambda * share;
    }
}

/// The sum is that of b²/(4 lambda) with the new b. Never a - r: so points lie on the paraboloid.
#[inline(always)]
fn lower(r: &[f64], squares: &[f64], a: &mut [f64]) {
    for ((a, r), squares) in a.iter_mut().zip(r).zip(squares) {
        *a = if *r > 0.0 { -squares } else { *a };
    }
}

/// Where Newton's iteration starts without a last root.
#[cold]
fn start(lambdas: &[&[f64]], vectors: &[Vec<f64>], cell: usize) -> f64 {
    let lambdas = || lambdas.iter().map(|lambda| lambda[cell]);
    let least = lambdas().fold(f64::INFINITY, f64::min);
    let most = lambdas().fold(0.0, f64::max);
    let length: f64 = vectors.iter().map(|vector| vector[cell] * vector[cell]).sum();
    (least * length).cbrt() - 2.0 * most
}
