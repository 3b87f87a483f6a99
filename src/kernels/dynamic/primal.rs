//! The step of the staggered fields: projected on the continuity equation.

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
    relaxation: f32,
}

pub(crate) static SHADER: Shader = shader!(
    "dynamic/primal",
    Params,
    [Read, Read, Read, Read, Write],
    variants!([("FORCED", 0)], [("FORCED", 1)])
);

/// U' = U + relaxation (W + grad p - U), W = U - tau (I^T y + force), on the faces inside the box;
/// the border stays. With the p of the Poisson problem for the divergence of W, as
/// [`super::divergence::divergence`] leaves it, W + grad p is the projection of W.
#[expect(clippy::too_many_arguments, reason = "the operands of the formula")]
pub(crate) fn primal(
    engine: &Engine,
    layout: &Layout,
    state: &Array,
    dual: &Array,
    pressure: &Array,
    force: Option<&Array>,
    (tau, relaxation): (f64, f64),
    out: &mut Array,
) -> Result<()> {
    let cells = layout.grid.cells();
    check_length("the state", state.len(), layout.numbers())?;
    check_length("the dual", dual.len(), layout.numbers())?;
    check_length("the pressure", pressure.len(), layout.fields * cells)?;
    check_length("the next state", out.len(), layout.numbers())?;
    let Backend::Gpu(gpu) = engine.backend() else {
        let (state, dual, pressure) = (state.host()?, dual.host()?, pressure.host()?);
        let force = force.map(Array::host).transpose()?;
        let out = out.host_mut()?;
        let twin = Twin { layout, state, dual, pressure, force, tau, relaxation };
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
                pressure.buffer()?.into(),
                // Bound, but not read, where there is none.
                force.unwrap_or(pressure).buffer()?.into(),
                out.buffer()?.into(),
            ],
            immediates: bytemuck::bytes_of(&Params {
                shape: layout.shape()?,
                tau: tau as f32,
                relaxation: relaxation as f32,
            }),
            workgroups: groups_of_256(cells),
            work: cells as f64,
        },
    )
}

struct Twin<'a> {
    layout: &'a Layout,
    state: &'a [f64],
    dual: &'a [f64],
    pressure: &'a [f64],
    force: Option<&'a [f64]>,
    tau: f64,
    relaxation: f64,
}

impl Twin<'_> {
    fn run(&self, slab: &mut Slab<'_>) {
        let layout = self.layout;
        for_each_line(layout, slab, |line, lanes, parts| {
            for (component, axis) in layout.staggered() {
                self.face(line, component, axis, &mut parts[component][lanes.clone()]);
            }
            if let Some(component) = layout.source_component() {
                let first = component * layout.grid.cells() + line.start;
                let range = first..first + line.length;
                let (state, dual) = (&self.state[range.clone()], &self.dual[range]);
                let pressure = &self.pressure[line.cells()];
                let all = state.iter().zip(dual).zip(pressure);
                let out = parts[component][lanes].iter_mut();
                out.zip(all).for_each(|(out, ((state, dual), pressure))| {
                    *out = state + self.relaxation * (pressure - self.tau * dual);
                });
            }
        });
    }

    /// The faces of one component below the cells of a line.
    fn face(&self, line: &Line, component: usize, axis: usize, out: &mut [f64]) {
        let Self { layout, tau, relaxation, .. } = *self;
        let (cells, stride) = (layout.grid.cells(), layout.stride(axis));
        let first = component * cells;
        let own = first + line.start..first + line.start + line.length;
        out.copy_from_slice(&self.state[own.clone()]);
        let inner = line.with_lower(axis);
        if inner.is_empty() {
            return;
        }
        let out = &mut out[inner.clone()];
        let within = own.start + inner.start..own.start + inner.end;
        let before = within.start - stride..within.end - stride;
        let duals = self.dual[before].iter().zip(&self.dual[within]);
        for (out, (before, dual)) in out.iter_mut().zip(duals) {
            *out -= 0.5 * relaxation * tau * (before + dual);
        }
        let cell = line.start + inner.start..line.start + inner.end;
        if let Some(force) = self.force.filter(|_| axis == 0) {
            let forces = out.iter_mut().zip(&force[cell.clone()]);
            forces.for_each(|(out, force)| *out -= relaxation * tau * force);
        }
        // Pressures are their mean and, but for the first field, the differences from it.
        for field in 0..layout.fields {
            let share = match axis {
                // All fields move the density: of the differences nothing is left.
                0 if field == 0 => layout.fields as f64,
                0 => continue,
                _ if field == 0 || component / layout.dimension() == field => 1.0,
                _ if component / layout.dimension() == 0 => -1.0,
                _ => continue,
            };
            let rate = share * relaxation * layout.rates[axis];
            let pressure = &self.pressure[field * cells..(field + 1) * cells];
            let before = &pressure[cell.start - stride..cell.end - stride];
            let slopes = pressure[cell.clone()].iter().zip(before);
            for (out, (pressure, before)) in out.iter_mut().zip(slopes) {
                *out += rate * (pressure - before);
            }
        }
    }
}
