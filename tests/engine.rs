//! The engine: arrays, bytes, read-backs, errors, two devices at once.

mod common;

use common::engines;
use gaspard::{Cost, Engine, EngineOptions, Error, Geometry, Selector, Side};
use ndarray::Array2;

/// A GPU engine of its own, with options; `None` where there is no GPU.
fn gpu_with(options: &EngineOptions) -> Option<Engine> {
    common::gpu()?;
    Some(Engine::gpu_with(Selector::Best, options).unwrap())
}

fn ramp(count: usize) -> Vec<f64> {
    (0..count).map(|i| i as f64).collect()
}

#[test]
fn arrays_go_there_and_back() {
    for engine in engines() {
        for count in [0, 1, 2, 3, 4, 5, 63, 257, 70_000] {
            let array = engine.upload("ramp", &ramp(count)).unwrap();
            assert_eq!((array.len(), array.is_empty()), (count, count == 0));
            assert_eq!(engine.download(&array).unwrap(), ramp(count));
        }
        assert_eq!(engine.download(&engine.zeros("zeros", 5).unwrap()).unwrap(), [0.0; 5]);
        let filled = engine.filled("filled", 3, -1e30).unwrap();
        assert!(engine.download(&filled).unwrap().iter().all(|value| *value < -0.99e30));
    }
}

#[test]
fn a_part_of_an_array_can_be_overwritten_and_arrays_copied() {
    for engine in engines() {
        let mut array = engine.upload("ramp", &ramp(6)).unwrap();
        engine.write(&mut array, &[]).unwrap();
        engine.write(&mut array, &[7.0, 8.0]).unwrap();
        assert_eq!(engine.download(&array).unwrap(), [7.0, 8.0, 2.0, 3.0, 4.0, 5.0]);
        let error = engine.write(&mut array, &ramp(7)).unwrap_err();
        assert!(matches!(error, Error::Shape { .. }), "{error}");

        let mut copy = engine.zeros("copy", 6).unwrap();
        engine.copy(&array, &mut copy).unwrap();
        engine.write(&mut array, &[9.0]).unwrap();
        assert_eq!(engine.download(&copy).unwrap()[0], 7.0);
        let mut longer = engine.zeros("longer", 7).unwrap();
        assert!(matches!(engine.copy(&array, &mut longer), Err(Error::Shape { .. })));
        let (nothing, mut none) =
            (engine.zeros("nothing", 0).unwrap(), engine.zeros("none", 0).unwrap());
        engine.copy(&nothing, &mut none).unwrap();
        assert_eq!(engine.download(&none).unwrap(), [0.0; 0]);
    }
}

#[test]
fn arrays_larger_than_one_write_arrive_whole() {
    // The driver is handed 16 MiB at a time.
    let count = (1 << 22) + 3;
    for engine in engines() {
        let array = engine.upload("ramp", &ramp(count)).unwrap();
        let found = engine.download(&array).unwrap();
        assert!(found.iter().enumerate().all(|(i, &value)| value == i as f64));
    }
}

#[test]
fn a_read_sees_the_array_as_it_was_when_it_was_started() {
    for engine in engines() {
        let mut counter = engine.zeros("counter", 300).unwrap();
        let mut reads = Vec::new();
        for round in 0..5 {
            engine.write(&mut counter, &[f64::from(round); 300]).unwrap();
            reads.push(engine.read(&counter).unwrap());
            // More work behind the read, which must not change what it sees.
            let other = engine.filled("other", 300, 100.0).unwrap();
            engine.copy(&other, &mut counter).unwrap();
        }
        engine.wait().unwrap();
        for (round, read) in reads.into_iter().enumerate() {
            assert_eq!(read.wait(&engine).unwrap(), [round as f64; 300]);
        }
        assert_eq!(engine.download(&counter).unwrap(), [100.0; 300]);
    }
}

#[test]
fn reads_may_be_given_up_and_arrays_dropped_while_work_is_queued() {
    for engine in engines() {
        let geometry = matrix(40, 50);
        let mut operator = geometry.operator(&engine).unwrap();
        let mut kept = engine.zeros("kept", 40).unwrap();
        for _ in 0..20 {
            let bias = engine.zeros("bias", 50).unwrap();
            operator.softmin(&engine, Side::Rows, 1.0, &bias, &mut kept).unwrap();
            drop(engine.read(&bias).unwrap());
        }
        drop(operator);
        assert!(engine.download(&kept).unwrap().iter().all(|value| value.is_finite()));
        // Dropped with work recorded and never waited for.
        let lonely = engine.upload("lonely", &ramp(1000)).unwrap();
        let mut copy = engine.zeros("copy", 1000).unwrap();
        engine.copy(&lonely, &mut copy).unwrap();
        drop((lonely, copy, engine));
    }
}

