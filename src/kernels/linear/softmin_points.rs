//! Softmin over points, the cost computed on the fly and never stored.

use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;

use super::join_partials::{Partials, join_partials};
use crate::engine::{Array, Backend, Engine, Shader, shader};
use crate::error::Result;
use crate::geometry::Cost;
use crate::kernels::check_length;
use crate::kernels::point_costs::{ROWS_AT_ONCE, gathered, join_costs};
use crate::kernels::tiles::{Blocks, Tile, Tiles, running_parts};
use crate::kernels::vector::{LogSum, join_scores};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    first_tile: u32,
    tiles: u32,
    outputs: u32,
    inputs: u32,
    dimension: u32,
    rate: f32,
    power: f32,
}

pub(crate) static SHADER: Shader = shader!(
    "linear/softmin_points",
    Params,
    [Read, Read, Read, Read, Read, Write],
    &[
        &variant(Cost::SquaredEuclidean, 1, false),
        &variant(Cost::SquaredEuclidean, 3, true),
        &variant(Cost::Euclidean, 2, false),
        &variant(Cost::Power(1.5), 10, true),
        &variant(Cost::GreatCircle(2.0), 3, false),
        &variant(Cost::SquaredEuclidean, 17, true),
        &variant(Cost::Euclidean, 64, false),
    ]
);

/// Dimensions up to this one have kernels of their own, with coordinates in registers.
const MAX_UNROLLED: usize = 10;
/// Rows that a workgroup takes.
const TILE_ROWS: usize = 256;
/// Workgroups that keep a large GPU busy; fewer, and the columns are split too. Problem by problem:
/// what a problem is batched with must not change the order of its sums.
const ENOUGH_TILES: usize = 1024;
/// Columns that a tile takes at least when columns are split.
const MIN_TILE_COLS: usize = 256;

