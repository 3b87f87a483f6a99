//! The kernels against their formulas, written out on grids that have all their faces,
//! on both engines.

mod fused;

use nalgebra::{DMatrix, DVector};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::divergence::divergence;
use super::dual::{DualStep, dual};
use super::primal::primal;
use super::residuals::residuals;
use super::{Layout, SpaceTime};
use crate::engine::Engine;
use crate::kernels::properties::{engines, same_cases};

/// Layouts of up to three axes, with sides of 2 to 6 cells.
fn layouts() -> impl Strategy<Value = Layout> {
    let sides = prop::collection::vec(2..7_usize, 1..=3);
    (2..6_usize, sides, 0..4_usize).prop_map(|(time, space, kind)| {
        let dimension = space.len();
        let rates = [time].into_iter().chain(space.iter().copied()).enumerate();
        let rates = rates.map(|(axis, cells)| cells as f64 * (1.0 + 0.3 * axis as f64)).collect();
        // One field, one with a source, and the most that shaders are tested for.
        let (fields, source) = match kind {
            0 | 1 => (1, false),
            2 => (1, true),
            _ => (dimension.max(2), false),
        };
        Layout { grid: SpaceTime { time, space }, rates, fields, source }
    })
}

/// Random numbers for everything that the kernels read.
struct Case {
    layout: Layout,
    state: Vec<f64>,
    next: Vec<f64>,
    dual: Vec<f64>,
    end: Vec<f64>,
    force: Vec<f64>,
    pressure: Vec<f64>,
    /// G of every field and place.
    metrics: Vec<DMatrix<f64>>,
    metric: Vec<f64>,
    roots: Vec<f64>,
}

const TAU: f64 = 0.7;
const STEP: DualStep =
    DualStep { sigma: 1.3, relaxation: 1.9, extrapolation: 2.0 / 1.9, reaction: 0.6 };

impl Case {
    fn new(layout: Layout, seed: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut numbers = |count: usize| -> Vec<f64> {
            (0..count).map(|_| random.random_range(-2.0..2.0)).collect()
        };
        let (cells, places) = (layout.grid.cells(), layout.grid.places());
        let mut state = numbers(layout.numbers());
        let mut next = numbers(layout.numbers());
        let force = numbers(cells);
        // The border of momenta is zero, that of the density the same before and after.
        for (component, axis) in layout.staggered() {
            for cell in 0..cells {
                if (cell / layout.stride(axis)).is_multiple_of(layout.grid.lengths()[axis]) {
                    let place = component * cells + cell;
                    state[place] = if axis == 0 { state[place].abs() } else { 0.0 };
                    next[place] = state[place];
                }
            }
        }
        let dimension = layout.dimension();
        let mut metrics = Vec::new();
        let mut metric = vec![0.0; layout.metric_numbers() * places];
        let each = layout.metric_numbers() / layout.fields;
        for field in 0..layout.fields {
            for place in 0..places {
                let root = DMatrix::from_vec(dimension, dimension, numbers(dimension * dimension));
                let g = &root * root.transpose() + DMatrix::identity(dimension, dimension) * 0.3;
                let eigen = g.clone().symmetric_eigen();
                for axis in 0..dimension {
                    let number = field * each + axis;
                    metric[number * places + place] = eigen.eigenvalues[axis];
                    for vector in 0..dimension {
                        if dimension > 1 {
                            let number = field * each + dimension + axis * dimension + vector;
                            metric[number * places + place] = eigen.eigenvectors[(axis, vector)];
                        }
                    }
                }
                metrics.push(g);
            }
        }
        Self {
            state,
            next,
            dual: numbers(layout.numbers()),
            end: numbers(places).iter().map(|x| x.abs()).collect(),
            force,
            pressure: numbers(layout.fields * cells),
            metrics,
            metric,
            // Cold here, warm there.
            roots: numbers(cells).iter().map(|x| x.max(0.0)).collect(),
            layout,
        }
    }

    /// Coordinates of a cell, time first.
    fn coordinates(&self, cell: usize) -> Vec<usize> {
        let lengths = self.layout.grid.lengths();
        (0..lengths.len()).map(|axis| cell / self.layout.stride(axis) % lengths[axis]).collect()
    }

