//! The flat metric between normal clouds in the plane, one twice as heavy as the other, on the CPU
//! and on a GPU where there is one: exactly, and by entropic transport with bounds within 1 % of
//! the value; and all pairs of ten clouds at once.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use gaspard::engine::DeviceKind;
use gaspard::flat::{Cloud, Sinkhorn, exact};
use gaspard::{Engine, Selector};
use ndarray::Array2;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The engines, with a word for each.
fn engines() -> Vec<(&'static str, Engine)> {
    let mut engines = vec![("cpu", Engine::cpu())];
    if let Ok(gpu) = Engine::gpu(Selector::Best) {
        let software = gpu.device().is_some_and(|device| device.kind == DeviceKind::Software);
        if !software {
            engines.push(("gpu", gpu));
        }
    }
    engines
}

fn cloud(seed: u64, count: usize, shift: f64) -> Cloud {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut normal = || -> f64 {
        let radius = (-2.0 * random.random_range(1e-12_f64..1.0).ln()).sqrt();
        radius * (std::f64::consts::TAU * random.random_range(0.0..1.0)).cos()
    };
    let points = Array2::from_shape_fn((count, 2), |(_, axis)| {
        normal() + if axis == 0 { shift } else { 0.0 }
    });
    Cloud::counting("a cloud", points).unwrap()
}

fn pairs(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("flat");
    for count in [300, 1000, 2000] {
        let (a, b) = (cloud(1, count, 0.0), cloud(2, count / 2, 1.0));
        group.throughput(Throughput::Elements((count * count / 2) as u64));
        group.bench_function(BenchmarkId::new("exact", count), |bencher| {
            bencher.iter(|| exact(&a, &b, &mut || false).unwrap());
        });
        for (name, engine) in engines() {
            let id = BenchmarkId::new(format!("sinkhorn/{name}"), count);
            group.bench_function(id, |bencher| {
                bencher.iter(|| Sinkhorn::new().solve(&a, &b, &engine).unwrap());
            });
        }
    }
    group.finish();
}

fn pairwise(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("flat");
    let clouds: Vec<_> = (0..10).map(|seed| cloud(seed, 500, 0.2 * seed as f64)).collect();
    let pairs: Vec<_> = (0..10)
        .flat_map(|i| (0..i).map(move |j| (i, j)))
        .map(|(i, j): (usize, usize)| (&clouds[i], &clouds[j]))
        .collect();
    group.throughput(Throughput::Elements(pairs.len() as u64));
    for (name, engine) in engines() {
        group.bench_function(BenchmarkId::new("pairwise", name), |bencher| {
            bencher.iter(|| Sinkhorn::new().solve_batch(&pairs, &engine, &mut ()).unwrap());
        });
    }
    group.finish();
}

criterion_group! {
    name = flat;
    config = Criterion::default().sample_size(10);
    targets = pairs, pairwise
}
criterion_main!(flat);