type Constants = [(&'static str, u32); 8];

const fn variant(cost: Cost, dimension: usize, split: bool) -> Constants {
    let unrolled = dimension <= MAX_UNROLLED;
    // Kernels for any dimension are one kernel.
    let dimension = if unrolled { dimension as u32 } else { 0 };
    let [squared, distance, power, great_circle] = cost.switches();
    [
        ("UNROLLED", unrolled as u32),
        ("DIMENSION", dimension),
        ("TILE_VECTORS", dimension * 32),
        ("SPLIT", split as u32),
        ("COST_SQUARED", squared),
        ("COST_DISTANCE", distance),
        ("COST_POWER", power),
        ("COST_GREAT_CIRCLE", great_circle),
    ]
}

/// The plan for one direction: rows take the softmin over columns.
pub(crate) struct SoftminPoints {
    blocks: Blocks,
    cost: Cost,
    dimension: usize,
    device: Option<(Tiles, Option<Partials>)>,
}

impl SoftminPoints {
    pub(crate) fn new(
        engine: &Engine,
        blocks: &Blocks,
        cost: Cost,
        dimension: usize,
    ) -> Result<Self> {
        let device = if engine.is_gpu() {
            let (tiles, slots) = tiles(blocks);
            let partials =
                (slots > 1).then(|| Partials::empty(engine, slots, &blocks.rows)).transpose()?;
            Some((Tiles::new(engine, &tiles)?, partials))
        } else {
            None
        };
        Ok(Self { blocks: blocks.clone(), cost, dimension, device })
    }

    /// Rows of all problems.
    pub(crate) fn outputs(&self) -> usize {
        self.blocks.total_rows()
    }

    /// out_i = log sum_j exp(bias_j - rate c(x_i, y_j)), for the problems that are running.
    /// `x` and `y` hold the points coordinate by coordinate.
    #[expect(clippy::too_many_arguments, reason = "the operands of the formula")]
    pub(crate) fn launch(
        &mut self,
        engine: &Engine,
        x: &Array,
        y: &Array,
        bias: &Array,
        rate: f64,
        running: &Array,
        out: &mut Array,
    ) -> Result<()> {
        let (rows, columns) = (self.blocks.total_rows(), self.blocks.total_cols());
        check_length("the points of the rows", x.len(), rows * self.dimension)?;
        check_length("the points of the columns", y.len(), columns * self.dimension)?;
        check_length("the bias of the columns", bias.len(), columns)?;
        check_length("the softmin of the rows", out.len(), rows)?;
        let Backend::Gpu(gpu) = engine.backend() else {
            let (x, y, bias, running) = (x.host()?, y.host()?, bias.host()?, running.host()?);
            let out = out.host_mut()?;
            engine.run_twin(SHADER.name, || {
                twin(&self.blocks, self.cost, x, y, bias, rate, running, out);
            });
            return Ok(());
        };
        let (tiles, partials) = self.device.as_ref().expect("made for a GPU");
        let constants = variant(self.cost, self.dimension, partials.is_some());
        // In high dimensions a pair costs more than its exponential.
        let work_per_pair = 1.0 + self.dimension as f64 / 8.0;
        let target = partials.as_ref().map_or(&*out, |partials| &partials.pairs);
        tiles.launch(
            engine,
            gpu,
            (&SHADER, &constants),
            (0..tiles.len(), work_per_pair),
            &[
                x.buffer()?.into(),
                y.buffer()?.into(),
                bias.buffer()?.into(),
                running.buffer()?.into(),
                target.buffer()?.into(),
            ],
            |first_tile, tiles| Params {
                first_tile,
                tiles,
                outputs: rows as u32,
                inputs: columns as u32,
                dimension: self.dimension as u32,
                rate: rate as f32,
                power: self.cost.power() as f32,
            },
        )?;
        match partials {
            Some(partials) => join_partials(engine, partials, running, out),
            None => Ok(()),
        }
    }
}

/// Tiles of 256 rows; where that makes too few workgroups for a problem, its columns are split as
/// well.
fn tiles(blocks: &Blocks) -> (Vec<Tile>, u32) {
    let mut tiles = Vec::new();
    let mut slots = 1;
    for problem in 0..blocks.count() {
        let (rows, columns) = blocks.size(problem);
        let parts = (ENOUGH_TILES / rows.div_ceil(TILE_ROWS).max(1)).max(1);
        let width = columns.div_ceil(parts).next_multiple_of(MIN_TILE_COLS);
        let (rows, cols) = (
            blocks.rows[problem]..blocks.rows[problem + 1],
            blocks.cols[problem]..blocks.cols[problem + 1],
        );
        for row_begin in rows.clone().step_by(TILE_ROWS) {
            for (slot, col_begin) in cols.clone().step_by(width).enumerate() {
                slots = slots.max(slot as u32 + 1);
                tiles.push(Tile {
                    problem: problem as u32,
                    row_begin: row_begin as u32,
                    row_end: (row_begin + TILE_ROWS).min(rows.end) as u32,
                    col_begin: col_begin as u32,
                    col_end: (col_begin + width).min(cols.end) as u32,
                    slot: slot as u32,
                    ..Default::default()
                });
            }
        }
    }
    (tiles, slots)
}

#[expect(clippy::too_many_arguments, reason = "the operands of the formula")]
fn twin(
    blocks: &Blocks,
    cost: Cost,
    x: &[f64],
    y: &[f64],
    bias: &[f64],
    rate: f64,
    running: &[f64],
    out: &mut [f64],
) {
    let (rows, columns) = (blocks.total_rows(), blocks.total_cols());
    let there: Vec<&[f64]> = y.chunks(columns).collect();
    running_parts(out, &blocks.rows, running).into_par_iter().for_each(|(problem, out)| {
        let columns = blocks.cols[problem]..blocks.cols[problem + 1];
        let first = blocks.rows[problem];
        out.par_chunks_mut(ROWS_AT_ONCE).enumerate().for_each(|(group, out)| {
            let row = first + group * ROWS_AT_ONCE;
            let here = gathered(x, rows, row..row + out.len());
            let mut totals = [LogSum::EMPTY; ROWS_AT_ONCE];
            join_costs(cost, &here, &there, columns.clone(), &mut totals, |total, some, costs| {
                *total = join_scores(*total, &bias[some], costs, rate);
            });
            for (out, total) in out.iter_mut().zip(totals) {
                *out = total.logarithm::<false>();
            }
        });
    });
}
