//! What a motion costs, in f64 on the host.

use ndarray::{Array2, ArrayD, Axis, Slice};
use rayon::prelude::*;

use super::Problem;
use super::flow::{Points, project};
use super::metric::Eigenbases;
use super::setting::Setting;
use crate::engine::Engine;
use crate::error::Result;
use crate::kernels::dynamic::Layout;
use crate::numeric::compensated_sum;

/// One space's staggered fields, and what they are made for.
pub(super) struct Motion<'a> {
    pub layout: &'a Layout,
    pub start: &'a [f64],
    pub end: &'a [f64],
    pub metric: &'a [f64],
    /// What making mass costs, where it may be made.
    pub reaction: Option<f64>,
}

/// Centred fields: for every cell the momenta of all fields, the density and the source.
pub(super) struct Centred {
    pub values: Vec<Vec<f64>>,
}

/// The bytes that an evaluation takes on the host: the points as they came, their projection and
/// what it needs, the straight way, and centred fields of each.
pub(super) fn host_bytes(problem: &Problem) -> u64 {
    const COPIES: usize = 10;
    let mut numbers = problem.layout().numbers();
    for (space, beta) in &problem.spaces {
        numbers += Setting::of(problem, space, *beta).map_or(0, |own| own.layout.numbers());
    }
    (COPIES * numbers * size_of::<f64>()) as u64
}

