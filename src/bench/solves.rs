//! Whole solves, an iteration at a time: trees, barycenters, batches; and the network simplex.

use ndarray::{Array1, Array2};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::kernels::{cloud, grid_counts};
use super::{Case, Context, Counts, Scale, Timed, clock};
use crate::error::Result;
use crate::geometry::{Cost, Geometry, Grid, Measure, Support};
use crate::linear::exact::exact;
use crate::linear::tree::Tree;
use crate::linear::{Barycenter, Control, Law, Transport};

pub(super) fn cases(context: &Context<'_>) -> Vec<Case> {
    let software = context.scale == Scale::Software;
    let quick = context.quick;
    let size = |at_software, at_quick, full| match (software, quick) {
        (true, _) => at_software,
        (_, true) => at_quick,
        _ => full,
    };
    let points = size(64, 512, 2048);
    let mut cases = vec![Case::new("tree, a chain of 8", move |context| chain(context, points))];
    let mut sides = vec![size(32, 128, 256)];
    if !quick && !software {
        sides.push(1024);
    }
    for side in sides {
        cases.push(Case::new("barycenter of 4 images", move |context| barycenter(context, side)));
    }
    let (count, points) = (size(10, 50, 1000), size(64, 256, 256));
    cases.push(Case::new("batch of transports", move |context| batch(context, count, points)));
    let points = size(100, 300, 1000);
    cases.push(Case::new("exact, network simplex", move |_| simplex(points)));
    cases
}

/// So many plain iterations at one epsilon, and no stop test.
fn control(epsilon: f64, iterations: usize) -> Control {
    Control {
        epsilon,
        tolerance: Some(1e-300),
        max_iterations: iterations,
        check_every: usize::MAX,
        annealing: 1.0,
        relaxation: Some(1.0),
    }
}

/// Seconds of one iteration: the difference between solves of two iterations and of more, until
/// it can be resolved or has taken long enough.
fn seconds_per_iteration(
    context: &Context<'_>,
    mut solve: impl FnMut(usize) -> Result<()>,
) -> Result<Vec<f64>> {
    const FEW: usize = 2;
    let mut took = |iterations| clock::seconds(context.engine, || solve(iterations));
    took(1)?; // compiles, and touches the memory
    let base = took(FEW)?;
    let mut more = 2;
    let mut first = took(FEW + more)? - base;
    while first < (0.5 * base).clamp(0.05, 2.0) && more < 512 {
        more *= 2;
        first = took(FEW + more)? - base;
    }
    let mut seconds = vec![first];
    if base < 2.0 {
        for _ in 0..if context.quick { 2 } else { 4 } {
            let base = took(FEW)?;
            seconds.push(took(FEW + more)? - base);
        }
    }
    // Noise can make the difference of two short times negative.
    Ok(seconds.into_iter().map(|took| (took / more as f64).max(f64::MIN_POSITIVE)).collect())
}

/// A chain of point clouds: tracking. Seven edges, one softmin each way a sweep.
fn chain(context: &Context<'_>, points: usize) -> Result<Timed> {
    let mut chain = Tree::default();
    let clouds: Vec<_> = (0..8).map(|node| cloud(node, points, 2)).collect();
    for _ in &clouds {
        chain.node(Array1::from_elem(points, 1.0 / points as f64), Law::Fixed);
    }
    for (node, pair) in clouds.windows(2).enumerate() {
        let cost = Cost::SquaredEuclidean;
        chain.edge(node, node + 1, Geometry::points(pair[0].clone(), pair[1].clone(), cost)?);
    }
    let seconds = seconds_per_iteration(context, |iterations| {
        chain.solve(&control(0.01, iterations), context.engine).map(drop)
    })?;
    let pairs = 14.0 * (points * points) as f64;
    let counts = Counts { exponentials: pairs, bytes: 0.0, flops: 12.0 * pairs };
    Ok(Timed { size: format!("8 x {points}, a sweep"), counts: Some(counts), seconds })
}

/// Four blobs in the corners. One softmin to the support and one back for each image.
fn barycenter(context: &Context<'_>, side: usize) -> Result<Timed> {
    let grid = Grid::unit(&[side, side])?;
    let points = grid.points();
    let blob = |x: f64, y: f64| -> Result<Measure> {
        let square = |place: f64, centre: f64| (place - centre) * (place - centre);
        let density = points
            .rows()
            .into_iter()
            .map(|at| (-(square(at[0], x) + square(at[1], y)) / 0.01).exp() + 1e-9);
        Measure::new("blob", density.collect::<Array1<f64>>(), Support::Grid(grid.clone()))
    };
    let images = [blob(0.3, 0.3)?, blob(0.3, 0.7)?, blob(0.7, 0.3)?, blob(0.7, 0.7)?];
    let images = images.map(Measure::normalised);
    let images: Vec<&Measure> = images.iter().collect();
    let seconds = seconds_per_iteration(context, |iterations| {
        let solver = Barycenter::of(&images).control(control(4e-3, iterations));
        solver.solve(context.engine).map(drop)
    })?;
    let softmin = grid_counts(context, side);
    let counts = Counts {
        exponentials: 8.0 * softmin.exponentials,
        bytes: 8.0 * softmin.bytes,
        flops: 8.0 * softmin.flops,
    };
    Ok(Timed { size: format!("{side} x {side}, an iteration"), counts: Some(counts), seconds })
}

/// Many small problems with costs of their own. An iteration reads every matrix twice.
fn batch(context: &Context<'_>, count: usize, points: usize) -> Result<Timed> {
    let mut random = ChaCha8Rng::seed_from_u64(4);
    let weights = Array1::from_elem(points, 1.0 / points as f64);
    let measure = Measure::new("uniform", weights, Support::Abstract(points))?;
    let problems = (0..count)
        .map(|_| {
            let costs =
                Array2::from_shape_simple_fn((points, points), || random.random_range(0.0..1.0));
            Ok(Transport::between(&measure, &measure).geometry(Geometry::matrix(costs)?))
        })
        .collect::<Result<Vec<_>>>()?;
    let seconds = seconds_per_iteration(context, |iterations| {
        let problems: Vec<_> = problems
            .iter()
            .map(|problem| problem.clone().epsilon(0.05).control(control(0.05, iterations)))
            .collect();
        Transport::solve_batch(&problems, context.engine, &mut ()).map(drop)
    })?;
    let pairs = 2.0 * (count * points * points) as f64;
    let bytes = pairs * context.engine.bytes_per_number() as f64;
    let counts = Counts { exponentials: pairs, bytes, flops: 4.0 * pairs };
    let a_second = count as f64 / clock::median(&seconds);
    let size = format!("{count} x {points} x {points}, an iteration ({a_second:.0} problems/s)");
    Ok(Timed { size, counts: Some(counts), seconds })
}

/// Always on the CPU; here to see what the oracle costs.
fn simplex(points: usize) -> Result<Timed> {
    let geometry =
        Geometry::points(cloud(5, points, 2), cloud(6, points, 2), Cost::SquaredEuclidean)?;
    let costs: Vec<f64> = geometry.dense()?.into_iter().collect();
    let weights = vec![1.0 / points as f64; points];
    let mut seconds = Vec::new();
    for _ in 0..3 {
        let start = std::time::Instant::now();
        exact(&weights, &weights, &costs, &mut || false)?;
        seconds.push(start.elapsed().as_secs_f64());
    }
    let size = format!("{points} x {points}, one core");
    Ok(Timed { size, counts: None, seconds })
}
