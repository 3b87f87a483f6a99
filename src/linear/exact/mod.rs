//! Exact discrete optimal transport: the network simplex method in double precision.
//!
//! Solves the balanced transport problem of two weighted point sets under an arbitrary cost matrix
//! to optimality, with dual potentials that prove it. It is what every approximation in gaspard is
//! measured against.
//!
//! The method is the primal network simplex on the complete bipartite graph (Ahuja, Magnanti and
//! Orlin, *Network Flows*, chapter 11) with block search pricing. Masses are rounded to multiples
//! of a 2⁻⁶⁰th of the total or less, so that flows are exact integers and degenerate problems, such
//! as assignments, cannot cycle. The basis starts from a greedy assignment, without artificial arcs
//! and hence without a "big" cost that would swallow small ones. Potentials have twice the usual
//! precision, for the same reason.

mod double;
mod pricing;
mod start;
mod tree;

use std::borrow::Cow;

use crate::numeric::compensated_sum;
use crate::{Error, Result};
use pricing::BlockSearch;
use tree::Tree;

/// The largest relative difference of the two total masses that [`exact`] accepts.
pub const MASS_TOLERANCE: f64 = 1e-6;

/// How many pivots pass between two questions whether to stop.
const POLL: u64 = 256;

/// A problem with more than this many columns for every row is transposed.
const WIDE: usize = 2;

/// What [`exact`] found: a transport plan and the potentials that bound its cost from below.
#[derive(Clone, Debug, PartialEq)]
pub struct ExactPlan {
    /// The cost of the plan, `sum_ij P_ij C_ij`, in units of mass times cost.
    pub value: f64,
    /// `sum_i f_i a_i + sum_j g_j b_j`, which no plan can undercut. Equal to `value` up to rounding
    /// when the plan is optimal.
    pub dual_value: f64,
    /// The non-zero entries of the plan as (row, column, mass), sorted by row, then by column. At
    /// most `n + m - 1` of them.
    pub coupling: Vec<(u32, u32, f64)>,
    /// The potential `f` of the `n` rows: `f_i + g_j <= C_ij`, with equality where the plan has
    /// mass. Points without mass have one too.
    pub potential_a: Vec<f64>,
    /// The potential `g` of the `m` columns. The free constant is chosen such that both potentials
    /// have the same mean with respect to their masses.
    pub potential_b: Vec<f64>,
    /// Number of simplex pivots.
    pub pivots: u64,
    /// False if the run was cancelled. The plan then transports all the mass and the potentials
    /// satisfy all their inequalities, but there is a gap between `value` and `dual_value`.
    pub optimal: bool,
}

/// Exact optimal transport between weights `a` (length n) and `b` (length m) under the row-major
/// n x m matrix `cost`:
///
/// ```text
/// min  sum_ij P_ij C_ij   over  P >= 0,  P 1 = a,  P^T 1 = b
/// ```
///
/// Weights are masses in any unit; they need not sum to one, and points of weight zero are fine.
/// Where the totals of `a` and `b` differ by a relative [`MASS_TOLERANCE`] or less, `b` is scaled to
/// the total of `a`. Masses are resolved to a 2⁻⁶⁰th of the total or better; smaller ones count as
/// zero. Costs may be negative, and may span many orders of magnitude: a pair is resolved to the
/// rounding of its own cost and to 2⁻⁸⁸ of the largest one. (The potentials that are returned are
/// ordinary floats, and `dual_value` is only as sharp as they are.)
///
/// Memory is O(n + m) beside the cost matrix, of which a copy is made only if there are points
/// without mass or more than twice as many columns as rows. `cancel` is asked every few hundred
/// pivots whether to stop early, which leaves a feasible plan with [`ExactPlan::optimal`] false.
///
/// # Errors
///
/// [`Error::Shape`] if `cost` has not n x m entries. [`Error::Data`] if there are no points, if a
/// weight is negative or not finite, if there is no mass, if the two masses differ, if a cost is
/// not finite or so large that sums overflow, and if the optimum is not found within a number of
/// pivots far beyond what any known problem takes.
///
/// # Example
///
/// ```
/// use gaspard::linear::exact::exact;
///
/// // Half the mass of the first point has to move to the second column, at cost 3.
/// let (a, b) = ([1.0, 1.0], [0.5, 1.5]);
/// let cost = [0.0, 3.0, 4.0, 1.0];
/// let plan = exact(&a, &b, &cost, &mut || false)?;
/// assert_eq!(plan.coupling, [(0, 0, 0.5), (0, 1, 0.5), (1, 1, 1.0)]);
/// assert_eq!(plan.value, 2.5);
/// assert_eq!(plan.dual_value, 2.5);
/// # Ok::<(), gaspard::Error>(())
/// ```
pub fn exact(
    a: &[f64],
    b: &[f64],
    cost: &[f64],
    cancel: &mut dyn FnMut() -> bool,
) -> Result<ExactPlan> {
    let nodes = (a.len() + b.len()) as u64;
    solve(a, b, cost, cancel, nodes.saturating_mul(nodes).saturating_add(1_000_000))
}

