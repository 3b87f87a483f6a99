//! Gromov-Wasserstein: products with distances, stored and on grids, and whole plans.

use ndarray::Array1;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::kernels::cloud;
use super::{Case, Context, Counts, Scale, Timed, clock};
use crate::error::Result;
use crate::geometry::Cost;
use crate::gromov::{Control, GridSpace, Problem, Space};
use crate::kernels::gromov::grid::{GridDistances, GridSizes, Structure, Workspace};
use crate::kernels::gromov::matrix_product::{Place, matrix_product};

pub(super) fn cases(context: &Context<'_>) -> Vec<Case> {
    let size = |software, quick, cpu, gpu| match (context.scale, context.quick) {
        (Scale::Software, _) => software,
        (_, true) => quick,
        (Scale::Cpu, _) => cpu,
        (Scale::Gpu, _) => gpu,
    };
    let n: usize = size(128, 512, 1024, 4096);
    let side: usize = size(16, 32, 64, 128);
    let pixels: usize = size(8, 16, 32, 64);
    let points: usize = size(200, 1000, 5000, 20_000);
    vec![
        Case::new("matrix product", move |context| product(context, n)),
        Case::new("distances on a grid, product", move |context| grid(context, side)),
        Case::new("gromov pair, stored, a plan", move |context| stored(context, pixels)),
        Case::new("gromov pair, factored, a plan", move |context| factored(context, points)),
    ]
}

fn values(count: usize) -> Vec<f64> {
    let mut random = ChaCha8Rng::seed_from_u64(6);
    (0..count).map(|_| random.random_range(0.0..1.0)).collect()
}

fn product(context: &Context<'_>, n: usize) -> Result<Timed> {
    let engine = context.engine;
    let a = engine.upload("A", &values(n * n))?;
    let mut out = engine.zeros("C", n * n)?;
    let place = Place::new(0, n, n);
    let seconds = clock::samples(engine, if context.quick { 3 } else { 7 }, || {
        matrix_product(engine, (&a, place), (&a, place), (&mut out, place))
    })?;
    let counts = Counts {
        exponentials: 0.0,
        bytes: 3.0 * (n * n) as f64 * engine.bytes_per_number() as f64,
        flops: 2.0 * (n as f64).powi(3),
    };
    Ok(Timed { size: format!("{n} x {n} x {n}"), counts: Some(counts), seconds })
}

/// D M with as many columns as there are cells: what a plan of the grid with itself takes.
fn grid(context: &Context<'_>, side: usize) -> Result<Timed> {
    let engine = context.engine;
    let (shape, points) = ([side; 2], side * side);
    let columns = points.min(2048);
    let distances = GridDistances::radial(engine, shape, None, |down, across| {
        (down as f64).hypot(across as f64) / side as f64
    })?;
    let room = GridSizes::new(Structure::Radial, shape, None)?.room(engine, columns);
    let mut workspace = Workspace::new(engine, room)?;
    let m = engine.upload("M", &values(points * columns))?;
    let mut out = engine.zeros("D M", points * columns)?;
    let place = Place::new(0, points, columns);
    let seconds = clock::samples(engine, if context.quick { 3 } else { 7 }, || {
        distances.times(engine, &mut workspace, (&m, place), (&mut out, place))
    })?;
    // A complex transform of n numbers takes 5 n log2 n operations; two columns make an image,
    // which is transformed there and back.
    let padded = (2.0 * side as f64).powi(2);
    let flops = columns as f64 / 2.0 * 2.0 * 5.0 * padded * padded.log2();
    let bytes = 2.0 * (points * columns) as f64 * engine.bytes_per_number() as f64;
    let size = format!("{side} x {side} cells, {columns} columns");
    let counts = Counts { exponentials: 0.0, bytes, flops };
    Ok(Timed { size, counts: Some(counts), seconds })
}

/// Linearised problems with ten sweeps each.
fn control(plans: usize) -> Control {
    Control {
        max_iterations: plans,
        inner_iterations: 10,
        inner_tolerance: 1e-300,
        tolerance: Some(0.0),
        annealing: 1.0,
        plans: false,
        ..Control::new(1e-3)
    }
}

fn seconds_per_plan(context: &Context<'_>, problem: &Problem) -> Result<Vec<f64>> {
    let time = |plans: usize| {
        clock::seconds(context.engine, || problem.solve(&control(plans), context.engine).map(drop))
    };
    time(1)?;
    let (few, many) = if context.quick { (1, 3) } else { (2, 8) };
    (0..3).map(|_| Ok(((time(many)? - time(few)?) / (many - few) as f64).max(0.0))).collect()
}

fn stored(context: &Context<'_>, side: usize) -> Result<Timed> {
    let grid = GridSpace::whole_plane([side; 2])?.space;
    let problem = Problem::pair(grid.clone(), grid);
    let seconds = seconds_per_plan(context, &problem)?;
    let n = (side * side) as f64;
    let counts = Counts {
        // Twenty softmins, the plan, and two sums over it.
        exponentials: 23.0 * n * n,
        bytes: 27.0 * n * n * context.engine.bytes_per_number() as f64,
        flops: 4.0 * n * n * n,
    };
    Ok(Timed { size: format!("{n} x {n}, ten sweeps"), counts: Some(counts), seconds })
}

fn factored(context: &Context<'_>, points: usize) -> Result<Timed> {
    let weights = Array1::from_elem(points, 1.0 / points as f64);
    let space =
        |seed| Space::from_points(cloud(seed, points, 3), Cost::SquaredEuclidean, weights.clone());
    let problem = Problem::pair(space(7)?, space(8)?);
    let seconds = seconds_per_plan(context, &problem)?;
    let pairs = (points as f64).powi(2);
    // Twenty softmins in four dimensions, and a sum over the plan of the cost and of five columns.
    let counts = Counts { exponentials: 23.0 * pairs, bytes: 0.0, flops: 23.0 * 20.0 * pairs };
    Ok(Timed { size: format!("{points} x {points}, ten sweeps"), counts: Some(counts), seconds })
}
