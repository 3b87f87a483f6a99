//! Against the numbers of POT, of closed forms and of dense tensors in `golden/pot.json`, which
//! `golden/make_pot.py` made. Both engines; conventions are in `golden/README.md`.

mod common;

use common::engines;
use common::golden::{array, close, cost, golden, matrix, number, vector};
use gaspard::linear::exact::exact;
use gaspard::linear::tree::{Reference, Tree};
use gaspard::{
    Barycenter, Control, Cost, Engine, Geometry, Grid, Law, Measure, Support, Transport,
    TransportSolution,
};
use ndarray::{Array1, Array2};
use serde_json::Value;

fn law(value: &Value) -> Law {
    let rho = || number(&value["rho"]);
    match value["kind"].as_str().unwrap() {
        "fixed" => Law::Fixed,
        "free" => Law::Free,
        "kl" => Law::Kl { rho: rho() },
        "tv" => Law::Tv { rho: rho() },
        "range" => Law::Range { low: number(&value["low"]), high: number(&value["high"]) },
        other => panic!("unknown law {other}"),
    }
}

fn measures(case: &Value) -> (Measure, Measure) {
    let measure = |weights: &str, points: &str| {
        let support = Support::Points(matrix(&case[points]));
        Measure::new(weights, vector(&case[weights]), support).unwrap()
    };
    (measure("a", "x"), measure("b", "y"))
}

/// Stop tests, and how close results come to the golden ones with them.
fn precision(engine: &Engine) -> (Option<f64>, f64) {
    if engine.is_gpu() { (None, 2e-4) } else { (Some(1e-11), 1e-8) }
}

/// How a case is solved on an engine.
fn control(case: &Value, engine: &Engine) -> Control {
    Control { tolerance: precision(engine).0, ..Control::new(number(&case["epsilon"])) }
}

fn solve(case: &Value, laws: (Law, Law), engine: &Engine) -> TransportSolution {
    let (a, b) = measures(case);
    Transport::between(&a, &b)
        .cost(cost(case))
        .laws(laws.0, laws.1)
        .control(control(case, engine))
        .epsilon(number(&case["epsilon"]))
        .solve(engine)
        .unwrap()
}

#[test]
fn entropic_transport_is_that_of_pot() {
    for case in golden("sinkhorn") {
        let name = case["name"].as_str().unwrap();
        for engine in engines() {
            let tolerance = precision(&engine).1;
            let solved = solve(&case, (Law::Fixed, Law::Fixed), &engine);
            assert!(solved.outcome().converged, "{name} {:?}", solved.details().trace.last());
            let expected = &case["expected"];
            let epsilon = number(&case["epsilon"]);
            close(name, &engine, "value", solved.value(), number(&expected["value"]), tolerance);
            let linear = number(&expected["linear"]);
            close(name, &engine, "linear", solved.terms().linear, linear, tolerance);
            let entropic = epsilon * number(&expected["kl"]);
            close(name, &engine, "entropic", solved.terms().entropic, entropic, tolerance);
            let row = solved.coupling().unwrap().row(0).to_owned();
            for (found, expected) in row.iter().zip(&vector(&expected["plan_row_0"])) {
                close(name, &engine, "row 0", *found, *expected, tolerance);
            }
        }
    }
}

#[test]
fn divergences_are_those_of_pot() {
    for case in golden("divergence") {
        let name = case["name"].as_str().unwrap();
        let (a, b) = measures(&case);
        for engine in engines() {
            let tolerance = precision(&engine).1;
            let problem = Transport::between(&a, &b)
                .control(control(&case, &engine))
                .epsilon(number(&case["epsilon"]));
            let found = problem.divergence(&engine, &mut ()).unwrap();
            let expected = number(&case["expected"]["divergence"]);
            close(name, &engine, "divergence", found.value, expected, tolerance);
        }
    }
}

#[test]
fn exact_transport_is_that_of_pot() {
    for case in golden("exact") {
        let (a, b) = measures(&case);
        let geometry = Geometry::between(a.support(), b.support(), cost(&case)).unwrap();
        let costs: Vec<f64> = geometry.dense().unwrap().iter().copied().collect();
        let (a, b) = (a.weights().to_vec(), b.weights().to_vec());
        let plan = exact(&a, &b, &costs, &mut || false).unwrap();
        let name = case["name"].as_str().unwrap();
        close(name, &Engine::cpu(), "value", plan.value, number(&case["expected"]["value"]), 1e-11);
    }
}

