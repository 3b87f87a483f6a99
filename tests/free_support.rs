//! Free-support barycenters: plans and distances in turns.

mod common;

use std::ops::ControlFlow;

use common::engines;
use gaspard::gromov::{Control, Descent, FreeSupport, Plans, Space, conditional_gradient, embed};
use gaspard::{Cost, Engine, Error, Observer, Progress};
use ndarray::{Array1, Array2, Axis, array};

/// Points of a crooked shape, without any symmetry.
fn shape() -> Array2<f64> {
    array![[0.0, 0.0], [0.3, 0.0], [0.6, 0.05], [1.0, 0.0], [0.0, 0.25], [0.05, 0.55], [0.7, 0.3]]
}

fn space(points: Array2<f64>) -> Space {
    let weights = Array1::from_elem(points.nrows(), 1.0 / points.nrows() as f64);
    Space::from_points(points, Cost::Euclidean, weights).unwrap()
}

/// The shape, turned, moved and in another order.
fn turned() -> Space {
    let turn = array![[0.6, 0.8], [-0.8, 0.6]];
    let points = (shape().dot(&turn) + 3.0).select(Axis(0), &[3, 6, 0, 2, 5, 1, 4]);
    space(points)
}

fn stretched() -> Space {
    space(shape() * &array![1.0, 1.6])
}

/// E(T) as it stands.
fn energy(input: &Space, distances: &Array2<f64>, plan: &Array2<f64>) -> f64 {
    let mut sum = 0.0;
    for ((x, y), p) in plan.indexed_iter() {
        for ((z, w), q) in plan.indexed_iter() {
            sum += (input.distance(x, z) - distances[[y, w]]).powi(2) * p * q;
        }
    }
    sum
}

#[test]
fn the_barycenter_of_one_shape_turned_is_that_shape() {
    let inputs = vec![space(shape()), turned()];
    let losses = (0..6).map(|seed| {
        let problem = FreeSupport::of(inputs.clone(), 7).seed(seed);
        let found = problem.solve(&Engine::cpu()).unwrap();
        assert!(found.converged);
        (found.loss, found)
    });
    let (loss, best) = losses.min_by(|a, b| a.0.total_cmp(&b.0)).unwrap();
    assert!(loss < 1e-12, "{loss}");
    // Its distances are those of the shape, up to the order of the points.
    let sorted = |distances: Vec<f64>| {
        let mut distances = distances;
        distances.sort_by(f64::total_cmp);
        distances
    };
    let found = sorted(best.distances.iter().copied().collect());
    let expected = sorted(inputs[0].distances.dense().unwrap().iter().copied().collect());
    found.iter().zip(&expected).for_each(|(a, b)| assert!((a - b).abs() < 1e-9, "{a} {b}"));
    // And it can be drawn.
    let points = embed(&best.distances.mapv(|d| d * d), 2).unwrap();
    let apart = &points.row(0) - &points.row(1);
    assert!((apart.dot(&apart).sqrt() - best.distances[[0, 1]]).abs() < 1e-9);
}

#[test]
fn no_round_makes_the_loss_larger() {
    for seed in 0..4 {
        let inputs = vec![space(shape()), turned(), stretched()];
        let problem = FreeSupport::of(inputs.clone(), 9).weights(&[1.0, 2.0, 3.0]).seed(seed);
        let found = problem.solve(&Engine::cpu()).unwrap();
        assert!(found.converged && found.iterations == found.trace.len());
        let losses: Vec<f64> = found.trace.iter().map(|point| point.loss).collect();
        assert!(losses.windows(2).all(|pair| pair[1] <= pair[0] + 1e-14), "{losses:?}");
        // What is reported is what the plans are worth.
        let mut loss = 0.0;
        for (index, weight) in [1.0, 2.0, 3.0].into_iter().enumerate() {
            let value = energy(&inputs[index], &found.distances, &found.plans[index]);
            assert!((value - found.values[index]).abs() < 1e-12);
            loss += weight / 6.0 * value;
            let (rows, cols) = (
                found.plans[index].sum_axis(Axis(1)) - &inputs[index].weights,
                found.plans[index].sum_axis(Axis(0)) - &found.masses,
            );
            assert!(rows.iter().chain(&cols).all(|error| error.abs() < 1e-12));
        }
        assert!((loss - found.loss).abs() < 1e-12);
    }
}

