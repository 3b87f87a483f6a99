//! A strongly feasible starting basis without artificial arcs.

use super::pricing::argmin_below;
use super::tree::Arc;

/// The column that [`greedy`] makes its basis strongly feasible for.
pub(super) const ROOT: usize = 0;

/// Mass with an infinitesimal part, compared lexicographically.
///
/// Adding one infinitesimal to the supply of every node but the root, which takes them all in,
/// makes the problem non-degenerate: no proper subset of nodes balances any more. A basic solution
/// of the perturbed problem has positive flow on every tree arc, so an arc whose real part is zero
/// must carry infinitesimals, and those only flow towards the root. Hence whatever order a greedy
/// assignment takes, its basis is strongly feasible.
type Mass = (i64, i64);

/// Greedy assignment by the modified row minimum rule: the rows take turns, each time trading as
/// much mass as possible with their cheapest column that is still open. Every trade closes exactly
/// one row or one column, which makes the arcs a spanning tree.
///
/// Returns `a.len() + b.len() - 1` arcs. The entries of `a` and `b` are positive and have the same
/// sum. Takes `a.len() + b.len()` searches of one row.
pub(super) fn greedy(a: &[i64], b: &[i64], cost: &[f64]) -> Vec<Arc> {
    let (rows, columns) = (a.len(), b.len());
    let nodes = rows + columns;
    let mut supply: Vec<Mass> = a.iter().map(|&mass| (mass, 1)).collect();
    let mut demand: Vec<Mass> = b.iter().map(|&mass| (mass, -1)).collect();
    demand[ROOT].1 = nodes as i64 - 1;
    // Added to the costs: infinite for closed columns, which takes them out of the minimum.
    let mut closed = vec![0.0; columns];

    let mut arcs = Vec::with_capacity(nodes - 1);
    let mut open: Vec<usize> = (0..rows).collect();
    while !open.is_empty() {
        open.retain(|&row| {
            let line = &cost[row * columns..(row + 1) * columns];
            let Some(column) = argmin_below(line, &closed, f64::INFINITY) else { return false };
            let mass = supply[row].min(demand[column]);
            arcs.push(Arc { row: row as u32, column: column as u32, flow: mass.0 });
            subtract(&mut supply[row], mass);
            subtract(&mut demand[column], mass);
            if demand[column] == (0, 0) {
                closed[column] = f64::INFINITY;
            }
            supply[row] != (0, 0)
        });
    }
    arcs
}

fn subtract(from: &mut Mass, mass: Mass) {
    from.0 -= mass.0;
    from.1 -= mass.1;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_strongly_feasible(a: &[i64], b: &[i64], arcs: &[Arc]) {
        let (rows, nodes) = (a.len(), a.len() + b.len());
        assert_eq!(arcs.len(), nodes - 1);
        let mut depth = vec![usize::MAX; nodes];
        depth[rows + ROOT] = 0;
        for _ in 0..nodes {
            for arc in arcs {
                let (row, column) = (arc.row as usize, rows + arc.column as usize);
                for (from, to) in [(row, column), (column, row)] {
                    if depth[from] != usize::MAX && depth[to] == usize::MAX {
                        depth[to] = depth[from] + 1;
                    }
                }
            }
        }
        assert!(depth.iter().all(|&depth| depth != usize::MAX), "not spanning");
        let mut net: Vec<i64> = a.iter().copied().chain(b.iter().map(|&mass| -mass)).collect();
        for arc in arcs {
            let (row, column) = (arc.row as usize, rows + arc.column as usize);
            assert!(arc.flow >= 0);
            assert!(arc.flow > 0 || depth[column] < depth[row], "{arc:?} points away");
            net[row] -= arc.flow;
            net[column] += arc.flow;
        }
        assert!(net.iter().all(|&mass| mass == 0));
    }

    #[test]
    fn degenerate_starts_are_strongly_feasible() {
        for (rows, columns) in [(1, 1), (1, 5), (5, 1), (6, 6), (4, 12), (12, 4), (3, 15)] {
            for seed in 0..20 {
                let cost: Vec<f64> = (0..rows * columns)
                    .map(|k| ((k * 7 + seed * k * k + seed) % 11) as f64)
                    .collect();
                let (a, b) = (vec![columns as i64; rows], vec![rows as i64; columns]);
                assert_strongly_feasible(&a, &b, &greedy(&a, &b, &cost));
            }
        }
    }
}
