//! Dynamic transport on 64 x 64 cells and 32 steps, on the CPU and on a GPU where there is one:
//! whole iterations and each of their kernels, to compare one version with the next.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use gaspard::bench::{Iteration, SteadyPoisson};
use gaspard::engine::DeviceKind;
use gaspard::{Engine, Result, Selector};

const SIDES: [usize; 3] = [64, 64, 32];
/// Iterations before the clock runs: then most roots are near the last ones.
const WARM: usize = 20;

/// The engines, with a word for each.
fn engines() -> Vec<(&'static str, Engine)> {
    let mut engines = vec![("cpu", Engine::cpu())];
    if let Ok(gpu) = Engine::gpu(Selector::Best) {
        let software = gpu.device().is_some_and(|device| device.kind == DeviceKind::Software);
        engines.push((if software { "software" } else { "gpu" }, gpu));
    }
    engines
}

/// Times runs of something, waiting for the device each time.
fn time<T>(
    criterion: &mut Criterion,
    case: &str,
    make: impl Fn(&Engine) -> Result<T>,
    run: impl Fn(&mut T) -> Result<()>,
) {
    let mut group = criterion.benchmark_group("dynamic");
    group.throughput(Throughput::Elements(SIDES.iter().product::<usize>() as u64));
    for (name, engine) in engines() {
        let mut made = make(&engine).unwrap();
        group.bench_function(BenchmarkId::new(name, case), |bencher| {
            bencher.iter(|| {
                run(&mut made).unwrap();
                engine.wait().unwrap();
            });
        });
    }
    group.finish();
}

fn warm(engine: &Engine) -> Result<Iteration> {
    let mut iteration = Iteration::new(engine, SIDES)?;
    (0..WARM).try_for_each(|_| iteration.run())?;
    Ok(iteration)
}

fn iterations(criterion: &mut Criterion) {
    time(criterion, "iteration", warm, Iteration::run);
}

fn kernels(criterion: &mut Criterion) {
    time(criterion, "divergence", warm, Iteration::divergence);
    time(criterion, "poisson", |engine| SteadyPoisson::new(engine, SIDES), SteadyPoisson::solve);
    time(criterion, "primal_dual", warm, Iteration::primal_dual);
}

criterion_group! {
    name = dynamic;
    config = Criterion::default().sample_size(20);
    targets = iterations, kernels
}
criterion_main!(dynamic);