/// [`exact`] with a limit on the number of pivots.
fn solve(
    a: &[f64],
    b: &[f64],
    cost: &[f64],
    cancel: &mut dyn FnMut() -> bool,
    limit: u64,
) -> Result<ExactPlan> {
    let problem = Problem::new(a, b, cost)?;
    let (rows, columns) = (problem.rows.len(), problem.columns.len());
    let dense = problem.dense(cost);
    let at = |row: usize, column: usize| dense[row * columns + column];

    let basis = start::greedy(&problem.supply, &problem.demand, &dense);
    let mut tree = Tree::new(rows, columns, start::ROOT, &basis, at);
    let mut search = BlockSearch::new(dense.len(), problem.largest_cost);
    let mut pivots = 0;
    let optimal = loop {
        if pivots % POLL == 0 && cancel() {
            break false;
        }
        let Some(entering) = search.next(&dense, &tree) else { break true };
        if pivots == limit {
            return Err(Error::data(
                "cost",
                format!("no optimum after {pivots} pivots"),
                "the costs may span more orders of magnitude than double precision resolves; \
                 scale or round them",
            ));
        }
        tree.pivot(&entering);
        pivots += 1;
    };
    Ok(problem.plan(&tree, cost, pivots, optimal))
}

/// The problem that the simplex sees: points with mass only, masses as integers, and at least as
/// many rows as columns or not many fewer.
struct Problem {
    /// Number of columns of the user's cost matrix.
    stride: usize,
    /// Whether rows and columns below are the user's columns and rows.
    transposed: bool,
    /// No point is left out, and nothing is transposed.
    verbatim: bool,
    /// The rows that carry mass, and how much: `supply * 2^-exponent`.
    rows: Vec<u32>,
    supply: Vec<i64>,
    /// The columns that carry mass, and how much.
    columns: Vec<u32>,
    demand: Vec<i64>,
    exponent: i32,
    largest_cost: f64,
}

