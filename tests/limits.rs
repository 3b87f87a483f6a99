//! Matrices larger than a binding are walked in panels; what cannot be is refused with a reason.

mod common;

use std::ops::ControlFlow;

use common::systems::SYSTEMS;
use gaspard::{Cost, Engine, EngineOptions, Error, Geometry, Operator, Selector, Side, check};
use ndarray::Array2;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A GPU engine that pretends to have less; `None` where there is no GPU.
fn limited(options: &EngineOptions) -> Option<Engine> {
    common::gpu()?;
    Some(Engine::gpu_with(Selector::Best, options).unwrap())
}

fn small_bindings(bytes: u64) -> Option<Engine> {
    limited(&EngineOptions { max_binding_bytes: Some(bytes), ..EngineOptions::default() })
}

fn random(rng: &mut ChaCha8Rng, rows: usize, cols: usize) -> Array2<f64> {
    Array2::from_shape_simple_fn((rows, cols), || f64::from(rng.random_range(0.0..1.0_f32)))
}

/// Softmins onto both sides, the coupling applied to three columns onto both sides, and the
/// linear part.
fn everything(engine: &Engine, batch: &[&Geometry]) -> [Vec<f64>; 5] {
    let mut operator = Operator::new(engine, batch).unwrap();
    let (rows, cols) = (operator.len(Side::Rows), operator.len(Side::Cols));
    let wave = |count: usize, phase: f64| -> Vec<f64> {
        (0..count).map(|i| (i as f64 * 0.7 + phase).sin()).collect()
    };
    let f = engine.upload("f", &wave(rows, 0.0)).unwrap();
    let g = engine.upload("g", &wave(cols, 1.0)).unwrap();
    let softmin = |operator: &mut Operator, onto, bias, count| {
        let mut out = engine.zeros("softmin", count).unwrap();
        operator.softmin(engine, onto, 0.1, bias, &mut out).unwrap();
        engine.download(&out).unwrap()
    };
    let sums = |operator: &mut Operator, onto, inputs: usize, outputs: usize| {
        let values = wave(3 * inputs, 2.0).iter().map(|value| value.abs()).collect::<Vec<_>>();
        let values = engine.upload("values", &values).unwrap();
        let mut out = engine.zeros("sums", 3 * outputs).unwrap();
        operator.apply(engine, onto, 0.1, &f, &g, &values, 3, &mut out).unwrap();
        engine.download(&out).unwrap()
    };
    let mut linear = engine.zeros("linear", rows).unwrap();
    operator.linear(engine, 0.1, &f, &g, &mut linear).unwrap();
    [
        softmin(&mut operator, Side::Rows, &g, rows),
        softmin(&mut operator, Side::Cols, &f, cols),
        sums(&mut operator, Side::Rows, cols, rows),
        sums(&mut operator, Side::Cols, rows, cols),
        engine.download(&linear).unwrap(),
    ]
}

#[test]
fn panels_change_nothing_but_the_order_of_sums_down_columns() {
    let Some(whole) = common::gpu() else { return };
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let one = Geometry::matrix(random(&mut rng, 100, 61)).unwrap();
    let long = Geometry::matrix(random(&mut rng, 600, 33)).unwrap();
    let many: Vec<_> = [(3, 5), (70, 40), (1, 130), (130, 1), (64, 65)]
        .into_iter()
        .map(|(n, m)| Geometry::matrix(random(&mut rng, n, m)).unwrap())
        .collect();
    // From barely a row or two a panel to barely two panels.
    for bytes in [8_000, 9_003, 12_288, 40_000] {
        let Some(engine) = small_bindings(bytes) else { return };
        for batch in [vec![&one], vec![&long], many.iter().collect()] {
            let [rows, cols, sum_rows, sum_cols, linear] = everything(&engine, &batch);
            let expected = everything(&whole, &batch);
            assert_eq!(rows, expected[0], "{bytes}");
            assert_eq!(sum_rows, expected[2], "{bytes}");
            assert_eq!(linear, expected[4], "{bytes}");
            for (found, expected) in cols.iter().zip(&expected[1]) {
                assert!((found - expected).abs() < 4e-6, "{bytes}: {found} {expected}");
            }
            for (found, expected) in sum_cols.iter().zip(&expected[3]) {
                assert!((found - expected).abs() < 4e-6 * expected, "{bytes}: {found} {expected}");
            }
        }
    }
}

