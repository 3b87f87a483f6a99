//! A step from one linearised cost towards another: costs are linear in the plan.

use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;

use super::RowPlan;
use crate::engine::{Array, Backend, Engine, Shader, shader};
use crate::error::Result;
use crate::kernels::check_length;

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    first_tile: u32,
    tiles: u32,
}

pub(crate) static SHADER: Shader =
    shader!("gromov/blend", Params, [Read, Read, Read, Write], &[&[]]);

/// costs_ij <- (1 - share) costs_ij + share fresh_ij, with a share for each problem.
pub(crate) fn blend(
    engine: &Engine,
    plan: &RowPlan,
    fresh: &Array,
    shares: &Array,
    costs: &mut Array,
) -> Result<()> {
    let blocks = &plan.blocks;
    let pairs = blocks.pairs() as usize;
    check_length("the costs", costs.len(), pairs)?;
    check_length("the shares", shares.len(), blocks.count())?;
    let Backend::Gpu(gpu) = engine.backend() else {
        let (fresh, shares) = (&fresh.host()?[..pairs], shares.host()?);
        let costs = costs.host_mut()?;
        engine.run_twin(SHADER.name, || {
            for (problem, bounds) in blocks.elements().windows(2).enumerate() {
                let range = bounds[0] as usize..bounds[1] as usize;
                let share = shares[problem];
                // The whole of it is taken as it is: what was there may not be a number yet.
                let kept = |cost: f64| if share == 1.0 { 0.0 } else { (1.0 - share) * cost };
                if share != 0.0 {
                    let pairs = costs[range.clone()].par_iter_mut().zip(&fresh[range]);
                    pairs.for_each(|(cost, fresh)| *cost = kept(*cost) + share * fresh);
                }
            }
        });
        return Ok(());
    };
    plan.launch(
        engine,
        gpu,
        &SHADER,
        &[],
        |panel| Ok(vec![panel.window(fresh)?, shares.buffer()?.into(), panel.window(costs)?]),
        |first_tile, tiles| Params { first_tile, tiles },
    )
}
