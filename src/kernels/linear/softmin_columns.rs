//! Softmin along the columns of stored cost matrices.

use std::ops::Range;

use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;

use super::join_partials::{Partials, join_partials};
use crate::engine::{Array, Backend, Engine, Shader, shader};
use crate::error::Result;
use crate::kernels::check_length;
use crate::kernels::panels::Panels;
use crate::kernels::tiles::{Blocks, Tile, running_parts};
use crate::kernels::vector::{NOTHING, ROWS_AT_ONCE, join_columns, log_sum_columns, logarithms};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    first_tile: u32,
    tiles: u32,
    outputs: u32,
    rate: f32,
}

pub(crate) static SHADER: Shader = shader!(
    "linear/softmin_columns",
    Params,
    [Read, Read, Read, Read, Write],
    &[&[("SPLIT", 0)], &[("SPLIT", 1)]]
);

/// Columns that a workgroup takes.
const TILE_COLS: usize = 64;
/// Rows that a workgroup takes at most, where the device has room for more workgroups.
const TILE_ROWS: usize = 256;
/// Rows that one CPU task takes.
const STRETCH: usize = 256;

/// The plan: tiles, and scratch for partial results where columns take several tiles.
pub(crate) struct SoftminColumns {
    blocks: Blocks,
    device: Option<(Panels, Option<Partials>)>,
}

impl SoftminColumns {
    pub(crate) fn new(engine: &Engine, blocks: &Blocks) -> Result<Self> {
        let device = match engine.backend() {
            Backend::Cpu => None,
            Backend::Gpu(gpu) => {
                let panels = Panels::new(engine, gpu, blocks, |problem, rows, slot| {
                    column_tiles(blocks, problem, rows, slot)
                })?;
                let partials = if panels.slots > 1 {
                    Some(Partials::empty(engine, panels.slots, &blocks.cols)?)
                } else {
                    None
                };
                Some((panels, partials))
            }
        };
        Ok(Self { blocks: blocks.clone(), device })
    }

    /// out_j = log sum_i exp(bias_i - rate C_ij), for the problems that are running.
    pub(crate) fn launch(
        &mut self,
        engine: &Engine,
        costs: &Array,
        bias: &Array,
        rate: f64,
        running: &Array,
        out: &mut Array,
    ) -> Result<()> {
        check_length("the costs", costs.len(), self.blocks.pairs() as usize)?;
        check_length("the bias of the rows", bias.len(), self.blocks.total_rows())?;
        check_length("the softmin of the columns", out.len(), self.blocks.total_cols())?;
        let Backend::Gpu(gpu) = engine.backend() else {
            let (costs, bias, running) = (costs.host()?, bias.host()?, running.host()?);
            let out = out.host_mut()?;
            engine.run_twin(SHADER.name, || twin(&self.blocks, costs, bias, rate, running, out));
            return Ok(());
        };
        let (panels, partials) = self.device.as_mut().expect("made for a GPU");
        let split = u32::from(partials.is_some());
        let target = partials.as_ref().map_or(&*out, |partials| &partials.pairs).buffer()?;
        panels.launch(
            engine,
            gpu,
            (&SHADER, &[("SPLIT", split)]),
            |panel| {
                let (bias, running) = (bias.buffer()?.into(), running.buffer()?.into());
                Ok(vec![panel.window(costs)?, bias, running, target.into()])
            },
            |first_tile, tiles| Params {
                first_tile,
                tiles,
                outputs: self.blocks.total_cols() as u32,
                rate: rate as f32,
            },
        )?;
        match partials {
            Some(partials) => join_partials(engine, partials, running, out),
            None => Ok(()),
        }
    }
}

fn column_tiles(blocks: &Blocks, problem: usize, rows: Range<usize>, slot: u32) -> Vec<Tile> {
    let columns = blocks.cols[problem]..blocks.cols[problem + 1];
    let mut tiles = Vec::new();
    for (step, row_begin) in rows.clone().step_by(TILE_ROWS).enumerate() {
        for col_begin in columns.clone().step_by(TILE_COLS) {
            tiles.push(Tile {
                problem: problem as u32,
                row_begin: row_begin as u32,
                row_end: (row_begin + TILE_ROWS).min(rows.end) as u32,
                col_begin: col_begin as u32,
                col_end: (col_begin + TILE_COLS).min(columns.end) as u32,
                slot: slot + step as u32,
                ..Default::default()
            });
        }
    }
    tiles
}

fn twin(blocks: &Blocks, costs: &[f64], bias: &[f64], rate: f64, running: &[f64], out: &mut [f64]) {
    let elements = blocks.elements();
    running_parts(out, &blocks.cols, running).into_par_iter().for_each(|(problem, out)| {
        let costs = &costs[elements[problem] as usize..elements[problem + 1] as usize];
        let bias = &bias[blocks.rows[problem]..blocks.rows[problem + 1]];
        // Stretches of whole rows, which lie one after another in memory.
        let stretches: Vec<_> = costs
            .par_chunks(STRETCH * out.len())
            .zip(bias.par_chunks(STRETCH))
            .map(|(costs, bias)| column_sums(costs, bias, rate, out.len()))
            .collect();
        let joined = stretches.into_iter().reduce(|mut joined, (peaks, sums)| {
            join_columns(&peaks, &sums, &mut joined.0, &mut joined.1);
            joined
        });
        if let Some((peaks, sums)) = joined {
            logarithms(&peaks, &sums, out);
        }
    });
}

/// The peaks and sums of every column over some rows.
fn column_sums(costs: &[f64], bias: &[f64], rate: f64, columns: usize) -> (Vec<f64>, Vec<f64>) {
    let (mut peaks, mut sums) = (vec![NOTHING; columns], vec![0.0; columns]);
    let mut rows: [&[f64]; ROWS_AT_ONCE] = [&[]; ROWS_AT_ONCE];
    for (costs, bias) in costs.chunks(ROWS_AT_ONCE * columns).zip(bias.chunks(ROWS_AT_ONCE)) {
        for (row, costs) in rows.iter_mut().zip(costs.chunks(columns)) {
            *row = costs;
        }
        log_sum_columns(bias, &rows[..bias.len()], rate, &mut peaks, &mut sums);
    }
    (peaks, sums)
}