#[test]
fn unbalanced_transport_is_that_of_convex_solvers() {
    for case in golden("unbalanced") {
        let name = case["name"].as_str().unwrap();
        let laws = (law(&case["laws"][0]), law(&case["laws"][1]));
        for engine in engines() {
            let solved = solve(&case, laws, &engine);
            assert!(solved.outcome().converged, "{name} {:?}", solved.details().trace.last());
            // The convex solvers stop at 1e-7 or so of the value, at 1e-5 of the plan.
            let tolerance = precision(&engine).1.max(1e-5);
            let expected = &case["expected"];
            close(name, &engine, "value", solved.value(), number(&expected["value"]), tolerance);
            let mass = number(&expected["mass"]);
            close(name, &engine, "mass", solved.details().mass, mass, tolerance);
            let penalties = number(&expected["marginal_a"]) + number(&expected["marginal_b"]);
            let found = solved.terms().marginal;
            close(name, &engine, "marginal terms", found, penalties, 3.0 * tolerance);
            let plan = solved.coupling().unwrap();
            for (found, expected) in plan.iter().zip(&matrix(&expected["plan"])) {
                close(name, &engine, "plan", *found, *expected, tolerance);
            }
        }
    }
}

#[test]
fn trees_are_dense_tensors() {
    for case in golden("tree") {
        let name = case["name"].as_str().unwrap();
        let counting = case["reference"] == "counting";
        let reference = if counting { Reference::Counting } else { Reference::Weights };
        let mut problem = Tree { reference, ..Tree::default() };
        let sizes: Vec<usize> = case["references"]
            .as_array()
            .unwrap()
            .iter()
            .map(|list| list.as_array().unwrap().len())
            .collect();
        for (node, &size) in case["nodes"].as_array().unwrap().iter().zip(&sizes) {
            match law(&node["law"]) {
                Law::Free => problem.free_node(size),
                law => problem.node(vector(&node["weights"]), law),
            };
        }
        for edge in case["edges"].as_array().unwrap() {
            let (parent, child) =
                (edge["parent"].as_u64().unwrap(), edge["child"].as_u64().unwrap());
            let geometry = Geometry::matrix(matrix(&edge["cost"])).unwrap();
            problem.edge(parent as usize, child as usize, geometry);
        }
        for engine in engines() {
            let tolerance = precision(&engine).1;
            let control = control(&case, &engine);
            let solved = problem.solve(&control, &engine).unwrap();
            assert!(solved.outcome.converged, "{name} {:?}", solved.trace.last());
            let expected = &case["expected"];
            close(name, &engine, "mass", solved.mass, number(&expected["mass"]), tolerance);
            let linear = number(&expected["linear"]);
            close(name, &engine, "linear", solved.terms.linear, linear, tolerance);
            if !counting {
                let value = number(&expected["generalised_value"]);
                close(name, &engine, "value", solved.terms.total(), value, tolerance);
            }
            let gap = solved.terms.total() - solved.terms.dual;
            close(name, &engine, "gap", gap, 0.0, tolerance);
            let marginals = expected["node_marginals"].as_array().unwrap();
            for (found, expected) in solved.marginals.iter().zip(marginals) {
                for (found, expected) in found.iter().zip(&vector(expected)) {
                    close(name, &engine, "node marginal", *found, *expected, tolerance);
                }
            }
            for pair in expected["pair_marginals"].as_array().unwrap() {
                let node = |which: usize| pair["nodes"][which].as_u64().unwrap() as usize;
                let coupling = solved.coupling(node(0), node(1)).unwrap();
                for (found, expected) in coupling.iter().zip(&matrix(&pair["plan"])) {
                    close(name, &engine, "pair marginal", *found, *expected, tolerance);
                }
            }
        }
    }
}

