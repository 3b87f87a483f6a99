//! The hot kernels of the linear core at small sizes, on the CPU and on a GPU where there is one:
//! to compare one version with the next. `gaspard bench` compares with what the device can do.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use gaspard::engine::DeviceKind;
use gaspard::{Control, Measure};
use gaspard::{Cost, Engine, Geometry, Grid, Operator, Selector, Side, Support, Transport};
use ndarray::Array2;
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

fn random(seed: u64, rows: usize, cols: usize) -> Array2<f64> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    Array2::from_shape_simple_fn((rows, cols), || random.random_range(0.0..1.0))
}

/// Times one softmin, waiting for the device each time.
fn softmin(criterion: &mut Criterion, group: &str, case: &str, geometry: &Geometry, onto: Side) {
    let mut group = criterion.benchmark_group(group);
    for (name, engine) in engines() {
        let mut operator = Operator::new(&engine, &[geometry]).unwrap();
        let bias = engine.filled("bias", operator.len(onto.other()), 0.0).unwrap();
        let mut out = engine.zeros("softmin", operator.len(onto)).unwrap();
        group.throughput(Throughput::Elements(operator.work() as u64));
        group.bench_function(BenchmarkId::new(name, case), |bencher| {
            bencher.iter(|| {
                operator.softmin(&engine, onto, 0.01, &bias, &mut out).unwrap();
                engine.wait().unwrap();
            });
        });
    }
    group.finish();
}

fn matrix(criterion: &mut Criterion) {
    let geometry = Geometry::matrix(random(1, 512, 512)).unwrap();
    softmin(criterion, "softmin_rows", "512x512", &geometry, Side::Rows);
    softmin(criterion, "softmin_columns", "512x512", &geometry, Side::Cols);
}

fn points(criterion: &mut Criterion) {
    for dimension in [2, 3, 10] {
        let (x, y) = (random(2, 512, dimension), random(3, 512, dimension));
        let geometry = Geometry::points(x, y, Cost::SquaredEuclidean).unwrap();
        let case = format!("512x512 in {dimension}-D");
        softmin(criterion, "softmin_points", &case, &geometry, Side::Rows);
    }
}

fn grid(criterion: &mut Criterion) {
    for side in [64, 128] {
        let support = Support::Grid(Grid::unit(&[side, side]).unwrap());
        let geometry = Geometry::between(&support, &support, Cost::SquaredEuclidean).unwrap();
        let case = format!("{side}x{side}");
        softmin(criterion, "softmin_axis", &case, &geometry, Side::Rows);
    }
}

fn transport(criterion: &mut Criterion) {
    let a = Measure::uniform("a", random(4, 256, 2)).unwrap();
    let b = Measure::uniform("b", random(5, 256, 2)).unwrap();
    let control = Control { max_iterations: 20, ..Control::new(0.05) };
    let problem = Transport::between(&a, &b).epsilon(0.05).control(control);
    let mut group = criterion.benchmark_group("transport");
    for (name, engine) in engines() {
        group.bench_function(BenchmarkId::new(name, "256x256, at most 20 iterations"), |bencher| {
            bencher.iter(|| problem.solve(&engine).unwrap());
        });
    }
    group.finish();
}

criterion_group! {
    name = linear;
    config = Criterion::default().sample_size(20);
    targets = matrix, points, grid, transport
}
criterion_main!(linear);
