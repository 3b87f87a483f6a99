//! Gromov-Wasserstein at small sizes, on the CPU and on a GPU where there is one: five plans with
//! ten sweeps each, to compare one version with the next.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use gaspard::engine::DeviceKind;
use gaspard::gromov::{Barycenter, Control, GridSpace, Problem, Space};
use gaspard::{Cost, Engine, Selector};
use ndarray::{Array1, Array2};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The engines, with a word for each.
fn engines() -> Vec<(&'static str, Engine)> {
    let mut engines = vec![("cpu", Engine::cpu())];
    if let Ok(gpu) = Engine::gpu(Selector::Best) {
        let software = gpu.device().is_some_and(|device| device.kind == DeviceKind::Software);
        engines.push((if software { "software" } else { "gpu" }, gpu));
    }
    engines
}

fn control() -> Control {
    Control {
        max_iterations: 5,
        inner_iterations: 10,
        inner_tolerance: 1e-300,
        tolerance: Some(0.0),
        annealing: 1.0,
        plans: false,
        ..Control::new(1e-3)
    }
}

fn time(criterion: &mut Criterion, case: &str, problem: &Problem) {
    let mut group = criterion.benchmark_group("gromov");
    group.sample_size(10);
    for (name, engine) in engines() {
        group.bench_function(BenchmarkId::new(name, case), |bencher| {
            bencher.iter(|| problem.solve_seeds(&control(), &engine, &mut ()).unwrap());
        });
    }
    group.finish();
}

fn disc(side: usize) -> GridSpace {
    let centre = (side as f64 - 1.0) / 2.0;
    let inside = |i: usize, j: usize| (i as f64 - centre).hypot(j as f64 - centre) <= 0.8 * centre;
    let picture = Array2::from_shape_fn((side, side), |(i, j)| f64::from(u8::from(inside(i, j))));
    GridSpace::plane(picture.view()).unwrap()
}

fn stored(criterion: &mut Criterion) {
    let picture = disc(20).space;
    time(criterion, "pair of pictures 20x20", &Problem::pair(picture.clone(), picture));
}

fn factored(criterion: &mut Criterion) {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut cloud = || {
        let points = Array2::from_shape_simple_fn((500, 3), || random.random_range(0.0..1.0));
        let weights = Array1::from_elem(500, 1.0 / 500.0);
        Space::from_points(points, Cost::SquaredEuclidean, weights).unwrap()
    };
    let (a, b) = (cloud(), cloud());
    time(criterion, "pair of clouds 500, squared", &Problem::pair(a, b));
}

fn barycenter(criterion: &mut Criterion) {
    let (picture, grid) = (disc(16).space, GridSpace::whole_plane([16, 16]).unwrap().space);
    let star = Barycenter::of(&[&picture, &picture, &picture], &grid);
    time(criterion, "barycenter of three 16x16", star.problem());
}

criterion_group!(benches, stored, factored, barycenter);
criterion_main!(benches);
