//! A coupling, stored: what products with distance matrices start from.

use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;

use super::RowPlan;
use crate::engine::{Array, Backend, Engine, Shader, shader};
use crate::error::Result;
use crate::kernels::check_length;
use crate::kernels::vector::NOTHING;

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    first_tile: u32,
    tiles: u32,
    rate: f32,
}

pub(crate) static SHADER: Shader =
    shader!("gromov/coupling_dense", Params, [Read, Read, Read, Read, Write], &[&[]]);

/// out_ij = exp(f_i + g_j - rate C_ij) for every problem of a batch.
pub(crate) fn coupling_dense(
    engine: &Engine,
    plan: &RowPlan,
    costs: &Array,
    f: &Array,
    g: &Array,
    rate: f64,
    out: &mut Array,
) -> Result<()> {
    let blocks = &plan.blocks;
    let pairs = blocks.pairs() as usize;
    check_length("the costs", costs.len(), pairs)?;
    check_length("the potential of the rows", f.len(), blocks.total_rows())?;
    check_length("the potential of the columns", g.len(), blocks.total_cols())?;
    let Backend::Gpu(gpu) = engine.backend() else {
        let (costs, f, g) = (&costs.host()?[..pairs], f.host()?, g.host()?);
        let out = &mut out.host_mut()?[..pairs];
        engine.run_twin(SHADER.name, || {
            let elements = blocks.elements();
            for problem in 0..blocks.count() {
                let (_, columns) = blocks.size(problem);
                let range = elements[problem] as usize..elements[problem + 1] as usize;
                let f = &f[blocks.rows[problem]..blocks.rows[problem + 1]];
                let g = &g[blocks.cols[problem]..blocks.cols[problem + 1]];
                let rows = out[range.clone()].par_chunks_mut(columns);
                rows.zip(costs[range].par_chunks(columns)).zip(f.par_iter()).for_each(
                    |((out, costs), f)| {
                        for ((out, cost), g) in out.iter_mut().zip(costs).zip(g) {
                            *out = (f + g - rate * cost).max(NOTHING).exp();
                        }
                    },
                );
            }
        });
        return Ok(());
    };
    plan.launch(
        engine,
        gpu,
        &SHADER,
        &[],
        |panel| {
            Ok(vec![
                panel.window(costs)?,
                f.buffer()?.into(),
                g.buffer()?.into(),
                panel.window(out)?,
            ])
        },
        |first_tile, tiles| Params { first_tile, tiles, rate: rate as f32 },
    )
}
