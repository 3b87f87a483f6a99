//! Softmin along the columns of stored cost matrices, and the panels that matrices are walked in.

use std::ops::Range;

use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;

use super::join_partials::{Partials, join_partials};
use crate::engine::gpu::{Binding, Gpu};
use crate::engine::{Array, Backend, Engine, Launch, Shader, shader};
use crate::error::{Error, Result};
use crate::kernels::check_length;
use crate::kernels::tiles::{Blocks, Tile, Tiles, running_parts};
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

/// Stretches of a matrix's rows, each small enough for one binding, and the tiles of each.
pub(crate) struct Panels {
    pub tiles: Tiles,
    panels: Vec<Panel>,
    /// Slots of partial results that any column needs.
    pub slots: u32,
}

/// One binding's worth of rows.
pub(crate) struct Panel {
    first_byte: u64,
    bytes: u64,
    pub tiles: Range<usize>,
}

impl Panel {
    /// The part of the costs that this panel's tiles read.
    pub(crate) fn window<'a>(&self, costs: &'a Array) -> Result<Binding<'a>> {
        Ok(Binding {
            buffer: costs.buffer()?,
            offset: self.first_byte,
            bytes: Some(self.bytes.max(4)),
        })
    }
}

impl Panels {
    /// Cuts a batch of matrices into panels. `tile(problem, rows, slot)` lists the tiles of a
    /// stretch of (global) rows; their places in the window are filled in here, and their slots
    /// count from the first slot that the problem has not used.
    pub(crate) fn new(
        engine: &Engine,
        gpu: &Gpu,
        blocks: &Blocks,
        tile: impl Fn(usize, Range<usize>, u32) -> Vec<Tile>,
    ) -> Result<Self> {
        let limit = gpu.max_binding_bytes() / 4;
        let alignment = gpu.binding_alignment() / 4;
        let elements = blocks.elements();
        let mut panels: Vec<Panel> = Vec::new();
        let mut all = Vec::new();
        let mut slots = 1;
        let mut window_begin = 0;
        for (problem, &first_element) in elements[..blocks.count()].iter().enumerate() {
            let (rows, columns) = blocks.size(problem);
            if rows == 0 || columns == 0 {
                continue;
            }
            let stride = columns as u64;
            // A window begins where the device lets it, before the row.
            let needed = stride + alignment - 1;
            if needed > limit {
                return Err(Error::Limit {
                    what: "one row of the cost matrix".to_owned(),
                    needed: needed * 4,
                    available: limit * 4,
                    remedy: "exchange rows and columns, or use points".to_owned(),
                });
            }
            let mut slot = 0;
            let mut row = 0;
            while row < rows {
                let begin = first_element + row as u64 * stride;
                let room = (window_begin + limit).saturating_sub(begin) / stride;
                if panels.is_empty() || room == 0 {
                    // A new panel, from the last place that a binding may start at.
                    window_begin = begin - begin % alignment;
                    panels.push(Panel {
                        first_byte: window_begin * 4,
                        bytes: 0,
                        tiles: all.len()..all.len(),
                    });
                    continue;
                }
                let end = rows.min(row + room as usize);
                let offset = blocks.rows[problem];
                for mut tile in tile(problem, offset + row..offset + end, slot) {
                    let tile_row = u64::from(tile.row_begin) - offset as u64;
                    let tile_column = u64::from(tile.col_begin) - blocks.cols[problem] as u64;
                    let element = first_element + tile_row * stride + tile_column;
                    tile.element = (element - window_begin) as u32;
                    tile.stride = columns as u32;
                    slots = slots.max(tile.slot + 1);
                    all.push(tile);
                }
                slot = all.last().map_or(slot, |tile: &Tile| tile.slot + 1);
                let panel = panels.last_mut().expect("pushed above");
                panel.tiles.end = all.len();
                panel.bytes = (first_element + end as u64 * stride - window_begin) * 4;
                row = end;
            }
        }
        Ok(Self { tiles: Tiles::new(engine, &all)?, panels, slots })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Panel> {
        self.panels.iter()
    }
}

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
        for panel in panels.iter() {
            for (first_tile, tiles, work) in
                panels.tiles.stretches(panel.tiles.clone(), gpu.work_per_launch())
            {
                let target =
                    partials.as_ref().map_or(&*out, |partials| &partials.pairs).buffer()?;
                engine.launch(
                    gpu,
                    &Launch {
                        shader: &SHADER,
                        constants: &[("SPLIT", split)],
                        bindings: &[
                            panels.tiles.table.buffer()?.into(),
                            panel.window(costs)?,
                            bias.buffer()?.into(),
                            running.buffer()?.into(),
                            target.into(),
                        ],
                        immediates: bytemuck::bytes_of(&Params {
                            first_tile,
                            tiles,
                            outputs: self.blocks.total_cols() as u32,
                            rate: rate as f32,
                        }),
                        workgroups: u64::from(tiles),
                        work,
                    },
                )?;
            }
        }
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