    fn at_border(&self, cell: usize, axis: usize, upper: bool) -> bool {
        let coordinate = self.coordinates(cell)[axis];
        coordinate == if upper { self.layout.grid.lengths()[axis] - 1 } else { 0 }
    }

    /// The value of a staggered component below or above a cell, with the border.
    fn face(&self, values: &[f64], component: usize, axis: usize, cell: usize, upper: bool) -> f64 {
        let place = component * self.layout.grid.cells() + cell;
        match (upper, self.at_border(cell, axis, true)) {
            (false, _) => values[place],
            (true, false) => values[place + self.layout.stride(axis)],
            (true, true) if axis == 0 => self.end[cell % self.layout.grid.places()],
            (true, true) => 0.0,
        }
    }

    /// I V of a component at a cell.
    fn centred(&self, values: &[f64], component: usize, axis: usize, cell: usize) -> f64 {
        0.5 * (self.face(values, component, axis, cell, false)
            + self.face(values, component, axis, cell, true))
    }

    /// I^T V of a component at the face below a cell that has another below it.
    fn spread(&self, values: &[f64], component: usize, axis: usize, cell: usize) -> f64 {
        let place = component * self.layout.grid.cells() + cell;
        0.5 * (values[place - self.layout.stride(axis)] + values[place])
    }

    /// W with its border.
    fn target(&self, force: bool) -> Vec<f64> {
        let cells = self.layout.grid.cells();
        let mut target = self.state.clone();
        for (component, axis) in self.layout.staggered() {
            for cell in (0..cells).filter(|&cell| !self.at_border(cell, axis, false)) {
                let push = if force && axis == 0 { self.force[cell] } else { 0.0 };
                target[component * cells + cell] -=
                    TAU * (self.spread(&self.dual, component, axis, cell) + push);
            }
        }
        if let Some(component) = self.layout.source_component() {
            let sources = target.iter_mut().zip(&self.dual).skip(component * cells);
            sources.for_each(|(target, dual)| *target -= TAU * dual);
        }
        target
    }

    /// div W of a field at a cell, less the source.
    fn divergence(&self, values: &[f64], field: usize, cell: usize) -> f64 {
        let layout = &self.layout;
        let difference = |component: usize, axis: usize| {
            layout.rates[axis]
                * (self.face(values, component, axis, cell, true)
                    - self.face(values, component, axis, cell, false))
        };
        let momenta: f64 = (1..=layout.dimension())
            .map(|axis| difference(layout.momentum(field, axis), axis))
            .sum();
        let source = layout
            .source_component()
            .map_or(0.0, |component| values[component * layout.grid.cells() + cell]);
        momenta + difference(layout.density(), 0) - source
    }
}

fn close(found: &[f64], wanted: &[f64], engine: &Engine, precision: f64) {
    let allowed = if engine.is_gpu() { precision } else { 1e-11 };
    let size = wanted.iter().fold(1.0_f64, |size, x| size.max(x.abs()));
    for (index, (found, wanted)) in found.iter().zip(wanted).enumerate() {
        let error = (found - wanted).abs();
        assert!(error <= allowed * size, "{engine:?}, {index}: {found}, not {wanted}");
    }
}