impl Problem {
    fn new(a: &[f64], b: &[f64], cost: &[f64]) -> Result<Self> {
        let (n, m) = (a.len(), b.len());
        if n == 0 || m == 0 {
            let empty = if n == 0 { "a" } else { "b" };
            return Err(Error::data(empty, "there are no points", "give at least one"));
        }
        if n.checked_mul(m) != Some(cost.len()) {
            return Err(Error::shape("cost", format!("{n} x {m} entries"), cost.len().to_string()));
        }
        if u32::try_from(n + m).is_err() {
            return Err(Error::shape("a and b", "fewer than 2^32 points", (n + m).to_string()));
        }
        let (mass_a, mass_b) = (total_mass("a", a)?, total_mass("b", b)?);
        if (mass_a - mass_b).abs() > MASS_TOLERANCE * mass_a.max(mass_b) {
            return Err(Error::data(
                "a and b",
                format!("their masses {mass_a} and {mass_b} differ"),
                "scale them to the same total, or use unbalanced transport",
            ));
        }
        let largest_cost = largest_magnitude(cost, m)?;
        // Potentials are sums of up to n + m - 1 costs, and reduced costs of three such terms.
        if !(largest_cost * (4 * (n + m)) as f64 * mass_a.max(1.0)).is_finite() {
            return Err(Error::data(
                "cost",
                format!("the largest entry, {largest_cost:e}, makes sums overflow"),
                "scale the costs down",
            ));
        }

        // Totals between 2^60 and 2^61 leave room in an i64 for every sum.
        let exponent = 60 - mass_a.log2().floor() as i32;
        let (mut rows, mut supply) = on_grid(a, 1.0, exponent);
        let (mut columns, mut demand) = on_grid(b, mass_a / mass_b, exponent);
        // What rounding left over, a tiny fraction of the total, goes where it is felt least.
        let rest = supply.iter().sum::<i64>() - demand.iter().sum::<i64>();
        if let Some(most) = demand.iter_mut().max() {
            *most += rest;
        }

        // The simplex is fast with few columns, not with few rows: it searches row by row, and
        // keeps potentials for the columns only.
        let transposed = columns.len() > WIDE * rows.len();
        let verbatim = !transposed && (rows.len(), columns.len()) == (n, m);
        if transposed {
            std::mem::swap(&mut rows, &mut columns);
            std::mem::swap(&mut supply, &mut demand);
        }
        Ok(Self {
            stride: m,
            transposed,
            verbatim,
            rows,
            supply,
            columns,
            demand,
            exponent,
            largest_cost,
        })
    }

    /// The user's indices of a row and a column.
    fn pair(&self, row: usize, column: usize) -> (u32, u32) {
        let (row, column) = (self.rows[row], self.columns[column]);
        if self.transposed { (column, row) } else { (row, column) }
    }

    /// The costs between the rows and the columns, row-major.
    fn dense<'a>(&self, cost: &'a [f64]) -> Cow<'a, [f64]> {
        if self.verbatim {
            return Cow::Borrowed(cost);
        }
        let mut dense = Vec::with_capacity(self.rows.len() * self.columns.len());
        for row in 0..self.rows.len() {
            dense.extend((0..self.columns.len()).map(|column| {
                let (i, j) = self.pair(row, column);
                cost[i as usize * self.stride + j as usize]
            }));
        }
        Cow::Owned(dense)
    }

    /// Reads the plan off the basis and completes the potentials.
    fn plan(&self, tree: &Tree, cost: &[f64], pivots: u64, optimal: bool) -> ExactPlan {
        let m = self.stride;
        let mass = |units: i64| scaled(units as f64, -self.exponent);
        let mut coupling: Vec<(u32, u32, f64)> = tree
            .arcs()
            .filter(|arc| arc.flow > 0)
            .map(|arc| {
                let (i, j) = self.pair(arc.row as usize, arc.column as usize);
                (i, j, mass(arc.flow))
            })
            .collect();
        coupling.sort_unstable_by_key(|&(i, j, _)| (i, j));
        let value = compensated_sum(
            coupling.iter().map(|&(i, j, mass)| mass * cost[i as usize * m + j as usize]),
        );

        // The constant that makes the means of f and g equal also keeps both small.
        let f: Vec<f64> = (0..self.rows.len()).map(|row| tree.f(row)).collect();
        let g: Vec<f64> = tree.minus_g().iter().map(|minus_g| -minus_g).collect();
        let shift = (mean(&f, &self.supply) - mean(&g, &self.demand)) / 2.0;
        let a = Side { points: &self.rows, units: &self.supply, potential: f, shift: -shift };
        let b = Side { points: &self.columns, units: &self.demand, potential: g, shift };
        let (a, b) = if self.transposed { (b, a) } else { (a, b) };

        // Columns without mass take the largest potential that rows with mass allow. After that
        // every row does the same. This gives rows without mass theirs, changes others by rounding
        // only if the plan is optimal, and makes the potentials feasible if it is not.
        let mut g = vec![f64::INFINITY; m];
        if b.points.len() < m {
            for (&point, f) in a.points.iter().zip(&a.potential) {
                let f = f + a.shift;
                for (g, cost) in g.iter_mut().zip(&cost[point as usize * m..][..m]) {
                    *g = g.min(cost - f);
                }
            }
        }
        for (&point, potential) in b.points.iter().zip(&b.potential) {
            g[point as usize] = potential + b.shift;
        }
        let least = |row: &[f64]| {
            row.iter().zip(&g).map(|(cost, g)| cost - g).fold(f64::INFINITY, f64::min)
        };
        let f: Vec<f64> = cost.chunks_exact(m).map(least).collect();

        let dual = |side: &Side, potential: &[f64]| {
            let terms = side.points.iter().zip(side.units);
            compensated_sum(terms.map(|(&point, &units)| potential[point as usize] * mass(units)))
        };
        let dual_value = dual(&a, &f) + dual(&b, &g);
        ExactPlan { value, dual_value, coupling, potential_a: f, potential_b: g, pivots, optimal }
    }
}

