//! What f32 and extreme weights do to Gromov-Wasserstein plans at the paper's epsilon, where the
//! costs are thousands of epsilons.

mod common;

use common::{engines, gpu};
use gaspard::gromov::{Barycenter, Control, GridSpace, Problem, Space, Start, Update};
use gaspard::{Cost, Engine};
use ndarray::{Array1, Array2};

const SIDE: usize = 16;

/// A shape on a square grid: 1 where `inside` holds, of x to the right and y upwards in [-1, 1].
fn drawn(inside: impl Fn(f64, f64) -> bool) -> GridSpace {
    let place = |index: usize| 2.0 * index as f64 / (SIDE - 1) as f64 - 1.0;
    let picture = Array2::from_shape_fn((SIDE, SIDE), |(row, col)| {
        f64::from(u8::from(inside(place(col), -place(row))))
    });
    GridSpace::plane(picture.view()).unwrap()
}

fn heart(x: f64, y: f64) -> bool {
    let (x, y) = (1.2 * x, 1.2 * y);
    (x * x + y * y - 0.8).powi(3) < x * x * y.powi(3)
}

fn crescent(x: f64, y: f64) -> bool {
    x.hypot(y) < 0.9 && (x - 0.4).hypot(y) > 0.6
}

fn distance(p: &Array1<f64>, q: &Array1<f64>) -> f64 {
    (p - q).mapv(f64::abs).sum()
}

/// The same whole steps from the same start, each of so few sweeps that no stop test is asked.
#[test]
fn f32_takes_the_way_of_f64() {
    let Some(device) = gpu() else { return };
    let (heart, crescent) = (drawn(heart), drawn(crescent));
    let grid = GridSpace::whole_plane([SIDE, SIDE]).unwrap();
    let barycenter = Barycenter::of(&[&heart.space, &crescent.space], &grid.space);
    let control = Control {
        annealing: 1.0,
        update: Update::Plain,
        tolerance: Some(0.0),
        max_iterations: 60,
        inner_iterations: 10,
        plans: false,
        ..Control::new(1.5e-4)
    };
    let [here, there] =
        [&Engine::cpu(), &device].map(|engine| barycenter.solve(&control, engine).unwrap());
    let (a, b) = (here.terms.transport(), there.terms.transport());
    assert!((a - b).abs() < 1e-5 * a, "loss {b}, not {a}");
    let moved = distance(&here.marginals[0], &there.marginals[0]);
    assert!(moved < 3e-4, "barycenter off by {moved:e}");
    // The node whose potential was updated last; the other is missed by what sweeps leave.
    let missed = distance(&there.marginals[2], &crescent.space.weights);
    assert!(missed < 1e-6, "marginal off by {missed:e}");
    assert!((here.change - there.change).abs() < 0.1 * here.change);
}

/// Points that weigh next to nothing get what they are owed, to the digits of their weight.
#[test]
fn tiny_weights_are_met_like_all_others() {
    let cloud = |points: usize, turn: f64| {
        let places = Array2::from_shape_fn((points, 2), |(point, axis)| {
            let angle = turn + 2.4 * point as f64;
            (point as f64 / points as f64).sqrt()
                * if axis == 0 { angle.cos() } else { angle.sin() }
        });
        let mut weights = Array1::from_shape_fn(points, |point| match point % 5 {
            0 => 1e-9,
            1 => 1e-30,
            2 => 1e-18 * (1 + point) as f64,
            _ => 1.0 + 0.1 * point as f64,
        });
        weights /= weights.sum();
        Space::from_points(places, Cost::Euclidean, weights).unwrap()
    };
    let problem = Problem::pair(cloud(23, 0.0), cloud(31, 0.4));
    for engine in engines() {
        let control = Control {
            start: Start::Random,
            inner_iterations: 400,
            inner_tolerance: 1e-9,
            max_iterations: 60,
            ..Control::new(1e-3)
        };
        let solution = problem.solve(&control, &engine).unwrap();
        let last = &solution.marginals[1];
        for (found, wanted) in last.iter().zip(&problem.nodes[1].space.weights) {
            assert!((found / wanted - 1.0).abs() < 1e-5, "{engine:?}: {found:e}, not {wanted:e}");
        }
        assert!(solution.terms.total().is_finite());
    }
}
