//! The softmins: rows and columns of a matrix, points, both axes of a grid.

use ndarray::Array2;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Case, Context, Counts, Scale, Timed, clock};
use crate::engine::Engine;
use crate::error::Result;
use crate::geometry::{Cost, Geometry, Grid, Operator, Side, Support};

/// Relative to costs of about 1: small enough that exponentials differ, large enough that a
/// grid's kernel is one block.
const EPSILON: f64 = 0.01;

pub(super) fn cases(context: &Context<'_>) -> Vec<Case> {
    let size = |software, cpu| if context.scale == Scale::Software { software } else { cpu };
    let mut cases = Vec::new();
    for (side, name) in
        [(Side::Rows, "softmin matrix rows"), (Side::Cols, "softmin matrix columns")]
    {
        let n: usize = match context.quick {
            true => size(256, 2048),
            false => size(512, 4096),
        };
        cases.push(Case::new(name, move |context| {
            let mut operator = matrix(context.engine, n)?;
            let bytes = (n * n) as f64 * context.engine.bytes_per_number() as f64;
            let counts =
                Counts { exponentials: (n * n) as f64, bytes, flops: 4.0 * (n * n) as f64 };
            softmin(context, format!("{n} x {n}"), &mut operator, side, counts)
        }));
    }
    let mut counts = vec![match context.quick {
        true => size(512, 3000),
        false => size(1024, 10_000),
    }];
    if context.scale == Scale::Gpu {
        counts.push(100_000);
    }
    for n in counts {
        for d in [2, 3, 10] {
            cases.push(Case::new(format!("softmin points {d}-D"), move |context| {
                let mut operator = points(context.engine, n, d)?;
                // A coordinate takes a difference and a multiply-add; the score and the sum one
                // operation each.
                let flops = 2.0 * (2 * d + 2) as f64;
                let pairs = (n * n) as f64;
                let counts = Counts { exponentials: pairs, bytes: 0.0, flops: flops * pairs };
                softmin(context, format!("{n} x {n}"), &mut operator, Side::Rows, counts)
            }));
        }
    }
    let n: usize = match context.quick {
        true => size(64, 256),
        false => size(128, 1024),
    };
    cases.push(Case::new("softmin grid", move |context| {
        let mut operator = grid(context.engine, n)?;
        let size = format!("{n} x {n}, both axes");
        let counts = grid_counts(context, n);
        softmin(context, size, &mut operator, Side::Rows, counts)
    }));
    cases
}

/// One softmin over both axes of a square grid. On the CPU it is a matrix product with one
/// exponential an input (see [`crate::kernels::product`]); on a GPU one exponential a pair.
pub(super) fn grid_counts(context: &Context<'_>, n: usize) -> Counts {
    let (pairs, inputs) = (2.0 * (n * n * n) as f64, 2.0 * (n * n) as f64);
    Counts {
        exponentials: if context.scale == Scale::Cpu { inputs } else { pairs },
        bytes: 2.0 * inputs * context.engine.bytes_per_number() as f64,
        flops: if context.scale == Scale::Cpu { 2.0 * pairs } else { 4.0 * pairs },
    }
}

fn softmin(
    context: &Context<'_>,
    size: String,
    operator: &mut Operator,
    onto: Side,
    counts: Counts,
) -> Result<Timed> {
    let engine = context.engine;
    let mut random = ChaCha8Rng::seed_from_u64(0);
    let bias: Vec<f64> =
        (0..operator.len(onto.other())).map(|_| random.random_range(-5.0..5.0)).collect();
    let bias = engine.upload("bias", &bias)?;
    let mut out = engine.zeros("softmin", operator.len(onto))?;
    let seconds = clock::samples(engine, if context.quick { 3 } else { 7 }, || {
        operator.softmin(engine, onto, EPSILON, &bias, &mut out)
    })?;
    Ok(Timed { size, counts: Some(counts), seconds })
}

fn matrix(engine: &Engine, n: usize) -> Result<Operator> {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let costs = Array2::from_shape_simple_fn((n, n), || random.random_range(0.0..1.0));
    Geometry::matrix(costs)?.operator(engine)
}

/// Points of the unit cube, scaled so that the mean squared distance does not grow with the
/// dimension.
pub(super) fn cloud(seed: u64, n: usize, d: usize) -> Array2<f64> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let side = (d as f64).sqrt().recip();
    Array2::from_shape_simple_fn((n, d), || side * random.random_range(0.0..1.0))
}

fn points(engine: &Engine, n: usize, d: usize) -> Result<Operator> {
    Geometry::points(cloud(2, n, d), cloud(3, n, d), Cost::SquaredEuclidean)?.operator(engine)
}

fn grid(engine: &Engine, n: usize) -> Result<Operator> {
    let support = Support::Grid(Grid::unit(&[n, n])?);
    Geometry::between(&support, &support, Cost::SquaredEuclidean)?.operator(engine)
}
