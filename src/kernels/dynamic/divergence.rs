//! The divergence of the point that is projected on the continuity equation.

use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;

use super::lines::{Line, Slab, for_each_line, slabs};
use super::{Layout, Shape, variants};
use crate::engine::{Array, Backend, Engine, Launch, Shader, shader};
use crate::error::Result;
use crate::kernels::{check_length, groups_of_256};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    shape: Shape,
    tau: f32,
}

pub(crate) static SHADER: Shader = shader!(
    "dynamic/divergence",
    Params,
    [Read, Read, Read, Read, Write],
    variants!([("FORCED", 0)], [("FORCED", 1)])
);

/// The divergence of W = U - tau (I^T y + force) in space and time, less its source, where U's
/// border is kept and the force acts on the density:
///
/// ```text
/// d_f = sum_a (W_fa[i_a + 1] - W_fa[i_a]) rate_a + (W_rho[k + 1] - W_rho[k]) rate_t - W_source
/// ```
///
/// `out` has, for every field, a number per cell: the mean of all d_f, then d_f less that mean for
/// all but the first. `end` is the density at the end of time.
#[expect(clippy::too_many_arguments, reason = "the operands of the formula")]
pub(crate) fn divergence(
    engine: &Engine,
    layout: &Layout,
    state: &Array,
    dual: &Array,
    end: &Array,
    force: Option<&Array>,
    tau: f64,
    out: &mut Array,
) -> Result<()> {
    let cells = layout.grid.cells();
    check_length("the state", state.len(), layout.numbers())?;
    check_length("the dual", dual.len(), layout.numbers())?;
    check_length("the end", end.len(), layout.grid.places())?;
    check_length("the divergences", out.len(), layout.fields * cells)?;
    let Backend::Gpu(gpu) = engine.backend() else {
        let (state, dual, end) = (state.host()?, dual.host()?, end.host()?);
        let force = force.map(Array::host).transpose()?;
        let out = out.host_mut()?;
        let twin = Twin { layout, state, dual, end, force, tau };
        engine.run_twin(SHADER.name, || {
            slabs(layout, vec![out]).into_par_iter().for_each(|mut slab| twin.run(&mut slab));
        });
        return Ok(());
    };
    let [a, b, c, d] = layout.constants();
    engine.launch(
        gpu,
        &Launch {
            shader: &SHADER,
            constants: &[a, b, c, d, ("FORCED", u32::from(force.is_some()))],
            bindings: &[
                state.buffer()?.into(),
                dual.buffer()?.into(),
                end.buffer()?.into(),
                // Bound, but not read, where there is none.
                force.unwrap_or(end).buffer()?.into(),
                out.buffer()?.into(),
            ],
            immediates: bytemuck::bytes_of(&Params { shape: layout.shape()?, tau: tau as f32 }),
            workgroups: groups_of_256(cells),
            work: cells as f64,
        },
    )
}

struct Twin<'a> {
    layout: &'a Layout,
    state: &'a [f64],
    dual: &'a [f64],
    end: &'a [f64],
    force: Option<&'a [f64]>,
    tau: f64,
}

impl Twin<'_> {
    fn run(&self, slab: &mut Slab<'_>) {
        let Self { layout, state, dual, tau, .. } = *self;
        let length = *layout.grid.space.last().expect("an axis");
        let mut low = vec![0.0; length];
        let mut high = vec![0.0; length];
        let mut common = vec![0.0; length];
        for_each_line(layout, slab, |line, lanes, parts| {
            common.fill(0.0);
            self.add_difference(line, layout.density(), 0, (&mut low, &mut high), &mut common);
            if let Some(component) = layout.source_component() {
                let first = component * layout.grid.cells();
                let range = first + line.start..first + line.start + length;
                let sources = common.iter_mut().zip(&state[range.clone()]).zip(&dual[range]);
                sources.for_each(|((sum, source), dual)| *sum -= source - tau * dual);
            }
            // The mean grows in the first part.
            let (mean, others) = parts.split_first_mut().expect("a field");
            let mean = &mut mean[lanes.clone()];
            mean.fill(0.0);
            self.add_field(line, 0, (&mut low, &mut high), mean);
            for (field, part) in others.iter_mut().enumerate() {
                let part = &mut part[lanes.clone()];
                part.fill(0.0);
                self.add_field(line, field + 1, (&mut low, &mut high), part);
                mean.iter_mut().zip(part.iter()).for_each(|(mean, own)| *mean += own);
            }
            mean.iter_mut().for_each(|mean| *mean /= layout.fields as f64);
            for part in others {
                part[lanes.clone()]
                    .iter_mut()
                    .zip(mean.iter())
                    .for_each(|(own, mean)| *own -= mean);
            }
            mean.iter_mut().zip(&common).for_each(|(mean, common)| *mean += common);
        });
    }

    fn add_field(
        &self,
        line: &Line,
        field: usize,
        (low, high): (&mut [f64], &mut [f64]),
        sum: &mut [f64],
    ) {
        for axis in 1..=self.layout.dimension() {
            let component = self.layout.momentum(field, axis);
            self.add_difference(line, component, axis, (low, high), sum);
        }
    }

    /// Adds the difference of W between the faces above and below the cells of a line.
    fn add_difference(
        &self,
        line: &Line,
        component: usize,
        axis: usize,
        (low, high): (&mut [f64], &mut [f64]),
        sum: &mut [f64],
    ) {
        let (layout, cells) = (self.layout, self.layout.grid.cells());
        let stride = layout.stride(axis);
        let state = &self.state[component * cells..(component + 1) * cells];
        let dual = &self.dual[component * cells..(component + 1) * cells];
        let force = if axis == 0 { self.force } else { None };
        let fill = |first: usize, inner: std::ops::Range<usize>, out: &mut [f64]| {
            if inner.is_empty() {
                return;
            }
            // W at the faces below the cells from `first` on.
            let range = first + inner.start..first + inner.end;
            let before = &dual[range.start - stride..];
            let values = state[range.clone()].iter().zip(&dual[range.clone()]).zip(before);
            for (out, ((state, dual), before)) in out[inner.clone()].iter_mut().zip(values) {
                *out = state - 0.5 * self.tau * (before + dual);
            }
            if let Some(force) = force {
                let force = out[inner].iter_mut().zip(&force[range]);
                force.for_each(|(out, force)| *out -= self.tau * force);
            }
        };
        low.copy_from_slice(&state[line.cells()]);
        fill(line.start, line.with_lower(axis), low);
        match axis {
            0 => high.copy_from_slice(&self.end[line.places()]),
            _ => high.fill(0.0),
        }
        fill(line.start + stride, line.with_upper(axis), high);
        let rate = layout.rates[axis];
        let all = sum.iter_mut().zip(low.iter().zip(high.iter()));
        all.for_each(|(sum, (low, high))| *sum += rate * (high - low));
    }
}
