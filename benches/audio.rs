//! Separation of two voices at two microphones, 2 seconds at 8 kHz (129 frequencies, 81 frames), on the
//! CPU and on a GPU where there is one, emulated ones left out: one recording, and a hundred at once.

#[path = "../tests/audio/scenes.rs"]
#[allow(dead_code, reason = "tests use more of it")]
mod scenes;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use gaspard::audio::transport::Separation;
use gaspard::engine::DeviceKind;
use gaspard::{Engine, Selector};
use ndarray::array;

/// The engines, with a word for each.
fn engines() -> Vec<(&'static str, Engine)> {
    let mut engines = vec![("cpu", Engine::cpu())];
    if let Ok(gpu) = Engine::gpu(Selector::Best)
        && gpu.device().is_some_and(|device| device.kind != DeviceKind::Software)
    {
        engines.push(("gpu", gpu));
    }
    engines
}

fn separation(seed: u64) -> Separation {
    let (heard, _) = scenes::scene(seed, &array![[0.0, 2.3], [0.0, -5.6]], 20.0);
    Separation::new(&heard, 2).unwrap()
}

fn recordings(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("separation");
    for count in [1, 100] {
        let scenes: Vec<Separation> = (0..count).map(separation).collect();
        group.throughput(Throughput::Elements(count));
        for (name, engine) in engines() {
            group.bench_function(BenchmarkId::new(name, count), |bencher| {
                bencher.iter(|| Separation::solve_batch(&scenes, &engine, &mut ()).unwrap());
            });
        }
    }
    group.finish();
}

criterion_group! {
    name = audio;
    config = Criterion::default().sample_size(10);
    targets = recordings
}
criterion_main!(audio);
