//! Transport between two measures, on both engines, against exact transport and closed forms.

mod common;

use common::{engines, naive};
use gaspard::linear::exact::exact;
use gaspard::{Control, Cost, Geometry, Law, Measure, Support, Transport};
use ndarray::{Array1, Array2};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn cloud(rng: &mut ChaCha8Rng, n: usize, d: usize) -> Measure {
    let points = Array2::from_shape_simple_fn((n, d), || rng.random_range(0.0..1.0));
    let mut weights = Array1::from_shape_simple_fn(n, || rng.random_range(0.1..1.0));
    weights[n / 3] = 0.0;
    weights /= weights.sum();
    Measure::new("cloud", weights, Support::Points(points)).unwrap()
}

#[test]
fn marginals_are_met_and_the_gap_closes() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let (a, b) = (cloud(&mut rng, 40, 2), cloud(&mut rng, 55, 2));
    for engine in engines() {
        for cost in [Cost::SquaredEuclidean, Cost::Euclidean, Cost::Power(1.5)] {
            let solved =
                Transport::between(&a, &b).cost(cost).epsilon(0.02).solve(&engine).unwrap();
            let details = solved.details();
            assert!(details.outcome.converged, "{details:?}");
            assert!(
                details.marginal_error <= 2.0 * details.outcome.tolerance,
                "{}",
                details.marginal_error
            );
            let terms = solved.terms();
            let gap = terms.total() - terms.dual;
            // With marginals off by delta the gap is off by delta times the potentials.
            assert!(gap.abs() < 10.0 * details.outcome.tolerance, "gap {gap:e}");
        }
    }
}

#[test]
fn the_coupling_is_the_naive_one() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let (a, b) = (cloud(&mut rng, 12, 3), cloud(&mut rng, 9, 3));
    let geometry = Geometry::between(a.support(), b.support(), Cost::SquaredEuclidean).unwrap();
    let expected = naive::sinkhorn(
        &geometry.dense().unwrap(),
        a.weights().as_slice().unwrap(),
        b.weights().as_slice().unwrap(),
        0.05,
        5000,
    );
    for engine in engines() {
        let tolerance = if engine.is_gpu() { 1e-5 } else { 1e-12 };
        let solved =
            Transport::between(&a, &b).epsilon(0.05).tolerance(tolerance).solve(&engine).unwrap();
        let error = (&solved.coupling().unwrap() - &expected).mapv(f64::abs).sum();
        assert!(error < 10.0 * tolerance, "{engine:?}: {error:e}");
        let values = Array2::from_shape_simple_fn((9, 5), || rng.random_range(-1.0..1.0));
        let applied = solved.apply(gaspard::Side::Rows, &values).unwrap();
        let error = (&applied - &expected.dot(&values)).mapv(f64::abs).sum();
        assert!(error < 10.0 * tolerance, "{engine:?}: {error:e}");
    }
}

#[test]
fn the_linear_term_falls_to_exact_transport_with_epsilon() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let (a, b) = (cloud(&mut rng, 30, 2), cloud(&mut rng, 34, 2));
    let geometry = Geometry::between(a.support(), b.support(), Cost::SquaredEuclidean).unwrap();
    let costs: Vec<f64> = geometry.dense().unwrap().iter().copied().collect();
    let plan = exact(
        a.weights().as_slice().unwrap(),
        b.weights().as_slice().unwrap(),
        &costs,
        &mut || false,
    )
    .unwrap();
    for engine in engines() {
        let mut last = f64::INFINITY;
        for epsilon in [1e-1, 1e-2, 1e-3, 2e-4] {
            let solved = Transport::between(&a, &b).epsilon(epsilon).solve(&engine).unwrap();
            let details = solved.details();
            assert!(details.outcome.converged, "{epsilon}: {:?}", details.trace.last());
            let excess = solved.terms().linear - plan.value;
            assert!(excess > -1e-4 && excess < last, "{epsilon}: {excess}");
            last = excess;
            println!("{engine:?} {epsilon} {} {excess:e}", details.outcome.iterations);
        }
        assert!(last < 2e-4, "{last}");
    }
}

