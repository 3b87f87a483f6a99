//! Softmin along the rows of stored cost matrices.

use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;

use crate::engine::gpu::Gpu;
use crate::engine::{Array, Backend, Engine, Shader, shader};
use crate::error::Result;
use crate::kernels::check_length;
use crate::kernels::panels::Panels;
use crate::kernels::tiles::{Blocks, Tile, running_parts};
use crate::kernels::vector::log_sum_row;

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    first_tile: u32,
    tiles: u32,
    rate: f32,
}

pub(crate) static SHADER: Shader =
    shader!("linear/softmin_rows", Params, [Read, Read, Read, Read, Write], &[&[]]);

/// Rows that a workgroup takes.
const TILE_ROWS: usize = 8;
/// Pairs that one CPU task takes at least, about 50 microseconds.
const PAIRS_PER_TASK: usize = 32_768;

/// The plan: which workgroup takes which rows of which panel.
pub(crate) struct SoftminRows {
    blocks: Blocks,
    panels: Option<Panels>,
}

impl SoftminRows {
    pub(crate) fn new(engine: &Engine, blocks: &Blocks) -> Result<Self> {
        let panels = match engine.backend() {
            Backend::Cpu => None,
            Backend::Gpu(gpu) => Some(row_panels(engine, gpu, blocks)?),
        };
        Ok(Self { blocks: blocks.clone(), panels })
    }

    /// out_i = log sum_j exp(bias_j - rate C_ij), for the problems that are running.
    pub(crate) fn launch(
        &self,
        engine: &Engine,
        costs: &Array,
        bias: &Array,
        rate: f64,
        running: &Array,
        out: &mut Array,
    ) -> Result<()> {
        check_length("the costs", costs.len(), self.blocks.pairs() as usize)?;
        check_length("the bias of the columns", bias.len(), self.blocks.total_cols())?;
        check_length("the softmin of the rows", out.len(), self.blocks.total_rows())?;
        let Backend::Gpu(gpu) = engine.backend() else {
            let (costs, bias, running) = (costs.host()?, bias.host()?, running.host()?);
            let out = out.host_mut()?;
            engine.run_twin(SHADER.name, || twin(&self.blocks, costs, bias, rate, running, out));
            return Ok(());
        };
        let panels = self.panels.as_ref().expect("made for a GPU");
        panels.launch(
            engine,
            gpu,
            (&SHADER, &[]),
            |panel| {
                let (bias, running) = (bias.buffer()?.into(), running.buffer()?.into());
                Ok(vec![panel.window(costs)?, bias, running, out.buffer()?.into()])
            },
            |first_tile, tiles| Params { first_tile, tiles, rate: rate as f32 },
        )
    }
}

/// Tiles of eight rows, panel by panel.
pub(crate) fn row_panels(engine: &Engine, gpu: &Gpu, blocks: &Blocks) -> Result<Panels> {
    Panels::new(engine, gpu, blocks, |problem, rows, _| {
        let tile = |begin: usize| Tile {
            problem: problem as u32,
            row_begin: begin as u32,
            row_end: (begin + TILE_ROWS).min(rows.end) as u32,
            col_begin: blocks.cols[problem] as u32,
            col_end: blocks.cols[problem + 1] as u32,
            ..Default::default()
        };
        rows.clone().step_by(TILE_ROWS).map(tile).collect()
    })
}

fn twin(blocks: &Blocks, costs: &[f64], bias: &[f64], rate: f64, running: &[f64], out: &mut [f64]) {
    let elements = blocks.elements();
    running_parts(out, &blocks.rows, running).into_par_iter().for_each(|(problem, out)| {
        let (_, columns) = blocks.size(problem);
        let costs = &costs[elements[problem] as usize..elements[problem + 1] as usize];
        let bias = &bias[blocks.cols[problem]..blocks.cols[problem + 1]];
        out.par_iter_mut()
            .zip(costs.par_chunks(columns))
            .with_min_len(PAIRS_PER_TASK.div_ceil(columns))
            .for_each(|(out, costs)| *out = log_sum_row(bias, costs, rate));
    });
}
