//! The flat metric by entropic transport against the exact one: bounds, accuracy, invariances.

mod common;

use std::ops::ControlFlow;

use common::{engines, gpu};
use gaspard::flat::{Bracket, Cloud, Sinkhorn, exact, upper_bound};
use gaspard::observer::{Observer, Progress};
use gaspard::{Engine, Error};
use ndarray::{Array1, Array2, Axis, array};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn random(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// A sample of a normal distribution around (centre, 0, ..., 0).
fn normal(seed: u64, count: usize, dimension: usize, centre: f64, deviation: f64) -> Array2<f64> {
    let mut random = random(seed);
    let mut number = || -> f64 {
        let radius = (-2.0 * random.random_range(1e-12_f64..1.0).ln()).sqrt();
        radius * (std::f64::consts::TAU * random.random_range(0.0..1.0)).cos()
    };
    Array2::from_shape_fn((count, dimension), |(_, axis)| {
        deviation * number() + if axis == 0 { centre } else { 0.0 }
    })
}

/// Five clusters, whose centres do not depend on the seed.
fn clusters(seed: u64, count: usize, dimension: usize) -> Array2<f64> {
    let mut places = random(77);
    let centres = Array2::from_shape_simple_fn((5, dimension), || places.random_range(-3.0..3.0));
    let mut points = normal(seed, count, dimension, 0.0, 0.3);
    points.rows_mut().into_iter().enumerate().for_each(|(i, mut row)| row += &centres.row(i % 5));
    points
}

fn counting(points: Array2<f64>) -> Cloud {
    Cloud::counting("cloud", points).unwrap()
}

/// A small cloud: some points without mass, some on a lattice, where those of others are too.
fn small(seed: u64, dimension: usize) -> Cloud {
    let mut random = random(seed);
    let count = random.random_range(1..14);
    let lattice = seed.is_multiple_of(3);
    let points = Array2::from_shape_simple_fn((count, dimension), || {
        let place: f64 = random.random_range(-1.6..1.6);
        if lattice { place.round() } else { place }
    });
    let heavy = if seed.is_multiple_of(5) { 20.0 } else { 1.0 };
    let weights = Array1::from_shape_simple_fn(count, || {
        let mass: f64 = random.random_range(-0.2..1.0);
        heavy * mass.max(0.0)
    });
    Cloud::new("a cloud", points, weights).unwrap()
}

fn value(a: &Cloud, b: &Cloud) -> f64 {
    exact(a, b, &mut || false).unwrap().distance.value
}

/// Bounds hold, and the test function is one and attains the lower one, all to `rounding`.
fn check(a: &Cloud, b: &Cloud, found: &Bracket, rounding: f64) {
    let (truth, total) = (value(a, b), a.mass() + b.mass());
    let distance = found.distance;
    let allowed = 1e-12 * total;
    assert!(distance.lower <= truth + allowed, "{distance:?} {truth}");
    assert!(truth <= distance.upper + allowed, "{distance:?} {truth}");
    assert!(distance.lower <= distance.value && distance.value <= distance.upper);
    let integral = |cloud: &Cloud, f: &[f64]| -> f64 {
        cloud.weights().iter().zip(f).map(|(mass, f)| mass * f).sum()
    };
    let attained = integral(a, &found.f_a) - integral(b, &found.f_b);
    assert!(attained >= distance.lower - rounding * total, "{attained} {distance:?}");
    for (f_x, x) in found.f_a.iter().zip(a.points().rows()) {
        for (f_y, y) in found.f_b.iter().zip(b.points().rows()) {
            let apart = (&x - &y).mapv(|t| t * t).sum().sqrt();
            assert!(f_x.abs() <= 1.0 + rounding && f_y.abs() <= 1.0 + rounding);
            assert!(f_x - f_y <= apart + rounding, "{f_x} {f_y} {apart}");
        }
    }
}

/// Solves so many small pairs of one dimension at once.
fn check_small(engine: &Engine, solver: &Sinkhorn, dimension: usize, count: u64) {
    let pairs: Vec<_> = (0..count)
        .map(|pair| (small(2 * pair + 1000 * dimension as u64, dimension), pair))
        .map(|(a, pair)| (a, small(2 * pair + 1 + 7000 * dimension as u64, dimension)))
        .collect();
    let pairs: Vec<(&Cloud, &Cloud)> = pairs.iter().map(|(a, b)| (a, b)).collect();
    let found = solver.solve_batch(&pairs, engine, &mut ()).unwrap();
    let rounding = 20.0 * engine.unit_roundoff() + 1e-9;
    for ((a, b), found) in pairs.iter().zip(&found) {
        check(a, b, found, rounding);
        assert!(!found.outcome.interrupted && found.outcome.iterations <= 4000);
    }
    let converged = found.iter().filter(|found| found.outcome.converged).count();
    assert!(converged as u64 >= count - count / 50, "{converged} of {count}");
}

#[test]
fn bounds_hold_for_thousands_of_small_pairs() {
    for dimension in 1..=5 {
        check_small(&Engine::cpu(), &Sinkhorn::new(), dimension, 500);
    }
    // Also where there is no time to converge.
    for iterations in [1, 7, 40] {
        let found = Sinkhorn::new().max_iterations(iterations).tolerance(1e-6);
        for seed in 0..50 {
            let (a, b) = (small(seed, 2), small(seed + 500, 2));
            check(&a, &b, &found.solve(&a, &b, &Engine::cpu()).unwrap(), 1e-9);
        }
    }
}

#[test]
fn bounds_hold_on_a_gpu() {
    if let Some(engine) = gpu() {
        for dimension in [1, 2, 3, 5] {
            check_small(&engine, &Sinkhorn::new().tolerance(0.02), dimension, 60);
        }
    }
}

/// Known bounds in percent of the exact value, of the same laws, after 400 iterations at a fixed
/// epsilon. Here as many iterations may also be spent at smaller ones.
#[test]
fn bounds_are_as_near_as_the_table_says() {
    let weighted = |points: Array2<f64>, seed: u64, scale: f64| {
        let mut random = random(seed);
        let masses = Array1::from_shape_simple_fn(points.nrows(), || random.random_range(0.2..1.0));
        Cloud::new("a cloud", points, scale * masses).unwrap()
    };
    let wide = |dimension: usize| {
        [(3, 1.5), (4, 1.0)].map(|(seed, scale)| {
            let shift = if seed == 3 { 0.0 } else { 1.0 };
            weighted(normal(seed, 300, dimension, shift, 3.0), seed, scale)
        })
    };
    let gaussians = |dimension, n, m| {
        [counting(normal(1, n, dimension, 0.0, 1.0)), counting(normal(2, m, dimension, 1.0, 1.0))]
    };
    let grouped = |dimension| [1, 2].map(|seed| counting(clusters(seed, 200, dimension)));
    // (below, above) at epsilon 0.05, 0.02, 0.01; of other samples, hence 0.05 more is fine.
    let cases = [
        (gaussians(2, 300, 200), [(3.2, 1.8), (0.83, 0.63), (0.30, 0.29)]),
        (gaussians(5, 300, 300), [(1.5, 2.5), (0.38, 0.50), (0.10, 0.16)]),
        (grouped(2), [(4.5, 9.9), (1.5, 3.0), (0.66, 1.8)]),
        (grouped(5), [(1.2, 8.1), (0.32, 1.7), (0.11, 0.56)]),
        (wide(2), [(0.69, 0.77), (0.27, 0.12), (0.13, 0.03)]),
        (wide(5), [(0.25, 0.01), (0.11, 0.01), (0.06, 0.01)]),
    ];
    for (case, ([a, b], table)) in cases.iter().enumerate() {
        let truth = value(a, b);
        for (epsilon, (below, above)) in [0.05, 0.02, 0.01].into_iter().zip(table) {
            // The way down by 0.7, five iterations each, and 400 at the target.
            let annealing = 5 * (f64::ln(epsilon) / f64::ln(0.7)).ceil() as usize;
            let solver = Sinkhorn::new().epsilon(epsilon).tolerance(1e-9);
            let found = solver.max_iterations(annealing + 400).solve(a, b, &Engine::cpu()).unwrap();
            let lower = 100.0 * (1.0 - found.distance.lower / truth);
            let upper = 100.0 * (found.distance.upper / truth - 1.0);
            let bounds = format!("case {case} epsilon {epsilon}: -{lower:.3} / +{upper:.3} %");
            assert!(lower <= *below && upper <= above + 0.05, "{bounds}, not -{below} / +{above}");
        }
    }
}

fn rotated(points: &Array2<f64>, angle: f64, shift: f64) -> Array2<f64> {
    let (sine, cosine) = angle.sin_cos();
    let turn = array![[cosine, sine], [-sine, cosine]];
    points.dot(&turn) + shift
}

#[test]
fn neither_order_nor_company_changes_a_bit() {
    for engine in engines() {
        let sizes = [(40, 30), (1, 7), (300, 20), (20, 300), (33, 33), (270, 600)];
        let clouds: Vec<_> = sizes
            .iter()
            .zip(1..)
            .map(|(&(n, m), seed)| {
                (
                    counting(normal(seed, n, 2, 0.0, 1.0)),
                    counting(normal(seed + 50, m, 2, 0.5, 1.0)),
                )
            })
            .collect();
        let pairs: Vec<(&Cloud, &Cloud)> = clouds.iter().map(|(a, b)| (a, b)).collect();
        let solver = Sinkhorn::new().epsilon(0.02).max_iterations(200);
        let together = solver.solve_batch(&pairs, &engine, &mut ()).unwrap();
        for ((a, b), found) in pairs.iter().zip(&together) {
            let mut alone = solver.solve(a, b, &engine).unwrap();
            // How long it took is all that may differ.
            alone.outcome.seconds = found.outcome.seconds;
            assert_eq!(&alone, found, "{engine:?}");
            let turned = solver.solve(b, a, &engine).unwrap();
            assert_eq!(turned.distance, found.distance);
            let negated: Vec<f64> = turned.f_b.iter().map(|f| -f).collect();
            assert_eq!(negated, found.f_a);
        }
    }
}

#[test]
fn motions_change_no_bounds_that_matter() {
    let (a, b) = (clusters(1, 60, 2), normal(2, 45, 2, 0.5, 1.5));
    let truth = value(&counting(a.clone()), &counting(b.clone()));
    for engine in engines() {
        for (angle, shift) in [(0.0, 0.0), (1.0, 0.0), (0.0, 1e3), (2.0, -1e3), (0.3, 1e6)] {
            let [a, b] = [&a, &b].map(|points| counting(rotated(points, angle, shift)));
            let found = Sinkhorn::new().solve(&a, &b, &engine).unwrap();
            let Bracket { distance, outcome, .. } = found;
            // Coordinates of a million are rounded by 1e-10.
            assert!(distance.lower <= truth + 1e-7 && truth <= distance.upper + 1e-7);
            assert!(outcome.converged, "{distance:?} after {angle} {shift}");
        }
    }
}

#[test]
fn what_is_far_apart_is_lost_and_made() {
    for engine in engines() {
        let (a, b) = (counting(normal(1, 50, 3, 0.0, 0.5)), counting(normal(2, 70, 3, 1e3, 0.5)));
        let found = Sinkhorn::new().solve(&a, &b, &engine).unwrap();
        assert!((found.distance.value - 120.0).abs() < 1e-2, "{:?}", found.distance);
        assert_eq!(found.distance.normalised, Some(found.distance.value / 50.0));
        assert!(found.outcome.converged && found.distance.upper <= 120.0 * (1.0 + 1e-12));
        assert!(found.f_a.iter().all(|f| *f > 0.999) && found.f_b.iter().all(|f| *f < -0.999));
    }
}

#[test]
fn equal_clouds_and_what_they_share_cancel() {
    let points = clusters(1, 40, 3);
    let cloud = counting(points.clone());
    let found = Sinkhorn::new().solve(&cloud, &cloud, &Engine::cpu()).unwrap();
    assert_eq!((found.distance.lower, found.distance.upper), (0.0, 0.0));
    // More mass in the same places: all of the difference is lost.
    let heavy = Cloud::new("heavy", points.clone(), Array1::from_elem(40, 2.5)).unwrap();
    let found = Sinkhorn::new().solve(&cloud, &heavy, &Engine::cpu()).unwrap().distance;
    assert!((found.value - 60.0).abs() < 1e-12 && found.upper - found.lower < 1e-12);
    // What is added to both changes nothing; and the test function is one at all points.
    let (a, b) = (normal(5, 20, 3, 0.0, 1.0), normal(6, 15, 3, 0.5, 1.0));
    let both = |own: &Array2<f64>| {
        counting(ndarray::concatenate(Axis(0), &[own.view(), points.view()]).unwrap())
    };
    let (more_a, more_b) = (both(&a), both(&b));
    let found = Sinkhorn::new().solve(&more_a, &more_b, &Engine::cpu()).unwrap();
    check(&more_a, &more_b, &found, 1e-9);
    let plain = Sinkhorn::new().solve(&counting(a), &counting(b), &Engine::cpu()).unwrap();
    assert!((plain.distance.value - found.distance.value).abs() < 1e-10);
    // Next to nothing on one side, nothing, and nothing on both.
    let trace = Cloud::new("trace", array![[0.0, 0.0, 0.0]], array![1e-320]).unwrap();
    let found = Sinkhorn::new().solve(&trace, &heavy, &Engine::cpu()).unwrap();
    assert!(found.distance.value == 100.0 && found.outcome.converged);
    let none = Cloud::new("none", array![[0.0, 0.0, 0.0]], array![0.0]).unwrap();
    let found = Sinkhorn::new().solve(&none, &heavy, &Engine::cpu()).unwrap();
    assert_eq!((found.distance.value, found.distance.normalised), (100.0, None));
    assert_eq!((found.f_a, found.f_b), (vec![-1.0], vec![-1.0; 40]));
    let found = Sinkhorn::new().solve(&none, &none, &Engine::cpu()).unwrap();
    assert_eq!((found.distance.value, found.outcome.converged), (0.0, true));
}

#[test]
fn a_point_against_anything() {
    for engine in engines() {
        for apart in [1e-3, 0.3, 1.0, 1.999, 2.0, 2.5] {
            let (a, b) = (counting(array![[0.0, 0.0]]), counting(array![[apart, 0.0]]));
            let found = Sinkhorn::new().solve(&a, &b, &engine).unwrap().distance;
            let truth = f64::min(apart, 2.0);
            assert!((found.value - truth).abs() <= 0.01 * truth + 1e-4, "{found:?} {truth}");
            assert!(found.lower <= truth && truth <= found.upper);
        }
        for (dimension, mass) in [(1, 30.0), (4, 100.0), (64, 250.0)] {
            let place = Array2::zeros((1, dimension));
            let a = Cloud::new("a point", place, array![mass]).unwrap();
            let b = counting(normal(3, 200, dimension, 1.0, 0.15));
            let found = Sinkhorn::new().tolerance(1e-4).solve(&a, &b, &engine).unwrap();
            check(&a, &b, &found, 1e-5);
            // Spec 5.5: exact.
            let truth = value(&a, &b);
            let off = (found.distance.value - truth).abs() / truth;
            assert!(off <= 2e-4, "{off} {found:?}", found = found.distance);
        }
    }
}

#[test]
fn bounds_hold_in_many_dimensions() {
    for engine in engines() {
        let (a, b) = (normal(1, 60, 64, 0.0, 0.1), normal(2, 40, 64, 0.7, 0.12));
        let (a, b) = (counting(a), counting(b));
        let found = Sinkhorn::new().solve(&a, &b, &engine).unwrap();
        check(&a, &b, &found, 1e-5);
        assert!(found.outcome.converged);
    }
}

#[test]
fn any_potentials_give_an_upper_bound() {
    for seed in 0..200 {
        let (a, b) = (small(seed, 2), small(seed + 500, 2));
        let mut random = random(seed);
        let [phi, psi] = [&a, &b].map(|cloud| -> Vec<f64> {
            cloud.weights().iter().map(|_| random.random_range(-1.2..1.2)).collect()
        });
        let truth = value(&a, &b);
        for epsilon in [1.0, 0.1, 1e-3, 1e-6] {
            let bound = upper_bound(&a, &b, &phi, &psi, epsilon).unwrap();
            let total = a.mass() + b.mass();
            assert!(bound >= truth - 1e-12 * total, "{bound} {truth}");
        }
        // Out of the best potentials it is nearly attained.
        let best = exact(&a, &b, &mut || false).unwrap();
        let psi: Vec<f64> = best.f_b.iter().map(|f| -f).collect();
        let bound = upper_bound(&a, &b, &best.f_a, &psi, 1e-4).unwrap();
        assert!(bound <= truth + 0.25 * (a.mass() + b.mass()), "{bound} {truth}");
    }
    let (a, b) = (counting(array![[0.0]]), counting(array![[1.0], [2.0]]));
    let refused = |phi: &[f64], psi: &[f64], epsilon| upper_bound(&a, &b, phi, psi, epsilon);
    assert!(matches!(refused(&[0.0], &[0.0], 0.1), Err(Error::Shape { .. })));
    assert!(matches!(refused(&[f64::NAN], &[0.0; 2], 0.1), Err(Error::Data { .. })));
    assert!(matches!(refused(&[0.0], &[0.0; 2], 0.0), Err(Error::Parameter { .. })));
}

/// Stops after so many calls.
struct Impatient(std::cell::Cell<usize>);

impl Observer for Impatient {
    fn progress(&mut self, _: &Progress) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn interrupted(&self) -> bool {
        self.0.set(self.0.get() + 1);
        self.0.get() >= 3
    }
}

#[test]
fn what_was_computed_until_a_stop_is_kept() {
    let (a, b) = (counting(clusters(1, 50, 2)), counting(clusters(2, 50, 2)));
    for engine in engines() {
        let solver = Sinkhorn::new().tolerance(1e-7);
        let pairs = [(&a, &b)];
        let mut observer = Impatient(0.into());
        let found = solver.solve_batch(&pairs, &engine, &mut observer).unwrap();
        assert!(
            found[0].outcome.interrupted
                && !found[0].outcome.converged
                && found[0].outcome.iterations == 3
        );
        check(&a, &b, &found[0], 1e-5);
        let mut tests = 0;
        let mut stop = |progress: &Progress| {
            tests += 1;
            assert_eq!((progress.running, progress.part), ((1, 1), (1, 1)));
            assert!(progress.residual > progress.tolerance);
            if tests == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let found = solver.solve_batch(&pairs, &engine, &mut stop).unwrap();
        assert!(found[0].outcome.interrupted && tests == 2);
        check(&a, &b, &found[0], 1e-5);
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    let (plane, line) = (counting(array![[0.0, 1.0]]), counting(array![[0.0]]));
    let engine = Engine::cpu();
    let refused = Sinkhorn::new().solve(&plane, &line, &engine);
    assert!(matches!(refused, Err(Error::Shape { .. })));
    let mixed = [(&plane, &plane), (&line, &line)];
    let refused = Sinkhorn::new().solve_batch(&mixed, &engine, &mut ());
    assert!(matches!(refused, Err(Error::Shape { .. })));
    for solver in [
        Sinkhorn::new().epsilon(0.0),
        Sinkhorn::new().epsilon(f64::NAN),
        Sinkhorn::new().tolerance(0.0),
        Sinkhorn::new().tolerance(f64::INFINITY),
        Sinkhorn::new().max_iterations(0),
    ] {
        let refused = solver.solve(&line, &line, &engine);
        assert!(matches!(refused, Err(Error::Parameter { .. })), "{solver:?}");
    }
    assert!(Sinkhorn::new().solve_batch(&[], &engine, &mut ()).unwrap().is_empty());
    let options = gaspard::EngineOptions { memory_limit: Some(1000), ..Default::default() };
    let large = counting(normal(1, 100, 2, 0.0, 1.0));
    let moved = counting(normal(2, 100, 2, 0.0, 1.0));
    let refused = Sinkhorn::new().solve(&large, &moved, &Engine::cpu_with(&options));
    assert!(matches!(refused, Err(Error::Limit { .. })));
}
