//! The step of the centred fields: projected on paraboloids.

use bytemuck::{Pod, Zeroable};
use multiversion::multiversion;
use rayon::prelude::*;

use super::lines::{Line, Slab, for_each_line, slabs, upper_faces};
use super::{Layout, Shape, variants};
use crate::engine::{Array, Backend, Engine, Launch, Shader, shader};
use crate::error::Result;
use crate::kernels::{check_length, groups_of_256};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    shape: Shape,
    sigma: f32,
    relaxation: f32,
    extrapolation: f32,
    reaction: f32,
}

pub(crate) static SHADER: Shader =
    shader!("dynamic/dual", Params, [Read, Read, Read, Read, Read, Write, Write], variants!([]));

/// The parameters of a dual step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DualStep {
    pub sigma: f64,
    pub relaxation: f64,
    /// Of the state: V = U + extrapolation (U' - U).
    pub extrapolation: f64,
    /// The eigenvalue of the source, if there is one.
    pub reaction: f64,
}

/// Newton steps at most: from cold, a step at least multiplies by 3/2.
const STEPS: usize = 100;

/// y' = y + relaxation (Proj(y + sigma I V) - y), V = U + extrapolation (U' - U), cell by cell, on
///
/// ```text
/// { (b, a) : a + sum_f b_f^T G_f^-1 b_f / 4 <= 0 },  G = Q diag(lambda) Q^T
/// ```
///
/// (spec 3.2). `metric` has, for every field, all lambda, and with more than one axis Q row by
/// row, each a number per place. `roots` are those of the last step, or 0, and become the new ones.
#[expect(clippy::too_many_arguments, reason = "the operands of the formula")]
pub(crate) fn dual(
    engine: &Engine,
    layout: &Layout,
    (state, next): (&Array, &Array),
    dual: &Array,
    end: &Array,
    metric: &Array,
    step: DualStep,
    roots: &mut Array,
    out: &mut Array,
) -> Result<()> {
    let (cells, places) = (layout.grid.cells(), layout.grid.places());
    check_length("the state", state.len(), layout.numbers())?;
    check_length("the next state", next.len(), layout.numbers())?;
    check_length("the dual", dual.len(), layout.numbers())?;
    check_length("the end", end.len(), places)?;
    check_length("the metric", metric.len(), layout.metric_numbers() * places)?;
    check_length("the roots", roots.len(), cells)?;
    check_length("the next dual", out.len(), layout.numbers())?;
    let Backend::Gpu(gpu) = engine.backend() else {
        let centre = Centre {
            layout,
            state: state.host()?,
            next: next.host()?,
            end: end.host()?,
            metric: metric.host()?,
            extrapolation: step.extrapolation,
        };
        let dual = dual.host()?;
        let (out, roots) = (out.host_mut()?, roots.host_mut()?);
        engine.run_twin(SHADER.name, || {
            slabs(layout, vec![out, roots])
                .into_par_iter()
                .for_each(|mut slab| twin(&centre, dual, step, &mut slab));
        });
        return Ok(());
    };
    engine.launch(
        gpu,
        &Launch {
            shader: &SHADER,
            constants: &layout.constants(),
            bindings: &[
                state.buffer()?.into(),
                next.buffer()?.into(),
                dual.buffer()?.into(),
                end.buffer()?.into(),
                metric.buffer()?.into(),
                roots.buffer()?.into(),
                out.buffer()?.into(),
            ],
            immediates: bytemuck::bytes_of(&Params {
                shape: layout.shape()?,
                sigma: step.sigma as f32,
                relaxation: step.relaxation as f32,
                extrapolation: step.extrapolation as f32,
                reaction: step.reaction as f32,
            }),
            workgroups: groups_of_256(cells),
            work: 4.0 * cells as f64,
        },
    )
}

/// What kernels at cell centres read.
pub(super) struct Centre<'a> {
    pub layout: &'a Layout,
    pub state: &'a [f64],
    pub next: &'a [f64],
    pub end: &'a [f64],
    pub metric: &'a [f64],
    pub extrapolation: f64,
}

