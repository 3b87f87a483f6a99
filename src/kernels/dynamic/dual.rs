//! The step of the centred fields: projected on paraboloids.

use std::cmp::Ordering;

use multiversion::multiversion;
use rayon::prelude::*;

use super::lines::{Line, Slab, slabs};
use super::paraboloid::Newton;
use super::{Layout, Params, variants};
use crate::engine::{Array, Backend, Engine, Shader, shader};
use crate::error::Result;
use crate::kernels::check_length;
use crate::kernels::launch::launch_each;

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

impl DualStep {
    pub(super) fn params(&self, layout: &Layout) -> Result<Params> {
        Ok(Params {
            sigma: self.sigma as f32,
            relaxation: self.relaxation as f32,
            extrapolation: self.extrapolation as f32,
            reaction: self.reaction as f32,
            ..layout.params()?
        })
    }
}

/// y' = y + relaxation (Proj(y + sigma I V) - y), V = U + extrapolation (U' - U), cell by cell, on
///
/// ```text
/// { (b, a) : a + sum_f b_f^T G_f^-1 b_f / 4 <= 0 },  G = Q diag(lambda) Q^T
/// ```
///
/// `metric` has, for every field, all lambda, and with more than one axis Q row by
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
        let states = [state.host()?, next.host()?];
        let (end, metric) = (end.host()?, metric.host()?);
        let centre = Centre::new(layout, states, end, metric, step.extrapolation);
        let twin = Twin { centre, dual: layout.split(dual.host()?), step };
        let (out, roots) = (out.host_mut()?, roots.host_mut()?);
        engine.run_twin(SHADER.name, || {
            slabs(layout, vec![out, roots])
                .into_par_iter()
                .for_each(|mut slab| run(&twin, &mut slab));
        });
        return Ok(());
    };
    launch_each(
        engine,
        gpu,
        &SHADER,
        &layout.constants(),
        &[state, next, dual, end, metric, roots, out],
        &step.params(layout)?,
        (cells, 4.0 * cells as f64),
    )
}

/// What kernels at cell centres read.
pub(super) struct Centre<'a> {
    pub layout: &'a Layout,
    pub state: Vec<&'a [f64]>,
    pub next: Vec<&'a [f64]>,
    end: &'a [f64],
    /// Number by number.
    metric: Vec<&'a [f64]>,
    extrapolation: f64,
}

impl<'a> Centre<'a> {
    pub(super) fn new(
        layout: &'a Layout,
        [state, next]: [&'a [f64]; 2],
        end: &'a [f64],
        metric: &'a [f64],
        extrapolation: f64,
    ) -> Self {
        let metric = metric.chunks(layout.grid.places()).collect();
        let (state, next) = (layout.split(state), layout.split(next));
        Self { layout, state, next, end, metric, extrapolation }
    }
}

impl Centre<'_> {
    /// I V of a staggered component at the cells of a line.
    #[inline(always)]
    pub(super) fn interpolate(&self, line: &Line, component: usize, axis: usize, out: &mut [f64]) {
        let (state, next) = (self.state[component], self.next[component]);
        let (state_above, next_above) = (line.above(axis, state), line.above(axis, next));
        let (state, next) = (line.of(state), line.of(next));
        let (old, new) = (0.5 * (1.0 - self.extrapolation), 0.5 * self.extrapolation);
        let (states, nexts) = (state.iter().zip(state_above), next.iter().zip(next_above));
        for (out, (state, next)) in out.iter_mut().zip(states.zip(nexts)) {
            *out = old * (state.0 + state.1) + new * (next.0 + next.1);
        }
        let end = &self.end[line.places()];
        for lane in state_above.len()..line.length {
            // The border is the same in both.
            let border = if axis == 0 { end[lane] } else { 0.0 };
            out[lane] = old * (state[lane] + border) + new * (next[lane] + border);
        }
    }

    /// V of the source, which is centred already.
    pub(super) fn source(&self, line: &Line, component: usize, out: &mut [f64]) {
        let (state, next) = (line.of(self.state[component]), line.of(self.next[component]));
        for (out, (state, next)) in out.iter_mut().zip(state.iter().zip(next)) {
            *out = state + self.extrapolation * (next - state);
        }
    }

    /// The numbers of the metric along a line.
    pub(super) fn metric(&self, line: &Line, number: usize) -> &[f64] {
        &self.metric[number][line.places()]
    }

    /// The eigenvalue that goes with a momentum.
    pub(super) fn eigenvalue(&self, line: &Line, field: usize, axis: usize) -> &[f64] {
        self.metric(line, field * self.numbers() + axis)
    }

    /// Turns the momenta of a field into the eigenbasis of the metric, or back. `turned` is room for
    /// as many.
    #[inline(always)]
    pub(super) fn turn(
        &self,
        line: &Line,
        field: usize,
        back: bool,
        values: &mut [Vec<f64>],
        turned: &mut [Vec<f64>],
    ) {
        match self.layout.dimension() {
            1 => {}
            2 => self.turn_of::<2>(line, field, back, values, turned),
            _ => self.turn_of::<3>(line, field, back, values, turned),
        }
    }

