//! The velocity of a motion between grid points, and the curves along it.

use super::super::{Domain, Solution};
use crate::error::{Error, Result};

/// Steps of the midpoint rule in a step of time.
const SUBSTEPS: usize = 8;
/// Where there is less than this share of the largest density, what moves there is rounding, or
/// what is left to converge.
const FLOOR: f64 = 1e-6;

/// A place between two neighbours along an axis.
#[derive(Clone, Copy, Default)]
pub(super) struct Between {
    /// The lower one.
    pub below: usize,
    /// The share of the upper one.
    pub above: f64,
}

impl Between {
    /// A place counted in neighbours, of which there are so many, at least 2.
    pub fn new(place: f64, count: usize) -> Self {
        let place = place.clamp(0.0, (count - 1) as f64);
        let below = (place as usize).min(count - 2);
        Self { below, above: place - below as f64 }
    }
}

/// The indices and shares of the corners around a place, in an array of these sides.
pub(super) fn corners(
    between: &[Between; 3],
    sides: &[usize],
) -> impl Iterator<Item = (usize, f64)> {
    let dimension = sides.len();
    (0..1_usize << dimension).map(move |corner| {
        let axes = between.iter().zip(sides).enumerate();
        axes.fold((0, 1.0), |(index, share), (axis, (between, side))| {
            let upper = corner >> axis & 1;
            let factor = if upper == 1 { between.above } else { 1.0 - between.above };
            (index * side + between.below + upper, share * factor)
        })
    })
}

/// The velocity of a motion.
pub(super) struct Field {
    /// Cells along the axes of space, cells per unit along each, and its lengths.
    cells: Vec<usize>,
    rates: Vec<f64>,
    lengths: Vec<f64>,
    steps: usize,
    /// Along every axis, at the faces normal to it, and the density; in row-major order.
    momenta: Vec<Vec<f64>>,
    density: Vec<f64>,
    floor: f64,
}

impl Field {
    pub fn new(solution: &Solution, domain: &Domain) -> Result<Self> {
        let cells = domain.cells().to_vec();
        let expected: Vec<usize> = [domain.steps() + 1].into_iter().chain(cells.clone()).collect();
        if solution.density.shape() != expected {
            let found = format!("{:?}", solution.density.shape());
            return Err(Error::shape("the density", format!("{expected:?}"), found));
        }
        Ok(Self {
            cells,
            rates: domain.rates()[1..].to_vec(),
            lengths: domain.lengths().to_vec(),
            steps: domain.steps(),
            momenta: solution.momenta[0].iter().map(|m| m.iter().copied().collect()).collect(),
            density: solution.density.iter().copied().collect(),
            floor: FLOOR * solution.density.iter().copied().fold(0.0, f64::max),
        })
    }

    /// The places at the nodes of time, one after another.
    pub fn path(&self, seed: [f64; 3]) -> Vec<f64> {
        let dimension = self.cells.len();
        let mut place = self.inside(seed);
        let mut path = Vec::with_capacity((self.steps + 1) * dimension);
        path.extend(&place[..dimension]);
        let step = 1.0 / (self.steps * SUBSTEPS) as f64;
        for node in 0..self.steps {
            for substep in 0..SUBSTEPS {
                let at = |part: f64| (substep as f64 + part) / SUBSTEPS as f64;
                let first = self.velocity(&place, node, at(0.0));
                let middle = self.moved(&place, 0.5 * step, &first);
                place = self.moved(&place, step, &self.velocity(&middle, node, at(0.5)));
            }
            path.extend(&place[..dimension]);
        }
        path
    }

    fn moved(&self, place: &[f64; 3], step: f64, velocity: &[f64; 3]) -> [f64; 3] {
        self.inside(std::array::from_fn(|axis| place[axis] + step * velocity[axis]))
    }

    fn inside(&self, mut place: [f64; 3]) -> [f64; 3] {
        for (x, length) in place.iter_mut().zip(&self.lengths) {
            *x = x.clamp(0.0, *length);
        }
        place
    }

    /// At a place, so far through a step of time.
    fn velocity(&self, place: &[f64; 3], step: usize, part: f64) -> [f64; 3] {
        let dimension = self.cells.len();
        let mut velocity = [0.0; 3];
        let mut cells = [Between::default(); 3];
        for (axis, between) in cells.iter_mut().enumerate().take(dimension) {
            *between = Between::new(place[axis] * self.rates[axis] - 0.5, self.cells[axis]);
        }
        let plane: usize = self.cells.iter().product();
        let [start, end] = [step, step + 1].map(|node| &self.density[node * plane..][..plane]);
        let density: f64 = corners(&cells, &self.cells)
            .map(|(cell, share)| share * ((1.0 - part) * start[cell] + part * end[cell]))
            .sum();
        if density.is_nan() || density <= self.floor {
            return velocity;
        }
        for (along, velocity) in velocity.iter_mut().enumerate().take(dimension) {
            let last = self.cells[along];
            let stride: usize = self.cells[along + 1..].iter().product();
            let plane = plane / last * (last + 1);
            let momenta = &self.momenta[along][step * plane..][..plane];
            let faces = spline(place[along] * self.rates[along], last);
            // Across the other axes, from the first face along this one.
            let mut sides = [1; 3];
            sides[..dimension].copy_from_slice(&self.cells);
            sides[along] = last + 1;
            let mut across = cells;
            across[along] = Between::default();
            for (face, share) in corners(&across, &sides[..dimension]) {
                // Half of the corners lie along this axis, and have no share.
                if share > 0.0 {
                    let line =
                        faces.iter().map(|(at, factor)| factor * momenta[face + at * stride]);
                    *velocity += share * line.sum::<f64>() / density;
                }
            }
        }
        velocity
    }
}

/// The faces around a place that is counted in them, from 0 to `last`, each with its factor in a
/// quadratic B-spline. What is beyond the border is reflected: momenta point the other way there,
/// and at the border there is none.
fn spline(place: f64, last: usize) -> [(usize, f64); 3] {
    let nearest = (place.round() as usize).min(last);
    let off = place - nearest as f64;
    let (below, above) = (0.5 * (0.5 - off).powi(2), 0.5 * (0.5 + off).powi(2));
    let middle = (nearest, 0.75 - off * off);
    match nearest {
        0 => [middle, (1, above - below), (1, 0.0)],
        _ if nearest == last => [middle, (last - 1, below - above), (last, 0.0)],
        _ => [(nearest - 1, below), middle, (nearest + 1, above)],
    }
}
