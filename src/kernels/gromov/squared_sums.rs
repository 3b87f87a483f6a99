//! The product of the entrywise square of a distance matrix with vectors.

use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;

use super::RowPlan;
use crate::engine::{Array, Backend, Engine, Shader, shader};
use crate::error::Result;
use crate::kernels::{check_length, index};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    first_tile: u32,
    tiles: u32,
    first: u32,
}

pub(crate) static SHADER: Shader =
    shader!("gromov/squared_sums", Params, [Read, Read, Read, Write], &[&[]]);

/// out_bi = sum_j D_ij² v_bj for vectors that lie one after another. The plan is that of D alone.
pub(crate) fn squared_sums(
    engine: &Engine,
    plan: &RowPlan,
    distances: &Array,
    vectors: &Array,
    out: &mut Array,
) -> Result<()> {
    let points = plan.blocks.total_rows();
    check_length("the distances", distances.len(), points * points)?;
    check_length("the sums", out.len(), vectors.len())?;
    let Backend::Gpu(gpu) = engine.backend() else {
        let (distances, vectors) = (distances.host()?, vectors.host()?);
        let out = out.host_mut()?;
        engine.run_twin(SHADER.name, || {
            for (v, out) in vectors.chunks(points).zip(out.chunks_mut(points)) {
                let rows = out.par_iter_mut().zip(distances.par_chunks(points));
                rows.for_each(|(out, row)| *out = row.iter().zip(v).map(|(d, v)| d * d * v).sum());
            }
        });
        return Ok(());
    };
    for first in (0..vectors.len()).step_by(points) {
        let first = index("the vectors", first)?;
        plan.launch(
            engine,
            gpu,
            &SHADER,
            &[],
            |panel| {
                Ok(vec![panel.window(distances)?, vectors.buffer()?.into(), out.buffer()?.into()])
            },
            |first_tile, tiles| Params { first_tile, tiles, first },
        )?;
    }
    Ok(())
}