    #[inline(always)]
    fn turn_of<const DIMENSION: usize>(
        &self,
        line: &Line,
        field: usize,
        back: bool,
        values: &mut [Vec<f64>],
        turned: &mut [Vec<f64>],
    ) {
        let first = field * self.numbers() + DIMENSION;
        for (axis, turned) in turned.iter_mut().enumerate() {
            let (mut entries, mut rows) =
                ([&self.end[..0]; DIMENSION], [&self.end[..0]; DIMENSION]);
            for other in 0..DIMENSION {
                let (row, col) = if back { (axis, other) } else { (other, axis) };
                entries[other] = self.metric(line, first + row * DIMENSION + col);
                rows[other] = &values[other];
            }
            sum_products(entries, rows, turned);
        }
        for (values, turned) in values.iter_mut().zip(turned) {
            std::mem::swap(values, turned);
        }
    }

    fn numbers(&self) -> usize {
        self.layout.metric_numbers() / self.layout.fields
    }
}

/// The sums of a few products, entry by entry.
#[inline(always)]
fn sum_products<const COUNT: usize>(a: [&[f64]; COUNT], b: [&[f64]; COUNT], out: &mut [f64]) {
    let (a, b) = (a.map(|row| &row[..out.len()]), b.map(|row| &row[..out.len()]));
    for lane in 0..out.len() {
        let mut sum = a[0][lane] * b[0][lane];
        for k in 1..COUNT {
            sum += a[k][lane] * b[k][lane];
        }
        out[lane] = sum;
    }
}

pub(super) struct Twin<'a> {
    pub centre: Centre<'a>,
    pub dual: Vec<&'a [f64]>,
    pub step: DualStep,
}

/// The lines of a slab, whose parts are those of y' and the roots.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2+fma"))]
pub(super) fn run(twin: &Twin<'_>, slab: &mut Slab<'_>) {
    twin.run(slab);
}

impl Twin<'_> {
    #[inline(always)]
    fn run(&self, slab: &mut Slab<'_>) {
        let Self { centre, step, .. } = self;
        let layout = centre.layout;
        let dimension = layout.dimension();
        let length = *layout.grid.space.last().expect("an axis");
        let zeros = vec![0.0; length];
        // The density a, and all others: the source comes after it in the arrays.
        let mut a = zeros.clone();
        let mut vectors = vec![zeros.clone(); layout.components() - 1];
        let mut turned = vec![zeros; dimension];
        let reaction = vec![step.reaction; length];
        let mut newton = Newton::new(vectors.len());
        let mut lambdas: Vec<&[f64]> = Vec::new();
        for (line, lanes) in slab.lines(layout) {
            let (roots, duals) = slab.parts.split_last_mut().expect("the roots");
            let roots = &mut roots[lanes.clone()];
            for (component, axis) in layout.staggered().filter(|(_, axis)| *axis > 0) {
                centre.interpolate(&line, component, axis, &mut vectors[component]);
            }
            centre.interpolate(&line, layout.density(), 0, &mut a);
            if let Some(component) = layout.source_component() {
                centre.source(&line, component, &mut vectors[layout.density()]);
            }
            for component in 0..layout.components() {
                let dual = line.of(self.dual[component]);
                let point = of_component(layout, component, &mut vectors, &mut a);
                add_dual(dual, step.sigma, point);
            }
            lambdas.clear();
            for field in 0..layout.fields {
                let momenta = &mut vectors[field * dimension..(field + 1) * dimension];
                centre.turn(&line, field, false, momenta, &mut turned);
                lambdas.extend((0..dimension).map(|axis| centre.eigenvalue(&line, field, axis)));
            }
            lambdas.extend(layout.source.then_some(&reaction[..]));
            newton.project(&lambdas, &mut vectors, &mut a, roots);
            for field in 0..layout.fields {
                let momenta = &mut vectors[field * dimension..(field + 1) * dimension];
                centre.turn(&line, field, true, momenta, &mut turned);
            }
            for (component, out) in duals.iter_mut().enumerate() {
                let dual = line.of(self.dual[component]);
                let point = of_component(layout, component, &mut vectors, &mut a);
                relax(dual, point, step.relaxation, &mut out[lanes.clone()]);
            }
        }
    }
}

/// Where the point of a component is.
#[inline(always)]
fn of_component<'a>(
    layout: &Layout,
    component: usize,
    vectors: &'a mut [Vec<f64>],
    a: &'a mut [f64],
) -> &'a mut [f64] {
    match component.cmp(&layout.density()) {
        Ordering::Less => &mut vectors[component],
        Ordering::Equal => a,
        Ordering::Greater => &mut vectors[component - 1],
    }
}

/// y + sigma V from V.
#[inline(always)]
fn add_dual(dual: &[f64], sigma: f64, point: &mut [f64]) {
    point.iter_mut().zip(dual).for_each(|(point, dual)| *point = dual + sigma * *point);
}

#[inline(always)]
fn relax(dual: &[f64], point: &[f64], relaxation: f64, out: &mut [f64]) {
    for (out, (dual, point)) in out.iter_mut().zip(dual.iter().zip(point)) {
        *out = dual + relaxation * (point - dual);
    }
}
