//! Multi-marginal Gromov-Wasserstein against its definition on dense tensors, and what must hold
//! for any solution: stationarity, descent, invariance.

mod common;

use std::cell::Cell;
use std::ops::ControlFlow;

use common::tensor::{Tensor, reference};
use common::{engines, gpu};
use gaspard::gromov::{Control, Fused, Problem, Solution, Space, Start, Update};
use gaspard::linear::tree::Reference;
use gaspard::{Cost, Engine, Error, Law, Observer, Progress};
use ndarray::{Array1, Array2, Axis, array};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn random(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

fn cloud(random: &mut ChaCha8Rng, points: usize, mass: f64) -> Space {
    let places = Array2::from_shape_simple_fn((points, 2), || random.random_range(0.0..1.0));
    let mut weights = Array1::from_shape_simple_fn(points, || random.random_range(0.2..1.0));
    weights *= mass / weights.sum();
    Space::from_points(places, Cost::Euclidean, weights).unwrap()
}

/// Problems of a few points: stars and chains, balanced, unbalanced, with labels, with every
/// reference.
fn small_problems() -> Vec<(&'static str, Problem)> {
    let mut random = random(7);
    let mut problems = Vec::new();
    let mut star = Problem::default();
    let centre = star.node(cloud(&mut random, 4, 1.0), Law::Free);
    for (points, weight) in [(3, 0.5), (4, 0.3), (3, 0.2)] {
        let leaf = star.node(cloud(&mut random, points, 1.0), Law::Fixed);
        star.edge(leaf, centre, weight);
    }
    problems.push(("star, free centre", star.clone()));
    let mut chain = Problem::default();
    for (points, mass) in [(3, 1.0), (5, 1.3), (4, 0.8)] {
        chain.node(cloud(&mut random, points, mass), Law::Kl { rho: 0.4 });
    }
    chain.edge(0, 1, 1.0);
    chain.edge(1, 2, 0.7);
    problems.push(("chain, KL, counting", chain.clone()));
    chain.reference = Reference::Uniform;
    problems.push(("chain, KL, uniform", chain.clone()));
    chain.reference = Reference::Weights;
    problems.push(("chain, KL, weights", chain.clone()));
    chain.nodes[1].law = Law::Fixed;
    problems.push(("chain, KL beside fixed", chain.clone()));
    star.reference = Reference::Uniform;
    for node in &mut star.nodes {
        let labels = (0..node.space.len()).map(|point| point % 3).collect();
        node.space = node.space.clone().labelled(labels);
    }
    let label_costs = array![[0.0, 0.2, 0.5], [0.2, 0.0, 0.1], [0.5, 0.1, 0.0]];
    star.fused = Some(Fused { alpha: 0.6, label_costs: label_costs.clone() });
    problems.push(("star, labels", star.clone()));
    for node in &mut chain.nodes {
        node.law = Law::Kl { rho: 0.4 };
        let labels = (0..node.space.len()).map(|point| (point + 1) % 3).collect();
        node.space = node.space.clone().labelled(labels);
    }
    chain.fused = Some(Fused { alpha: 0.5, label_costs });
    problems.push(("chain, KL, labels", chain));
    let mut squared = |points: usize, mass: f64, dimension: usize| {
        let places =
            Array2::from_shape_simple_fn((points, dimension), || random.random_range(0.0..1.0));
        let weights = Array1::from_elem(points, mass / points as f64);
        Space::from_points(places, Cost::SquaredEuclidean, weights).unwrap()
    };
    let mut thin = Problem::default();
    let centre = thin.node(squared(4, 1.0, 2), Law::Free);
    for (points, dimension, weight) in [(3, 2, 0.5), (4, 3, 0.3), (3, 1, 0.2)] {
        let leaf = thin.node(squared(points, 1.0, dimension), Law::Fixed);
        thin.edge(leaf, centre, weight);
    }
    problems.push(("star, squared", thin));
    let mut mixed = Problem { reference: Reference::Uniform, ..Problem::default() };
    mixed.node(squared(4, 1.2, 2), Law::Kl { rho: 0.3 });
    mixed.node(problems[0].1.nodes[0].space.clone(), Law::Kl { rho: 0.5 });
    mixed.node(squared(3, 0.7, 2), Law::Kl { rho: 0.2 });
    mixed.edge(0, 1, 1.0);
    mixed.edge(1, 2, 0.6);
    problems.push(("chain, KL, squared at the ends", mixed));
    problems
}

/// Solved as well as the engine can.
fn tight(epsilon: f64) -> Control {
    Control {
        inner_iterations: 3000,
        inner_tolerance: 1e-13,
        max_iterations: 400,
        ..Control::new(epsilon)
    }
}

fn best(problem: &Problem, control: &Control, engine: &Engine) -> Solution {
    problem.solve(control, engine).unwrap()
}

#[test]
fn values_are_those_of_the_dense_tensor() {
    for engine in engines() {
        let allowed = if engine.is_gpu() { 2e-6 } else { 1e-11 };
        for (name, problem) in small_problems() {
            let control = Control { max_iterations: 5, ..tight(0.05) };
            let solution = best(&problem, &control, &engine);
            let tensor = Tensor::of(&problem, &solution);
            let wanted = tensor.objective(&problem, solution.epsilon);
            let found = solution.terms.total();
            assert!(
                (found - wanted).abs() < allowed * (1.0 + wanted.abs()),
                "{name} on {engine:?}: {found}, not {wanted}"
            );
            assert!((solution.mass - tensor.mass()).abs() < allowed * 10.0, "{name}");
            for node in 0..problem.nodes.len() {
                for (found, wanted) in
                    solution.marginals[node].iter().zip(tensor.marginal(&problem, node))
                {
                    assert!((found - wanted).abs() < allowed * 10.0, "{name}, node {node}");
                }
            }
        }
    }
}

/// At a solution P is the plan of the problem linearised at P: log(P / nu) + c_P / (m epsilon) is a
/// sum of one function of each node, and at KL nodes it is that of the law. With all constants:
/// they set the mass.
#[test]
fn solutions_are_stationary_with_the_right_constants() {
    let engine = Engine::cpu();
    let epsilon = 0.05;
    for (name, problem) in small_problems() {
        // The change is the root of a divergence: rounding leaves about 1e-7 of it.
        let control = Control { tolerance: Some(3e-7), ..tight(epsilon) };
        let solution = best(&problem, &control, &engine);
        assert!(solution.outcome.converged, "{name}: change {:e}", solution.change);
        let tensor = Tensor::of(&problem, &solution);
        let costs = tensor.linearised(&problem, epsilon);
        let fixed = problem.nodes.iter().any(|node| node.law == Law::Fixed);
        let gaps: Vec<f64> = tensor
            .states
            .iter()
            .zip(&tensor.entries)
            .zip(&costs)
            .map(|((state, entry), cost)| {
                let potentials: f64 =
                    (0..state.len()).map(|node| solution.potentials[node][state[node]]).sum();
                let log = (entry / reference(&problem, state)).ln();
                epsilon * log + cost / solution.mass - potentials
            })
            .collect();
        // Where a node fixes the mass, a constant may go anywhere.
        let offset = if fixed { gaps[0] } else { 0.0 };
        for gap in gaps {
            assert!((gap - offset).abs() < 1e-7, "{name}: off by {gap:e}");
        }
        for (node, spec) in problem.nodes.iter().enumerate() {
            let pairs = solution.marginals[node].iter().zip(&spec.space.weights).enumerate();
            for (point, (p, mu)) in pairs {
                match spec.law {
                    Law::Fixed => assert!((p - mu).abs() < 1e-11, "{name}"),
                    Law::Kl { rho } => {
                        let wanted = -rho * (p / mu).ln();
                        let found = solution.potentials[node][point];
                        assert!((found - wanted).abs() < 1e-8, "{name}: {found} {wanted}");
                    }
                    _ => assert_eq!(solution.potentials[node][point], 0.0),
                }
            }
        }
    }
}

#[test]
fn the_objective_never_rises() {
    for (name, problem) in small_problems() {
        for seed in 0..3 {
            let control = Control { seed, annealing: 1.0, tolerance: Some(1e-8), ..tight(0.02) };
            let solution = best(&problem, &control, &Engine::cpu());
            // The first plan is the first that is measured; a step may have been cut short, and
            // the trace has whole steps.
            let taken: Vec<f64> = solution
                .trace
                .iter()
                .filter(|point| point.share == 1.0)
                .map(|point| point.total)
                .collect();
            for pair in taken.windows(2) {
                let rise = pair[1] - pair[0];
                assert!(rise < 1e-9 * (1.0 + pair[0].abs()), "{name}, seed {seed}: {pair:?}");
            }
        }
    }
}

#[test]
fn numbering_and_isometries_change_nothing() {
    let mut random = random(11);
    let places = Array2::from_shape_simple_fn((9, 2), || random.random_range(0.0..1.0));
    let weights = Array1::from_elem(9, 1.0 / 9.0);
    let space = |places: &Array2<f64>| {
        Space::from_points(places.clone(), Cost::Euclidean, weights.clone()).unwrap()
    };
    let other = cloud(&mut random, 7, 1.0);
    let (sin, cos) = 0.7_f64.sin_cos();
    let turned = places.dot(&array![[cos, sin], [-sin, cos]]) + 3.0;
    let mut backwards = places.clone();
    backwards.invert_axis(ndarray::Axis(0));
    let control = Control { seeds: 20, tolerance: Some(1e-7), ..tight(0.005) };
    let value = |space: Space| {
        best(&Problem::pair(space, other.clone()), &control, &Engine::cpu()).terms.total()
    };
    let first = value(space(&places));
    for changed in [turned, backwards] {
        let found = value(space(&changed));
        assert!((found - first).abs() < 1e-9, "{found}, not {first}");
    }
}

#[test]
fn a_shape_is_found_again_when_it_is_turned() {
    let mut random = random(12);
    let places = Array2::from_shape_simple_fn((12, 2), || random.random_range(0.0..1.0));
    let (sin, cos) = 1.1_f64.sin_cos();
    let turned = places.dot(&array![[cos, sin], [-sin, cos]]);
    let weights = Array1::from_elem(12, 1.0 / 12.0);
    let space =
        |places: Array2<f64>| Space::from_points(places, Cost::Euclidean, weights.clone()).unwrap();
    let problem = Problem::pair(space(places), space(turned));
    for engine in engines() {
        let control = Control { seeds: 16, inner_iterations: 300, ..Control::new(2e-4) };
        let solution = best(&problem, &control, &engine);
        assert!(solution.terms.structure < 1e-4, "{engine:?}: {:?}", solution.terms);
        // And every point is matched with itself.
        let matched: f64 = solution.plans[0].diag().sum();
        assert!(matched > 0.98, "{engine:?}: {matched}");
    }
}

#[test]
fn both_engines_find_the_same() {
    let Some(device) = gpu() else { return };
    for (name, problem) in small_problems() {
        let control = Control { tolerance: Some(1e-2), ..Control::new(0.02) };
        let here = best(&problem, &control, &Engine::cpu());
        let there = best(&problem, &control, &device);
        let (a, b) = (here.terms.total(), there.terms.total());
        assert!((a - b).abs() < 1e-4 * (0.01 + a.abs()), "{name}: {a} and {b}");
        for (p, q) in here.marginals.iter().zip(&there.marginals) {
            let error = (p - q).mapv(f64::abs).sum();
            assert!(error < 2e-2, "{name}: marginals differ by {error}");
        }
    }
}

#[test]
fn seeds_in_a_batch_are_those_alone() {
    let (_, problem) = small_problems().swap_remove(0);
    for engine in engines() {
        let allowed = if engine.is_gpu() { 1e-4 } else { 1e-8 };
        let control = Control { max_iterations: 60, ..tight(0.02) };
        let control = Control { seeds: 4, ..control };
        let together = problem.solve_seeds(&control, &engine, &mut ()).unwrap();
        assert!(together.windows(2).all(|pair| pair[0].terms.total() <= pair[1].terms.total()));
        for found in together {
            let alone = Control { seeds: 1, seed: found.seed, ..control.clone() };
            let alone = best(&problem, &alone, &engine);
            let (a, b) = (found.terms.total(), alone.terms.total());
            assert!((a - b).abs() < allowed, "seed {}: {a} and {b}", found.seed);
        }
    }
}

/// Shapes without a direction of their own, the same start for all of their points: the plain
/// iteration goes to and fro between two plans, and must not call that a solution.
#[test]
fn a_cycle_is_never_called_converged() {
    let square = |side: usize| {
        let scale = 1.0 / (side - 1) as f64;
        let places = Array2::from_shape_fn((side * side, 2), |(p, k)| {
            scale * if k == 0 { p / side } else { p % side } as f64
        });
        let count = side * side;
        Space::from_points(places, Cost::Euclidean, Array1::from_elem(count, 1.0 / count as f64))
            .unwrap()
    };
    let mut problem = Problem::default();
    let centre = problem.node(square(6), Law::Free);
    for _ in 0..3 {
        let leaf = problem.node(square(6), Law::Fixed);
        problem.edge(leaf, centre, 1.0);
    }
    let control = Control {
        start: Start::Product,
        update: Update::Plain,
        annealing: 1.0,
        max_iterations: 8,
        inner_iterations: 500,
        ..Control::new(1e-3)
    };
    let solution = best(&problem, &control, &Engine::cpu());
    assert!(solution.cycling && !solution.outcome.converged, "change {}", solution.change);
    let safe = Control { update: Update::Safeguarded, max_iterations: 40, ..control };
    let safe = best(&problem, &safe, &Engine::cpu());
    assert!(!safe.cycling, "{:?}", safe.trace.last());
    assert!(safe.terms.total() < solution.terms.total());
}

#[test]
fn kl_goes_over_into_fixed_and_free() {
    let mut random = random(21);
    let (a, b) = (cloud(&mut random, 6, 1.0), cloud(&mut random, 5, 1.0));
    let with = |law: Law| {
        let mut problem = Problem::pair(a.clone(), b.clone());
        problem.nodes[1].law = law;
        let control = Control { tolerance: Some(1e-8), ..tight(0.02) };
        best(&problem, &control, &Engine::cpu()).marginals.swap_remove(1)
    };
    let close = |p: &Array1<f64>, q: &Array1<f64>| (p - q).mapv(f64::abs).sum();
    assert!(close(&with(Law::Kl { rho: 1e5 }), &with(Law::Fixed)) < 1e-5);
    assert!(close(&with(Law::Kl { rho: 1e-8 }), &with(Law::Free)) < 1e-4);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let mut random = random(3);
    let (a, b) = (cloud(&mut random, 3, 1.0), cloud(&mut random, 4, 1.0));
    let refusal = |problem: &Problem| match problem.validate() {
        Err(error) => error.to_string(),
        Ok(()) => panic!("accepted"),
    };
    let matrix = |change: fn(&mut Array2<f64>)| {
        let mut distances = Array2::from_shape_fn((3, 3), |(i, j)| f64::from(u8::from(i != j)));
        change(&mut distances);
        Space::from_matrix(distances, array![0.2, 0.3, 0.5]).unwrap_err().to_string()
    };
    assert!(matrix(|d| d[[0, 1]] = -1.0).contains("not negative"));
    assert!(matrix(|d| d[[0, 1]] = 2.0).contains("not symmetric"));
    assert!(matrix(|d| d[[2, 1]] = f64::NAN).contains("NaN"));
    assert!(Space::from_matrix(Array2::zeros((2, 3)), array![0.5, 0.5]).is_err());

    let mut heavier = Problem::pair(a.clone(), b.clone());
    heavier.nodes[1].space.weights *= 2.0;
    assert!(refusal(&heavier).contains("no plan can meet"));
    let mut cycle = Problem::pair(a.clone(), b.clone());
    cycle.node(a.clone(), Law::Fixed);
    cycle.edge(0, 1, 1.0);
    assert!(refusal(&cycle).contains("cycle"));
    let mut apart = Problem::pair(a.clone(), b.clone());
    apart.node(a.clone(), Law::Fixed);
    assert!(refusal(&apart).contains("one edge fewer"));
    let mut loose = Problem::pair(a.clone(), b.clone());
    loose.edge(0, 5, 1.0);
    assert!(refusal(&loose).contains("node"));
    let mut law = Problem::pair(a.clone(), b.clone());
    law.nodes[0].law = Law::Tv { rho: 1.0 };
    assert!(refusal(&law).contains("no quadratic form"));

    let fused = |labels: [Vec<usize>; 2], alpha: f64| {
        let mut problem = Problem::pair(
            a.clone().labelled(labels[0].clone()),
            b.clone().labelled(labels[1].clone()),
        );
        problem.fused = Some(Fused { alpha, label_costs: array![[0.0, 1.0], [1.0, 0.0]] });
        problem
    };
    let right = [vec![0, 1, 0], vec![1, 1, 0, 0]];
    assert!(fused(right.clone(), 0.5).validate().is_ok());
    assert!(refusal(&fused(right.clone(), 1.5)).contains("between 0 and 1"));
    assert!(refusal(&fused([vec![0, 2, 0], right[1].clone()], 0.5)).contains("outside"));
    assert!(refusal(&fused([vec![0, 1], right[1].clone()], 0.5)).contains("one for each"));
    let mut without = fused(right, 0.5);
    without.nodes[0].space.labels = None;
    assert!(refusal(&without).contains("no labels"));

    for control in [
        Control::new(0.0),
        Control::new(f64::NAN),
        Control { seeds: 0, ..Control::new(0.1) },
        Control { annealing: 0.5, ..Control::new(0.1) },
        Control { tolerance: Some(-1.0), ..Control::new(0.1) },
    ] {
        assert!(matches!(control.validate(), Err(Error::Parameter { .. })));
    }
}

/// Points of the unit square from a linear congruential generator.
fn scattered(seed: u64, points: usize) -> Space {
    let mut state = seed;
    let places = Array2::from_shape_simple_fn((points, 2), || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    });
    let weights = Array1::from_elem(points, 1.0 / points as f64);
    Space::from_points(places, Cost::SquaredEuclidean, weights).unwrap()
}