#[test]
fn unbalanced_laws_meet_their_optimality_conditions() {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let (a, b) = (cloud(&mut rng, 20, 2), cloud(&mut rng, 25, 2));
    let heavier = Measure::new("b", b.weights() * 1.7, b.support().clone()).unwrap();
    for engine in engines() {
        for (law_a, law_b) in [
            (Law::Kl { rho: 0.3 }, Law::Kl { rho: 2.0 }),
            (Law::Tv { rho: 0.2 }, Law::Tv { rho: 0.2 }),
            (Law::Fixed, Law::Kl { rho: 0.1 }),
            (Law::Range { low: 0.5, high: 1.2 }, Law::Range { low: 0.2, high: 0.9 }),
            (Law::Fixed, Law::Free),
        ] {
            let solved = Transport::between(&a, &heavier)
                .laws(law_a, law_b)
                .epsilon(0.03)
                .solve(&engine)
                .unwrap();
            let details = solved.details();
            assert!(details.outcome.converged, "{law_a} {law_b}: {:?}", details.trace.last());
            let gap = solved.value() - solved.terms().dual;
            // Penalties of marginals that are off by the tolerance.
            assert!(gap.abs() < 2e-4, "{engine:?} {law_a} {law_b}: gap {gap:e}");
        }
    }
}

#[test]
fn batches_stop_one_by_one_and_give_what_single_solves_give() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let pairs: Vec<(Measure, Measure)> = [(10, 12), (40, 7), (3, 3), (25, 60)]
        .iter()
        .map(|&(n, m)| (cloud(&mut rng, n, 2), cloud(&mut rng, m, 2)))
        .collect();
    let problems: Vec<Transport<'_>> =
        pairs.iter().map(|(a, b)| Transport::between(a, b).epsilon(0.01)).collect();
    for engine in engines() {
        let together = Transport::solve_batch(&problems, &engine, &mut ()).unwrap();
        let iterations: Vec<usize> =
            together.iter().map(|solved| solved.outcome().iterations).collect();
        assert!(iterations.iter().any(|&other| other != iterations[0]), "{iterations:?}");
        for (solved, problem) in together.iter().zip(&problems) {
            assert!(solved.outcome().converged);
            let alone = problem.solve(&engine).unwrap();
            // Each stops at its own tolerance, after different numbers of iterations.
            let tolerance = if engine.is_gpu() { 1e-4 } else { 1e-5 };
            assert!((solved.value() - alone.value()).abs() < tolerance);
        }
    }
}

#[test]
fn gradients_are_differences_of_the_value() {
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    let (a, b) = (cloud(&mut rng, 7, 2), cloud(&mut rng, 9, 2));
    let Support::Points(points) = a.support() else { unreachable!() };
    let engine = gaspard::Engine::cpu();
    for laws in [(Law::Fixed, Law::Fixed), (Law::Kl { rho: 0.5 }, Law::Kl { rho: 1.0 })] {
        let value = |points: &Array2<f64>, weights: Array1<f64>| {
            let moved = Measure::new("a", weights, Support::Points(points.clone())).unwrap();
            let problem = Transport::between(&moved, &b).laws(laws.0, laws.1).epsilon(0.05);
            problem.tolerance(1e-13).solve(&engine).unwrap()
        };
        let solved = value(points, a.weights().clone());
        let by_points = solved.gradient_points(gaspard::Side::Rows).unwrap();
        let by_weights = solved.gradient_weights(gaspard::Side::Rows);
        for i in [0, 3] {
            for k in 0..2 {
                let step = |size: f64| {
                    let mut moved = points.clone();
                    moved[[i, k]] += size;
                    value(&moved, a.weights().clone()).value()
                };
                let expected = (step(1e-4) - step(-1e-4)) / 2e-4;
                assert!((by_points[[i, k]] - expected).abs() < 1e-6, "{laws:?}");
            }
            // Mass moves from one point to another: also legal where marginals are fixed.
            let step = |size: f64| {
                let mut weights = a.weights().clone();
                weights[i] += size;
                weights[5] -= size;
                value(points, weights).value()
            };
            let expected = (step(1e-5) - step(-1e-5)) / 2e-5;
            let found = by_weights[i] - by_weights[5];
            assert!((found - expected).abs() < 1e-5, "{laws:?} {found} {expected}");
        }
    }
}