#[test]
fn memory_is_predicted_counted_and_given_back() {
    let options = EngineOptions { memory_limit: Some(10_000), ..EngineOptions::default() };
    for engine in [Some(Engine::cpu_with(&options)), gpu_with(&options)].into_iter().flatten() {
        let size = engine.bytes_per_number();
        let first = engine.zeros("first", 1000).unwrap();
        assert_eq!((engine.bytes_used(), engine.bytes_peak()), (1000 * size, 1000 * size));
        let error = engine.zeros("too much", 2000).map(|_| ()).unwrap_err();
        let Error::Limit { what, needed, available, remedy } = error else { panic!("{error}") };
        assert_eq!((what.as_str(), needed), ("too much", 2000 * size));
        assert_eq!(available, 10_000 - 1000 * size);
        assert!(remedy.contains("smaller"), "{remedy}");
        assert_eq!(engine.bytes_used(), 1000 * size, "nothing was allocated");
        drop(first);
        assert_eq!(engine.bytes_used(), 0);
        drop(engine.zeros("fits now", 1100).unwrap());

        // A geometry is refused as a whole, before the first of its arrays.
        let peak = engine.bytes_peak();
        let error = matrix(60, 60).operator(&engine).map(|_| ()).unwrap_err();
        let Error::Limit { needed, remedy, .. } = error else { panic!("{error}") };
        assert_eq!(needed, 3600 * size);
        assert!(remedy.contains("points"), "{remedy}");
        assert_eq!(engine.bytes_peak(), peak);
    }
}

#[test]
fn two_threads_do_not_take_the_same_last_bytes() {
    let options = EngineOptions { memory_limit: Some(8000), ..EngineOptions::default() };
    let engine = Engine::cpu_with(&options);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..200 {
                    let array = engine.zeros("half", 501);
                    assert!(engine.bytes_used() <= 8000);
                    drop(array);
                }
            });
        }
    });
    assert!(engine.bytes_peak() <= 8000);
    assert_eq!(engine.bytes_used(), 0);
}

#[test]
fn a_buffer_that_no_device_has_is_refused_before_it_is_made() {
    let Some(engine) =
        gpu_with(&EngineOptions { memory_limit: Some(u64::MAX), ..Default::default() })
    else {
        return;
    };
    let most = engine.device().unwrap().max_buffer_bytes;
    let Ok(count) = usize::try_from(most / 4 + 1) else { return };
    let error = engine.zeros("the giant", count).map(|_| ()).unwrap_err();
    let Error::Limit { needed, available, .. } = &error else { panic!("{error}") };
    assert!(needed > available, "{error}");
    assert!(error.to_string().contains("the giant"), "{error}");
    assert_eq!(engine.bytes_used(), 0);
}

#[test]
fn an_array_of_another_engine_is_an_error_and_not_a_panic() {
    let mut all = vec![Engine::cpu()];
    all.extend(common::gpu());
    all.extend(gpu_with(&EngineOptions::default()));
    for (home, engine) in all.iter().enumerate() {
        for (away, other) in all.iter().enumerate() {
            // Two CPU engines would share their memory.
            if home == away {
                continue;
            }
            let mut mine = engine.upload("mine", &ramp(50)).unwrap();
            let mut theirs = other.upload("theirs", &ramp(50)).unwrap();
            let wrong = |result: gaspard::Result<()>| {
                let error = result.unwrap_err();
                assert!(error.to_string().contains("another engine"), "{error}");
            };
            wrong(engine.download(&theirs).map(|_| ()));
            wrong(engine.write(&mut theirs, &[1.0]));
            wrong(engine.copy(&theirs, &mut mine));
            wrong(engine.copy(&mine, &mut theirs));
            let pending = other.read(&theirs).unwrap();
            if other.is_gpu() {
                wrong(pending.wait(engine).map(|_| ()));
            }
            let mut operator = matrix(40, 50).operator(engine).unwrap();
            let mut out = engine.zeros("out", 40).unwrap();
            wrong(operator.softmin(engine, Side::Rows, 1.0, &theirs, &mut out));
            // Neither engine is the worse for it.
            assert_eq!(engine.download(&mine).unwrap(), ramp(50));
            assert_eq!(other.download(&theirs).unwrap(), ramp(50));
        }
    }
}

#[test]
fn two_engines_work_at_once() {
    let engines: Vec<_> = (0..2).filter_map(|_| gpu_with(&EngineOptions::default())).collect();
    let geometry = matrix(100, 120);
    let expected = softmin(&Engine::cpu(), &geometry);
    std::thread::scope(|scope| {
        for engine in engines.iter().chain(&engines) {
            let (geometry, expected) = (&geometry, &expected);
            scope.spawn(move || {
                for _ in 0..20 {
                    for (found, expected) in softmin(engine, geometry).iter().zip(expected) {
                        assert!((found - expected).abs() < 1e-5);
                    }
                }
            });
        }
    });
}

