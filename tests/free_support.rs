//! Free-support barycenters: plans and distances in turns.

mod common;

use std::ops::ControlFlow;

use common::engines;
use gaspard::gromov::{
    Barycenter, Control, Descent, FreeSupport, FreeSupportSolution, GridSpace, Plans, Space,
    conditional_gradient, embed,
};
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
        assert!(found.outcome.converged);
        (found.loss(), found)
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
        let problem = FreeSupport::of(inputs.clone(), 9).weights(&[0.2, 0.3, 0.5]).seed(seed);
        let found = problem.solve(&Engine::cpu()).unwrap();
        assert!(found.outcome.converged && found.outcome.iterations == found.trace.len());
        let losses: Vec<f64> = found.trace.iter().map(|point| point.transport).collect();
        assert!(losses.windows(2).all(|pair| pair[1] <= pair[0] + 1e-14), "{losses:?}");
        // What is reported is what the plans are worth.
        let mut loss = 0.0;
        for (index, weight) in [0.2, 0.3, 0.5].into_iter().enumerate() {
            let value = energy(&inputs[index], &found.distances, &found.plans[index]);
            assert!((value - found.values[index]).abs() < 1e-12);
            loss += weight * value;
            let (rows, cols) = (
                found.plans[index].sum_axis(Axis(1)) - &inputs[index].weights,
                found.plans[index].sum_axis(Axis(0)) - &found.masses,
            );
            assert!(rows.iter().chain(&cols).all(|error| error.abs() < 1e-12));
        }
        assert!((loss - found.loss()).abs() < 1e-12);
    }
}

/// Features of the points of the shape: where they are, bent a little.
fn features(count: usize) -> Array2<f64> {
    Array2::from_shape_fn((count, 3), |(point, k)| {
        (0.7 * (point + 1) as f64 * (k + 1) as f64).sin()
    })
}

/// V(T) of every input as it stands, and that plans have the right marginals.
fn fused_values(
    inputs: &[Space],
    given: &[Array2<f64>],
    alpha: f64,
    found: &FreeSupportSolution,
) -> Vec<f64> {
    let barycenter = found.features.as_ref().unwrap();
    let spaces = inputs.iter().zip(given).zip(&found.plans);
    spaces
        .map(|((space, features), plan)| {
            let rows = plan.sum_axis(Axis(1)) - &space.weights;
            let cols = plan.sum_axis(Axis(0)) - &found.masses;
            assert!(rows.iter().chain(&cols).all(|error| error.abs() < 1e-12));
            let mut labels = 0.0;
            for ((x, y), p) in plan.indexed_iter() {
                let step = &features.row(x) - &barycenter.row(y);
                labels += p * step.dot(&step);
            }
            alpha * energy(space, &found.distances, plan) + (1.0 - alpha) * labels
        })
        .collect()
}

#[test]
fn no_round_makes_the_fused_loss_larger() {
    let inputs = vec![space(shape()), turned(), stretched()];
    let given: Vec<_> = inputs.iter().map(|input| features(input.len())).collect();
    let weights = [0.2, 0.3, 0.5];
    for (seed, alpha) in [0.0, 0.1, 0.5, 0.9, 1.0].into_iter().enumerate() {
        for points in [4, 9] {
            let found = FreeSupport::of(inputs.clone(), points)
                .features(given.clone(), alpha)
                .weights(&weights)
                .seed(seed as u64)
                .solve(&Engine::cpu())
                .unwrap();
            assert!(found.outcome.converged, "{alpha}");
            let losses: Vec<f64> = found.trace.iter().map(|point| point.transport).collect();
            assert!(losses.windows(2).all(|pair| pair[1] <= pair[0] + 1e-14), "{losses:?}");
            let values = fused_values(&inputs, &given, alpha, &found);
            let loss: f64 = values.iter().zip(weights).map(|(value, weight)| weight * value).sum();
            for (value, found) in values.iter().zip(&found.values) {
                assert!((value - found).abs() < 1e-12);
            }
            assert!((loss - found.loss()).abs() < 1e-12);
            assert!((found.terms.total() - found.loss()).abs() < 1e-15);
            // Features are the best for these plans: any other are worse.
            let mut worse = found.clone();
            worse.features.as_mut().unwrap()[[1, 2]] += 1e-3;
            let others = fused_values(&inputs, &given, alpha, &worse);
            let other: f64 = others.iter().zip(weights).map(|(value, weight)| weight * value).sum();
            assert!(other > loss || alpha == 1.0 && other >= loss);
        }
    }
}