#[test]
fn the_divergence_of_equal_measures_vanishes() {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let (a, b) = (cloud(&mut rng, 30, 3), cloud(&mut rng, 30, 3));
    for engine in engines() {
        let same = Transport::between(&a, &a).epsilon(0.05).divergence(&engine, &mut ()).unwrap();
        assert!(same.outcome().converged && same.value.abs() < 1e-9, "{}", same.value);
        let other = Transport::between(&a, &b).epsilon(0.05).divergence(&engine, &mut ()).unwrap();
        assert!(other.value > 1e-4, "{}", other.value);
        let shifted = match a.support() {
            Support::Points(points) => Support::Points(points + 0.5),
            _ => unreachable!(),
        };
        let moved = Measure::new("moved", a.weights().clone(), shifted).unwrap();
        let apart =
            Transport::between(&a, &moved).epsilon(0.05).divergence(&engine, &mut ()).unwrap();
        // Under the squared cost a translation costs its square, whatever epsilon.
        assert!((apart.value - 0.75).abs() < 1e-5, "{}", apart.value);
    }
}

#[test]
fn forbidden_pairs_stay_empty() {
    let costs = ndarray::array![[0.0, f64::INFINITY], [1.0, 0.0]];
    let measure = |first: f64| {
        let weights = ndarray::array![first, 1.0 - first];
        Measure::new("measure", weights, Support::Abstract(2)).unwrap()
    };
    let (a, b) = (measure(0.5), measure(0.7));
    for engine in engines() {
        let problem = Transport::between(&a, &b).geometry(Geometry::matrix(costs.clone()).unwrap());
        let solved = problem.epsilon(0.1).solve(&engine).unwrap();
        assert!(solved.outcome().converged, "{:?}", solved.details().trace.last());
        let plan = solved.coupling().unwrap();
        assert!(plan[[0, 1]] == 0.0 && (plan[[1, 0]] - 0.2).abs() < 1e-4, "{plan}");
        assert!(solved.value().is_finite());
    }
}

#[test]
fn one_by_one_is_solved() {
    let point = |x: f64| Measure::uniform("point", ndarray::array![[x]]).unwrap();
    let (a, b) = (point(0.0), point(2.0));
    for engine in engines() {
        let solved = Transport::between(&a, &b).solve(&engine).unwrap();
        assert!((solved.value() - 4.0).abs() < 1e-12 && solved.outcome().converged);
    }
}

#[test]
fn laws_that_no_plan_can_meet_are_refused() {
    let point = |mass: f64| {
        Measure::new("point", vec![mass], Support::Points(ndarray::array![[0.0]])).unwrap()
    };
    let (a, b) = (point(1.0), point(1.0));
    let range = |low: f64, high: f64| Law::Range { low, high };
    for (laws, legal) in [
        ((Law::Fixed, range(2.0, 3.0)), false),
        ((range(0.1, 0.5), range(0.6, 2.0)), false),
        ((range(0.1, 0.6), range(0.6, 2.0)), true),
        ((Law::Fixed, range(1.0, 1.0)), true),
        ((range(2.0, 3.0), Law::Kl { rho: 1.0 }), true),
    ] {
        let problem = Transport::between(&a, &b).laws(laws.0, laws.1).epsilon(0.1);
        let outcome = problem.solve(&gaspard::Engine::cpu());
        assert_eq!(outcome.is_ok(), legal, "{laws:?}");
        if let Err(error) = outcome {
            assert!(error.to_string().contains("no plan can meet"), "{error}");
        }
    }
}

#[test]
fn the_epsilon_of_a_control_counts() {
    let mut rng = ChaCha8Rng::seed_from_u64(8);
    let (a, b) = (cloud(&mut rng, 8, 2), cloud(&mut rng, 9, 2));
    let engine = gaspard::Engine::cpu();
    let problem = Transport::between(&a, &b);
    let solved = problem.clone().control(Control::new(0.07)).solve(&engine).unwrap();
    assert_eq!(solved.details().epsilon, 0.07);
    let solved = problem.clone().solve(&engine).unwrap();
    assert_eq!(solved.details().epsilon, problem.default_epsilon().unwrap());
    for (name, control) in [
        ("max-iterations", Control { max_iterations: 0, ..Control::new(0.1) }),
        ("annealing", Control { annealing: 1.0 + 1e-9, ..Control::new(0.1) }),
        ("tolerance", Control { tolerance: Some(f64::INFINITY), ..Control::new(0.1) }),
    ] {
        let error = problem.clone().control(control).solve(&engine).unwrap_err();
        assert!(error.to_string().starts_with(name), "{error}");
    }
}

