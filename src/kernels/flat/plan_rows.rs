//! What the rows of a plan carry to columns in reach, the plan never stored.

use bytemuck::{Pod, Zeroable};
use multiversion::multiversion;
use multiversion::target::target_cfg_f;
use rayon::prelude::*;

use super::FURTHEST;
use crate::engine::{Array, Backend, Engine, Shader, shader};
use crate::error::Result;
use crate::geometry::Cost;
use crate::kernels::check_length;
use crate::kernels::point_costs::{ROWS_AT_ONCE, gathered, join_costs};
use crate::kernels::tiles::{Blocks, Tile, Tiles, running_parts};
use crate::kernels::vector::{CHUNK, LogSum, NEARLY_NOTHING, NOTHING, exp, larger, multiply_add};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    first_tile: u32,
    tiles: u32,
    outputs: u32,
    inputs: u32,
    dimension: u32,
    rate: f32,
}

pub(crate) static SHADER: Shader =
    shader!("flat/plan_rows", Params, [Read, Read, Read, Read, Read, Write, Write], &[&[]]);

/// Rows that a workgroup takes.
const TILE_ROWS: usize = 128;
/// Running sums that a loop over scores keeps: one would make it wait for each addition.
const LANES: usize = 8;

/// The work list of one direction.
pub(crate) struct PlanRows {
    blocks: Blocks,
    dimension: usize,
    tiles: Option<Tiles>,
}

/// Results, row by row.
pub(crate) struct RowSums {
    /// log sum_j exp(v_j - rate d_ij) over the columns in reach.
    pub logarithm: Array,
    /// The mean of d_ij - 2 under the terms of that sum, at most 0; 0 for no terms.
    pub mean: Array,
}

impl PlanRows {
    pub(crate) fn new(engine: &Engine, blocks: &Blocks, dimension: usize) -> Result<Self> {
        let tiles = engine
            .is_gpu()
            .then(|| Tiles::new(engine, &Tile::of_rows(blocks, TILE_ROWS)))
            .transpose()?;
        Ok(Self { blocks: blocks.clone(), dimension, tiles })
    }

    /// The sums over the columns nearer than 2, for the problems that are running. `x` and `y` hold
    /// the points coordinate by coordinate.
    #[expect(clippy::too_many_arguments, reason = "the operands of the formula")]
    pub(crate) fn launch(
        &self,
        engine: &Engine,
        x: &Array,
        y: &Array,
        v: &Array,
        rate: f64,
        running: &Array,
        out: &mut RowSums,
    ) -> Result<()> {
        let (rows, columns) = (self.blocks.total_rows(), self.blocks.total_cols());
        check_length("the points of the rows", x.len(), rows * self.dimension)?;
        check_length("the points of the columns", y.len(), columns * self.dimension)?;
        check_length("the logarithms of the columns", v.len(), columns)?;
        check_length("the logarithms of the rows", out.logarithm.len(), rows)?;
        check_length("the means of the rows", out.mean.len(), rows)?;
        let Backend::Gpu(gpu) = engine.backend() else {
            let (x, y, v, running) = (x.host()?, y.host()?, v.host()?, running.host()?);
            let (logarithm, mean) = (out.logarithm.host_mut()?, out.mean.host_mut()?);
            engine.run_twin(SHADER.name, || {
                self.twin([x, y], v, rate, running, [logarithm, mean]);
            });
            return Ok(());
        };
        let tiles = self.tiles.as_ref().expect("made for a GPU");
        let work_per_pair = 1.0 + self.dimension as f64 / 2.0;
        tiles.launch(
            engine,
            gpu,
            (&SHADER, &[]),
            (0..tiles.len(), work_per_pair),
            &[
                x.buffer()?.into(),
                y.buffer()?.into(),
                v.buffer()?.into(),
                running.buffer()?.into(),
                out.logarithm.buffer()?.into(),
                out.mean.buffer()?.into(),
            ],
            |first_tile, tiles| Params {
                first_tile,
                tiles,
                outputs: rows as u32,
                inputs: columns as u32,
                dimension: self.dimension as u32,
                rate: rate as f32,
            },
        )
    }