#[test]
fn entropic_plans_find_the_better_barycenter() {
    let inputs = vec![space(shape()), stretched()];
    let problem = FreeSupport::of(inputs.clone(), 6).seed(1);
    // Descents without entropy get caught in whatever valley is next.
    let exact = (0..8)
        .map(|seed| problem.clone().seed(seed).solve(&Engine::cpu()).unwrap().loss)
        .fold(f64::INFINITY, f64::min);
    for engine in engines() {
        let control = Control { seeds: 4, ..Control::new(5e-3) };
        let entropic = problem.clone().plans(Plans::Entropic(control));
        let found = entropic.solve(&engine).unwrap();
        assert!(found.converged, "{engine:?} {:?}", found.trace.last());
        assert!(found.loss < 1.05 * exact, "{engine:?}: {} and {exact}", found.loss);
        // Its plans are nearly stationary without entropy too.
        for (input, plan) in inputs.iter().zip(&found.plans) {
            let center = Space::from_matrix(found.distances.clone(), found.masses.clone()).unwrap();
            let descent = Descent::default();
            let polished = conditional_gradient(input, &center, Some(plan), &descent, &mut ());
            let (before, after) = (energy(input, &found.distances, plan), polished.unwrap().cost);
            assert!(after <= before + 1e-12 && after > 0.8 * before, "{before} {after}");
            let error = plan.sum_axis(Axis(1)) - &input.weights;
            assert!(error.iter().all(|error| error.abs() < 1e-12));
        }
    }
}

#[test]
fn results_are_the_same_every_time() {
    let solve = |seed| {
        let problem = FreeSupport::of(vec![space(shape()), stretched()], 6).seed(seed);
        problem.solve(&Engine::cpu()).unwrap()
    };
    assert_eq!(solve(5).distances, solve(5).distances);
    assert_ne!(solve(5).trace[0].loss, solve(6).trace[0].loss);
}

/// Asks to stop after so many rounds, or within the first.
struct Stop {
    rounds: usize,
    within: bool,
}

impl Observer for Stop {
    fn progress(&mut self, progress: &Progress) -> ControlFlow<()> {
        let stop = progress.iteration >= self.rounds;
        if stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn interrupted(&self) -> bool {
        self.within
    }
}

#[test]
fn an_observer_stops_it_and_keeps_what_there_is() {
    for engine in engines() {
        for plans in [Plans::Exact(Descent::default()), Plans::Entropic(Control::new(1e-2))] {
            let problem =
                FreeSupport::of(vec![space(shape()), stretched()], 5).tolerance(0.0).plans(plans);
            for (rounds, within) in [(2, false), (1, true)] {
                let mut stop = Stop { rounds, within };
                let found = problem.solve_with(&engine, &mut stop).unwrap();
                assert!(found.interrupted && !found.converged);
                assert_eq!(found.iterations, rounds);
                assert!(found.loss.is_finite() && found.plans.len() == 2);
            }
        }
    }
}

#[test]
fn bad_input_is_refused() {
    let good = || FreeSupport::of(vec![space(shape()), stretched()], 3);
    let solve = |problem: FreeSupport| problem.solve(&Engine::cpu()).unwrap_err();
    assert!(matches!(solve(FreeSupport::of(Vec::new(), 3)), Error::Data { .. }));
    let pointless = FreeSupport::of(vec![space(shape())], 0);
    assert!(matches!(solve(pointless), Error::Parameter { .. }));
    assert!(matches!(solve(good().weights(&[1.0])), Error::Shape { .. }));
    assert!(matches!(solve(good().weights(&[1.0, -1.0])), Error::Parameter { .. }));
    assert!(matches!(solve(good().weights(&[0.0, 0.0])), Error::Parameter { .. }));
    assert!(matches!(solve(good().masses(array![1.0, 0.0, 1.0])), Error::Data { .. }));
    assert!(matches!(solve(good().masses(array![1.0, f64::NAN])), Error::Data { .. }));
    assert!(matches!(solve(good().start(Array2::zeros((2, 2)))), Error::Shape { .. }));
    assert!(matches!(solve(good().start(Array2::eye(3) * -1.0)), Error::Data { .. }));
    assert!(matches!(solve(good().tolerance(f64::NAN)), Error::Parameter { .. }));
    assert!(matches!(solve(good().max_iterations(0)), Error::Parameter { .. }));
    let plans = Plans::Entropic(Control::new(-1.0));
    assert!(matches!(solve(good().plans(plans)), Error::Parameter { .. }));
    let mut weightless = space(shape());
    weightless.weights.fill(0.0);
    assert!(matches!(solve(FreeSupport::of(vec![weightless], 3)), Error::Data { .. }));
}
