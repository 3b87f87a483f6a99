//! The divergence of the point that is projected on the continuity equation.

use multiversion::multiversion;
use rayon::prelude::*;

use super::lines::{Line, Slab, slabs};
use super::{Layout, Params, variants};
use crate::engine::{Array, Backend, Engine, Shader, shader};
use crate::error::Result;
use crate::kernels::check_length;
use crate::kernels::launch::launch_each;

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
        let [state, dual] = [state.host()?, dual.host()?].map(|all| layout.split(all));
        let end = end.host()?;
        let force = force.map(Array::host).transpose()?;
        let out = out.host_mut()?;
        let twin = Twin { layout, state, dual, end, force, tau };
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
        &[state, dual, end, force.unwrap_or(end), out],
        &Params { tau: tau as f32, ..layout.params()? },
        (cells, cells as f64),
    )
}

struct Twin<'a> {
    layout: &'a Layout,
    state: Vec<&'a [f64]>,
    dual: Vec<&'a [f64]>,
    end: &'a [f64],
    force: Option<&'a [f64]>,
    tau: f64,
}

#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2+fma"))]
fn run(twin: &Twin<'_>, slab: &mut Slab<'_>) {
    twin.run(slab);
}

impl Twin<'_> {
    #[inline(always)]
    fn run(&self, slab: &mut Slab<'_>) {
        let layout = self.layout;
        for (line, lanes) in slab.lines(layout) {
            // The mean grows in the first part.
            let (mean, others) = slab.parts.split_first_mut().expect("a field");
            let mean = &mut mean[lanes.clone()];
            self.set_field(&line, 0, mean);
            for (field, part) in others.iter_mut().enumerate() {
                let part = &mut part[lanes.clone()];
                self.set_field(&line, field + 1, part);
                mean.iter_mut().zip(part.iter()).for_each(|(mean, own)| *mean += own);
            }
            if layout.fields > 1 {
                mean.iter_mut().for_each(|mean| *mean /= layout.fields as f64);
            }
            for part in others {
                let part = part[lanes.clone()].iter_mut();
                part.zip(mean.iter()).for_each(|(own, mean)| *own -= mean);
            }
            self.add_difference(&line, layout.density(), 0, mean);
            if let Some(component) = layout.source_component() {
                let (state, dual) = (line.of(self.state[component]), line.of(self.dual[component]));
                let sources = mean.iter_mut().zip(state.iter().zip(dual));
                sources.for_each(|(sum, (source, dual))| *sum -= source - self.tau * dual);
            }
        }
    }

    /// What the momenta of a field have.
    #[inline(always)]
    fn set_field(&self, line: &Line, field: usize, out: &mut [f64]) {
        out.fill(0.0);
        for axis in 1..=self.layout.dimension() {
            self.add_difference(line, self.layout.momentum(field, axis), axis, out);
        }
    }

    /// Adds the difference of W between the faces above and below the cells of a line.
    #[inline(always)]
    fn add_difference(&self, line: &Line, component: usize, axis: usize, sum: &mut [f64]) {
        let layout = self.layout;
        let (state, dual) = (self.state[component], self.dual[component]);
        let (half, rate) = (0.5 * self.tau, layout.rates[axis]);
        let (state_above, dual_above) = (line.above(axis, state), line.above(axis, dual));
        let dual_below = line.below(axis, dual);
        let (state, own) = (line.of(state), line.of(dual));
        // Lanes that have both neighbours: y at the cell itself cancels.
        let inner = line.length - dual_below.len()..state_above.len();
        if !inner.is_empty() {
            let states = state[inner.clone()].iter().zip(&state_above[inner.clone()]);
            let duals = dual_below.iter().zip(&dual_above[inner.clone()]);
            for (sum, (state, dual)) in sum[inner.clone()].iter_mut().zip(states.zip(duals)) {
                *sum += rate * (state.1 - state.0 - half * (dual.1 - dual.0));
            }
        }
        let end = &self.end[line.places()];
        let borders = (0..line.length).filter(|lane| !inner.contains(lane));
        for lane in borders {
            let low = match lane.checked_sub(line.length - dual_below.len()) {
                Some(below) => state[lane] - half * (dual_below[below] + own[lane]),
                None => state[lane],
            };
            let high = match state_above.get(lane) {
                Some(above) => above - half * (own[lane] + dual_above[lane]),
                None if axis == 0 => end[lane],
                None => 0.0,
            };
            sum[lane] += rate * (high - low);
        }
        if let Some(force) = self.force.filter(|_| axis == 0) {
            let per_force = rate * self.tau;
            let upper = sum.iter_mut().zip(line.above(axis, force));
            upper.for_each(|(sum, force)| *sum -= per_force * force);
            if !dual_below.is_empty() {
                let lower = sum.iter_mut().zip(line.of(force));
                lower.for_each(|(sum, force)| *sum += per_force * force);
            }
        }
    }
}
