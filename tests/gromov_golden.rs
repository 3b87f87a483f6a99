//! Gromov-Wasserstein plans and barycenters against those of POT in `golden/pot.json`, on both
//! engines; conventions are in `golden/README.md`.

mod common;

use common::engines;
use common::golden::{close, cost, golden, matrix, number, vector};
use gaspard::gromov::{
    Control, Descent, FreeSupport, FreeSupportSolution, Fused, Plans, Problem, Solution, Space,
    Start, Update, conditional_gradient,
};
use gaspard::linear::tree::Reference;
use gaspard::{Engine, Law};
use serde_json::Value;

fn spaces(case: &Value) -> (Space, Space) {
    let space = |points: &str, weights: &str| {
        Space::from_points(matrix(&case[points]), cost(case), vector(&case[weights])).unwrap()
    };
    (space("x", "a"), space("y", "b"))
}

/// The iteration of POT: whole steps from the product of the weights, at one epsilon.
fn control(case: &Value, engine: &Engine) -> Control {
    let plain = Control {
        annealing: 1.0,
        start: Start::Product,
        update: Update::Plain,
        ..Control::new(number(&case["epsilon"]))
    };
    if engine.is_gpu() {
        return Control { tolerance: Some(1e-3), inner_iterations: 200, ..plain };
    }
    Control {
        tolerance: Some(1e-7),
        max_iterations: 1000,
        inner_iterations: 1000,
        inner_tolerance: 1e-11,
        ..plain
    }
}

/// How close results come to the golden ones.
fn precision(engine: &Engine) -> f64 {
    if engine.is_gpu() { 4e-4 } else { 1e-7 }
}

/// Plan, transport and objective are those of POT, with either update.
fn compare(case: &Value, problem: &Problem, engine: &Engine) -> Solution {
    let name = case["name"].as_str().unwrap();
    let tolerance = precision(engine);
    let expected = &case["expected"];
    let updates = [Update::Plain, Update::Safeguarded];
    let solved = updates.map(|update| {
        let control = Control { update, ..control(case, engine) };
        let solved = problem.solve(&control, engine).unwrap();
        assert!(solved.outcome.converged, "{name} {update:?} {:?}", solved.trace.last());
        let structure = number(&expected["structure"]);
        close(name, engine, "structure", solved.terms.structure, structure, tolerance);
        close(name, engine, "total", solved.terms.total(), number(&expected["total"]), tolerance);
        for (found, expected) in solved.plans[0].iter().zip(&matrix(&expected["plan"])) {
            close(name, engine, "plan", *found, *expected, tolerance);
        }
        solved
    });
    let [_, last] = solved;
    // Going on from there changes nothing. (Where the mass is free, it starts anew.)
    let control = control(case, engine);
    let again = problem.solve_from(&last, &control, engine, &mut ()).unwrap();
    assert!(
        again.outcome.converged && again.outcome.iterations <= 10,
        "{name}: {} more",
        again.outcome.iterations
    );
    close(name, engine, "total again", again.terms.total(), last.terms.total(), tolerance);
    last
}

#[test]
fn entropic_plans_are_those_of_pot() {
    for case in golden("gromov") {
        let (a, b) = spaces(&case);
        for engine in engines() {
            compare(&case, &Problem::pair(a.clone(), b.clone()), &engine);
        }
    }
}

#[test]
fn fused_plans_are_those_of_pot() {
    for case in golden("fused_gromov") {
        let (a, b) = spaces(&case);
        let labels = |side: usize| -> Vec<usize> {
            vector(&case["labels"][side]).iter().map(|&label| label as usize).collect()
        };
        let mut problem = Problem::pair(a.labelled(labels(0)), b.labelled(labels(1)));
        let label_costs = matrix(&case["label_costs"]);
        problem.fused = Some(Fused { alpha: number(&case["alpha"]), label_costs });
        for engine in engines() {
            let solved = compare(&case, &problem, &engine);
            let name = case["name"].as_str().unwrap();
            let labels = number(&case["expected"]["labels"]);
            close(name, &engine, "labels", solved.terms.labels, labels, precision(&engine));
        }
    }
}

#[test]
fn unbalanced_plans_are_those_of_pot() {
    for case in golden("unbalanced_gromov") {
        let (a, b) = spaces(&case);
        let rhos = vector(&case["rhos"]);
        let mut problem = Problem { reference: Reference::Weights, ..Problem::default() };
        let a = problem.node(a, Law::Kl { rho: rhos[0] });
        let b = problem.node(b, Law::Kl { rho: rhos[1] });
        problem.edge(a, b, 1.0);
        for engine in engines() {
            let solved = compare(&case, &problem, &engine);
            let name = case["name"].as_str().unwrap();
            let (expected, tolerance) = (&case["expected"], precision(&engine));
            close(name, &engine, "mass", solved.mass, number(&expected["mass"]), tolerance);
            let marginal = number(&expected["marginal"]);
            close(name, &engine, "marginal", solved.terms.marginal, marginal, tolerance);
        }
    }
}