    fn twin(
        &self,
        [x, y]: [&[f64]; 2],
        v: &[f64],
        rate: f64,
        running: &[f64],
        [logarithm, mean]: [&mut [f64]; 2],
    ) {
        let (rows, columns) = (self.blocks.total_rows(), self.blocks.total_cols());
        let logarithms = running_parts(logarithm, &self.blocks.rows, running);
        let means = running_parts(mean, &self.blocks.rows, running);
        let there: Vec<&[f64]> = y.chunks(columns).collect();
        logarithms.into_par_iter().zip(means).for_each(|((problem, logarithms), (_, means))| {
            let first = self.blocks.rows[problem];
            let columns = self.blocks.cols[problem]..self.blocks.cols[problem + 1];
            let groups = logarithms.par_chunks_mut(ROWS_AT_ONCE);
            groups.zip(means.par_chunks_mut(ROWS_AT_ONCE)).enumerate().for_each(
                |(group, (logarithms, means))| {
                    let row = first + group * ROWS_AT_ONCE;
                    let here = gathered(x, rows, row..row + means.len());
                    let mut totals = [Total::EMPTY; ROWS_AT_ONCE];
                    let columns = columns.clone();
                    let euclidean = Cost::Euclidean;
                    join_costs(
                        euclidean,
                        &here,
                        &there,
                        columns,
                        &mut totals,
                        |total, some, costs| {
                            *total = total.join(terms(&v[some], costs, rate));
                        },
                    );
                    for ((total, logarithm), mean) in totals.iter().zip(logarithms).zip(means) {
                        *logarithm = total.mass.logarithm::<false>();
                        let nothing = *logarithm < NEARLY_NOTHING;
                        *mean = if nothing { 0.0 } else { total.saved / total.mass.sum };
                    }
                },
            );
        });
    }
}

/// A sum of masses, and of masses times costs relative to the same peak.
#[derive(Clone, Copy)]
struct Total {
    mass: LogSum,
    saved: f64,
}

impl Total {
    const EMPTY: Self = Self { mass: LogSum::EMPTY, saved: 0.0 };

    fn join(self, other: Self) -> Self {
        let peak = larger(self.mass.peak, other.mass.peak);
        let [mine, theirs] = [self, other].map(|total| exp::<false>(total.mass.peak - peak));
        let sum = self.mass.sum * mine + other.mass.sum * theirs;
        Self { mass: LogSum { peak, sum }, saved: self.saved * mine + other.saved * theirs }
    }
}

#[multiversion(targets("x86_64+avx2+fma", "x86_64+avx512f"))]
fn terms(v: &[f64], costs: &[f64], rate: f64) -> Total {
    if target_cfg_f!(any(target_feature = "fma", target_arch = "aarch64")) {
        terms_of::<true>(v, costs, rate)
    } else {
        terms_of::<false>(v, costs, rate)
    }
}

/// The terms of one row. At most [`CHUNK`] columns.
#[inline(always)]
fn terms_of<const FUSED: bool>(v: &[f64], costs: &[f64], rate: f64) -> Total {
    let mut scores = [NOTHING; CHUNK];
    let mut savings = [0.0; CHUNK];
    let columns = v.len().next_multiple_of(LANES);
    for (((score, saving), &v), &cost) in scores.iter_mut().zip(&mut savings).zip(v).zip(costs) {
        let near = cost < FURTHEST;
        *score = if near { multiply_add::<FUSED>(-rate, cost, v) } else { NOTHING };
        *saving = if near { cost - FURTHEST } else { 0.0 };
    }
    let mut peaks = [NOTHING; LANES];
    for scores in scores[..columns].chunks_exact(LANES) {
        for lane in 0..LANES {
            peaks[lane] = larger(peaks[lane], scores[lane]);
        }
    }
    let peak = peaks.into_iter().fold(NOTHING, f64::max);
    let (mut sums, mut saved) = ([0.0; LANES], [0.0; LANES]);
    let groups = scores[..columns].chunks_exact(LANES).zip(savings.chunks_exact(LANES));
    for (scores, savings) in groups {
        for lane in 0..LANES {
            let mass = exp::<FUSED>(scores[lane] - peak);
            sums[lane] += mass;
            saved[lane] = multiply_add::<FUSED>(mass, savings[lane], saved[lane]);
        }
    }
    let mass = LogSum { peak, sum: sums.into_iter().sum() };
    Total { mass, saved: saved.into_iter().sum() }
}
