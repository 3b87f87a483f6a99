//! Sums over the coupling of points, never stored: applied to values, to the cost, and to the
//! slope of the cost (the gradient by the points).

use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;

use crate::engine::{Array, Backend, Engine, Shader, shader};
use crate::error::Result;
use crate::geometry::Cost;
use crate::kernels::check_length;
use crate::kernels::point_costs::{gathered, join_costs};
use crate::kernels::tiles::{Blocks, Tile, Tiles};
use crate::kernels::vector::{CHUNK, masses, weighted_sum};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    first_tile: u32,
    tiles: u32,
    outputs: u32,
    inputs: u32,
    dimension: u32,
    first: u32,
    count: u32,
    rate: f32,
    power: f32,
}

pub(crate) static SHADER: Shader = shader!(
    "linear/coupling_points",
    Params,
    [Read, Read, Read, Read, Read, Read, Write],
    &[
        &variant(Cost::SquaredEuclidean, 0),
        &variant(Cost::Euclidean, 1),
        &variant(Cost::Power(1.5), 2),
        &variant(Cost::GreatCircle(2.0), 2),
    ]
);

/// Rows that a workgroup takes.
const TILE_ROWS: usize = 128;
/// Columns of values, or coordinates, that one launch takes.
const AT_ONCE: usize = 4;

/// What is summed against the coupling.
#[derive(Clone, Copy)]
pub(crate) enum PointSummand<'a> {
    /// So many columns of values, one after another.
    Values(&'a Array, usize),
    /// The cost itself: the linear part of the objective.
    Cost,
    /// The gradient of the cost by the row's point.
    Slope,
}

const fn variant(cost: Cost, summand: u32) -> [(&'static str, u32); 7] {
    let [squared, distance, power, great_circle] = cost.switches();
    [
        ("VALUES", (summand == 0) as u32),
        ("COST", (summand == 1) as u32),
        ("SLOPE", (summand == 2) as u32),
        ("COST_SQUARED", squared),
        ("COST_DISTANCE", distance),
        ("COST_POWER", power),
        ("COST_GREAT_CIRCLE", great_circle),
    ]
}

/// The points of both sides, coordinate by coordinate, and their cost.
pub(crate) struct PointPairs<'a> {
    pub blocks: &'a Blocks,
    pub cost: Cost,
    pub dimension: usize,
    pub x: &'a Array,
    pub y: &'a Array,
}

/// out_ik = sum_j exp(f_i + g_j - rate c(x_i, y_j)) V_ijk, with V the summand.
pub(crate) fn coupling_points(
    engine: &Engine,
    pairs: &PointPairs<'_>,
    f: &Array,
    g: &Array,
    rate: f64,
    summand: PointSummand<'_>,
    out: &mut Array,
) -> Result<()> {
    let (rows, cols) = (pairs.blocks.total_rows(), pairs.blocks.total_cols());
    let columns = match summand {
        PointSummand::Values(_, columns) => columns,
        PointSummand::Cost => 1,
        PointSummand::Slope => pairs.dimension,
    };
    check_length("the potential of the rows", f.len(), rows)?;
    check_length("the potential of the columns", g.len(), cols)?;
    check_length("the sums", out.len(), rows * columns)?;
    if let PointSummand::Values(values, columns) = summand {
        check_length("the values", values.len(), cols * columns)?;
    }
    let Backend::Gpu(gpu) = engine.backend() else {
        let values = match summand {
            PointSummand::Values(values, _) => values.host()?,
            _ => &[],
        };
        let (x, y, f, g) = (pairs.x.host()?, pairs.y.host()?, f.host()?, g.host()?);
        let out = out.host_mut()?;
        engine.run_twin(SHADER.name, || {
            twin(pairs, [x, y], [f, g], rate, (summand, values, columns), out);
        });
        return Ok(());
    };
    let tiles = Tiles::new(engine, &Tile::of_rows(pairs.blocks, TILE_ROWS))?;
    let kind = match summand {
        PointSummand::Values(..) => 0,
        PointSummand::Cost => 1,
        PointSummand::Slope => 2,
    };
    let values = match summand {
        PointSummand::Values(values, _) => values.buffer()?,
        _ => g.buffer()?,
    };
    let work_per_pair = 1.0 + pairs.dimension as f64 / 2.0;
    for first in (0..columns).step_by(AT_ONCE) {
        tiles.launch(
            engine,
            gpu,
            (&SHADER, &variant(pairs.cost, kind)),
            (0..tiles.len(), work_per_pair),
            &[
                pairs.x.buffer()?.into(),
                pairs.y.buffer()?.into(),
                f.buffer()?.into(),
                g.buffer()?.into(),
                values.into(),
                out.buffer()?.into(),
            ],
            |first_tile, tiles| Params {
                first_tile,
                tiles,
                outputs: rows as u32,
                inputs: cols as u32,
                dimension: pairs.dimension as u32,
                first: first as u32,
                count: AT_ONCE.min(columns - first) as u32,
                rate: rate as f32,
                power: pairs.cost.power() as f32,
            },
        )?;
    }
    Ok(())
}

fn twin(
    pairs: &PointPairs<'_>,
    [x, y]: [&[f64]; 2],
    [f, g]: [&[f64]; 2],
    rate: f64,
    (summand, values, columns): (PointSummand<'_>, &[f64], usize),
    out: &mut [f64],
) {
    let (rows, cols) = (pairs.blocks.total_rows(), pairs.blocks.total_cols());
    let there: Vec<&[f64]> = y.chunks(cols).collect();
    for problem in 0..pairs.blocks.count() {
        let range = pairs.blocks.rows[problem]..pairs.blocks.rows[problem + 1];
        let others = pairs.blocks.cols[problem]..pairs.blocks.cols[problem + 1];
        let sums_of = |i: usize| {
            let here = gathered(x, rows, i..i + 1);
            let (mut costs, mut mass) = ([0.0; CHUNK], [0.0; CHUNK]);
            let mut all = [vec![0.0; columns]];
            let squared = Cost::SquaredEuclidean;
            join_costs(squared, &here, &there, others.clone(), &mut all, |sums, some, squares| {
                let (costs, mass) = (&mut costs[..some.len()], &mut mass[..some.len()]);
                costs.iter_mut().zip(&*squares).for_each(|(c, s)| *c = pairs.cost.of_square(*s));
                masses(f[i], &g[some.clone()], costs, rate, mass);
                for (k, sum) in sums.iter_mut().enumerate() {
                    *sum += match summand {
                        PointSummand::Values(..) => {
                            weighted_sum(mass, &values[k * cols..][some.clone()])
                        }
                        PointSummand::Cost => weighted_sum(mass, costs),
                        PointSummand::Slope => {
                            let steps = squares.iter().zip(&there[k][some.clone()]);
                            let slopes = steps.map(|(s, y)| pairs.cost.slope(*s) * (here[k] - y));
                            mass.iter().zip(slopes).map(|(mass, slope)| mass * slope).sum()
                        }
                    };
                }
            });
            let [sums] = all;
            sums
        };
        let all: Vec<Vec<f64>> = range.clone().into_par_iter().map(sums_of).collect();
        for (i, sums) in range.zip(all) {
            for (k, sum) in sums.into_iter().enumerate() {
                out[k * rows + i] = sum;
            }
        }
    }
}
