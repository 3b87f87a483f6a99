//! Properties of barycenters, on both engines.

mod common;

use std::ops::ControlFlow;

use common::engines;
use gaspard::{Barycenter, Control, Grid, Measure, Observer, Progress, Support};
use ndarray::{Array1, ArrayD, IxDyn};

/// A blob of width `sigma` (in cells) around a cell of a grid.
fn blob(shape: &[usize], centre: &[f64], sigma: f64) -> Measure {
    let density = ArrayD::from_shape_fn(IxDyn(shape), |index| {
        let square: f64 =
            centre.iter().enumerate().map(|(axis, c)| (index[axis] as f64 - c).powi(2)).sum();
        (-0.5 * square / (sigma * sigma)).exp()
    });
    Measure::density("blob", density.view()).unwrap()
}

/// The mean cell along an axis.
fn mean_cell(weights: &Array1<f64>, shape: &[usize], axis: usize) -> f64 {
    let density = ArrayD::from_shape_vec(IxDyn(shape), weights.to_vec()).unwrap();
    density.indexed_iter().map(|(index, weight)| index[axis] as f64 * weight).sum()
}

#[test]
fn blobs_meet_at_their_weighted_mean_in_one_to_three_dimensions() {
    for (shape, places) in [
        (vec![60], [vec![15.0], vec![45.0]]),
        (vec![20, 28], [vec![6.0, 8.0], vec![13.0, 20.0]]),
        (vec![9, 10, 11], [vec![3.0, 3.0, 3.0], vec![5.0, 6.0, 7.0]]),
    ] {
        let (a, b) = (blob(&shape, &places[0], 1.2), blob(&shape, &places[1], 1.2));
        // Blurred over more than a cell: sharper ones settle on cells instead of between them.
        let epsilon = 2.0 / (*shape.iter().max().unwrap() as f64).powi(2);
        for engine in engines() {
            for weight in [0.5, 0.3] {
                let solved = Barycenter::of(&[&a, &b])
                    .weights(&[1.0 - weight, weight])
                    .epsilon(epsilon)
                    .solve(&engine)
                    .unwrap();
                assert!(solved.outcome.converged, "{:?}", solved.trace.last());
                assert!((solved.weights.sum() - 1.0).abs() < 1e-12);
                for axis in 0..shape.len() {
                    let expected = (1.0 - weight)
                        * mean_cell(&(a.weights() / a.mass()), &shape, axis)
                        + weight * mean_cell(&(b.weights() / b.mass()), &shape, axis);
                    let found = mean_cell(&solved.weights, &shape, axis);
                    assert!((found - expected).abs() < 2e-2, "{shape:?} {found} {expected}");
                }
            }
        }
    }
}

#[test]
fn inputs_and_support_may_have_different_sizes() {
    let (a, b) = (blob(&[16, 16], &[4.0, 8.0], 1.5), blob(&[30, 30], &[21.0, 14.0], 2.0));
    let support = Support::Grid(Grid::unit(&[24, 24]).unwrap());
    for engine in engines() {
        let solved = Barycenter::of(&[&a, &b, &a])
            .weights(&[0.25, 0.5, 0.25])
            .support(support.clone())
            .epsilon(3e-3)
            .solve(&engine)
            .unwrap();
        assert!(solved.outcome.converged);
        // Cell centres of the three grids, in the unit box.
        let expected = 0.5 * (4.5 / 16.0) + 0.5 * (21.5 / 30.0);
        let found = (mean_cell(&solved.weights, &[24, 24], 0) + 0.5) / 24.0;
        assert!((found - expected).abs() < 2e-3, "{found} {expected}");
        assert!(solved.marginal_error < 1e-4);
    }
}

