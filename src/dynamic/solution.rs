//! What a solve found: densities, momenta and costs.

use ndarray::{Array2, ArrayD, Axis, Slice};

use super::flow::Flow;
use super::{Form, Problem, Residuals, TracePoint};
use crate::engine::Engine;
use crate::error::Result;
use crate::kernels::dynamic::Layout;

/// The motion that was found. Densities are of mean 1, or where mass may be made and lost in
/// the units that were given.
#[derive(Clone, Debug)]
pub struct Solution {
    /// The density at the nodes of time: (steps + 1, cells...). Mass is kept to rounding in f64,
    /// and the ends are those that were given.
    pub density: ArrayD<f64>,
    /// The momentum of every field along every axis at the faces between cells, one more along that
    /// axis than there are cells, in the middle of every step: (steps, cells...). The Monge form
    /// has one field, the shared form one for each space.
    pub momenta: Vec<Vec<ArrayD<f64>>>,
    /// The mass that is made, at the centres of cells and steps, where there is a source.
    pub source: Option<ArrayD<f64>>,
    /// The kinetic cost in each space, without its weight; the primary one first.
    pub costs: Vec<f64>,
    /// The cost of making and losing mass.
    pub reaction: f64,
    /// The sum of all costs, each with its weight.
    pub total: f64,
    /// The cost of a motion that keeps mass and has no negative density, so that the optimum of the
    /// discrete problem lies below it: a mixture of what was found with the straight line from one
    /// density to the other. Where densities all but vanish, that line is
    /// dear: what is above ten times the cost is left out.
    pub upper_bound: Option<f64>,
    /// The largest |div| that is left, beside steps times the largest density.
    pub divergence: f64,
    /// How far the last iteration was from a solution.
    pub residuals: Residuals,
    /// True where the residuals came down to the tolerance.
    pub converged: bool,
    /// True where the observer stopped the solve.
    pub interrupted: bool,
    /// Iterations done.
    pub iterations: usize,
    /// The iteration over time.
    pub trace: Vec<TracePoint>,
    /// Seconds of the solve.
    pub seconds: f64,
    /// Where it ran.
    pub device: String,
}

/// At the least share of another motion that leaves no negative density, some densities are zero
/// and velocities there without bound: more of it is better.
const SHARES: [f64; 6] = [1.01, 1.1, 1.5, 3.0, 10.0, 100.0];

/// Centred fields: for every cell the momenta of all fields, the density and the source.
struct Centred {
    values: Vec<Vec<f64>>,
}

impl Solution {
    /// From the eigenbases of the metrics, the staggered fields ~U, and ~y with its roots at this
    /// sigma.
    pub(super) fn new(
        problem: &Problem,
        metric: &[f64],
        state: &[f64],
        dual: &[f64],
        roots: &[f64],
        sigma: f64,
    ) -> Result<Self> {
        let layout = problem.layout();
        let scale = problem.units();
        let start = super::solve::first_state(problem);
        let end: Vec<f64> = problem.end.iter().copied().collect();
        // What devices left of the divergence goes here, and their rounding of the start.
        let mut state = state.to_vec();
        let plane = layout.density() * layout.grid.cells()..;
        state[plane].iter_mut().zip(&problem.start).for_each(|(value, start)| *value = *start);
        let state = projected(problem, &layout, &end, &state)?;
        let straight = projected(problem, &layout, &end, &start)?;
        let primal = primal_point(problem, &layout, metric, dual, roots, sigma);
        let costs: Vec<f64> = (0..=problem.spaces.len())
            .map(|space| cost(problem, &layout, &primal, space))
            .collect();
        let reaction = reaction_cost(problem, &layout, &primal);
        let centred = interpolated(&layout, &state, &end);
        let straight = interpolated(&layout, &straight, &end);
        let upper_bound = SHARES
            .iter()
            .map(|beyond| Centred::mixed(&centred, &straight, layout.density(), *beyond))
            .map(|feasible| {
                let kinetic = (0..=problem.spaces.len()).map(|space| {
                    problem.weight_of(space) * cost(problem, &layout, &feasible, space)
                });
                kinetic.sum::<f64>() + reaction_cost(problem, &layout, &feasible)
            })
            .fold(f64::INFINITY, f64::min);
        let weighted: f64 =
            costs.iter().enumerate().map(|(space, cost)| problem.weight_of(space) * cost).sum();
        Ok(Self {
            density: density(&layout, &state, &end) * scale,
            momenta: momenta(&layout, &state, scale),
            source: layout.source_component().map(|component| {
                let part = part(&layout, &state, component).to_vec();
                ArrayD::from_shape_vec(layout.grid.lengths(), part).expect("every cell") * scale
            }),
            total: weighted + reaction,
            costs,
            reaction,
            upper_bound: Some(upper_bound).filter(|bound| *bound <= 10.0 * (weighted + reaction)),
            divergence: largest_divergence(&layout, &state, &end),
            residuals: Residuals::default(),
            converged: false,
            interrupted: false,
            iterations: 0,
            trace: Vec::new(),
            seconds: 0.0,
            device: String::new(),
        })
    }

