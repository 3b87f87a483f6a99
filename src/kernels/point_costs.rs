//! The loop of CPU twins over costs between points, which are computed a few at a time.

use std::ops::Range;

use crate::geometry::Cost;
use crate::kernels::vector::CHUNK;

/// Rows that share the columns in the first-level cache.
pub(crate) const ROWS_AT_ONCE: usize = 8;

/// Some of many points that lie coordinate by coordinate, one point after another.
pub(crate) fn gathered(points: &[f64], count: usize, some: Range<usize>) -> Vec<f64> {
    some.flat_map(|point| points[point..].iter().step_by(count).copied()).collect()
}

/// Joins the costs between every point of `here`, which lie one after another, and the columns of
/// `there`, coordinate by coordinate, into a total for each: `join` gets the total, some columns, and
/// the costs to these, which it may change.
pub(crate) fn join_costs<T>(
    cost: Cost,
    here: &[f64],
    there: &[&[f64]],
    columns: Range<usize>,
    totals: &mut [T],
    mut join: impl FnMut(&mut T, Range<usize>, &mut [f64]),
) {
    let mut costs = [0.0; CHUNK];
    let mut axes = Vec::with_capacity(there.len());
    for begin in columns.clone().step_by(CHUNK) {
        let chunk = begin..(begin + CHUNK).min(columns.end);
        axes.clear();
        axes.extend(there.iter().map(|axis| &axis[chunk.clone()]));
        let costs = &mut costs[..chunk.len()];
        for (total, here) in totals.iter_mut().zip(here.chunks(there.len())) {
            cost.evaluate(here, &axes, costs);
            join(total, chunk.clone(), costs);
        }
    }
}