impl Centre<'_> {
    /// I V of a staggered component at the cells of a line.
    pub(super) fn interpolate(
        &self,
        line: &Line,
        component: usize,
        axis: usize,
        upper: &mut [f64],
        out: &mut [f64],
    ) {
        let cells = self.layout.grid.cells();
        let part = component * cells..(component + 1) * cells;
        let (state, next) = (&self.state[part.clone()], &self.next[part]);
        // The border is the same in both.
        upper_faces(self.layout, line, axis, state, self.end, upper);
        sum_faces(&state[line.cells()], upper, 0.5 * (1.0 - self.extrapolation), 0.0, out);
        upper_faces(self.layout, line, axis, next, self.end, upper);
        sum_faces(&next[line.cells()], upper, 0.5 * self.extrapolation, 1.0, out);
    }

    /// V of the source, which is centred already.
    pub(super) fn source(&self, line: &Line, component: usize, out: &mut [f64]) {
        let first = component * self.layout.grid.cells() + line.start;
        let range = first..first + line.length;
        let both = self.state[range.clone()].iter().zip(&self.next[range]);
        for (out, (state, next)) in out.iter_mut().zip(both) {
            *out = state + self.extrapolation * (next - state);
        }
    }

    /// The numbers of the metric along a line.
    pub(super) fn metric(&self, line: &Line, number: usize) -> &[f64] {
        let first = number * self.layout.grid.places();
        &self.metric[first + line.place..first + line.place + line.length]
    }

    /// The eigenvalue that goes with a momentum.
    pub(super) fn eigenvalue(&self, line: &Line, field: usize, axis: usize) -> &[f64] {
        self.metric(line, field * self.numbers() + axis)
    }

    /// Turns the momenta of a field into the eigenbasis of the metric, or back.
    pub(super) fn turn(
        &self,
        line: &Line,
        field: usize,
        back: bool,
        values: &mut [Vec<f64>],
        turned: &mut [Vec<f64>],
    ) {
        let dimension = self.layout.dimension();
        if dimension == 1 {
            return;
        }
        let first = field * self.numbers() + dimension;
        for (axis, turned) in turned.iter_mut().enumerate() {
            turned.fill(0.0);
            for (other, values) in values.iter().enumerate() {
                let (row, col) = if back { (axis, other) } else { (other, axis) };
                let entries = self.metric(line, first + row * dimension + col);
                let all = turned.iter_mut().zip(values.iter().zip(entries));
                all.for_each(|(sum, (value, entry))| *sum += value * entry);
            }
        }
        values.iter_mut().zip(turned).for_each(|(values, turned)| values.swap_with_slice(turned));
    }

    fn numbers(&self) -> usize {
        self.layout.metric_numbers() / self.layout.fields
    }
}

/// out = keep out + factor (low + high)
fn sum_faces(low: &[f64], high: &[f64], factor: f64, keep: f64, out: &mut [f64]) {
    for (out, (low, high)) in out.iter_mut().zip(low.iter().zip(high)) {
        *out = keep * *out + factor * (low + high);
    }
}

fn twin(centre: &Centre<'_>, dual: &[f64], step: DualStep, slab: &mut Slab<'_>) {
    let layout = centre.layout;
    let length = *layout.grid.space.last().expect("an axis");
    let (cells, dimension) = (layout.grid.cells(), layout.dimension());
    let zeros = |count: usize| vec![vec![0.0; length]; count];
    let mut points = zeros(layout.components());
    let mut turned = zeros(dimension);
    let mut lambdas = zeros(layout.components() - 1);
    let mut newton = Newton::new(length);
    let roots_part = layout.components();
    for_each_line(layout, slab, |line, lanes, parts| {
        for (component, axis) in layout.staggered() {
            centre.interpolate(line, component, axis, &mut turned[0], &mut points[component]);
        }
        if let Some(component) = layout.source_component() {
            centre.source(line, component, &mut points[component]);
        }
        for (component, point) in points.iter_mut().enumerate() {
            let dual = &dual[component * cells + line.start..][..length];
            let all = point.iter_mut().zip(dual);
            all.for_each(|(point, dual)| *point = dual + step.sigma * *point);
        }
        for field in 0..layout.fields {
            let momenta = field * dimension..(field + 1) * dimension;
            centre.turn(line, field, false, &mut points[momenta.clone()], &mut turned);
            for (axis, lambda) in lambdas[momenta].iter_mut().enumerate() {
                lambda.copy_from_slice(centre.eigenvalue(line, field, axis));
            }
        }
        if layout.source {
            // The source takes the place after the density: its eigenvalue is the last.
            lambdas[layout.density()].fill(step.reaction);
        }
        let (momenta, rest) = points.split_at_mut(layout.density());
        let (density, source) = rest.split_first_mut().expect("a density");
        let mut vectors: Vec<&mut [f64]> =
            momenta.iter_mut().chain(source).map(Vec::as_mut_slice).collect();
        let roots = &mut parts[roots_part][lanes.clone()];
        newton.project(&lambdas, &mut vectors, density, roots);
        for field in 0..layout.fields {
            let momenta = field * dimension..(field + 1) * dimension;
            centre.turn(line, field, true, &mut points[momenta], &mut turned);
        }
        for (component, point) in points.iter().enumerate() {
            let dual = &dual[component * cells + line.start..][..length];
            let out = parts[component][lanes.clone()].iter_mut();
            for (out, (point, dual)) in out.zip(point.iter().zip(dual)) {
                *out = dual + step.relaxation * (point - dual);
            }
        }
    });
}

