//! Softmins, couplings and slopes of every geometry: both engines against naive sums.

mod common;

use common::{engines, naive};
use gaspard::{Cost, Engine, Geometry, Operator, Side};
use ndarray::Array2;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn random(rng: &mut ChaCha8Rng, rows: usize, cols: usize) -> Array2<f64> {
    Array2::from_shape_simple_fn((rows, cols), || rng.random_range(-1.0..1.0))
}

/// Log weights with one zero weight, as potentials are used.
fn biases(rng: &mut ChaCha8Rng, count: usize, scale: f64) -> Vec<f64> {
    let mut bias: Vec<f64> = (0..count).map(|_| scale * rng.random_range(-1.0..1.0)).collect();
    if count > 1 {
        bias[count / 2] = gaspard::kernels::NOTHING;
    }
    bias
}

fn geometries(rng: &mut ChaCha8Rng) -> Vec<(String, Geometry)> {
    let mut all = Vec::new();
    for (n, m) in [(1, 1), (1, 70), (33, 1), (7, 300), (300, 65), (257, 129)] {
        let costs = random(rng, n, m).mapv(f64::abs);
        all.push((format!("matrix {n}x{m}"), Geometry::matrix(costs).unwrap()));
    }
    for (cost, n, m, d) in [
        (Cost::SquaredEuclidean, 1, 5, 1),
        (Cost::SquaredEuclidean, 300, 261, 2),
        (Cost::SquaredEuclidean, 40, 70, 3),
        (Cost::Euclidean, 65, 130, 3),
        (Cost::Power(1.5), 31, 33, 2),
        (Cost::SquaredEuclidean, 20, 30, 10),
        (Cost::SquaredEuclidean, 20, 30, 11),
        (Cost::Power(3.0), 30, 9, 70),
        (Cost::Euclidean, 9, 258, 130),
    ] {
        let geometry = Geometry::points(random(rng, n, d), random(rng, m, d), cost).unwrap();
        all.push((format!("{cost} {n}x{m} in {d}-D"), geometry));
    }
    let sphere = |rng: &mut ChaCha8Rng, count| {
        let mut points = random(rng, count, 3);
        for mut row in points.rows_mut() {
            let length = row.dot(&row).sqrt();
            row /= length;
        }
        points
    };
    let great_circle =
        Geometry::points(sphere(rng, 50), sphere(rng, 70), Cost::GreatCircle(1.0)).unwrap();
    all.push(("great circle".into(), great_circle));
    for shapes in [
        vec![(5, 5)],
        vec![(16, 16), (9, 33)],
        vec![(65, 3), (2, 40)],
        vec![(5, 4), (3, 3), (2, 7)],
    ] {
        let axes = shapes.iter().map(|&(n, m)| random(rng, n, m).mapv(f64::abs)).collect();
        all.push((format!("separable {shapes:?}"), Geometry::Separable(axes)));
    }
    all
}

