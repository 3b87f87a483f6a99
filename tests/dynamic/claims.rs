//! The paper's examples show what they claim: the values of a prototype in numpy, on its grids.

use gaspard::Engine;
use gaspard::dynamic::paper::{EXAMPLES, Example};
use gaspard::dynamic::{Control, Form};

use super::{run, tight};

/// Numbers of an example at this weight, by name.
fn numbers(name: &str, cells: usize, steps: usize, form: Form, beta: f64) -> Vec<f64> {
    let example = Example::named(name).unwrap();
    let problem = example.problem([cells; 2], steps, form, beta).unwrap();
    let solution = run(&problem, &tight(), &Engine::cpu());
    let found = example.measure(&problem, &solution).unwrap();
    found.into_iter().map(|(_, number)| number).collect()
}

/// At 32 x 32 x 32: the largest distances of the mean paths from straight ones.
#[test]
fn paths_become_straight_where_it_counts() {
    let oracle = [(0.0, 0.0, 0.0829), (1.0, 0.0423, 0.0385), (10.0, 0.0733, 0.0061)];
    for (beta, first, second) in oracle {
        let found = numbers("6.1a", 32, 32, Form::Monge, beta);
        assert!((found[0] - first).abs() < 1e-3, "beta {beta}: {found:?}");
        assert!((found[1] - second).abs() < 1e-3, "beta {beta}: {found:?}");
    }
}

/// At 32 x 32 x 32: widths across the diagonal.
#[test]
fn widths_are_kept_where_it_counts() {
    for (beta, first, second) in [(0.0, 1.003, 1.278), (10.0, 0.774, 1.001)] {
        let found = numbers("6.1b", 32, 32, Form::Monge, beta);
        assert!((found[0] / first - 1.0).abs() < 1e-2, "beta {beta}: {found:?}");
        assert!((found[1] / second - 1.0).abs() < 1e-2, "beta {beta}: {found:?}");
    }
    for (beta, width) in [(0.0, 1.0045), (0.1, 0.667), (1.0, 0.287), (10.0, 0.212)] {
        let found = numbers("6.2b", 32, 32, Form::Monge, beta);
        assert!((found[0] / width - 1.0).abs() < 2e-2, "beta {beta}: {found:?}");
    }
}

/// At 24 x 24 x 16: the mean height beside that at the start, and brightness.
#[test]
fn mass_keeps_to_the_ridge_and_to_its_colour() {
    for (beta, height) in [(0.0, 0.544), (1.0, 0.977), (4.0, 0.987)] {
        let found = numbers("6.3b", 24, 16, Form::Monge, beta);
        assert!((found[0] / height - 1.0).abs() < 1e-2, "beta {beta}: {found:?}");
    }
    for (name, form, beta, middle) in [
        ("6.4a", Form::Monge, 0.0, 0.540),
        ("6.4a", Form::Monge, 1.0, 0.284),
        ("6.4a", Form::Shared, 1.0, 0.285),
        ("6.4b", Form::Monge, 0.0, 0.714),
        ("6.4b", Form::Monge, 1.0, 0.870),
        ("6.4b", Form::Shared, 1.0, 0.869),
    ] {
        let found = numbers(name, 24, 16, form, beta);
        let start = if name == "6.4a" { 0.280 } else { 0.875 };
        assert!((found[0] / start - 1.0).abs() < 5e-3, "{name}: {found:?}");
        assert!((found[1] / middle - 1.0).abs() < 1e-2, "{name} {form:?} {beta}: {found:?}");
    }
}

/// Every example has a number for its claim.
#[test]
fn all_examples_are_measured() {
    for example in &EXAMPLES {
        let problem = example.problem([10, 10], 6, example.form, 1.0).unwrap();
        let control = Control { max_iterations: 20, ..Control::default() };
        let solution = run(&problem, &control, &Engine::cpu());
        let found = example.measure(&problem, &solution).unwrap();
        assert!(!found.is_empty());
        assert!(found.iter().all(|(_, number)| number.is_finite()), "{}: {found:?}", example.name);
    }
}
