//! Bounds out of any potentials.

use ndarray::Axis;
use rayon::prelude::*;

use super::Cloud;
use super::sinkhorn::{Centred, Pairs};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::geometry::Cost;
use crate::kernels::point_costs::join_costs;
use crate::numeric::compensated_sum;
use crate::validate::positive;

/// A lower bound on the flat metric from any potential `psi` on the points of `b`, and the potential
/// that it leads to: phi on the points of `a`, psi on those of `b`, both between -1 and 1 and with
/// phi_i + psi_j <= |x_i - y_j|:
///
/// ```text
/// s_i = min_j (d_ij - psi_j),   t_j = min_i (d_ij - s_i),
/// psi_j = min(1, t_j - c) with the best c for min(1, s_i + c) beside it;
/// the first time with s_i at most 1, and once more as it is; then
/// phi_i = min(1, min_j (d_ij - psi_j)),   bound = sum a_i phi_i + sum b_j psi_j
/// ```
///
/// Each step can only increase it, and one point against anything comes out exactly: without the
/// shift, any value at that point would stay as it is. O(n m) time and O(n + m) memory.
///
/// ```
/// use gaspard::flat::{Cloud, lower_bound};
/// use ndarray::array;
/// let a = Cloud::counting("a", array![[0.0]])?;
/// let b = Cloud::counting("b", array![[0.7]])?;
/// assert!((lower_bound(&a, &b, &[0.0])?.value - 0.7).abs() < 1e-14);
/// # Ok::<(), gaspard::Error>(())
/// ```
///
/// # Errors
/// [`Error::Shape`] for clouds in different dimensions, and unless there is a number for every point
/// of `b`; [`Error::Data`] for one that is not a number.
pub fn lower_bound(a: &Cloud, b: &Cloud, psi: &[f64]) -> Result<Certificate> {
    a.check_dimension(b)?;
    let clipped = checked(b, psi)?;
    let [all_a, all_b] = [a, b].map(|cloud| (0..cloud.weights().len()).collect::<Vec<_>>());
    let [onto_a, onto_b] = [(a, b, &all_b), (b, a, &all_a)];
    let transformed = |(here, there, points): (_, _, &Vec<usize>), potential: &[f64], most| {
        transformed(here, there, points, potential, most)
    };
    let mut psi = clipped;
    // First as potentials are, then without the limit, for what a shift brings back below it.
    for most in [1.0, f64::INFINITY] {
        let s = transformed(onto_a, &psi, most);
        let t = transformed(onto_b, &s, f64::INFINITY);
        let shift = best_shift([a, b], [&s, &t]);
        psi = t.iter().map(|t| (t - shift).clamp(-1.0, 1.0)).collect();
    }
    let phi = transformed(onto_a, &psi, 1.0);
    let terms = [(a, &phi), (b, &psi)].into_iter().flat_map(|(cloud, potential)| {
        cloud.weights().iter().zip(potential).map(|(mass, value)| mass * value)
    });
    let value = compensated_sum(terms);
    Ok(Certificate { value, phi, psi })
}

/// The c with the largest sum a_i min(1, s_i + c) + sum b_j min(1, t_j - c), which is concave: the
/// slope begins with the mass of `a` and falls by a_i where s_i + c reaches 1, by b_j where t_j - c
/// falls below.
fn best_shift([a, b]: [&Cloud; 2], [s, t]: [&[f64]; 2]) -> f64 {
    let falls_a = s.iter().zip(a.weights()).map(|(s, mass)| (1.0 - s, *mass));
    let falls_b = t.iter().zip(b.weights()).map(|(t, mass)| (t - 1.0, *mass));
    let mut falls: Vec<(f64, f64)> = falls_a.chain(falls_b).filter(|fall| fall.1 > 0.0).collect();
    falls.sort_by(|one, other| one.0.total_cmp(&other.0));
    let mut slope = a.mass();
    let top = falls.iter().find(|(_, mass)| {
        slope -= mass;
        slope <= 0.0
    });
    // Rounding can leave a slope after the last fall.
    top.or(falls.last()).map_or(0.0, |(shift, _)| *shift)
}

/// What [`lower_bound`] finds.
#[derive(Clone, Debug, PartialEq)]
pub struct Certificate {
    /// The bound.
    pub value: f64,
    /// The potential on the points of the first cloud.
    pub phi: Vec<f64>,
    /// The potential on the points of the second cloud; f = -psi there.
    pub psi: Vec<f64>,
}