/// The projection of a line of points, and room for it.
struct Newton {
    values: Vec<f64>,
    slopes: Vec<f64>,
    scales: Vec<f64>,
    lowest: Vec<f64>,
    inside: Vec<f64>,
}

impl Newton {
    fn new(length: usize) -> Self {
        let zeros = || vec![0.0; length];
        Self { values: zeros(), slopes: zeros(), scales: zeros(), lowest: zeros(), inside: zeros() }
    }

    /// Projects the points (b, a); `vectors` are the components of b in the eigenbasis.
    fn project(
        &mut self,
        lambdas: &[Vec<f64>],
        vectors: &mut [&mut [f64]],
        a: &mut [f64],
        roots: &mut [f64],
    ) {
        self.start(lambdas, vectors, a, roots);
        for _ in 0..STEPS {
            if self.step(lambdas, vectors, a, roots) {
                break;
            }
        }
        for (root, inside) in roots.iter_mut().zip(&self.inside) {
            *root *= 1.0 - inside;
        }
        // From the new b, and never as a - r: so the point lies on the paraboloid.
        a.iter_mut().zip(&self.inside).for_each(|(a, inside)| *a *= inside);
        for (vector, lambda) in vectors.iter_mut().zip(lambdas) {
            let all = vector.iter_mut().zip(lambda).zip(roots.iter()).zip(a.iter_mut());
            for ((((b, lambda), root), a), inside) in all.zip(&self.inside) {
                *b *= 2.0 * lambda / (root + 2.0 * lambda);
                *a -= (1.0 - inside) * *b * *b / (4.0 * lambda);
            }
        }
    }

    /// Where Newton's iteration starts: at the last root, or from cold.
    fn start(
        &mut self,
        lambdas: &[Vec<f64>],
        vectors: &[&mut [f64]],
        a: &[f64],
        roots: &mut [f64],
    ) {
        for lane in 0..a.len() {
            let (mut slack, mut length) = (a[lane], 0.0);
            let (mut least, mut most) = (f64::INFINITY, 0.0_f64);
            for (vector, lambda) in vectors.iter().zip(lambdas) {
                let (square, lambda) = (vector[lane] * vector[lane], lambda[lane]);
                slack += square / (4.0 * lambda);
                length += square;
                least = least.min(lambda);
                most = most.max(lambda);
            }
            self.inside[lane] = f64::from(u8::from(slack <= 0.0));
            self.lowest[lane] = a[lane].max(0.0);
            if roots[lane] == 0.0 && slack > 0.0 {
                roots[lane] = (least * length).cbrt() - 2.0 * most;
            }
            roots[lane] = roots[lane].max(self.lowest[lane]);
        }
    }

    /// A Newton step for all points; true where all of them have their roots.
    fn step(
        &mut self,
        lambdas: &[Vec<f64>],
        vectors: &[&mut [f64]],
        a: &[f64],
        roots: &mut [f64],
    ) -> bool {
        let Self { values, slopes, scales, lowest, inside } = self;
        for lane in 0..a.len() {
            values[lane] = roots[lane] - a[lane];
            slopes[lane] = 1.0;
            scales[lane] = roots[lane] + a[lane].abs();
        }
        for (vector, lambda) in vectors.iter().zip(lambdas) {
            add_part(roots, lambda, vector, values, slopes, scales);
        }
        let mut missed = 0.0;
        for lane in 0..a.len() {
            let outside = 1.0 - inside[lane];
            let excess = values[lane].abs() - 4.0 * f64::EPSILON * scales[lane];
            missed += outside * excess.max(0.0);
            let next = roots[lane] - outside * values[lane] / slopes[lane];
            roots[lane] = next.max(lowest[lane]);
        }
        missed == 0.0
    }
}

/// Adds what a component contributes to the function of r, to its slope and to the size of its
/// terms.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2+fma"))]
fn add_part(
    roots: &[f64],
    lambda: &[f64],
    vector: &[f64],
    values: &mut [f64],
    slopes: &mut [f64],
    scales: &mut [f64],
) {
    let count = roots.len();
    let (lambda, vector) = (&lambda[..count], &vector[..count]);
    let (values, slopes, scales) =
        (&mut values[..count], &mut slopes[..count], &mut scales[..count]);
    for lane in 0..count {
        let part = 1.0 / (roots[lane] + 2.0 * lambda[lane]);
        let scaled = vector[lane] * part;
        let square = lambda[lane] * scaled * scaled;
        values[lane] -= square;
        slopes[lane] += 2.0 * square * part;
        scales[lane] += square;
    }
}
