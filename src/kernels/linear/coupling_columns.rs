//! Sums over the columns of a coupling that is never stored, for stored costs.

use rayon::prelude::*;

use super::coupling_rows::{AT_ONCE, Params};
use crate::engine::{Array, Backend, Engine, Shader, shader};
use crate::error::Result;
use crate::kernels::check_length;
use crate::kernels::panels::Panels;
use crate::kernels::tiles::{Blocks, Tile};
use crate::kernels::vector::NOTHING;

pub(crate) static SHADER: Shader =
    shader!("linear/coupling_columns", Params, [Read, Read, Read, Read, Read, Write], &[&[]]);

/// Columns that a workgroup takes.
const TILE_COLS: usize = 64;

/// out_jk = sum_i exp(f_i + g_j - rate C_ij) V_ik, for `columns` columns of V, one after another.
#[expect(clippy::too_many_arguments, reason = "the operands of the formula")]
pub(crate) fn coupling_columns(
    engine: &Engine,
    blocks: &Blocks,
    costs: &Array,
    f: &Array,
    g: &Array,
    rate: f64,
    values: &Array,
    columns: usize,
    out: &mut Array,
) -> Result<()> {
    let (rows, cols) = (blocks.total_rows(), blocks.total_cols());
    check_length("the potential of the rows", f.len(), rows)?;
    check_length("the potential of the columns", g.len(), cols)?;
    check_length("the values", values.len(), rows * columns)?;
    check_length("the sums", out.len(), cols * columns)?;
    let Backend::Gpu(gpu) = engine.backend() else {
        let (costs, f, g, values) = (costs.host()?, f.host()?, g.host()?, values.host()?);
        let out = out.host_mut()?;
        engine.run_twin(SHADER.name, || twin(blocks, costs, f, g, rate, values, out));
        return Ok(());
    };
    let panels = Panels::new(engine, gpu, blocks, |problem, rows, slot| {
        let end = blocks.cols[problem + 1];
        let tile = |begin: usize| Tile {
            problem: problem as u32,
            row_begin: rows.start as u32,
            row_end: rows.end as u32,
            col_begin: begin as u32,
            col_end: (begin + TILE_COLS).min(end) as u32,
            slot,
            ..Default::default()
        };
        (blocks.cols[problem]..end).step_by(TILE_COLS).map(tile).collect()
    })?;
    for first in (0..columns).step_by(AT_ONCE) {
        let count = AT_ONCE.min(columns - first);
        panels.launch(
            engine,
            gpu,
            (&SHADER, &[]),
            |panel| {
                let arrays = [f, g, values, &*out];
                let arrays = arrays.into_iter().map(|array| Ok(array.buffer()?.into()));
                std::iter::once(panel.window(costs)).chain(arrays).collect()
            },
            |first_tile, tiles| Params {
                first_tile,
                tiles,
                outputs: cols as u32,
                inputs: rows as u32,
                first: first as u32,
                count: count as u32,
                rate: rate as f32,
            },
        )?;
    }
    Ok(())
}

fn twin(
    blocks: &Blocks,
    costs: &[f64],
    f: &[f64],
    g: &[f64],
    rate: f64,
    values: &[f64],
    out: &mut [f64],
) {
    let (rows, cols) = (blocks.total_rows(), blocks.total_cols());
    let elements = blocks.elements();
    for problem in 0..blocks.count() {
        let (height, width) = blocks.size(problem);
        let (first_row, first_col) = (blocks.rows[problem], blocks.cols[problem]);
        for (k, out) in out.chunks_mut(cols).enumerate() {
            let out = &mut out[first_col..first_col + width];
            out.par_iter_mut().enumerate().for_each(|(j, out)| {
                let term = |i: usize| {
                    let cost = costs[elements[problem] as usize + i * width + j];
                    let score = f[first_row + i] + g[first_col + j] - rate * cost;
                    score.max(NOTHING).exp() * values[k * rows + first_row + i]
                };
                *out = (0..height).map(term).sum();
            });
        }
    }
}
