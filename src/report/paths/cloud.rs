//! The density that arrives in another space, T_# rho: points that carry mass, and their histograms.

use ndarray::{Array2, ArrayView1, ArrayViewD};

use super::view::nearness;
use crate::dynamic::{Domain, Map};

/// Points in every cell along an axis, at most, and in all.
const MOST_PARTS: usize = 8;
const MOST_POINTS: usize = 1 << 18;
/// Of a volume that is seen through, less are enough.
const MOST_IN_VOLUME: usize = 1 << 15;

/// Points all over the cells, and where a map takes them.
pub(super) struct Cloud {
    /// The cell of each point.
    cells: Vec<usize>,
    /// Where it is: (points, d).
    pub places: Array2<f64>,
    /// The share of its cell that it stands for.
    share: f64,
    /// Points along the axes of the primary space.
    sides: Vec<usize>,
}

impl Cloud {
    /// As many points as show no gaps between bins; without a map they stay where they are.
    pub fn new(domain: &Domain, map: Option<&Map>) -> Self {
        let dimension = domain.dimension();
        let places: usize = domain.cells().iter().product();
        let most = if dimension == 3 && map.is_none() { MOST_IN_VOLUME } else { MOST_POINTS };
        let enough = |parts: &usize| places * parts.pow(dimension as u32) <= most;
        let parts = (2..=MOST_PARTS).rev().find(enough).unwrap_or(1);
        let fine: Vec<usize> = domain.cells().iter().map(|cells| cells * parts).collect();
        let count: usize = fine.iter().product();
        let mut cells = Vec::with_capacity(count);
        let mut points = Array2::zeros((count, dimension));
        for (index, point) in ndarray::indices(fine.as_slice()).into_iter().enumerate() {
            let point = ndarray::Dimension::slice(&point).to_vec();
            let mut cell = 0;
            for axis in 0..dimension {
                cell = cell * domain.cells()[axis] + point[axis] / parts;
                let part = (point[axis] as f64 + 0.5) / fine[axis] as f64;
                points[[index, axis]] = part * domain.lengths()[axis];
            }
            cells.push(cell);
        }
        let share = (parts as f64).powi(-(dimension as i32));
        let places = match map {
            Some(map) => map.at(domain, points.view()),
            None => points,
        };
        Self { cells, places, share, sides: fine }
    }

    /// The mass that each point carries; what is below nothing has not converged yet.
    pub fn masses<'a>(&'a self, density: &'a [f64]) -> impl Iterator<Item = f64> + 'a {
        self.cells.iter().map(|cell| self.share * density[*cell].max(0.0))
    }

    /// How much light falls on the surface that a plane is taken to among three dimensions, from 0
    /// to 1; `None` for what is no surface.
    pub fn light(&self, index: usize) -> Option<f64> {
        /// From the left, the front and above.
        const FROM: [f64; 3] = [0.25, -0.65, 0.72];
        let [rows, columns] = *self.sides.as_slice() else { return None };
        let (row, column) = (index / columns, index % columns);
        let along = |below: usize, above: usize| -> [f64; 3] {
            std::array::from_fn(|axis| self.places[[above, axis]] - self.places[[below, axis]])
        };
        let at = |row: usize, column: usize| row * columns + column;
        let down = along(at(row.saturating_sub(1), column), at((row + 1).min(rows - 1), column));
        let right =
            along(at(row, column.saturating_sub(1)), at(row, (column + 1).min(columns - 1)));
        let normal: [f64; 3] = std::array::from_fn(|axis| {
            let (next, last) = ((axis + 1) % 3, (axis + 2) % 3);
            down[next] * right[last] - down[last] * right[next]
        });
        let length = normal.iter().map(|x| x * x).sum::<f64>().sqrt();
        // What is seen is the side that faces the eye.
        let side = nearness(&normal).signum();
        let cosine = side * normal.iter().zip(FROM).map(|(x, y)| x * y).sum::<f64>() / length;
        Some(if cosine.is_finite() { cosine.clamp(0.0, 1.0) } else { 1.0 })
    }

    /// The mass in even bins between these bounds along the last axes, on one axis (1, bins); each
    /// point is shared by the two nearest bins along every axis.
    pub fn histogram(&self, density: &[f64], bounds: &Bounds, bins: [usize; 2]) -> Array2<f64> {
        let mut all = Array2::zeros(bins);
        for (place, mass) in self.places.outer_iter().zip(self.masses(density)) {
            if mass == 0.0 {
                continue;
            }
            let near = |axis: usize| match (axis + place.len()).checked_sub(2) {
                Some(from) => shares(bounds.part(from, place[from]), bins[axis]),
                None => [(0, 1.0), (0, 0.0)],
            };
            for (row, part) in near(0) {
                for (column, share) in near(1) {
                    all[[row, column]] += mass * part * share;
                }
            }
        }
        all
    }
}

/// The two bins that are nearest to a part of the way, and their shares.
fn shares(part: f64, bins: usize) -> [(usize, f64); 2] {
    let place = (part * bins as f64 - 0.5).clamp(0.0, (bins - 1) as f64);
    let below = place as usize;
    let above = place - below as f64;
    [(below, 1.0 - above), ((below + 1).min(bins - 1), above)]
}

/// The sum of a density over time, cell by cell; without what is below nothing.
pub(super) fn passing(density: ArrayViewD<'_, f64>) -> Vec<f64> {
    let mut all = vec![0.0; density.len() / density.shape()[0]];
    for node in density.outer_iter() {
        all.iter_mut().zip(&node).for_each(|(sum, rho)| *sum += rho.max(0.0));
    }
    all
}

/// A box that a space fits in.
pub(super) struct Bounds {
    pub low: Vec<f64>,
    pub high: Vec<f64>,
}

impl Bounds {
    /// The box itself.
    pub fn of(domain: &Domain) -> Self {
        Self { low: vec![0.0; domain.dimension()], high: domain.lengths().to_vec() }
    }

    /// Around all values of a map, with a little space.
    pub fn around(map: &Map) -> Self {
        const SPACE: f64 = 0.03;
        let bounds = |values: ArrayView1<'_, f64>| {
            let low = values.iter().copied().fold(f64::INFINITY, f64::min);
            let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let space = if high > low { SPACE * (high - low) } else { 0.5 };
            (low - space, high + space)
        };
        let (low, high) = map.values().columns().into_iter().map(bounds).unzip();
        Self { low, high }
    }

    pub fn length(&self, axis: usize) -> f64 {
        self.high[axis] - self.low[axis]
    }

    /// How far along an axis a place is, from 0 to 1.
    pub fn part(&self, axis: usize, place: f64) -> f64 {
        (place - self.low[axis]) / self.length(axis)
    }
}
