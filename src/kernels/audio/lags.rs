//! Kernels that depend on the lag alone, as lists of lags with their weights, and sums over them.

use std::ops::Range;

use super::scaling::plain;
use crate::engine::{Array, Engine};
use crate::error::Result;
use crate::kernels::check_length;
use crate::kernels::vector::{NEARLY_NOTHING, NOTHING, exp, larger, ln, multiply_add};

/// Frames that a sum over lags takes at a time: they stay in registers.
pub(super) const BLOCK: usize = 48;
/// Terms of a log-sum-exp this far below the largest one do not count.
const NEGLIGIBLE: f64 = -45.0;

/// The lags of one kernel, in ascending order, and their weights, or the logarithms of these.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct LagRow {
    /// Whose spectrograms its plan is between.
    pub scene: usize,
    lags: Vec<i32>,
    weights: Vec<f64>,
    /// The weights from the last lag to the first.
    reversed: Vec<f64>,
    /// Where stretches of neighbouring lags begin and end.
    runs: Vec<Range<usize>>,
}

impl LagRow {
    pub(crate) fn new(scene: usize, lags: Vec<i32>, weights: Vec<f64>) -> Self {
        debug_assert_eq!(lags.len(), weights.len());
        let mut runs = Vec::new();
        let mut begin = 0;
        for run in lags.chunk_by(|lag, next| lag + 1 == *next) {
            runs.push(begin..begin + run.len());
            begin += run.len();
        }
        let reversed = weights.iter().rev().copied().collect();
        Self { scene, lags, weights, reversed, runs }
    }

    pub(crate) fn lags(&self) -> &[i32] {
        &self.lags
    }

    pub(crate) fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// How far its lags reach.
    pub(crate) fn reach(&self) -> usize {
        self.lags.iter().map(|lag| lag.unsigned_abs() as usize).max().unwrap_or(0)
    }
}

/// Rows of lags on an engine, each (scene, count, lags, weights) with room for `width` lags. Plans
/// whose rows have no lags are at rest.
pub(crate) struct LagTable {
    array: Array,
    width: usize,
}

impl LagTable {
    pub(crate) fn new(engine: &Engine, rows: usize, width: usize) -> Result<Self> {
        Ok(Self { array: engine.zeros("lags", rows * Self::stride(width))?, width })
    }

    fn stride(width: usize) -> usize {
        2 + 2 * width
    }

    /// Lags that a row has room for.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    pub(crate) fn array(&self) -> &Array {
        &self.array
    }

    pub(crate) fn write(&mut self, engine: &Engine, rows: &[LagRow]) -> Result<()> {
        let stride = Self::stride(self.width);
        let mut numbers = vec![0.0; rows.len() * stride];
        for (row, numbers) in rows.iter().zip(numbers.chunks_mut(stride)) {
            check_length("the lags of a row", row.lags.len().max(self.width), self.width)?;
            (numbers[0], numbers[1]) = (row.scene as f64, row.lags.len() as f64);
            let (lags, weights) = numbers[2..].split_at_mut(self.width);
            lags.iter_mut().zip(&row.lags).for_each(|(out, lag)| *out = f64::from(*lag));
            weights.iter_mut().zip(&row.weights).for_each(|(out, weight)| *out = *weight);
        }
        engine.write(&mut self.array, &numbers)
    }

    /// Refuses a table of other than so many rows.
    pub(super) fn check(&self, rows: usize) -> Result<()> {
        check_length("the rows of lags", self.array.len(), rows * Self::stride(self.width))
    }

    /// The rows, on the CPU.
    pub(super) fn rows(&self) -> Result<Vec<LagRow>> {
        let rows = self.array.host()?.chunks(Self::stride(self.width)).map(|numbers| {
            let count = numbers[1] as usize;
            let (lags, weights) = numbers[2..].split_at(self.width);
            let lags = lags[..count].iter().map(|lag| *lag as i32).collect();
            LagRow::new(numbers[0] as usize, lags, weights[..count].to_vec())
        });
        Ok(rows.collect())
    }
}

/// Numbers of every frame with room on both sides, so that sums over lags need not look where they are.
#[derive(Clone, Debug)]
pub(super) struct Held {
    values: Vec<f64>,
    reach: usize,
    frames: usize,
}

impl Held {
    /// Zeros, or logarithms of zero, for lags that reach so far.
    pub(crate) fn new(frames: usize, reach: usize, logs: bool) -> Self {
        let zero = if logs { NOTHING } else { 0.0 };
        let length = frames.next_multiple_of(BLOCK) + 2 * reach;
        Self { values: vec![zero; length], reach, frames }
    }

    #[inline(always)]
    pub(crate) fn get(&self) -> &[f64] {
        &self.values[self.reach..self.reach + self.frames]
    }

