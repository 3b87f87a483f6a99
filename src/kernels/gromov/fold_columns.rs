//! Copies of the same columns, added up: points that differ in their labels only have the same
//! distances.

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
    width: u32,
}

pub(crate) static SHADER: Shader =
    shader!("gromov/fold_columns", Params, [Read, Read, Write], &[&[]]);

/// out_ij = sum_k M_i,j+k*width for every matrix of a batch, whose columns are whole copies.
pub(crate) fn fold_columns(
    engine: &Engine,
    plan: &RowPlan,
    matrix: &Array,
    width: usize,
    out: &mut Array,
) -> Result<()> {
    let blocks = &plan.blocks;
    check_length("the matrices", matrix.len(), blocks.pairs() as usize)?;
    check_length("the folded matrices", out.len(), blocks.total_rows() * width)?;
    let Backend::Gpu(gpu) = engine.backend() else {
        let (matrix, out) = (matrix.host()?, out.host_mut()?);
        engine.run_twin(SHADER.name, || {
            let elements = blocks.elements();
            for problem in 0..blocks.count() {
                let (_, columns) = blocks.size(problem);
                let rows = blocks.rows[problem] * width..blocks.rows[problem + 1] * width;
                let matrix = &matrix[elements[problem] as usize..elements[problem + 1] as usize];
                let pairs = out[rows].par_chunks_mut(width).zip(matrix.par_chunks(columns));
                pairs.for_each(|(out, row)| {
                    out.fill(0.0);
                    for copy in row.chunks(width) {
                        out.iter_mut().zip(copy).for_each(|(out, value)| *out += value);
                    }
                });
            }
        });
        return Ok(());
    };
    let width = index("the matrices", width)?;
    plan.launch(
        engine,
        gpu,
        &SHADER,
        &[],
        |panel| Ok(vec![panel.window(matrix)?, out.buffer()?.into()]),
        |first_tile, tiles| Params { first_tile, tiles, width },
    )
}