#[test]
fn launches_that_are_folded_into_two_dimensions_are_the_same() {
    let options = EngineOptions { max_workgroups: Some(3), ..EngineOptions::default() };
    let Some(folded) = limited(&options) else { return };
    let rows = check::run(&folded, 1, &mut |_| ControlFlow::Continue(())).unwrap();
    let failed: Vec<_> = rows.iter().filter(|row| !row.passed).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    let whole = common::gpu().unwrap();
    for (name, solve) in SYSTEMS {
        assert_eq!(solve(&folded).unwrap(), solve(&whole).unwrap(), "{name}");
    }
}

#[test]
fn bindings_of_any_size_are_enough_or_a_limit() {
    let Some(whole) = common::gpu() else { return };
    for (name, solve) in SYSTEMS {
        let expected = solve(&whole).unwrap();
        let (mut refused, mut walked) = (0, 0);
        for exponent in 4..16 {
            let bytes = 3 << (exponent - 1);
            let Some(engine) = small_bindings(bytes) else { return };
            match solve(&engine) {
                // Panels may change the order of sums.
                Ok(found) => {
                    walked += 1;
                    assert_eq!(found.len(), expected.len());
                    for (found, expected) in found.iter().zip(&expected) {
                        let allowed = 1e-4 * (1.0 + expected.abs());
                        assert!(
                            (found - expected).abs() < allowed,
                            "{name} {bytes}: {found} {expected}"
                        );
                    }
                }
                Err(Error::Limit { needed, available, .. }) => {
                    refused += 1;
                    assert!(needed > available, "{name} {bytes}: {needed} {available}");
                }
                Err(error) => panic!("{name} {bytes}: {error}"),
            }
            assert_eq!(engine.bytes_used(), 0, "{name} {bytes}");
        }
        assert!(refused > 0 && walked > 0, "{name}: {refused} refused, {walked} not");
    }
}

#[test]
fn a_row_that_no_binding_holds_is_refused_with_a_way_out() {
    let Some(engine) = small_bindings(1000) else { return };
    let wide = Geometry::matrix(Array2::zeros((2, 300))).unwrap();
    let error = wide.operator(&engine).map(|_| ()).unwrap_err();
    let Error::Limit { what, needed, available, remedy } = &error else { panic!("{error}") };
    assert!(what.contains("row") && remedy.contains("points"), "{error}");
    assert!((1200..2000).contains(needed) && *available == 1000, "{error}");
}

#[test]
fn an_array_that_no_binding_holds_is_a_limit_and_not_a_bug_of_the_driver() {
    let Some(engine) = small_bindings(1000) else { return };
    let line = Array2::from_shape_fn((300, 1), |(i, _)| i as f64);
    let cloud = Geometry::points(line.clone(), line, Cost::SquaredEuclidean).unwrap();
    let mut operator = cloud.operator(&engine).unwrap();
    let bias = engine.zeros("bias", 300).unwrap();
    let mut out = engine.zeros("out", 300).unwrap();
    let error = operator.softmin(&engine, Side::Rows, 1.0, &bias, &mut out).unwrap_err();
    let Error::Limit { needed: 1200, available: 1000, remedy, .. } = &error else {
        panic!("{error}")
    };
    assert!(remedy.contains("--device cpu"), "{error}");
    // The engine is as good as before.
    assert_eq!(engine.download(&bias).unwrap(), vec![0.0; 300]);
}

#[test]
fn a_matrix_just_over_a_real_binding_is_walked_in_panels() {
    let Some(engine) = common::gpu() else { return };
    let most = engine.device().unwrap().max_binding_bytes;
    if most > 1 << 28 {
        eprintln!("not tested: bindings of this device are too large to exceed in a test");
        return;
    }
    let side = ((most / 4) as f64).sqrt() as usize + 1;
    assert!((side * side * 4) as u64 > most);
    // C_ij = a_i + b_j in quarters, which f32 adds exactly: a bias of b_j / epsilon leaves the
    // logarithm of the number of columns, less a_i / epsilon.
    let part = |i: usize| (i % 29) as f64 * 0.25;
    let costs = Array2::from_shape_fn((side, side), |(i, j)| part(i) + part(3 * j));
    let geometry = Geometry::Matrix(costs);
    let mut operator = geometry.operator(&engine).unwrap();
    let count = (side as f64).ln();
    for (onto, own, other) in [(Side::Rows, 1, 3), (Side::Cols, 3, 1)] {
        let bias: Vec<f64> = (0..side).map(|j| part(other * j)).collect();
        let bias = engine.upload("bias", &bias).unwrap();
        let mut out = engine.zeros("out", side).unwrap();
        operator.softmin(&engine, onto, 1.0, &bias, &mut out).unwrap();
        for (i, found) in engine.download(&out).unwrap().into_iter().enumerate() {
            let expected = count - part(own * i);
            assert!((found - expected).abs() < 1e-5, "{onto:?} [{i}]: {found} {expected}");
        }
    }
}