impl Motion<'_> {
    /// A state on those that keep mass, with the density at the start as it was given: devices
    /// leave some divergence, and round the start.
    pub(super) fn projected(&self, mut state: Vec<f64>) -> Result<Vec<f64>> {
        let plane = self.layout.density() * self.layout.grid.cells()..;
        state[plane].iter_mut().zip(self.start).for_each(|(value, start)| *value = *start);
        project(&Engine::cpu(), self.layout, self.end, &state)
    }

    /// V = (m, rho, zeta) from the projected dual point at this sigma: rho = r / sigma,
    /// m = r G^-1 b / (2 sigma).
    pub(super) fn primal_point(&self, points: &Points, sigma: f64) -> Centred {
        let layout = self.layout;
        let (cells, places) = (layout.grid.cells(), layout.grid.places());
        let bases = Eigenbases::new(layout, self.metric);
        let mut values = vec![vec![0.0; cells]; layout.components()];
        for field in 0..layout.fields {
            let momenta = layout.momentum(field, 1)..=layout.momentum(field, layout.dimension());
            let first = *momenta.start();
            let turned: Vec<[f64; 3]> = (0..cells)
                .into_par_iter()
                .map(|cell| {
                    let half = 0.5 * points.roots[cell] / sigma;
                    let b: Vec<f64> =
                        momenta.clone().map(|part| points.dual[part * cells + cell]).collect();
                    bases.apply(field, cell % places, &b, |lambda| half / lambda)
                })
                .collect();
            for (axis, out) in values[first..].iter_mut().take(layout.dimension()).enumerate() {
                out.iter_mut().zip(&turned).for_each(|(out, turned)| *out = turned[axis]);
            }
        }
        values[layout.density()] = points.roots.iter().map(|root| root / sigma).collect();
        if let (Some(component), Some(kappa)) = (layout.source_component(), self.reaction) {
            let dual = &points.dual[component * cells..];
            values[component] = dual
                .iter()
                .zip(&points.roots)
                .map(|(dual, root)| 0.5 * root * dual / (sigma * kappa))
                .collect();
        }
        Centred { values }
    }

    /// I U at every cell.
    pub(super) fn interpolated(&self, state: &[f64]) -> Centred {
        let mut values: Vec<Vec<f64>> =
            (0..self.layout.components()).map(|part| self.part(state, part).to_vec()).collect();
        for (component, axis) in self.layout.staggered() {
            let faces = self.with_upper(self.part(state, component), axis);
            let low = faces.slice_axis(Axis(axis), Slice::from(..-1));
            let high = faces.slice_axis(Axis(axis), Slice::from(1..));
            values[component] =
                low.iter().zip(&high).map(|(low, high)| 0.5 * (low + high)).collect();
        }
        Centred { values }
    }

    /// sum m^T M m / rho over all cells, m the momentum of a field and M a metric of every place;
    /// `None` for the unit metric.
    pub(super) fn kinetic(
        &self,
        centred: &Centred,
        field: usize,
        metric: Option<&[Array2<f64>]>,
    ) -> f64 {
        let layout = self.layout;
        let places = layout.grid.places();
        let dimension = layout.dimension();
        let momenta = &centred.values[layout.momentum(field, 1)..][..dimension];
        let density = &centred.values[layout.density()];
        let planes: Vec<f64> = (0..layout.grid.time)
            .into_par_iter()
            .map(|step| {
                let cost = |place: usize| {
                    let cell = step * places + place;
                    if density[cell] <= 0.0 {
                        return 0.0;
                    }
                    let form: f64 = match metric {
                        None => momenta.iter().map(|momentum| momentum[cell].powi(2)).sum(),
                        Some(metric) => metric[place]
                            .indexed_iter()
                            .map(|((i, j), entry)| momenta[i][cell] * entry * momenta[j][cell])
                            .sum(),
                    };
                    form / density[cell]
                };
                (0..places).map(cost).sum()
            })
            .collect();
        compensated_sum(planes.iter().copied())
    }

    /// sum kappa zeta² / rho over all cells.
    pub(super) fn reaction(&self, centred: &Centred) -> f64 {
        let (Some(component), Some(kappa)) = (self.layout.source_component(), self.reaction) else {
            return 0.0;
        };
        let pairs = centred.values[component].iter().zip(&centred.values[self.layout.density()]);
        let parts = pairs
            .filter(|(_, density)| **density > 0.0)
            .map(|(source, density)| kappa * source * source / density);
        compensated_sum(parts)
    }

    /// The density at the nodes of time: (steps + 1, cells...).
    pub(super) fn density(&self, state: &[f64]) -> ArrayD<f64> {
        self.with_upper(self.part(state, self.layout.density()), 0)
    }

    /// The momenta of every field along every axis, on all faces.
    pub(super) fn momenta(&self, state: &[f64], scale: f64) -> Vec<Vec<ArrayD<f64>>> {
        let field = |field: usize| {
            (1..=self.layout.dimension())
                .map(|axis| {
                    let values = self.part(state, self.layout.momentum(field, axis));
                    self.with_upper(values, axis) * scale
                })
                .collect()
        };
        (0..self.layout.fields).map(field).collect()
    }

    /// The source at the centres of cells and steps, where there is one.
    pub(super) fn source(&self, state: &[f64]) -> Option<ArrayD<f64>> {
        self.layout.source_component().map(|component| {
            let part = self.part(state, component).to_vec();
            ArrayD::from_shape_vec(self.layout.grid.lengths(), part).expect("every cell")
        })
    }

    /// The largest divergence, less the source, of any field, beside steps times the largest
    /// density.
    pub(super) fn divergence(&self, state: &[f64]) -> f64 {
        let layout = self.layout;
        let difference = |component: usize, axis: usize| -> Vec<f64> {
            let faces = self.with_upper(self.part(state, component), axis);
            let low = faces.slice_axis(Axis(axis), Slice::from(..-1));
            let high = faces.slice_axis(Axis(axis), Slice::from(1..));
            low.iter().zip(&high).map(|(low, high)| layout.rates[axis] * (high - low)).collect()
        };
        let mut in_time = difference(layout.density(), 0);
        if let Some(component) = layout.source_component() {
            let sources = in_time.iter_mut().zip(self.part(state, component));
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
        let density = self.part(state, layout.density());
        let densest = density.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
        largest / (layout.rates[0] * densest)
    }

    fn part<'s>(&self, state: &'s [f64], component: usize) -> &'s [f64] {
        let cells = self.layout.grid.cells();
        &state[component * cells..(component + 1) * cells]
    }

    /// A staggered component with the plane at the upper border.
    fn with_upper(&self, values: &[f64], axis: usize) -> ArrayD<f64> {
        let lengths = self.layout.grid.lengths();
        let inner = ArrayD::from_shape_vec(lengths.clone(), values.to_vec()).expect("every cell");
        let mut border = lengths;
        border[axis] = 1;
        let plane = match axis {
            0 => ArrayD::from_shape_vec(border, self.end.to_vec()).expect("every place"),
            _ => ArrayD::zeros(border),
        };
        ndarray::concatenate(Axis(axis), &[inner.view(), plane.view()]).expect("alike")
    }
}
