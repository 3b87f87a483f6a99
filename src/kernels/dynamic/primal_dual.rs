//! Both steps of an iteration in one pass over memory, once the pressure is known.

use rayon::prelude::*;

use super::dual::{self, Centre, DualStep};
use super::lines::slabs;
use super::{Layout, Params, primal, variants};
use crate::engine::{Array, Backend, Engine, Shader, shader};
use crate::error::Result;
use crate::kernels::check_length;
use crate::kernels::launch::launch_each;

pub(crate) static SHADER: Shader = shader!(
    "dynamic/primal_dual",
    Params,
    [Read, Read, Read, Read, Read, Read, Write, Write, Write],
    variants!([("FORCED", 0)], [("FORCED", 1)])
);

/// What [`primal::primal`] and then [`dual::dual`] do, with the same relaxation: `next` becomes U',
/// `next_dual` y', and `roots` those of the projections.
#[expect(clippy::too_many_arguments, reason = "the operands of both formulas")]
pub(crate) fn primal_dual(
    engine: &Engine,
    layout: &Layout,
    (state, dual): (&Array, &Array),
    pressure: &Array,
    force: Option<&Array>,
    end: &Array,
    metric: &Array,
    tau: f64,
    step: DualStep,
    roots: &mut Array,
    (next, next_dual): (&mut Array, &mut Array),
) -> Result<()> {
    let (cells, places) = (layout.grid.cells(), layout.grid.places());
    check_length("the state", state.len(), layout.numbers())?;
    check_length("the dual", dual.len(), layout.numbers())?;
    check_length("the pressure", pressure.len(), layout.fields * cells)?;
    check_length("the end", end.len(), places)?;
    check_length("the metric", metric.len(), layout.metric_numbers() * places)?;
    check_length("the roots", roots.len(), cells)?;
    check_length("the next state", next.len(), layout.numbers())?;
    check_length("the next dual", next_dual.len(), layout.numbers())?;
    let Backend::Gpu(gpu) = engine.backend() else {
        let state = state.host()?;
        let first = primal::Twin {
            layout,
            state: layout.split(state),
            dual: layout.split(dual.host()?),
            pressure: layout.split(pressure.host()?),
            force: force.map(Array::host).transpose()?,
            tau,
            relaxation: step.relaxation,
        };
        let (end, metric) = (end.host()?, metric.host()?);
        let (next, next_dual) = (next.host_mut()?, next_dual.host_mut()?);
        let roots = roots.host_mut()?;
        // On the CPU the steps are bound by arithmetic: what one of them wrote need not be in a near
        // cache, and to compute faces twice would not pay.
        engine.run_twin(SHADER.name, || {
            slabs(layout, vec![&mut *next])
                .into_par_iter()
                .for_each(|mut slab| primal::run(&first, &mut slab));
            let centre = Centre::new(layout, [state, next], end, metric, step.extrapolation);
            let second = dual::Twin { centre, dual: first.dual.clone(), step };
            slabs(layout, vec![next_dual, roots])
                .into_par_iter()
                .for_each(|mut slab| dual::run(&second, &mut slab));
        });
        return Ok(());
    };
    let force_or_any = force.unwrap_or(pressure);
    launch_each(
        engine,
        gpu,
        &SHADER,
        &layout.forced_constants(force.is_some()),
        // A force is bound, but not read, where there is none.
        &[state, dual, pressure, force_or_any, end, metric, roots, next, next_dual],
        &Params { tau: tau as f32, ..step.params(layout)? },
        (cells, 5.0 * cells as f64),
    )
}