proptest! {
    #![proptest_config(same_cases())]

    #[test]
    fn divergences_and_projections(layout in layouts(), seed in any::<u64>(), force in any::<bool>()) {
        let case = Case::new(layout, seed);
        let layout = &case.layout;
        let (cells, fields) = (layout.grid.cells(), layout.fields);
        let target = case.target(force);
        let mut wanted = vec![0.0; fields * cells];
        // The pressures of the fields, from their mean and the differences from it.
        let mut pressures = vec![vec![0.0; cells]; fields];
        for cell in 0..cells {
            let all: Vec<f64> =
                (0..fields).map(|field| case.divergence(&target, field, cell)).collect();
            let mean = all.iter().sum::<f64>() / fields as f64;
            let mut others = 0.0;
            for field in 1..fields {
                wanted[field * cells + cell] = all[field] - mean;
                pressures[field][cell] = case.pressure[cell] + case.pressure[field * cells + cell];
                others += case.pressure[field * cells + cell];
            }
            wanted[cell] = mean;
            pressures[0][cell] = case.pressure[cell] - others;
        }
        let relaxation = 1.7;
        let mut moved = case.state.clone();
        for (component, axis) in layout.staggered() {
            for cell in (0..cells).filter(|&cell| !case.at_border(cell, axis, false)) {
                let pushing = if axis == 0 { 0..fields } else {
                    let field = component / layout.dimension();
                    field..field + 1
                };
                let slope: f64 = pushing
                    .map(|field| pressures[field][cell] - pressures[field][cell - layout.stride(axis)])
                    .sum();
                let place = component * cells + cell;
                let projected = target[place] + layout.rates[axis] * slope;
                moved[place] += relaxation * (projected - case.state[place]);
            }
        }
        if let Some(component) = layout.source_component() {
            for cell in 0..cells {
                let place = component * cells + cell;
                let projected = target[place] + case.pressure[cell];
                moved[place] += relaxation * (projected - case.state[place]);
            }
        }
        for engine in engines() {
            let upload = |values: &[f64]| engine.upload("values", values).unwrap();
            let (state, dual, end) = (upload(&case.state), upload(&case.dual), upload(&case.end));
            let pushing = upload(&case.force);
            let pushing = force.then_some(&pushing);
            let mut out = engine.zeros("divergences", fields * cells).unwrap();
            divergence(&engine, layout, &state, &dual, &end, pushing, TAU, &mut out).unwrap();
            close(&engine.download(&out).unwrap(), &wanted, &engine, 1e-6);
            let pressure = upload(&case.pressure);
            let mut out = engine.zeros("next", layout.numbers()).unwrap();
            let steps = (TAU, relaxation);
            primal(&engine, layout, &state, &dual, &pressure, pushing, steps, &mut out).unwrap();
            close(&engine.download(&out).unwrap(), &moved, &engine, 1e-6);
        }
    }

    /// The projection of a point is known by what it leaves: a multiple r of the outer normal, and
    /// nothing where the point is not on the border.
    #[test]
    fn points_are_projected_on_paraboloids(layout in layouts(), seed in any::<u64>()) {
        let case = Case::new(layout, seed);
        let layout = &case.layout;
        let (cells, places) = (layout.grid.cells(), layout.grid.places());
        let between: Vec<f64> = case.state.iter().zip(&case.next)
            .map(|(state, next)| state + STEP.extrapolation * (next - state))
            .collect();
        for engine in engines() {
            let allowed = if engine.is_gpu() { 2e-5 } else { 1e-11 };
            let upload = |values: &[f64]| engine.upload("values", values).unwrap();
            let mut roots = upload(&case.roots);
            let mut out = engine.zeros("next dual", layout.numbers()).unwrap();
            dual(
                &engine, layout, (&upload(&case.state), &upload(&case.next)), &upload(&case.dual),
                &upload(&case.end), &upload(&case.metric), STEP, &mut roots, &mut out,
            ).unwrap();
            let (roots, out) = (engine.download(&roots).unwrap(), engine.download(&out).unwrap());
            for (cell, &root) in roots.iter().enumerate() {
                let component = |component: usize, axis: Option<usize>| {
                    let place = component * cells + cell;
                    let value = match axis {
                        Some(axis) => case.centred(&between, component, axis, cell),
                        None => between[place],
                    };
                    let before = case.dual[place] + STEP.sigma * value;
                    let after = case.dual[place] + (out[place] - case.dual[place]) / STEP.relaxation;
                    (before, after)
                };
                let (a, a_after) = component(layout.density(), Some(0));
                let mut height = a_after;
                let size = 1.0 + a.abs();
                for field in 0..layout.fields {
                    let inverse = case.metrics[field * places + cell % places]
                        .clone().try_inverse().unwrap();
                    let both: Vec<(f64, f64)> = (1..=layout.dimension())
                        .map(|axis| component(layout.momentum(field, axis), Some(axis)))
                        .collect();
                    let after = DVector::from_iterator(both.len(), both.iter().map(|both| both.1));
                    let normal = 0.5 * &inverse * &after;
                    height += 0.5 * after.dot(&normal);
                    for (both, normal) in both.iter().zip(normal.iter()) {
                        let left = both.0 - both.1 - root * normal;
                        prop_assert!(left.abs() < allowed * (size + both.0.abs() + root * normal.abs()), "{left}");
                    }
                }
                if let Some(source) = layout.source_component() {
                    let (before, after) = component(source, None);
                    let normal = 0.5 * after / STEP.reaction;
                    height += 0.5 * after * normal;
                    let left = before - after - root * normal;
                    prop_assert!(left.abs() < allowed * (size + before.abs()), "{left}");
                }
                prop_assert!((a - a_after - root).abs() < allowed * (size + root), "{a} {a_after} {root}");
                prop_assert!(height <= allowed * (size + root), "outside by {height}");
                prop_assert!(root == 0.0 || height.abs() < allowed * (size + root), "inside by {height}");
            }
        }
    }

    #[test]
    fn residuals_are_the_sums_of_their_definitions(layout in layouts(), seed in any::<u64>()) {
        let case = Case::new(layout, seed);
        let layout = &case.layout;
        let (cells, places) = (layout.grid.cells(), layout.grid.places());
        let next_dual = Case::new(layout.clone(), seed ^ 1).dual;
        let part = 1.0 / STEP.relaxation;
        let mix = |before: &[f64], after: &[f64]| -> Vec<f64> {
            before.iter().zip(after).map(|(a, b)| a + part * (b - a)).collect()
        };
        let (planned, y) = (mix(&case.state, &case.next), mix(&case.dual, &next_dual));
        let y_change: Vec<f64> = y.iter().zip(&case.dual).map(|(a, b)| b - a).collect();
        let mut wanted = [0.0; 6];
        let mut add = |v: f64, u: f64, y: f64| {
            for (sum, term) in wanted.iter_mut().zip([(v - u).powi(2), v * v, 0.0, y * y, y * v, y * u]) {
                *sum += term;
            }
        };
        for cell in 0..cells {
            let share = case.roots[cell] / STEP.sigma;
            let density = layout.density();
            add(share, case.centred(&planned, density, 0, cell), y[density * cells + cell]);
            for field in 0..layout.fields {
                let inverse =
                    case.metrics[field * places + cell % places].clone().try_inverse().unwrap();
                let momenta = (1..=layout.dimension()).map(|axis| layout.momentum(field, axis));
                let own = momenta.map(|component| y[component * cells + cell]);
                let own = DVector::from_iterator(layout.dimension(), own);
                let v = 0.5 * share * inverse * &own;
                for axis in 1..=layout.dimension() {
                    let u = case.centred(&planned, layout.momentum(field, axis), axis, cell);
                    add(v[axis - 1], u, own[axis - 1]);
                }
            }
            if let Some(source) = layout.source_component() {
                let place = source * cells + cell;
                add(0.5 * share * y[place] / STEP.reaction, planned[place], y[place]);
            }
        }
        let moved = |place: usize| (case.state[place] - planned[place]) / TAU;
        for (component, axis) in layout.staggered() {
            for cell in (0..cells).filter(|&cell| !case.at_border(cell, axis, false)) {
                let pulled = case.spread(&y_change, component, axis, cell);
                wanted[2] += (moved(component * cells + cell) - pulled).powi(2);
            }
        }
        if let Some(source) = layout.source_component() {
            let changes = y_change.iter().enumerate().skip(source * cells);
            wanted[2] += changes.map(|(place, change)| (moved(place) - change).powi(2)).sum::<f64>();
        }
        for engine in engines() {
            let upload = |values: &[f64]| engine.upload("values", values).unwrap();
            let found = residuals(
                &engine, layout, (&upload(&case.state), &upload(&case.next)),
                (&upload(&case.dual), &upload(&next_dual)), &upload(&case.end),
                &upload(&case.metric), &upload(&case.roots), TAU, STEP,
            ).unwrap();
            let found = [found.gap, found.size, found.unrest, found.dual_size, found.energy, found.paired];
            close(&found, &wanted, &engine, 1e-6);
        }
    }
}