#[test]
fn one_word_stops_all_problems_of_a_divergence() {
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let (a, b) = (cloud(&mut rng, 20, 2), cloud(&mut rng, 20, 2));
    for engine in engines() {
        let mut said = false;
        let mut once = |_: &gaspard::Progress| match std::mem::replace(&mut said, true) {
            false => std::ops::ControlFlow::Break(()),
            true => std::ops::ControlFlow::Continue(()),
        };
        let problem = Transport::between(&a, &b).epsilon(1e-3);
        let found = problem.divergence(&engine, &mut once).unwrap();
        assert!(found.outcome().interrupted && !found.outcome().converged);
        for alone in [&found.self_a, &found.self_b] {
            assert!(alone.outcome().interrupted && alone.outcome().iterations == 1);
        }
    }
}

#[test]
fn geometries_that_are_none_are_refused() {
    let corner = ndarray::array![[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]];
    let great = |points: &Array2<f64>| {
        Geometry::points(points.clone(), points.clone(), Cost::GreatCircle(1.0))
    };
    assert!(great(&corner).is_ok());
    for points in [ndarray::array![[0.6, 0.8]], ndarray::array![[1.0, 1.0, 0.0]]] {
        assert!(great(&points).unwrap_err().to_string().contains("great circles"));
    }
    assert!(Geometry::Separable(Vec::new()).validate().is_err());
    let far = ndarray::array![[0.0], [1e200]];
    let far = Geometry::points(far.clone(), far, Cost::SquaredEuclidean).unwrap();
    assert!(far.operator(&gaspard::Engine::cpu()).is_err());
}

#[test]
fn what_no_plan_can_meet_has_not_converged() {
    let uniform = |points: usize| {
        let weights = Array1::from_elem(points, 1.0 / points as f64);
        Measure::new("uniform", weights, Support::Abstract(points)).unwrap()
    };
    let (a, b) = (uniform(2), uniform(2));
    let never = f64::INFINITY;
    let solve = |costs: Array2<f64>| {
        let problem = Transport::between(&a, &b).geometry(Geometry::matrix(costs).unwrap());
        problem.epsilon(0.1).max_iterations(500).solve(&gaspard::Engine::cpu())
    };
    let error = solve(ndarray::array![[1.0, 2.0], [never, never]]).unwrap_err();
    assert!(error.to_string().contains("row 1 has mass"), "{error}");
    // Both rows want the first column alone, and the second one can go to neither.
    let error = solve(ndarray::array![[1.0, never], [1.0, never]]).unwrap_err();
    assert!(error.to_string().contains("column 1 has mass"), "{error}");
    let (a, b) = (uniform(3), uniform(3));
    // Two rows share one column.
    let costs = ndarray::array![[1.0, never, never], [1.0, never, never], [1.0, 1.0, 1.0]];
    let problem = Transport::between(&a, &b).geometry(Geometry::matrix(costs).unwrap());
    let found = problem.epsilon(0.1).max_iterations(3000).solve(&gaspard::Engine::cpu()).unwrap();
    assert!(!found.outcome().converged && found.details().marginal_error > 0.1);
}

#[test]
fn where_exponentials_find_no_room_results_are_the_same() {
    let mut rng = ChaCha8Rng::seed_from_u64(10);
    let (a, b) = (cloud(&mut rng, 120, 2), cloud(&mut rng, 110, 2));
    let solve = |memory_limit| {
        let options = gaspard::EngineOptions { memory_limit, ..Default::default() };
        let engine = gaspard::Engine::cpu_with(&options);
        let found = Transport::between(&a, &b).epsilon(5e-3).solve(&engine).unwrap();
        (found.value(), found.potentials().0.clone(), engine.bytes_peak())
    };
    // Exponentials take 105,600 bytes.
    let ((with, f, much), (without, g, little)) = (solve(None), solve(Some(100_000)));
    assert!(much > 105_600 && little < 100_000, "{much} {little}");
    assert!((with - without).abs() < 1e-12, "{with} {without}");
    assert!(f.iter().zip(&g).all(|(f, g)| (f - g).abs() < 1e-9));
}