    #[inline(always)]
    pub(crate) fn get_mut(&mut self) -> &mut [f64] {
        &mut self.values[self.reach..self.reach + self.frames]
    }
}

/// out_i = sum over lags of weight times the number held at i + sign lag; with `LOGS` the logarithm of
/// such a sum of exponentials. Of `out`, a multiple of [`BLOCK`] long, what lies beyond the frames is
/// of no use.
#[inline(always)]
pub(super) fn product<const LOGS: bool, const FUSED: bool>(
    row: &LagRow,
    sign: i32,
    held: &Held,
    out: &mut [f64],
) {
    for (block, out) in out.chunks_exact_mut(BLOCK).enumerate() {
        let start = block * BLOCK;
        let mut sums = [0.0; BLOCK];
        if !LOGS {
            for run in &row.runs {
                let (weights, values) = held.run(row, run, sign, start);
                for (weight, values) in weights.iter().zip(values.windows(BLOCK)) {
                    for lane in 0..BLOCK {
                        sums[lane] = multiply_add::<FUSED>(*weight, values[lane], sums[lane]);
                    }
                }
            }
            out.copy_from_slice(&sums);
            continue;
        }
        let mut peaks = [NOTHING; BLOCK];
        for run in &row.runs {
            let (weights, values) = held.run(row, run, sign, start);
            for (weight, values) in weights.iter().zip(values.windows(BLOCK)) {
                for lane in 0..BLOCK {
                    peaks[lane] = larger(peaks[lane], values[lane] + weight);
                }
            }
        }
        for run in &row.runs {
            let (weights, values) = held.run(row, run, sign, start);
            for (weight, values) in weights.iter().zip(values.windows(BLOCK)) {
                let mut scores = [0.0; BLOCK];
                let mut counting = 0;
                for lane in 0..BLOCK {
                    scores[lane] = values[lane] + weight - peaks[lane];
                    counting |= u64::from(scores[lane] > NEGLIGIBLE);
                }
                if counting > 0 {
                    for lane in 0..BLOCK {
                        sums[lane] += exp::<FUSED>(scores[lane]);
                    }
                }
            }
        }
        for lane in 0..BLOCK {
            let value = peaks[lane] + ln::<FUSED>(sums[lane]);
            out[lane] = if peaks[lane] < NEARLY_NOTHING { NOTHING } else { value };
        }
    }
}

impl Held {
    /// Those lags of a run that lead from the block at `start` to a frame: their weights, and the
    /// numbers that windows of a block are to be taken from.
    #[inline(always)]
    fn run<'a>(
        &'a self,
        row: &'a LagRow,
        run: &Range<usize>,
        sign: i32,
        start: usize,
    ) -> (&'a [f64], &'a [f64]) {
        let (before, after) = ((start + BLOCK) as i32, self.frames as i32 - start as i32);
        // Both ends count.
        let (least, most) =
            if sign > 0 { (1 - before, after - 1) } else { (1 - after, before - 1) };
        let first = row.lags[run.start];
        let (low, high) = (first.max(least), row.lags[run.end - 1].min(most));
        if low > high {
            return (&[], &[]);
        }
        let count = (high - low + 1) as usize;
        let place = run.start + (low - first) as usize;
        let (weights, lowest) = match sign > 0 {
            true => (&row.weights[place..place + count], low),
            false => (&row.reversed[row.lags.len() - place - count..][..count], -high),
        };
        let begin = (self.reach as i32 + start as i32 + lowest) as usize;
        (weights, &self.values[begin..begin + count + BLOCK - 1])
    }
}

/// share weight_d sum_i a_i b_(i + d) for every lag d of a row.
#[inline(always)]
pub(super) fn lag_masses<const LOGS: bool, const FUSED: bool>(
    row: &LagRow,
    a: &[f64],
    b: &[f64],
    share: f64,
    out: &mut [f64],
) {
    /// Sums that run side by side.
    const LANES: usize = 16;
    for ((lag, weight), out) in row.lags().iter().zip(row.weights()).zip(out) {
        let pairs = a.len() - lag.unsigned_abs() as usize;
        let a = &a[(-lag).max(0) as usize..][..pairs];
        let b = &b[(*lag).max(0) as usize..][..pairs];
        let mut sums = [0.0; LANES];
        for (a, b) in a.chunks(LANES).zip(b.chunks(LANES)) {
            for lane in 0..a.len() {
                sums[lane] += match LOGS {
                    true => plain::<true, FUSED>(a[lane] + b[lane] + weight),
                    false => a[lane] * b[lane],
                };
            }
        }
        let sum: f64 = sums.iter().sum();
        *out = share * if LOGS { sum } else { weight * sum };
    }
}