    /// The mean position of the mass at every node of time: (steps + 1, d), in the primary space
    /// for `space` 0, else in the space of a map.
    pub fn mean_path(&self, problem: &Problem, space: usize) -> Array2<f64> {
        let positions: Vec<Vec<f64>> = match space {
            0 => problem.domain.centres().collect(),
            _ => problem.spaces[space - 1]
                .0
                .values()
                .rows()
                .into_iter()
                .map(|row| row.to_vec())
                .collect(),
        };
        let mut path = Array2::zeros((self.density.shape()[0], positions[0].len()));
        for (density, mut mean) in self.density.outer_iter().zip(path.rows_mut()) {
            let mass = density.sum();
            for (value, position) in density.iter().zip(&positions) {
                mean.scaled_add(value / mass, &ndarray::ArrayView1::from(position));
            }
        }
        path
    }
}

impl Centred {
    /// The mixture with so many times the least of the other that leaves no negative density.
    fn mixed(own: &Self, other: &Self, density: usize, beyond: f64) -> Self {
        let pairs = own.values[density].iter().zip(&other.values[density]);
        let share = pairs
            .filter(|(own, other)| **own < 0.0 && *other > *own)
            .map(|(own, other)| own / (own - other))
            .fold(0.0_f64, f64::max);
        let share = (beyond * share).min(1.0);
        let values = own.values.iter().zip(&other.values);
        let values = values.map(|(own, other)| {
            let both = own.iter().zip(other);
            both.map(|(own, other)| (1.0 - share) * own + share * other).collect()
        });
        Self { values: values.collect() }
    }
}

fn part<'a>(layout: &Layout, values: &'a [f64], component: usize) -> &'a [f64] {
    let cells = layout.grid.cells();
    &values[component * cells..(component + 1) * cells]
}

/// Projects a state on those that keep mass, in f64.
fn projected(problem: &Problem, layout: &Layout, end: &[f64], state: &[f64]) -> Result<Vec<f64>> {
    let metric = vec![1.0; layout.metric_numbers() * layout.grid.places()];
    let cpu = Engine::cpu();
    let mut flow = Flow::new(&cpu, layout.clone(), problem.reaction, &metric, end, state)?;
    flow.project()?;
    flow.state()
}

/// V = (m, rho, zeta) from the projected dual point: rho = r / sigma, m = r G^-1 b / (2 sigma).
fn primal_point(
    problem: &Problem,
    layout: &Layout,
    metric: &[f64],
    dual: &[f64],
    roots: &[f64],
    sigma: f64,
) -> Centred {
    let (cells, places, dimension) =
        (layout.grid.cells(), layout.grid.places(), layout.dimension());
    let each = layout.metric_numbers() / layout.fields;
    let mut values = vec![vec![0.0; cells]; layout.components()];
    for cell in 0..cells {
        let share = roots[cell] / sigma;
        for field in 0..layout.fields {
            let number = |number: usize| metric[(field * each + number) * places + cell % places];
            for vector in 0..dimension {
                let turn = |axis: usize| match dimension {
                    1 => 1.0,
                    _ => number(dimension + axis * dimension + vector),
                };
                let along: f64 = (0..dimension)
                    .map(|axis| turn(axis) * dual[layout.momentum(field, axis + 1) * cells + cell])
                    .sum();
                for axis in 0..dimension {
                    values[layout.momentum(field, axis + 1)][cell] +=
                        turn(axis) * 0.5 * share * along / number(vector);
                }
            }
        }
        values[layout.density()][cell] = share;
        if let (Some(component), Some(kappa)) = (layout.source_component(), problem.reaction) {
            values[component][cell] = 0.5 * share * dual[component * cells + cell] / kappa;
        }
    }
    Centred { values }
}