/// The points with mass on one side, and what the simplex knows about them.
struct Side<'a> {
    points: &'a [u32],
    units: &'a [i64],
    potential: Vec<f64>,
    /// To be added to the potential.
    shift: f64,
}

/// The mean of a potential with respect to masses.
fn mean(potential: &[f64], units: &[i64]) -> f64 {
    let total = units.iter().sum::<i64>() as f64;
    compensated_sum(potential.iter().zip(units).map(|(p, &units)| p * (units as f64 / total)))
}

/// The sum of the weights, all of which must be finite and not negative.
fn total_mass(name: &str, weights: &[f64]) -> Result<f64> {
    let usable = |weight: f64| weight.is_finite() && weight >= 0.0;
    if let Some(index) = weights.iter().position(|&weight| !usable(weight)) {
        return Err(Error::data(
            name,
            format!("weight {index} is {}", weights[index]),
            "weights must be finite and not negative",
        ));
    }
    let total = compensated_sum(weights.iter().copied());
    if total == 0.0 {
        return Err(Error::data(name, "there is no mass", "give some point a positive weight"));
    }
    if !total.is_finite() {
        return Err(Error::data(name, "the total mass overflows", "scale the weights down"));
    }
    Ok(total)
}

/// The largest cost in absolute value; all must be finite.
fn largest_magnitude(cost: &[f64], columns: usize) -> Result<f64> {
    if let Some(index) = cost.iter().position(|cost| !cost.is_finite()) {
        let (row, column) = (index / columns, index % columns);
        return Err(Error::data(
            "cost",
            format!("the entry in row {row}, column {column} is {}", cost[index]),
            "costs must be finite; to forbid a pair, give it a cost some orders of magnitude above \
             the others",
        ));
    }
    Ok(cost.iter().fold(0.0, |largest, cost| cost.abs().max(largest)))
}

/// The weights times `ratio` in units of `2^-exponent`: the indices and values of those that are
/// not zero then.
fn on_grid(weights: &[f64], ratio: f64, exponent: i32) -> (Vec<u32>, Vec<i64>) {
    weights
        .iter()
        .enumerate()
        .map(|(index, weight)| (index as u32, scaled(weight * ratio, exponent).round() as i64))
        .filter(|&(_, units)| units > 0)
        .unzip()
}

/// `x * 2^exponent`, in two steps because the power alone may overflow where the product does not.
fn scaled(x: f64, exponent: i32) -> f64 {
    let half = exponent / 2;
    x * 2f64.powi(half) * 2f64.powi(exponent - half)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_few_pivots_are_an_error() {
        // The greedy start gives the first row its cheapest column, which the second one needs.
        let cost = [1.0, 2.0, 1.0, 100.0];
        let weights = [1.0, 1.0];
        let error = solve(&weights, &weights, &cost, &mut || false, 0).unwrap_err();
        assert!(error.to_string().contains("no optimum after 0 pivots"), "{error}");
        let plan = solve(&weights, &weights, &cost, &mut || false, 1).unwrap();
        assert_eq!((plan.value, plan.pivots), (3.0, 1));
    }

    #[test]
    fn scaling_reaches_subnormal_numbers() {
        assert_eq!(scaled(5e-324, 1134), 2f64.powi(60));
        assert_eq!(scaled(2f64.powi(60), -1134), 5e-324);
        assert_eq!(scaled(2f64.powi(1023), -963), 2f64.powi(60));
    }
}