#[test]
fn conditional_gradient_is_that_of_pot() {
    for case in golden("exact_gromov") {
        let name = case["name"].as_str().unwrap();
        let (a, b) = spaces(&case);
        let expected = &case["expected"];
        let cpu = Engine::cpu();
        let descent = Descent::default();
        let found = conditional_gradient(&a, &b, None, &descent, &mut ()).unwrap();
        close(name, &cpu, "structure", found.cost, number(&expected["structure"]), 1e-9);
        for (found, expected) in found.plan.iter().zip(&matrix(&expected["plan"])) {
            close(name, &cpu, "plan", *found, *expected, 1e-9);
        }
        // The proximal point method finds better plans than that. So does annealing, polished.
        for engine in engines() {
            let control = Control { seeds: 4, ..Control::new(1e-3) };
            let problem = Problem::pair(a.clone(), b.clone());
            let entropic = problem.solve(&control, &engine).unwrap();
            let start = Some(&entropic.plans[0]);
            let polished = conditional_gradient(&a, &b, start, &descent, &mut ()).unwrap();
            let proximal = number(&expected["proximal_structure"]);
            let message = format!("{name} on {engine:?}: {} and {proximal}", polished.cost);
            assert!(polished.cost <= proximal + 1e-9, "{message}");
        }
    }
}

/// The barycenter of a case, from its start, as exactly as POT has it.
fn free_support(case: &Value) -> FreeSupport {
    let supports = case["supports"].as_array().unwrap().iter();
    let inputs = supports
        .zip(case["inputs"].as_array().unwrap())
        .map(|(points, weights)| {
            Space::from_points(matrix(points), cost(case), vector(weights)).unwrap()
        })
        .collect();
    let masses = vector(&case["masses"]);
    FreeSupport::of(inputs, masses.len())
        .masses(masses)
        .weights(&vector(&case["weights"]).to_vec())
        .start(matrix(&case["start"]))
        .plans(Plans::Exact(Descent { tolerance: 1e-5, ..Descent::default() }))
        .tolerance(1e-13)
}

/// Loss, values and distances are those of POT.
fn compare_free_support(case: &Value, problem: &FreeSupport, values: &str) -> FreeSupportSolution {
    let name = case["name"].as_str().unwrap();
    let (cpu, expected) = (Engine::cpu(), &case["expected"]);
    let found = problem.solve(&cpu).unwrap();
    assert!(found.outcome.converged, "{name} {:?}", found.trace.last());
    close(name, &cpu, "loss", found.loss(), number(&expected["loss"]), 1e-9);
    for (found, expected) in found.values.iter().zip(&vector(&expected[values])) {
        close(name, &cpu, "value", *found, *expected, 1e-9);
    }
    for (found, expected) in found.distances.iter().zip(&matrix(&expected["distances"])) {
        close(name, &cpu, "distance", *found, *expected, 1e-9);
    }
    found
}

#[test]
fn free_support_barycenters_are_those_of_pot() {
    for case in golden("gromov_barycenter") {
        let found = compare_free_support(&case, &free_support(&case), "energies");
        assert!(found.features.is_none());
    }
}

#[test]
fn fused_free_support_barycenters_are_those_of_pot() {
    for case in golden("fused_gromov_barycenter") {
        let features = case["features"].as_array().unwrap().iter().map(matrix).collect();
        let problem = free_support(&case)
            .features(features, number(&case["alpha"]))
            .start_features(matrix(&case["start_features"]));
        let found = compare_free_support(&case, &problem, "values");
        let name = case["name"].as_str().unwrap();
        let expected = matrix(&case["expected"]["features"]);
        for (found, expected) in found.features.unwrap().iter().zip(&expected) {
            close(name, &Engine::cpu(), "feature", *found, *expected, 1e-9);
        }
    }
}

#[test]
fn a_solution_of_another_problem_is_no_start() {
    let case = &golden("gromov")[0];
    let (a, b) = spaces(case);
    let (cpu, control) = (Engine::cpu(), Control::new(0.1));
    let problem = Problem::pair(a.clone(), b.clone());
    let solved = problem.solve(&control, &cpu).unwrap();
    let refused = |problem: &Problem, solution: &Solution| {
        let error = problem.solve_from(solution, &control, &cpu, &mut ()).unwrap_err();
        matches!(error, gaspard::Error::Shape { .. })
    };
    assert!(refused(&Problem::pair(b, a), &solved));
    let without_plans = Solution { plans: Vec::new(), ..solved };
    assert!(refused(&problem, &without_plans));
}
