//! The flat metric exactly, by the network simplex.

use std::time::Instant;

use super::cloud::distance;
use super::{Cloud, Distance, lower_bound};
use crate::engine::Engine;
use crate::error::Result;
use crate::kernels::flat::FURTHEST;
use crate::linear::exact as simplex;
use crate::outcome::Outcome;

/// The flat metric and how it comes about.
#[derive(Clone, Debug, PartialEq)]
pub struct Exact {
    /// The distance. Its bounds are those of the plan and of the potentials: apart by rounding,
    /// or by more where the solve was cancelled.
    pub distance: Distance,
    /// The optimal test function at the points of the first cloud.
    pub f_a: Vec<f64>,
    /// The same at the points of the second one.
    pub f_b: Vec<f64>,
    /// What moves, as (point, point, mass); the rest is lost or made.
    pub plan: Vec<(u32, u32, f64)>,
    /// How the solve ended: iterations are pivots of the simplex, with nothing to tolerate.
    pub outcome: Outcome,
}

/// The flat metric between two clouds as balanced transport with the cost min(|x - y|, 2), and a
/// point that takes what one of them has more, at a cost of 1. A matrix of
/// n x m costs is stored; `cancel` is asked now and then whether to stop.
///
/// ```
/// use gaspard::flat::{Cloud, exact};
/// use ndarray::array;
/// let a = Cloud::new("a", array![[0.0, 0.0]], array![5.0])?;
/// let b = Cloud::counting("b", array![[1.0, 0.0], [0.0, 1.0]])?;
/// // Two units move by 1, three are lost.
/// assert!((exact(&a, &b, &mut || false)?.distance.value - 5.0).abs() < 1e-12);
/// # Ok::<(), gaspard::Error>(())
/// ```
///
/// # Errors
/// [`crate::Error::Shape`] for clouds in different dimensions, [`crate::Error::Limit`] where the
/// matrix does not fit.
pub fn exact(a: &Cloud, b: &Cloud, cancel: &mut dyn FnMut() -> bool) -> Result<Exact> {
    a.check_dimension(b)?;
    let begin = Instant::now();
    let masses = [a.mass(), b.mass()];
    let (n, m) = (a.weights().len(), b.weights().len());
    if masses[0] == 0.0 || masses[1] == 0.0 {
        // All of what is there has to go, or to come: the test function is the same everywhere.
        let total = masses[0] + masses[1];
        let f = if masses[0] > 0.0 { 1.0 } else { -1.0 };
        return Ok(Exact {
            distance: Distance::new(total, (total, total), masses),
            f_a: vec![f; n],
            f_b: vec![f; m],
            plan: Vec::new(),
            outcome: Outcome::new(&Engine::cpu(), begin, 0, 0.0),
        });
    }
    let surplus = masses[0] - masses[1];
    // What hardly differs is no surplus: the simplex evens out as much.
    let uneven = surplus.abs() > simplex::MASS_TOLERANCE * masses[0].max(masses[1]) * 1e-3;
    let (more_rows, more_cols) = match uneven {
        true => (usize::from(surplus < 0.0), usize::from(surplus > 0.0)),
        false => (0, 0),
    };
    let (rows, cols) = (n + more_rows, m + more_cols);
    Engine::cpu().require(
        "the costs",
        16 * (rows as u64) * (cols as u64),
        "use fewer points, or a method that stores no costs",
    )?;
    let mut costs = Vec::with_capacity(rows * cols);
    for i in 0..rows {
        for j in 0..cols {
            costs.push(match i < n && j < m {
                true => distance(a.points().row(i), b.points().row(j)).min(FURTHEST),
                false => 1.0,
            });
        }
    }
    let extended = |cloud: &Cloud, more: usize| -> Vec<f64> {
        let all = cloud.weights().iter().copied();
        all.chain(std::iter::repeat_n(surplus.abs(), more)).collect()
    };
    let supply = extended(a, more_rows);
    let demand = extended(b, more_cols);
    let found = simplex::exact(&supply, &demand, &costs, cancel)?;
    // Potentials have a free constant: that of the additional point is zero, or else the largest of
    // the rows is 1. Then none is above 1.
    let shift = match (more_rows, more_cols) {
        (1, _) => -found.potential_a[n],
        (_, 1) => found.potential_b[m],
        _ => 1.0 - found.potential_a.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    };
    let psi: Vec<f64> = found.potential_b[..m].iter().map(|value| value - shift).collect();
    let certificate = lower_bound(a, b, &psi)?;
    let plan: Vec<(u32, u32, f64)> = found
        .coupling
        .into_iter()
        .filter(|&(i, j, _)| {
            let (i, j) = (i as usize, j as usize);
            i < n && j < m && costs[i * cols + j] < FURTHEST
        })
        .collect();
    let value = found.value;
    let bounds = (certificate.value.min(value), value);
    Ok(Exact {
        distance: Distance::new(value, bounds, masses),
        f_a: certificate.phi,
        f_b: certificate.psi.iter().map(|psi| -psi).collect(),
        plan,
        outcome: Outcome {
            converged: found.optimal,
            interrupted: !found.optimal,
            ..Outcome::new(&Engine::cpu(), begin, found.pivots as usize, 0.0)
        },
    })
}