#[test]
fn at_alpha_1_features_change_nothing() {
    let inputs = vec![space(shape()), stretched()];
    let given: Vec<_> = inputs.iter().map(|input| features(input.len())).collect();
    let problem = FreeSupport::of(inputs, 6).seed(2);
    let plain = problem.solve(&Engine::cpu()).unwrap();
    let fused = problem.features(given, 1.0).tolerance(1e-5).solve(&Engine::cpu()).unwrap();
    assert!((&plain.distances - &fused.distances).iter().all(|error| error.abs() < 1e-12));
    assert!((plain.loss() - fused.loss()).abs() < 1e-15);
}

#[test]
fn features_tell_apart_what_distances_cannot() {
    // A bar has no direction; its features give it one, and the barycenter keeps it.
    let bar = array![[0.0, 0.0], [1.0, 0.0], [2.0, 0.0], [3.0, 0.0]];
    let colours = array![[0.0], [0.1], [0.9], [1.0]];
    let back: Vec<usize> = vec![3, 2, 1, 0];
    let inputs = vec![space(bar.clone()), space(bar.select(Axis(0), &back))];
    let given = vec![colours.clone(), colours.select(Axis(0), &back)];
    for engine in engines() {
        for plans in [
            Plans::Exact(Descent::default()),
            Plans::Entropic(Control { seeds: 4, ..Control::new(2e-3) }),
        ] {
            let problem = FreeSupport::of(inputs.clone(), 4).features(given.clone(), 0.3);
            let found =
                problem.plans(plans).solve_seeds(8, &engine, &mut ()).unwrap().swap_remove(0);
            assert!(found.loss() < 5e-3, "{engine:?} {}", found.loss());
            let mut sorted: Vec<f64> = found.features.unwrap().iter().copied().collect();
            sorted.sort_by(f64::total_cmp);
            for (found, expected) in sorted.iter().zip(&colours) {
                assert!((found - expected).abs() < 0.05, "{engine:?} {sorted:?}");
            }
        }
    }
}

#[test]
fn the_best_start_comes_first() {
    let problem = FreeSupport::of(vec![space(shape()), stretched()], 6).seed(3);
    let cpu = Engine::cpu();
    let found = problem.solve_seeds(4, &cpu, &mut ()).unwrap();
    assert!(found.windows(2).all(|pair| pair[0].loss() <= pair[1].loss()));
    let mut seeds: Vec<u64> = found.iter().map(|found| found.seed).collect();
    seeds.sort_unstable();
    assert_eq!(seeds, [3, 4, 5, 6]);
    let alone = problem.clone().seed(found[0].seed).solve(&cpu).unwrap();
    assert_eq!(alone.distances, found[0].distances);
    // An interrupted start ends the sequence.
    let mut stop = Stop { rounds: 1, within: false };
    assert_eq!(problem.clone().tolerance(0.0).solve_seeds(4, &cpu, &mut stop).unwrap().len(), 1);
    let refused = |problem: FreeSupport, seeds| problem.solve_seeds(seeds, &cpu, &mut ()).is_err();
    assert!(refused(problem.clone(), 0) && refused(problem.start(Array2::zeros((6, 6))), 2));
}

