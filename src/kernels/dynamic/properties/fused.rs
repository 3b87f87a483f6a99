//! Both steps in one pass against one after the other.

use proptest::prelude::*;

use super::{Case, STEP, TAU, close, layouts};
use crate::engine::Engine;
use crate::kernels::dynamic::dual::dual;
use crate::kernels::dynamic::primal::primal;
use crate::kernels::dynamic::primal_dual::primal_dual;
use crate::kernels::dynamic::{Layout, SpaceTime};
use crate::kernels::properties::{engines, same_cases};

/// U', y' and the roots, by one kernel or by two.
fn after(case: &Case, engine: &Engine, force: bool, fused: bool) -> [Vec<f64>; 3] {
    let layout = &case.layout;
    let upload = |values: &[f64]| engine.upload("values", values).unwrap();
    let (state, before, end) = (upload(&case.state), upload(&case.dual), upload(&case.end));
    let (pressure, metric, pushing) =
        (upload(&case.pressure), upload(&case.metric), upload(&case.force));
    let pushing = force.then_some(&pushing);
    let mut roots = upload(&case.roots);
    let zeros = || engine.zeros("out", layout.numbers()).unwrap();
    let (mut next, mut next_dual) = (zeros(), zeros());
    if fused {
        primal_dual(
            engine,
            layout,
            (&state, &before),
            &pressure,
            pushing,
            &end,
            &metric,
            TAU,
            STEP,
            &mut roots,
            (&mut next, &mut next_dual),
        )
        .unwrap();
    } else {
        let steps = (TAU, STEP.relaxation);
        primal(engine, layout, &state, &before, &pressure, pushing, steps, &mut next).unwrap();
        dual(
            engine,
            layout,
            (&state, &next),
            &before,
            &end,
            &metric,
            STEP,
            &mut roots,
            &mut next_dual,
        )
        .unwrap();
    }
    [next, next_dual, roots].map(|array| engine.download(&array).unwrap())
}

proptest! {
    #![proptest_config(same_cases())]

    #[test]
    fn one_pass_does_what_two_do(layout in layouts(), seed in any::<u64>(), force in any::<bool>()) {
        let case = Case::new(layout, seed);
        let wanted = after(&case, &Engine::cpu(), force, false);
        for engine in engines() {
            let found = after(&case, &engine, force, true);
            if engine.is_gpu() {
                // Rounding of U' is in the points that are projected.
                for (found, wanted) in found.iter().zip(&wanted) {
                    close(found, wanted, &engine, 1e-5);
                }
            } else {
                prop_assert_eq!(&found, &wanted);
            }
        }
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let grid = SpaceTime { time: 7, space: vec![30, 101] };
    let rates = grid.lengths().into_iter().map(|cells| cells as f64).collect();
    let case = Case::new(Layout { grid, rates, fields: 2, source: false }, 7);
    let engine = Engine::cpu();
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| after(&case, &engine, true, true))
    };
    let one = with(1);
    assert!((0..5).all(|_| with(3) == one));
}
