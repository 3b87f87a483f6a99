//! Sums over the rows of a coupling that is never stored, for stored costs.

use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;

use super::softmin_columns::Panels;
use super::softmin_rows::row_panels;
use crate::engine::{Array, Backend, Engine, Launch, Shader, shader};
use crate::error::Result;
use crate::kernels::check_length;
use crate::kernels::tiles::Blocks;
use crate::kernels::vector::NOTHING;

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub(super) struct Params {
    pub first_tile: u32,
    pub tiles: u32,
    pub outputs: u32,
    pub inputs: u32,
    pub first: u32,
    pub count: u32,
    pub rate: f32,
}

pub(crate) static SHADER: Shader = shader!(
    "linear/coupling_rows",
    Params,
    [Read, Read, Read, Read, Read, Write],
    &[&[("COST", 0)], &[("COST", 1)]]
);

/// Columns of values that one launch takes.
pub(super) const AT_ONCE: usize = 4;

/// What is summed against the coupling.
#[derive(Clone, Copy)]
pub(crate) enum Summand<'a> {
    /// So many columns of values, one after another.
    Values(&'a Array, usize),
    /// The cost itself: the linear part of the objective.
    Cost,
}

impl Summand<'_> {
    pub(crate) fn columns(&self) -> usize {
        match self {
            Self::Values(_, columns) => *columns,
            Self::Cost => 1,
        }
    }
}

/// out_ik = sum_j exp(f_i + g_j - rate C_ij) V_jk, with V the summand.
#[expect(clippy::too_many_arguments, reason = "the operands of the formula")]
pub(crate) fn coupling_rows(
    engine: &Engine,
    blocks: &Blocks,
    costs: &Array,
    f: &Array,
    g: &Array,
    rate: f64,
    summand: Summand<'_>,
    out: &mut Array,
) -> Result<()> {
    let (rows, cols) = (blocks.total_rows(), blocks.total_cols());
    check_length("the potential of the rows", f.len(), rows)?;
    check_length("the potential of the columns", g.len(), cols)?;
    check_length("the sums", out.len(), rows * summand.columns())?;
    if let Summand::Values(values, columns) = summand {
        check_length("the values", values.len(), cols * columns)?;
    }
    let Backend::Gpu(gpu) = engine.backend() else {
        let (costs, f, g) = (costs.host()?, f.host()?, g.host()?);
        let values = match summand {
            Summand::Values(values, _) => Some(values.host()?),
            Summand::Cost => None,
        };
        let out = out.host_mut()?;
        engine.run_twin(SHADER.name, || twin(blocks, costs, f, g, rate, values, out));
        return Ok(());
    };
    let panels: Panels = row_panels(engine, gpu, blocks)?;
    let (constant, values) = match summand {
        Summand::Values(values, _) => (0, values.buffer()?),
        Summand::Cost => (1, g.buffer()?),
    };
    for first in (0..summand.columns()).step_by(AT_ONCE) {
        let count = AT_ONCE.min(summand.columns() - first);
        for panel in panels.iter() {
            for (first_tile, tiles, work) in
                panels.tiles.stretches(panel.tiles.clone(), gpu.work_per_launch())
            {
                engine.launch(
                    gpu,
                    &Launch {
                        shader: &SHADER,
                        constants: &[("COST", constant)],
                        bindings: &[
                            panels.tiles.table.buffer()?.into(),
                            panel.window(costs)?,
                            f.buffer()?.into(),
                            g.buffer()?.into(),
                            values.into(),
                            out.buffer()?.into(),
                        ],
                        immediates: bytemuck::bytes_of(&Params {
                            first_tile,
                            tiles,
                            outputs: rows as u32,
                            inputs: cols as u32,
                            first: first as u32,
                            count: count as u32,
                            rate: rate as f32,
                        }),
                        workgroups: u64::from(tiles),
                        work,
                    },
                )?;
            }
        }
    }
    Ok(())
}

fn twin(
    blocks: &Blocks,
    costs: &[f64],
    f: &[f64],
    g: &[f64],
    rate: f64,
    values: Option<&[f64]>,
    out: &mut [f64],
) {
    let (rows, cols) = (blocks.total_rows(), blocks.total_cols());
    let elements = blocks.elements();
    for problem in 0..blocks.count() {
        let (_, columns) = blocks.size(problem);
        let first_row = blocks.rows[problem];
        let first_col = blocks.cols[problem];
        for (k, out) in out.chunks_mut(rows).enumerate() {
            let out = &mut out[first_row..blocks.rows[problem + 1]];
            out.par_iter_mut().enumerate().for_each(|(i, out)| {
                let start = elements[problem] as usize + i * columns;
                *out = (0..columns)
                    .map(|j| {
                        let cost = costs[start + j];
                        let score = f[first_row + i] + g[first_col + j] - rate * cost;
                        let mass = score.max(NOTHING).exp();
                        match values {
                            Some(values) => mass * values[k * cols + first_col + j],
                            None if mass > 0.0 => mass * cost,
                            None => 0.0,
                        }
                    })
                    .sum();
            });
        }
    }
}