#[test]
fn devices_that_are_not_there_are_named_with_those_that_are() {
    let devices = Engine::devices();
    for (selector, request) in
        [(Selector::Index(99), "GPU 99"), (Selector::Name("no such card".into()), "no such card")]
    {
        let error = Engine::gpu(selector).map(|_| ()).unwrap_err();
        assert!(matches!(error, Error::NoDevice { .. }) && error.is_usage(), "{error}");
        let text = error.to_string();
        assert!(text.contains("no such device") && text.contains(request), "{text}");
        match devices.first() {
            Some(device) => assert!(text.contains(&device.name), "{text}"),
            None => assert!(text.contains("--device cpu"), "{text}"),
        }
    }
    if let Some(device) = devices.iter().find(|device| device.usable) {
        let name = device.name.to_uppercase();
        let engine = Engine::gpu(Selector::Name(name)).unwrap();
        assert_eq!(engine.device().unwrap().name, device.name);
        assert!(engine.description().contains(&device.driver));
        assert_eq!(Engine::gpu(Selector::Index(device.index)).unwrap().device(), Some(device));
    }
}

#[test]
fn profiles_count_launches_and_seconds() {
    let options = EngineOptions { profile: true, ..EngineOptions::default() };
    for engine in [Some(Engine::cpu_with(&options)), gpu_with(&options)].into_iter().flatten() {
        let geometry = matrix(100, 120);
        for _ in 0..3 {
            softmin(&engine, &geometry);
        }
        let report = engine.profile().unwrap();
        // A device without timestamps has nothing to report; lavapipe has them.
        let Some(time) = report.iter().find(|time| time.kernel == "linear/softmin_rows") else {
            assert!(engine.is_gpu() && report.is_empty(), "{report:?}");
            continue;
        };
        assert_eq!(time.launches, 3);
        assert!(time.seconds > 0.0 && time.seconds < 60.0, "{time:?}");
    }
    let quiet = Engine::cpu();
    softmin(&quiet, &matrix(3, 4));
    assert_eq!(quiet.profile().unwrap(), []);
}

#[test]
fn many_small_launches_complete() {
    for engine in engines() {
        let geometry = matrix(9, 7);
        let mut operator = geometry.operator(&engine).unwrap();
        let mut rows = engine.zeros("rows", 9).unwrap();
        let mut cols = engine.zeros("cols", 7).unwrap();
        // Each launch depends on the one before.
        for _ in 0..2500 {
            operator.softmin(&engine, Side::Rows, 1.0, &cols, &mut rows).unwrap();
            operator.softmin(&engine, Side::Cols, 1e6, &rows, &mut cols).unwrap();
        }
        let found = engine.download(&cols).unwrap();
        // Each round adds at least the logarithms of 9 and 7 less the largest cost.
        assert!(
            found.iter().all(|&value| value > 2500.0 * 3.0 && value < 2500.0 * 4.2),
            "{found:?}"
        );
    }
}

#[test]
fn checked_and_unchecked_shaders_give_the_same_bits() {
    // With debug assertions both are checked; builds without compare the two.
    let options = EngineOptions { checked: true, ..EngineOptions::default() };
    let (Some(checked), Some(plain)) = (gpu_with(&options), common::gpu()) else { return };
    let x = Array2::from_shape_fn((70, 2), |(i, k)| ((i + 31 * k) as f64 * 0.37).sin());
    let y = Array2::from_shape_fn((90, 2), |(i, k)| ((i + 17 * k) as f64 * 0.73).cos());
    let cloud = Geometry::points(x, y, Cost::Euclidean).unwrap();
    let grid = Geometry::Separable(vec![axis(9, 8), axis(7, 11)]);
    for geometry in [matrix(70, 90), cloud, grid] {
        assert_eq!(softmin(&checked, &geometry), softmin(&plain, &geometry));
    }
}

fn axis(rows: usize, cols: usize) -> Array2<f64> {
    Array2::from_shape_fn((rows, cols), |(i, j)| ((i * cols + j) as f64 * 0.7).sin().abs())
}

fn matrix(rows: usize, cols: usize) -> Geometry {
    Geometry::matrix(axis(rows, cols)).unwrap()
}

/// A softmin onto the rows, with potentials that are not all the same.
fn softmin(engine: &Engine, geometry: &Geometry) -> Vec<f64> {
    let (rows, cols) = geometry.shape();
    let mut operator = geometry.operator(engine).unwrap();
    let bias: Vec<f64> = (0..cols).map(|j| (j as f64).sin()).collect();
    let bias = engine.upload("bias", &bias).unwrap();
    let mut out = engine.zeros("out", rows).unwrap();
    operator.softmin(engine, Side::Rows, 0.1, &bias, &mut out).unwrap();
    engine.download(&out).unwrap()
}
