//! Finding the entering arc: a block search over the implicit arcs.

use super::double::Double;
use super::tree::Tree;

/// An arc that would lower the cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entering {
    pub row: usize,
    pub column: usize,
    pub cost: f64,
    /// `cost - f - g`, below zero.
    pub reduced: Double,
}

/// Scans the cost matrix cyclically, a block of consecutive arcs at a time, and answers with the
/// arc of least reduced cost in the first block that has one below zero.
#[derive(Debug)]
pub(super) struct BlockSearch {
    row: usize,
    column: usize,
    /// Arcs in a block. The square root of their number balances long searches against many pivots.
    block: usize,
    /// Rounding in a reduced cost from the potentials.
    noise: f64,
    /// Set once a quick search has found nothing: it overlooks improvements that are smaller than
    /// the rounding of single floats, which is coarse where potentials are much larger than costs.
    careful: bool,
}

/// Rounding in a reduced cost relative to the largest cost. Potentials have 106 bits; some are for
/// their being sums of many costs, and for the many updates they go through.
const POTENTIAL_NOISE: f64 = 1.0 / (1u128 << 88) as f64;

/// Rounding in a reduced cost relative to the cost: what the user's own arithmetic leaves there.
const COST_NOISE: f64 = 4.0 * f64::EPSILON;

impl BlockSearch {
    /// A search among so many arcs, of which the largest cost has the absolute value `largest`.
    pub fn new(arcs: usize, largest: f64) -> Self {
        let block = arcs.isqrt().max(CHUNK);
        Self { row: 0, column: 0, block, noise: POTENTIAL_NOISE * largest, careful: false }
    }

    /// The next entering arc, or `None` when every arc of `cost` has a reduced cost that is zero or
    /// more, give or take rounding.
    pub fn next(&mut self, cost: &[f64], tree: &Tree) -> Option<Entering> {
        if !self.careful {
            let found = self.sweep(cost, tree);
            if found.is_some() {
                return found;
            }
            self.careful = true;
        }
        self.sweep(cost, tree)
    }

    /// Searches block after block until one has an entering arc, at most once round.
    fn sweep(&mut self, cost: &[f64], tree: &Tree) -> Option<Entering> {
        let columns = tree.minus_g().len();
        let rows = cost.len() / columns;
        let mut left = cost.len();
        while left > 0 {
            let mut best: Option<Entering> = None;
            let mut block = self.block.min(left);
            left -= block;
            while block > 0 {
                let to = columns.min(self.column + block);
                let segment = &cost[self.row * columns..][self.column..to];
                let least = best.map_or(0.0, |best| best.reduced.high);
                let better = if self.careful {
                    self.least_precise(segment, tree, least)
                } else {
                    self.least(segment, tree, least)
                };
                best = better.or(best);
                block -= to - self.column;
                self.column = to;
                if to == columns {
                    self.column = 0;
                    self.row = if self.row + 1 == rows { 0 } else { self.row + 1 };
                }
            }
            if best.is_some() {
                return best;
            }
        }
        None
    }

    /// The arc of least reduced cost in a segment of the current row, if below `below`, judging by
    /// single floats.
    fn least(&self, segment: &[f64], tree: &Tree, below: f64) -> Option<Entering> {
        let minus_g = &tree.minus_g()[self.column..][..segment.len()];
        let at = argmin_below(segment, minus_g, below + tree.f(self.row))?;
        self.improving(self.column + at, segment[at], tree)
    }

    /// The same, with the precision that the potentials have.
    fn least_precise(&self, segment: &[f64], tree: &Tree, mut below: f64) -> Option<Entering> {
        let f = tree.f(self.row);
        let mut best = None;
        let columns = self.column..;
        for ((column, &cost), minus_g) in columns.zip(segment).zip(&tree.minus_g()[self.column..]) {
            let margin = (cost.abs() + minus_g.abs() + f.abs()) * (2.0 * f64::EPSILON);
            if cost + minus_g - f >= below + margin {
                continue;
            }
            if let Some(arc) = self.improving(column, cost, tree)
                && arc.reduced.high < below
            {
                below = arc.reduced.high;
                best = Some(arc);
            }
        }
        best
    }

    /// The arc from the current row to `column`, if it lowers the cost by more than rounding.
    fn improving(&self, column: usize, cost: f64, tree: &Tree) -> Option<Entering> {
        let reduced = tree.reduced(self.row, column, cost);
        let improves = reduced.high < -(self.noise + COST_NOISE * cost.abs());
        improves.then_some(Entering { row: self.row, column, cost, reduced })
    }
}

/// How many entries are searched before their minimum is compared and its place noted.
const CHUNK: usize = 128;

/// The index of the least `cost[k] + shift[k]` if that is below `below`; the first one of equals.
pub(super) fn argmin_below(cost: &[f64], shift: &[f64], below: f64) -> Option<usize> {
    const LANES: usize = 8;
    let mut least = below;
    let mut chunk = None;
    for (index, (cost, shift)) in cost.chunks(CHUNK).zip(shift.chunks(CHUNK)).enumerate() {
        let mut lanes = [f64::INFINITY; LANES];
        let (cost8, cost_rest) = cost.as_chunks::<LANES>();
        let (shift8, shift_rest) = shift.as_chunks::<LANES>();
        for (cost, shift) in cost8.iter().zip(shift8) {
            for lane in 0..LANES {
                let value = cost[lane] + shift[lane];
                lanes[lane] = if value < lanes[lane] { value } else { lanes[lane] };
            }
        }
        let mut smallest = f64::INFINITY;
        for lane in lanes {
            smallest = if lane < smallest { lane } else { smallest };
        }
        for (cost, shift) in cost_rest.iter().zip(shift_rest) {
            let value = cost + shift;
            smallest = if value < smallest { value } else { smallest };
        }
        if smallest < least {
            (least, chunk) = (smallest, Some(index * CHUNK));
        }
    }
    let chunk = chunk?;
    let found = cost[chunk..].iter().zip(&shift[chunk..]).position(|(c, s)| c + s == least);
    found.map(|at| chunk + at)
}