#[test]
fn softmins_agree_with_the_naive_sum() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for (name, geometry) in geometries(&mut rng) {
        let (n, m) = geometry.shape();
        let costs = geometry.dense().unwrap();
        for (epsilon, scale) in [(1.0, 1.0), (0.01, 100.0)] {
            let bias_cols = biases(&mut rng, m, scale);
            let bias_rows = biases(&mut rng, n, scale);
            for engine in engines() {
                let mut operator = geometry.operator(&engine).unwrap();
                for (onto, bias, count) in
                    [(Side::Rows, &bias_cols, n), (Side::Cols, &bias_rows, m)]
                {
                    let expected = naive::softmin(&costs, onto, epsilon, bias);
                    let bias = engine.upload("bias", bias).unwrap();
                    let mut out = engine.zeros("out", count).unwrap();
                    operator.softmin(&engine, onto, epsilon, &bias, &mut out).unwrap();
                    let found = engine.download(&out).unwrap();
                    // Scores are as large as scale + cost / epsilon; each is rounded a few times.
                    let magnitude = scale + geometry.cost_bound() / epsilon;
                    let tolerance = 16.0 * engine.unit_roundoff() * magnitude.max(1.0);
                    for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
                        if *expected < -1e29 {
                            assert!(*found < -1e29, "{name} {onto:?} [{i}] {found} {expected}");
                            continue;
                        }
                        let error = (found - expected).abs();
                        assert!(
                            error <= tolerance,
                            "{name} on {engine:?} {onto:?} epsilon {epsilon} [{i}]: \
                             {found} is not {expected} (error {error:e}, allowed {tolerance:e})"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn couplings_are_applied_as_if_they_were_stored() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    for (name, geometry) in geometries(&mut rng) {
        let (n, m) = geometry.shape();
        let costs = geometry.dense().unwrap();
        let epsilon = 0.3;
        let (f, g) = (biases(&mut rng, n, 1.0), biases(&mut rng, m, 1.0));
        let coupling = naive::coupling(&costs, epsilon, &f, &g);
        let values_cols = random(&mut rng, 6, m);
        let values_rows = random(&mut rng, 6, n);
        for engine in engines() {
            let mut operator = geometry.operator(&engine).unwrap();
            let on = |values: &[f64]| engine.upload("values", values).unwrap();
            let (f, g) = (on(&f), on(&g));
            for (onto, values, expected) in [
                (Side::Rows, &values_cols, coupling.dot(&values_cols.t())),
                (Side::Cols, &values_rows, coupling.t().dot(&values_rows.t())),
            ] {
                let mut out = engine.zeros("out", expected.len()).unwrap();
                let values = on(values.as_slice().unwrap());
                operator.apply(&engine, onto, epsilon, &f, &g, &values, 6, &mut out).unwrap();
                let found = engine.download(&out).unwrap();
                let scale = coupling.iter().fold(0.0_f64, |a, &b| a.max(b)) * (n.max(m) as f64);
                let tolerance =
                    16.0 * engine.unit_roundoff() * scale * (1.0 + geometry.cost_bound())
                        + f64::from(f32::MIN_POSITIVE);
                for (found, expected) in found.iter().zip(expected.t().iter()) {
                    let error = (found - expected).abs();
                    assert!(error <= tolerance, "{name} on {engine:?} {onto:?}: {error:e}");
                }
            }
            let mut out = engine.zeros("out", n).unwrap();
            operator.linear(&engine, epsilon, &f, &g, &mut out).unwrap();
            let found: f64 = engine.download(&out).unwrap().iter().sum();
            let expected = (&coupling * &costs).sum();
            let tolerance = 16.0
                * engine.unit_roundoff()
                * expected.abs()
                * (1.0 + geometry.cost_bound() / epsilon)
                + f64::from(f32::MIN_POSITIVE);
            assert!(
                (found - expected).abs() <= tolerance,
                "{name} on {engine:?}: linear {found} {expected}"
            );
        }
    }
}

#[test]
fn slopes_are_gradients_of_the_linear_part() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    for (cost, d) in [
        (Cost::SquaredEuclidean, 2),
        (Cost::Euclidean, 3),
        (Cost::Power(1.5), 1),
        (Cost::SquaredEuclidean, 12),
    ] {
        let (n, m) = (9, 14);
        let (x, y) = (random(&mut rng, n, d), random(&mut rng, m, d));
        let geometry = Geometry::points(x.clone(), y.clone(), cost).unwrap();
        let (f, g) = (biases(&mut rng, n, 1.0), biases(&mut rng, m, 1.0));
        let coupling = naive::coupling(&geometry.dense().unwrap(), 0.5, &f, &g);
        for engine in engines() {
            let mut operator = geometry.operator(&engine).unwrap();
            let (f, g) = (engine.upload("f", &f).unwrap(), engine.upload("g", &g).unwrap());
            let mut out = engine.zeros("out", n * d).unwrap();
            operator.slope(&engine, Side::Rows, 0.5, &f, &g, &mut out).unwrap();
            let found = engine.download(&out).unwrap();
            for i in 0..n {
                for k in 0..d {
                    let linear = |step: f64| {
                        let mut moved = x.clone();
                        moved[[i, k]] += step;
                        let geometry = Geometry::points(moved, y.clone(), cost).unwrap();
                        (&coupling * &geometry.dense().unwrap()).sum()
                    };
                    let expected = (linear(1e-5) - linear(-1e-5)) / 2e-5;
                    let tolerance = 1e-6 + 64.0 * engine.unit_roundoff() * (1.0 + expected.abs());
                    let error = (found[k * n + i] - expected).abs();
                    assert!(error < tolerance, "{cost} {d}-D on {engine:?}: {error:e}");
                }
            }
        }
    }
}

#[test]
fn batches_are_the_same_as_one_after_another() {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let sizes = [(3, 5), (40, 1), (1, 9), (70, 130), (300, 20)];
    let matrices: Vec<_> =
        sizes.iter().map(|&(n, m)| Geometry::matrix(random(&mut rng, n, m)).unwrap()).collect();
    let clouds: Vec<_> = sizes
        .iter()
        .map(|&(n, m)| {
            Geometry::points(random(&mut rng, n, 2), random(&mut rng, m, 2), Cost::SquaredEuclidean)
                .unwrap()
        })
        .collect();
    for batch in [matrices, clouds] {
        for engine in engines() {
            let all: Vec<_> = batch.iter().collect();
            let mut together = Operator::new(&engine, &all).unwrap();
            for onto in [Side::Rows, Side::Cols] {
                let bias = biases(&mut rng, together.len(onto.other()), 3.0);
                let array = engine.upload("bias", &bias).unwrap();
                let mut out = engine.zeros("out", together.len(onto)).unwrap();
                together.softmin(&engine, onto, 0.1, &array, &mut out).unwrap();
                let found = engine.download(&out).unwrap();
                let (mut inside, mut outside) = (0, 0);
                for geometry in &batch {
                    let (n, m) = geometry.shape();
                    let (ins, outs) = if onto == Side::Rows { (m, n) } else { (n, m) };
                    let single = naive::softmin(
                        &geometry.dense().unwrap(),
                        onto,
                        0.1,
                        &bias[inside..inside + ins],
                    );
                    for (found, expected) in found[outside..outside + outs].iter().zip(&single) {
                        if *expected < -1e29 {
                            assert!(*found < -1e29);
                        } else {
                            let tolerance = 400.0 * engine.unit_roundoff();
                            assert!((found - expected).abs() < tolerance, "{found} {expected}");
                        }
                    }
                    inside += ins;
                    outside += outs;
                }
            }
        }
    }
}

#[test]
fn stopped_problems_are_left_alone() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let batch: Vec<_> =
        (0..3).map(|_| Geometry::matrix(random(&mut rng, 20, 30)).unwrap()).collect();
    for engine in engines() {
        let mut operator = Operator::new(&engine, &batch.iter().collect::<Vec<_>>()).unwrap();
        let bias = engine.upload("bias", &vec![0.0; 90]).unwrap();
        let running = engine.upload("running", &[1.0, 0.0, 1.0]).unwrap();
        let mut out = engine.filled("out", 60, 7.0).unwrap();
        operator.softmin_running(&engine, Side::Rows, 1.0, &bias, &running, &mut out).unwrap();
        let found = engine.download(&out).unwrap();
        assert!(found[..20].iter().chain(&found[40..]).all(|&value| value != 7.0));
        assert!(found[20..40].iter().all(|&value| value == 7.0));
    }
}

#[test]
fn results_have_the_same_bits_every_time() {
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    let geometry =
        Geometry::points(random(&mut rng, 500, 3), random(&mut rng, 700, 3), Cost::Euclidean)
            .unwrap();
    let bias = biases(&mut rng, 700, 5.0);
    for engine in engines() {
        let run = |engine: &Engine| {
            let mut operator = geometry.operator(engine).unwrap();
            let bias = engine.upload("bias", &bias).unwrap();
            let mut out = engine.zeros("out", 500).unwrap();
            operator.softmin(engine, Side::Rows, 0.05, &bias, &mut out).unwrap();
            engine.download(&out).unwrap()
        };
        assert_eq!(run(&engine), run(&engine));
    }
}