/// An upper bound on the flat metric from any potentials, which need not be feasible: the cost of
/// the plan a_i b_j exp((phi_i + psi_j - |x_i - y_j|) / epsilon) once it is made to meet the masses:
/// entries further than 2 are dropped, rows and then columns that are too heavy scaled
/// down, and three sweeps move what is left of the rows to what is left of the columns, along
/// exp((psi_j - |x_i - y_j|) / 2 epsilon).
///
/// ```text
/// bound = |a| + |b| + sum_ij T_ij (|x_i - y_j| - 2)
/// ```
///
/// It is near the metric where potentials are near the best ones and epsilon is small. O(n m) time
/// and O(n + m) memory, in f64 on the CPU.
///
/// ```
/// use gaspard::flat::{Cloud, upper_bound};
/// use ndarray::array;
/// let a = Cloud::counting("a", array![[0.0]])?;
/// let b = Cloud::counting("b", array![[0.7]])?;
/// assert!((upper_bound(&a, &b, &[0.7], &[0.0], 0.01)? - 0.7).abs() < 1e-10);
/// # Ok::<(), gaspard::Error>(())
/// ```
///
/// # Errors
/// [`Error::Shape`] for clouds in different dimensions, and unless there is a number for every
/// point; [`Error::Data`] for one that is not a number; [`Error::Parameter`] for an epsilon that is
/// not positive.
pub fn upper_bound(a: &Cloud, b: &Cloud, phi: &[f64], psi: &[f64], epsilon: f64) -> Result<f64> {
    a.check_dimension(b)?;
    positive("epsilon", epsilon, "give the entropic strength, which is a distance")?;
    let clipped = [checked(a, phi)?, checked(b, psi)?];
    let masses = [a.mass(), b.mass()];
    let least = masses[0].min(masses[1]);
    if least == 0.0 {
        return Ok(masses[0] + masses[1]);
    }
    let pair = Centred::new(
        [a, b].map(|cloud| cloud.points().clone()),
        [a, b].map(|cloud| cloud.weights().to_vec()),
    );
    let mut pairs = Pairs::new(&Engine::cpu(), &[pair])?;
    pairs.set_potentials([&clipped[0], &clipped[1]])?;
    Ok(least * (pairs.upper(epsilon, &[true])?[0] + pairs.rounding(0, epsilon)))
}

/// The potential of a cloud between -1 and 1.
fn checked(cloud: &Cloud, potential: &[f64]) -> Result<Vec<f64>> {
    let count = cloud.weights().len();
    if potential.len() != count {
        let expected = format!("{count} numbers");
        return Err(Error::shape("a potential", expected, potential.len().to_string()));
    }
    if potential.iter().any(|value| value.is_nan()) {
        return Err(Error::data("a potential", "a value is NaN", "give numbers"));
    }
    Ok(potential.iter().map(|value| value.clamp(-1.0, 1.0)).collect())
}

/// The test function at all points of both clouds out of phi and psi at some points of each, which
/// hold all the mass that counts.
pub(super) fn completed(
    [a, b]: [&Cloud; 2],
    kept: [&[usize]; 2],
    [phi, psi]: [Vec<f64>; 2],
) -> (Vec<f64>, Vec<f64>) {
    let complete = [a, b].map(|cloud| cloud.weights().len()) == kept.map(<[usize]>::len);
    let [phi, psi] = if complete {
        [phi, psi]
    } else {
        let phi = transformed(a, b, kept[1], &psi, 1.0);
        let everywhere: Vec<usize> = (0..phi.len()).collect();
        let psi = transformed(b, a, &everywhere, &phi, 1.0);
        [phi, psi]
    };
    (phi, psi.into_iter().map(|psi| -psi).collect())
}

/// min(most, min_j (|x_i - y_j| - potential_j)) over these points.
fn transformed(
    here: &Cloud,
    there: &Cloud,
    points: &[usize],
    potential: &[f64],
    most: f64,
) -> Vec<f64> {
    let axes: Vec<Vec<f64>> = there
        .points()
        .columns()
        .into_iter()
        .map(|axis| points.iter().map(|&point| axis[point]).collect())
        .collect();
    let axes: Vec<&[f64]> = axes.iter().map(Vec::as_slice).collect();
    let mut potentials = vec![most; here.points().nrows()];
    let rows = here.points().axis_iter(Axis(0)).into_par_iter();
    potentials.par_iter_mut().zip(rows).for_each(|(out, row)| {
        let (row, out) = (row.to_vec(), std::slice::from_mut(out));
        join_costs(Cost::Euclidean, &row, &axes, 0..points.len(), out, |least, some, costs| {
            let values = costs.iter().zip(&potential[some]).map(|(cost, value)| cost - value);
            *least = values.fold(*least, f64::min);
        });
    });
    potentials
}