#[test]
fn one_input_is_its_own_debiased_barycenter() {
    let a = blob(&[24, 24], &[10.0, 12.0], 3.0);
    for engine in engines() {
        let solved = Barycenter::of(&[&a]).epsilon(2e-3).debiased(true).solve(&engine).unwrap();
        let error = (&solved.weights - &(a.weights() / a.mass())).mapv(f64::abs).sum();
        assert!(error < 2e-2, "{error}");
        let blurred = Barycenter::of(&[&a]).epsilon(2e-3).solve(&engine).unwrap();
        let blur = (&blurred.weights - &(a.weights() / a.mass())).mapv(f64::abs).sum();
        assert!(blur > 5.0 * error, "{blur} {error}");
    }
}

#[test]
fn engines_agree() {
    let (a, b) = (blob(&[20, 20], &[5.0, 6.0], 2.0), blob(&[20, 20], &[13.0, 12.0], 3.0));
    let solved: Vec<_> = engines()
        .iter()
        .map(|engine| Barycenter::of(&[&a, &b]).epsilon(1e-3).solve(engine).unwrap())
        .collect();
    for other in &solved[1..] {
        let error = (&other.weights - &solved[0].weights).mapv(f64::abs).sum();
        assert!(error < 2e-4, "{error:e}");
        let values = (other.terms.total(), solved[0].terms.total());
        assert!((values.0 - values.1).abs() < 1e-6, "{values:?}");
    }
}

#[test]
fn frames_go_from_the_first_to_the_last() {
    let inputs = [blob(&[40], &[5.0], 1.0), blob(&[40], &[20.0], 1.0), blob(&[40], &[35.0], 1.0)];
    let inputs: Vec<&Measure> = inputs.iter().collect();
    for engine in engines() {
        let frames = Barycenter::of(&inputs).epsilon(1e-3);
        let frames = frames.solve_frames(5, &engine, &mut ()).unwrap();
        let means: Vec<f64> =
            frames.iter().map(|frame| mean_cell(&frame.weights, &[40], 0)).collect();
        for (found, expected) in means.iter().zip([5.0, 12.5, 20.0, 27.5, 35.0]) {
            assert!((found - expected).abs() < 0.05, "{means:?}");
        }
    }
}

#[test]
fn bad_weights_are_refused() {
    let a = blob(&[5], &[2.0], 1.0);
    let problem = Barycenter::of(&[&a, &a]);
    for weights in [vec![1.0], vec![0.5, 0.6], vec![-0.5, 1.5], vec![f64::NAN, 1.0]] {
        let error = problem.clone().weights(&weights).solve(&gaspard::Engine::cpu()).unwrap_err();
        assert!(error.to_string().contains("weights of the inputs"), "{error}");
        assert!(error.is_usage());
    }
    let control = Control { epsilon: -1.0, ..Control::new(1.0) };
    assert!(problem.control(control).solve(&gaspard::Engine::cpu()).is_err());
}

#[test]
fn debiasing_needs_costs_within_the_support() {
    let a = blob(&[5], &[2.0], 1.0);
    let costs = ndarray::Array2::from_shape_fn((5, 5), |(i, j)| i.abs_diff(j) as f64);
    let problem = Barycenter::of(&[&a, &a]).support(a.support().clone());
    let problem = problem.geometry(gaspard::Geometry::matrix(costs).unwrap());
    assert!(problem.clone().solve(&gaspard::Engine::cpu()).is_ok());
    let error = problem.debiased(true).solve(&gaspard::Engine::cpu()).unwrap_err();
    assert!(error.to_string().contains("debiased barycenter"), "{error}");
}

#[test]
fn an_observer_can_stop_the_solve_and_keep_its_result() {
    struct Impatient;
    impl Observer for Impatient {
        fn progress(&mut self, _: &Progress) -> ControlFlow<()> {
            ControlFlow::Break(())
        }
    }
    let (a, b) = (blob(&[16, 16], &[4.0, 4.0], 1.0), blob(&[16, 16], &[11.0, 9.0], 1.0));
    for engine in engines() {
        let solved =
            Barycenter::of(&[&a, &b]).epsilon(1e-4).solve_with(&engine, &mut Impatient).unwrap();
        assert!(solved.outcome.interrupted && !solved.outcome.converged);
        assert!((solved.weights.sum() - 1.0).abs() < 1e-12);
    }
}
