//! The step of the staggered fields: projected on the continuity equation.

use multiversion::multiversion;
use rayon::prelude::*;

use super::lines::{Line, Slab, slabs};
use super::{Layout, Params, variants};
use crate::engine::{Array, Backend, Engine, Shader, shader};
use crate::error::Result;
use crate::kernels::check_length;
use crate::kernels::launch::launch_each;

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
        let [state, dual] = [state.host()?, dual.host()?].map(|all| layout.split(all));
        let pressure = layout.split(pressure.host()?);
        let force = force.map(Array::host).transpose()?;
        let out = out.host_mut()?;
        let twin = Twin { layout, state, dual, pressure, force, tau, relaxation };
        engine.run_twin(SHADER.name, || {
            slabs(layout, vec![out]).into_par_iter().for_each(|mut slab| run(&twin, &mut slab));
        });
        return Ok(());
    };
    launch_each(
        engine,
        gpu,
        &SHADER,
        &layout.forced_constants(force.is_some()),
        // A force is bound, but not read, where there is none.
        &[state, dual, pressure, force.unwrap_or(pressure), out],
        &Params { tau: tau as f32, relaxation: relaxation as f32, ..layout.params()? },
        (cells, cells as f64),
    )
}

pub(super) struct Twin<'a> {
    pub layout: &'a Layout,
    pub state: Vec<&'a [f64]>,
    pub dual: Vec<&'a [f64]>,
    pub pressure: Vec<&'a [f64]>,
    pub force: Option<&'a [f64]>,
    pub tau: f64,
    pub relaxation: f64,
}

/// The lines of a slab, whose parts are those of U'.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2+fma"))]
pub(super) fn run(twin: &Twin<'_>, slab: &mut Slab<'_>) {
    twin.run(slab);
}

impl Twin<'_> {
    #[inline(always)]
    fn run(&self, slab: &mut Slab<'_>) {
        let layout = self.layout;
        for (line, lanes) in slab.lines(layout) {
            let out = &mut slab.parts;
            for (component, axis) in layout.staggered() {
                self.face(&line, component, axis, &mut out[component][lanes.clone()]);
            }
            if let Some(component) = layout.source_component() {
                let (state, dual) = (line.of(self.state[component]), line.of(self.dual[component]));
                let all = state.iter().zip(dual).zip(line.of(self.pressure[0]));
                let out = out[component][lanes].iter_mut();
                out.zip(all).for_each(|(out, ((state, dual), pressure))| {
                    *out = state + self.relaxation * (pressure - self.tau * dual);
                });
            }
        }
    }

    /// The faces of one component below the cells of a line.
    #[inline(always)]
    fn face(&self, line: &Line, component: usize, axis: usize, out: &mut [f64]) {
        let Self { layout, tau, relaxation, .. } = *self;
        let (state, dual) = (self.state[component], self.dual[component]);
        let below = line.below(axis, dual);
        let (border, out) = out.split_at_mut(line.length - below.len());
        let (known, state) = line.of(state).split_at(border.len());
        border.copy_from_slice(known);
        let inner = |numbers| &line.of(numbers)[known.len()..];
        let pull = 0.5 * relaxation * tau;
        // The mean of all pressures counts once in every field, and all fields move the density.
        let times = if axis == 0 { layout.fields as f64 } else { 1.0 };
        let rate = times * relaxation * layout.rates[axis];
        let mean = self.pressure[0];
        let slopes = inner(mean).iter().zip(line.below(axis, mean));
        let pulls = inner(dual).iter().zip(below);
        for ((out, state), (pull_by, slope)) in out.iter_mut().zip(state).zip(pulls.zip(slopes)) {
            *out = state - pull * (pull_by.1 + pull_by.0) + rate * (slope.0 - slope.1);
        }
        if let Some(force) = self.force.filter(|_| axis == 0) {
            let forces = out.iter_mut().zip(inner(force));
            forces.for_each(|(out, force)| *out -= relaxation * tau * force);
        }
        if axis == 0 {
            return; // of the differences from the mean nothing is left
        }
        // The differences from the mean are there for all fields but the first, which has what is
        // left of them.
        let own = component / layout.dimension();
        for field in (1..layout.fields).filter(|&field| own == 0 || own == field) {
            let rate = if own == 0 { -rate } else { rate };
            let pressure = self.pressure[field];
            let slopes = inner(pressure).iter().zip(line.below(axis, pressure));
            for (out, slope) in out.iter_mut().zip(slopes) {
                *out += rate * (slope.0 - slope.1);
            }
        }
    }
}