#[test]
fn barycenters_on_points_are_those_of_pot() {
    for case in golden("barycenter") {
        let name = case["name"].as_str().unwrap();
        let points = Support::Points(matrix(&case["points"]));
        let inputs = matrix(&case["inputs"]);
        let measures: Vec<Measure> = inputs
            .rows()
            .into_iter()
            .map(|row| Measure::new("input", row.to_owned(), points.clone()).unwrap())
            .collect();
        let weights = vector(&case["weights"]).to_vec();
        for engine in engines() {
            let tolerance = precision(&engine).1;
            let control = control(&case, &engine);
            let problem = Barycenter::of(&measures.iter().collect::<Vec<_>>())
                .weights(&weights)
                .control(control);
            for debiased in [false, true] {
                let key = if debiased { "debiased" } else { "barycenter" };
                // Where debiased weights vanish they do so as a power of the iterations, so that the
                // looser stop test of a GPU is far from the limit.
                if case["expected"][key].is_null() || (debiased && engine.is_gpu()) {
                    continue;
                }
                let solved = problem.clone().debiased(debiased).solve(&engine).unwrap();
                assert!(solved.outcome.converged, "{name} {key} {:?}", solved.trace.last());
                let error: f64 = solved
                    .weights
                    .iter()
                    .zip(&vector(&case["expected"][key]))
                    .map(|(found, expected)| (found - expected).abs())
                    .sum();
                let allowed = if debiased { tolerance.max(1e-5) } else { tolerance };
                assert!(error < allowed, "{name} on {engine:?}: {key} is off by {error:e}");
            }
        }
    }
}

#[test]
fn barycenters_of_images_are_those_of_pot_by_every_route() {
    for case in golden("grid_barycenter") {
        let name = case["name"].as_str().unwrap();
        let images = array(&case["images"]);
        let shape = &images.shape()[1..];
        let spacing = vector(&case["spacing"]);
        let square = (spacing[0] - spacing[1]).abs() < 1e-12;
        let support = if square {
            Support::Grid(Grid::with_spacing(shape, spacing[0]).unwrap())
        } else {
            // POT stretches oblong images to the unit square.
            Support::Points(Array2::from_shape_fn((shape[0] * shape[1], 2), |(cell, axis)| {
                let place = if axis == 0 { cell / shape[1] } else { cell % shape[1] };
                place as f64 * spacing[axis]
            }))
        };
        let measures: Vec<Measure> = images
            .outer_iter()
            .map(|image| {
                let weights: Array1<f64> = image.iter().copied().collect();
                Measure::new("image", weights, support.clone()).unwrap()
            })
            .collect();
        let measures: Vec<&Measure> = measures.iter().collect();
        let weights = vector(&case["weights"]).to_vec();
        for engine in engines() {
            let tolerance = precision(&engine).1;
            let control = control(&case, &engine);
            let problem = Barycenter::of(&measures).weights(&weights).control(control);
            let expected: Vec<f64> =
                array(&case["expected"]["barycenter"]).iter().copied().collect();
            let mut routes = vec![("its own", problem.clone())];
            let stored = Geometry::between(&support, &support, Cost::SquaredEuclidean).unwrap();
            let matrix = Geometry::matrix(stored.dense().unwrap()).unwrap();
            routes.push(("matrix", problem.clone().geometry(matrix)));
            for (route, problem) in routes {
                let solved = problem.solve(&engine).unwrap();
                assert!(solved.outcome.converged, "{name} {route} {:?}", solved.trace.last());
                let error: f64 =
                    solved.weights.iter().zip(&expected).map(|(a, b)| (a - b).abs()).sum();
                // POT's own stop test leaves errors of this order.
                let allowed = tolerance.max(2e-5);
                assert!(error < allowed, "{name} {route} on {engine:?}: off by {error:e}");
            }
        }
    }
}