#[test]
fn entropic_plans_find_the_better_barycenter() {
    let inputs = vec![space(shape()), stretched()];
    let problem = FreeSupport::of(inputs.clone(), 6).seed(1);
    // Descents without entropy get caught in whatever valley is next.
    let exact = (0..8)
        .map(|seed| problem.clone().seed(seed).solve(&Engine::cpu()).unwrap().loss())
        .fold(f64::INFINITY, f64::min);
    for engine in engines() {
        let control = Control { seeds: 4, ..Control::new(5e-3) };
        let entropic = problem.clone().plans(Plans::Entropic(control));
        let found = entropic.solve(&engine).unwrap();
        assert!(found.outcome.converged, "{engine:?} {:?}", found.trace.last());
        assert!(found.loss() < 1.05 * exact, "{engine:?}: {} and {exact}", found.loss());
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
    assert_ne!(solve(5).trace[0].total, solve(6).trace[0].total);
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
                assert!(found.outcome.interrupted && !found.outcome.converged);
                assert_eq!(found.outcome.iterations, rounds);
                assert!(found.loss().is_finite() && found.plans.len() == 2);
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
    assert!(matches!(solve(good().masses(array![1.0, 0.0, 1.0])), Error::Data { .. }));
    assert!(matches!(solve(good().masses(array![1.0, f64::NAN])), Error::Data { .. }));
    assert!(matches!(solve(good().start(Array2::zeros((2, 2)))), Error::Shape { .. }));
    assert!(matches!(solve(good().start(Array2::eye(3) * -1.0)), Error::Data { .. }));
    assert!(matches!(solve(good().tolerance(f64::NAN)), Error::Parameter { .. }));
    assert!(matches!(solve(good().max_iterations(0)), Error::Parameter { .. }));
    let fused = |alpha, inputs: Vec<Array2<f64>>| good().features(inputs, alpha);
    let rows = |rows| features(rows);
    assert!(matches!(solve(fused(2.0, vec![rows(7), rows(7)])), Error::Parameter { .. }));
    assert!(matches!(solve(fused(0.5, vec![rows(7)])), Error::Shape { .. }));
    assert!(matches!(solve(fused(0.5, vec![rows(7), rows(6)])), Error::Shape { .. }));
    let other = Array2::zeros((7, 2));
    assert!(matches!(solve(fused(0.5, vec![rows(7), other])), Error::Shape { .. }));
    let none = Array2::zeros((7, 0));
    assert!(matches!(solve(fused(0.5, vec![none.clone(), none])), Error::Shape { .. }));
    let infinite = rows(7) / 0.0;
    assert!(matches!(solve(fused(0.5, vec![rows(7), infinite])), Error::Data { .. }));
    let start = fused(0.5, vec![rows(7), rows(7)]).start_features(rows(4));
    assert!(matches!(solve(start), Error::Shape { .. }));
    assert!(matches!(solve(good().start_features(rows(3))), Error::Data { .. }));
    let huge = FreeSupport::of(vec![space(shape())], 10_000_000);
    assert!(matches!(solve(huge), Error::Limit { .. }));
    // Weights are those of every barycenter: one for each input, not negative, summing to 1.
    let grid = GridSpace::whole_plane([2, 2]).unwrap().space;
    let inputs = [space(shape()), stretched()];
    let fixed = Barycenter::of(&[&inputs[0], &inputs[1]], &grid);
    for weights in [&[1.0][..], &[1.5, -0.5], &[0.0, 0.0], &[0.5, 0.6], &[f64::NAN, 1.0]] {
        let refused = [
            solve(good().weights(weights)),
            fixed.clone().weights(weights).validate().unwrap_err(),
        ];
        assert!(refused.iter().all(|error| matches!(error, Error::Parameter { .. })));
    }
    let plans = Plans::Entropic(Control::new(-1.0));
    assert!(matches!(solve(good().plans(plans)), Error::Parameter { .. }));
    let mut weightless = space(shape());
    weightless.weights.fill(0.0);
    assert!(matches!(solve(FreeSupport::of(vec![weightless], 3)), Error::Data { .. }));
}