/// With 40 plain sweeps for every plan, these swing around their solution for thousands of plans:
/// potentials never catch up with costs.
#[test]
fn clouds_converge_at_a_small_epsilon() {
    for seed in [3, 7, 8] {
        let problem = Problem::pair(scattered(2 * seed, 100), scattered(2 * seed + 1, 100));
        let control = Control::new(1e-3 * problem.scale());
        let found = problem.solve(&control, &Engine::cpu()).unwrap();
        assert!(found.outcome.converged && found.change <= 1e-3, "seed {seed}: {}", found.change);
        assert!(found.outcome.iterations < 150, "seed {seed}: {}", found.outcome.iterations);
        // The objective falls along the last plans, where linearised problems are solved well.
        let [.., before, last] = found.trace[..] else { panic!("more than one plan") };
        assert!(last.total <= before.total + 1e-3 * last.total.abs());
    }
}

/// Stops when it has been asked so many times.
struct Patience {
    asked: Cell<usize>,
    left: usize,
}

impl Observer for Patience {
    fn progress(&mut self, _: &Progress) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn interrupted(&self) -> bool {
        self.asked.set(self.asked.get() + 1);
        self.asked.get() > self.left
    }
}

/// Wherever an interrupt comes, nothing long begins after it, and what is kept is a plan on the way
/// of the solve that runs through.
#[test]
fn an_interrupt_ends_it_at_once_and_keeps_the_last_plan() {
    for cost in [Cost::Euclidean, Cost::SquaredEuclidean] {
        let mut random = random(5);
        let space = |points: usize, random: &mut ChaCha8Rng| {
            let places = Array2::from_shape_simple_fn((points, 2), || random.random::<f64>());
            Space::from_points(places, cost, Array1::from_elem(points, 1.0 / points as f64))
        };
        let (a, b) = (space(12, &mut random).unwrap(), space(15, &mut random).unwrap());
        let problem = Problem::pair(a, b);
        for engine in engines() {
            let control = |plans| Control {
                max_iterations: 8,
                inner_iterations: 6,
                tolerance: Some(0.0),
                plans,
                ..Control::new(0.01 * problem.scale())
            };
            let whole = problem.solve(&control(false), &engine).unwrap();
            let mut kept = Vec::new();
            for left in 0.. {
                let mut observer = Patience { asked: Cell::new(0), left };
                let found = problem.solve_with(&control(false), &engine, &mut observer);
                if observer.asked.get() <= left {
                    assert!(!found.unwrap().outcome.interrupted);
                    break;
                }
                // Once more where it was in a sweep, once more before the evaluation.
                assert!(observer.asked.get() <= left + 3, "asked again after {left}");
                let Ok(found) = found else {
                    assert!(matches!(found, Err(Error::Interrupted { .. })) && kept.is_empty());
                    continue;
                };
                assert!(found.outcome.interrupted && !found.outcome.converged);
                let iterations = found.outcome.iterations;
                let point = whole.trace[iterations - 1];
                assert_eq!(found.trace.len(), iterations);
                assert_eq!(found.terms.total(), point.total);
                assert_eq!((found.epsilon, found.change), (point.epsilon, point.change));
                kept.push(iterations);
            }
            assert!(kept.is_sorted() && kept[0] == 1 && *kept.last().unwrap() >= 7, "{kept:?}");
            // A matrix of the plan can be had of the last problem only: it is solved to the end.
            for left in (0..200).step_by(7) {
                let mut observer = Patience { asked: Cell::new(0), left };
                let found = problem.solve_with(&control(true), &engine, &mut observer);
                let Ok(found) = found else { continue };
                let (plan, roundoff) = (&found.plans[0], if engine.is_gpu() { 1e-4 } else { 1e-9 });
                let error = (plan.sum_axis(Axis(1)) - &found.marginals[0]).mapv(f64::abs).sum();
                assert!(error < roundoff, "{error} after {left}");
            }
        }
    }
}

#[test]
fn a_solve_from_a_solution_that_is_interrupted_at_once_returns_it() {
    let problem = Problem::pair(scattered(1, 10), scattered(2, 12));
    let control = Control::new(0.01 * problem.scale());
    let first = problem.solve(&control, &Engine::cpu()).unwrap();
    let mut observer = Patience { asked: Cell::new(0), left: 0 };
    let again = problem.solve_from(&first, &control, &Engine::cpu(), &mut observer).unwrap();
    assert!(again.outcome.interrupted && !again.outcome.converged);
    assert_eq!((again.terms, again.plans), (first.terms, first.plans));
}