#[test]
fn entropic_transport_between_gaussians_has_its_closed_form() {
    for case in golden("gaussian_transport") {
        let name = case["name"].as_str().unwrap();
        let epsilon = number(&case["epsilon"]);
        let gaussian = |mean: &Value, covariance: &Value| {
            let (mean, covariance) = (vector(mean), matrix(covariance));
            let dimension = mean.len();
            // Eight standard deviations of the widest axis, finely enough for the entropic width.
            let reach = 7.0 * covariance.diag().iter().fold(0.0_f64, |a, &b| a.max(b)).sqrt();
            let cells = if dimension == 1 { 160 } else { 40 };
            let step = 2.0 * reach / cells as f64;
            let (mut points, mut weights) = (Vec::new(), Vec::new());
            for cell in 0..usize::pow(cells, dimension as u32) {
                let place = |axis: usize| {
                    let index = cell / usize::pow(cells, axis as u32) % cells;
                    -reach + (index as f64 + 0.5) * step
                };
                let offset: Array1<f64> = (0..dimension).map(place).collect();
                points.extend((&offset + &mean).iter());
                weights.push((-0.5 * offset.dot(&inverse(&covariance).dot(&offset))).exp());
            }
            let count = weights.len();
            let points = Array2::from_shape_vec((count, dimension), points).unwrap();
            Measure::new("gaussian", weights, Support::Points(points)).unwrap().normalised()
        };
        let a = gaussian(&case["mean_a"], &case["covariance_a"]);
        let b = gaussian(&case["mean_b"], &case["covariance_b"]);
        for engine in engines() {
            if engine.is_gpu() && a.weights().len() > 1000 {
                continue; // 2.5 million pairs take a software adapter too long
            }
            let tolerance = precision(&engine).1;
            let mut control = control(&case, &engine);
            control.tolerance = control.tolerance.map(|_| 1e-9);
            let solved = Transport::between(&a, &b)
                .control(control)
                .epsilon(epsilon)
                .solve(&engine)
                .unwrap();
            let expected = &case["expected"];
            let allowed = tolerance.max(2e-6);
            close(name, &engine, "value", solved.value(), number(&expected["value"]), allowed);
            let linear = number(&expected["linear"]);
            close(name, &engine, "linear", solved.terms().linear, linear, allowed);
        }
    }
}

fn inverse(matrix: &Array2<f64>) -> Array2<f64> {
    match matrix.dim() {
        (1, 1) => matrix.mapv(f64::recip),
        _ => {
            let determinant = matrix[[0, 0]] * matrix[[1, 1]] - matrix[[0, 1]] * matrix[[1, 0]];
            ndarray::array![
                [matrix[[1, 1]] / determinant, -matrix[[0, 1]] / determinant],
                [-matrix[[1, 0]] / determinant, matrix[[0, 0]] / determinant]
            ]
        }
    }
}

#[test]
fn barycenters_of_gaussians_have_their_closed_form() {
    for case in golden("gaussian_barycenter") {
        let name = case["name"].as_str().unwrap();
        let (means, variances) = (vector(&case["means"]), vector(&case["variances"]));
        let epsilon = number(&case["epsilon"]);
        let reach = 7.0 * (variances.iter().fold(epsilon, |a, &b| a.max(b))).sqrt() + 2.0;
        let cells = 260;
        let step = 2.0 * reach / f64::from(cells);
        let places = Array1::from_shape_fn(cells as usize, |i| -reach + (i as f64 + 0.5) * step);
        let support = Support::Points(places.clone().insert_axis(ndarray::Axis(1)));
        let inputs: Vec<Measure> = means
            .iter()
            .zip(&variances)
            .map(|(mean, variance)| {
                let weights = places.mapv(|x| (-0.5 * (x - mean).powi(2) / variance).exp());
                Measure::new("gaussian", weights, support.clone()).unwrap()
            })
            .collect();
        let weights = vector(&case["weights"]).to_vec();
        for engine in engines() {
            let tolerance = precision(&engine).1;
            let mut control = control(&case, &engine);
            control.tolerance = control.tolerance.map(|_| 1e-9);
            for debiased in [false, true] {
                let solved = Barycenter::of(&inputs.iter().collect::<Vec<_>>())
                    .weights(&weights)
                    .control(control.clone())
                    .debiased(debiased)
                    .solve(&engine)
                    .unwrap();
                assert!(solved.outcome.converged, "{name} {:?}", solved.trace.last());
                let mean = solved.weights.dot(&places);
                let variance = solved.weights.dot(&places.mapv(|x| (x - mean).powi(2)));
                let key = if debiased { "debiased_variance" } else { "variance" };
                let allowed = tolerance.max(1e-5);
                close(name, &engine, "mean", mean, number(&case["expected"]["mean"]), allowed);
                close(name, &engine, key, variance, number(&case["expected"][key]), allowed);
            }
        }
    }
}