/// I U at every cell.
fn interpolated(layout: &Layout, state: &[f64], end: &[f64]) -> Centred {
    let mut values: Vec<Vec<f64>> =
        (0..layout.components()).map(|component| part(layout, state, component).to_vec()).collect();
    for (component, axis) in layout.staggered() {
        let faces = with_upper(layout, part(layout, state, component), axis, end);
        let low = faces.slice_axis(Axis(axis), Slice::from(..-1));
        let high = faces.slice_axis(Axis(axis), Slice::from(1..));
        values[component] = low.iter().zip(&high).map(|(low, high)| 0.5 * (low + high)).collect();
    }
    Centred { values }
}

/// A staggered component with the plane at the upper border.
fn with_upper(layout: &Layout, values: &[f64], axis: usize, end: &[f64]) -> ArrayD<f64> {
    let lengths = layout.grid.lengths();
    let inner = ArrayD::from_shape_vec(lengths.clone(), values.to_vec()).expect("every cell");
    let mut border = lengths;
    border[axis] = 1;
    let plane = match axis {
        0 => ArrayD::from_shape_vec(border, end.to_vec()).expect("every place"),
        _ => ArrayD::zeros(border),
    };
    ndarray::concatenate(Axis(axis), &[inner.view(), plane.view()]).expect("alike")
}

fn density(layout: &Layout, state: &[f64], end: &[f64]) -> ArrayD<f64> {
    with_upper(layout, part(layout, state, layout.density()), 0, end)
}

fn momenta(layout: &Layout, state: &[f64], scale: f64) -> Vec<Vec<ArrayD<f64>>> {
    let field = |field: usize| {
        (1..=layout.dimension())
            .map(|axis| {
                let values = part(layout, state, layout.momentum(field, axis));
                with_upper(layout, values, axis, &[]) * scale
            })
            .collect()
    };
    (0..layout.fields).map(field).collect()
}

/// The kinetic cost in a space: sum m^T J^T J m / rho times the volume of a cell.
fn cost(problem: &Problem, layout: &Layout, centred: &Centred, space: usize) -> f64 {
    let field = if problem.form == Form::Shared { space } else { 0 };
    let places = layout.grid.places();
    let mut sum = 0.0;
    for place in 0..places {
        let metric = problem.metric_of(space, place);
        for cell in (place..layout.grid.cells()).step_by(places) {
            let density = centred.values[layout.density()][cell];
            if density > 0.0 {
                let momentum = |axis: usize| centred.values[layout.momentum(field, axis + 1)][cell];
                for ((i, j), entry) in metric.indexed_iter() {
                    sum += momentum(i) * entry * momentum(j) / density;
                }
            }
        }
    }
    sum * problem.domain.cell_volume() * problem.units()
}

/// The cost of the source: sum kappa zeta² / rho times the volume of a cell.
fn reaction_cost(problem: &Problem, layout: &Layout, centred: &Centred) -> f64 {
    let (Some(component), Some(kappa)) = (layout.source_component(), problem.reaction) else {
        return 0.0;
    };
    let pairs = centred.values[component].iter().zip(&centred.values[layout.density()]);
    let sum: f64 = pairs
        .filter(|(_, density)| **density > 0.0)
        .map(|(source, density)| source * source / density)
        .sum();
    kappa * sum * problem.domain.cell_volume() * problem.units()
}

/// The largest divergence, less the source, of any field, beside steps times the largest density.
fn largest_divergence(layout: &Layout, state: &[f64], end: &[f64]) -> f64 {
    let difference = |component: usize, axis: usize| -> Vec<f64> {
        let faces = with_upper(layout, part(layout, state, component), axis, end);
        let low = faces.slice_axis(Axis(axis), Slice::from(..-1));
        let high = faces.slice_axis(Axis(axis), Slice::from(1..));
        low.iter().zip(&high).map(|(low, high)| layout.rates[axis] * (high - low)).collect()
    };
    let mut in_time = difference(layout.density(), 0);
    if let Some(component) = layout.source_component() {
        let sources = in_time.iter_mut().zip(part(layout, state, component));
        sources.for_each(|(sum, source)| *sum -= source);
    }
    let mut largest = 0.0_f64;
    for field in 0..layout.fields {
        let mut sum = in_time.clone();
        for axis in 1..=layout.dimension() {
            let parts = difference(layout.momentum(field, axis), axis);
            sum.iter_mut().zip(parts).for_each(|(sum, part)| *sum += part);
        }
        largest = sum.iter().fold(largest, |largest, value| largest.max(value.abs()));
    }
    let densest = part(layout, state, layout.density()).iter().fold(0.0_f64, |m, x| m.max(x.abs()));
    largest / (layout.rates[0] * densest)
}
