//! Gradients against differences, and both engines from the same state.

use ndarray::{Array2, ArrayView2};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Constraint, Optimiser, Output, Plan, Step, initial};
use crate::engine::Engine;
use crate::kernels::flat::train::{Charges, Networks, train};
use crate::kernels::properties::engines;

const ADAM: Optimiser = Optimiser { beta_1: 0.9, beta_2: 0.999, decay: 0.0, clip: f64::INFINITY };
const CONSTRAINTS: [Constraint; 3] =
    [Constraint::Spectral, Constraint::Bjorck { iterations: 4 }, Constraint::Orthonormal];

fn charges(seed: u64, count: usize, dimension: usize) -> Charges {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let f32_exact = |value: f64| f64::from(value as f32);
    let mut draw =
        |count: usize| (0..count).map(|_| f32_exact(random.random_range(-1.5..1.5))).collect();
    let places = draw(count * dimension);
    let charges: Vec<f64> = draw(count);
    let size: f64 = charges.iter().map(|charge| charge.abs()).sum();
    let charges: Vec<f64> = charges.iter().map(|charge| f32_exact(charge / size)).collect();
    let weights = charges.iter().map(|charge| charge.abs()).collect();
    Charges { places, charges, weights }
}

fn start(plan: &Plan, seed: u64) -> Vec<f64> {
    let network = initial(plan, &mut ChaCha8Rng::seed_from_u64(seed));
    network.into_iter().map(|value| f64::from(value as f32)).collect()
}

/// Steps at this rate, with a penalty of weight 10.
fn steps(rate: f64, epochs: usize) -> Vec<Step> {
    vec![Step { rate, penalty: [1.0, 0.0, 0.0], sets: 0 }; epochs]
}

fn networks(
    engine: &Engine,
    plan: &Plan,
    steps: &[Step],
    first: &[Vec<f64>],
    measures: &[Charges],
) -> Networks {
    let table = Step::table(steps, &ADAM);
    let measures: Vec<&Charges> = measures.iter().collect();
    Networks::new(engine, plan.clone(), ADAM, &table, first, &measures).unwrap()
}

/// The loss, and all numbers after an epoch that changes nothing; power iterations go on.
fn still(plan: &Plan, network: &[f64], measure: &Charges, epochs: usize) -> (f64, Vec<f64>) {
    let engine = Engine::cpu();
    let all = steps(0.0, epochs);
    let (first, measures) = (vec![network.to_vec()], vec![measure.clone()]);
    let mut networks = networks(&engine, plan, &all, &first, &measures);
    train(&engine, &mut networks, 0..epochs, false).unwrap();
    let [value, penalty] = networks.curves(&engine).unwrap()[0][epochs - 1];
    let mut numbers = networks.numbers(&engine).unwrap();
    numbers.truncate(plan.fixed);
    (10.0 * penalty - value, numbers)
}

#[test]
fn gradients_are_those_of_the_loss() {
    for constraint in CONSTRAINTS {
        for (hidden, group, dimension) in
            [(vec![8, 12], 4, 3), (vec![8], 2, 1), (vec![4, 8, 4], 1024, 9)]
        {
            let plan = Plan::new(dimension, &hidden, group, constraint, Output::Penalised);
            let measure = charges(3, 150, dimension);
            let mut network = start(&plan, 5);
            // Some values lie beyond 1.
            network[plan.layers.last().unwrap().bias] = 0.6;
            // Power iterations have to have converged, so that singular vectors count as constants.
            let (_, network) = still(&plan, &network, &measure, 300);
            let (_, after) = still(&plan, &network, &measure, 1);
            let gradient = &after[plan.beside(1)];
            let mut random = ChaCha8Rng::seed_from_u64(11);
            for _ in 0..20 {
                // Along a random direction; where weights are orthonormal, along their manifold.
                let mut direction = vec![0.0; plan.fixed];
                for value in &mut direction[plan.theta()] {
                    *value = random.random_range(-1.0..1.0);
                }
                if constraint == Constraint::Orthonormal {
                    for layer in &plan.layers {
                        let shape = (layer.outputs, layer.inputs);
                        let w = Array2::from_shape_vec(shape, network[layer.matrix()].to_vec());
                        let d = Array2::from_shape_vec(shape, direction[layer.matrix()].to_vec());
                        let tangent = tangent(w.unwrap(), d.unwrap());
                        direction[layer.matrix()].copy_from_slice(tangent.as_slice().unwrap());
                    }
                }
                let step = 1e-6;
                let moved = |sign: f64| {
                    let moved = network.iter().zip(&direction);
                    let moved: Vec<f64> = moved.map(|(x, d)| x + sign * step * d).collect();
                    still(&plan, &moved, &measure, 1).0
                };
                let slope = (moved(1.0) - moved(-1.0)) / (2.0 * step);
                let along: f64 =
                    gradient.iter().zip(&direction[plan.theta()]).map(|(g, d)| g * d).sum();
                assert!(
                    (slope - along).abs() < 1e-6 * (1.0 + along.abs()),
                    "{constraint:?} {hidden:?}: {slope} {along}"
                );
            }
        }
    }
}

/// The part of D along the manifold of orthonormal matrices: D - W sym(W^T D) for a tall W.
fn tangent(w: Array2<f64>, d: Array2<f64>) -> Array2<f64> {
    if w.nrows() < w.ncols() {
        return tangent(w.reversed_axes(), d.reversed_axes())
            .reversed_axes()
            .as_standard_layout()
            .to_owned();
    }
    let inner = w.t().dot(&d);
    let out = &d - &w.dot(&((&inner + &inner.t()) / 2.0));
    out.as_standard_layout().to_owned()
}

/// A clamped output: a gradient that leads back inside passes, one that leads further out does not.
#[test]
fn clamped_outputs_pass_gradients_that_lead_back() {
    let plan = Plan::new(1, &[4], 4, Constraint::Orthonormal, Output::Clamped);
    let mut network = start(&plan, 1);
    let bias = plan.layers[1].bias;
    network[bias] = 5.0;
    for (charge, expected) in [(1.0, 0.0), (-1.0, 1.0)] {
        let measure = Charges { places: vec![0.1], charges: vec![charge], weights: vec![1.0] };
        let (loss, after) = still(&plan, &network, &measure, 1);
        assert_eq!(loss, -charge);
        assert_eq!(after[bias + plan.parameters], expected);
    }
}

/// Gradients, values and what is exported, on both engines from the same state.
#[test]
fn engines_agree_on_an_epoch() {
    let shapes = [
        (vec![64, 64], 1024, 2, [1, 130, 20]),
        (vec![64, 64], 2, 17, [5, 64, 129]),
        (vec![128, 64, 8], 8, 3, [40, 1, 2]),
        (vec![4], 4, 1, [3, 300, 7]),
        (vec![12, 20], 4, 9, [33, 2, 140]),
    ];
    let cpu = Engine::cpu();
    for engine in engines().iter().filter(|engine| engine.is_gpu()) {
        for constraint in CONSTRAINTS {
            for output in [Output::Penalised, Output::Clamped] {
                for (hidden, group, dimension, counts) in &shapes {
                    let plan = Plan::new(*dimension, hidden, *group, constraint, output);
                    let measures: Vec<Charges> =
                        counts.iter().map(|count| charges(9, *count, *dimension)).collect();
                    let first: Vec<Vec<f64>> = (0..3).map(|seed| start(&plan, seed)).collect();
                    let found = [&cpu, engine].map(|engine| {
                        let all = steps(0.0, 2);
                        let mut networks = networks(engine, &plan, &all, &first, &measures);
                        train(engine, &mut networks, 0..1, false).unwrap();
                        train(engine, &mut networks, 1..2, true).unwrap();
                        (
                            networks.curves(engine).unwrap(),
                            networks.numbers(engine).unwrap(),
                            networks.trained(engine).unwrap(),
                        )
                    });
                    let [(curves, numbers, trained), (gpu_curves, gpu_numbers, gpu_trained)] =
                        found;
                    let case = format!("{constraint:?} {output:?} {hidden:?}");
                    let flat = |curves: &[Vec<[f64; 2]>]| curves.concat().concat();
                    close(&flat(&gpu_curves), &flat(&curves), 2e-5, &case);
                    close(&gpu_trained.concat(), &trained.concat(), 2e-5, &case);
                    let mut begin = 0;
                    for count in counts {
                        // theta, gradient and moments.
                        for region in 0..4 {
                            let part = plan.beside(region);
                            let part = begin + part.start..begin + part.end;
                            let (found, expected) = (&gpu_numbers[part.clone()], &numbers[part]);
                            close(found, expected, 5e-5, &format!("{case} {region}"));
                        }
                        begin += plan.numbers(*count);
                    }
                }
            }
        }
    }
}

/// Off by no more than this part of the largest.
fn close(found: &[f64], expected: &[f64], tolerance: f64, case: &str) {
    let size = expected.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
    let off = found.iter().zip(expected).map(|(x, y)| (x - y).abs());
    let worst = off.fold(0.0, f64::max);
    assert!(worst <= tolerance * size + 1e-12, "{case}: {worst:e} of {size:e}");
}

/// Orthonormal layers stay so, and a stretch of epochs is the same in one go or in several.
#[test]
fn training_goes_on_where_it_stopped() {
    for engine in engines() {
        let plan = Plan::new(2, &[16, 8], 8, Constraint::Orthonormal, Output::Clamped);
        let measures = [charges(1, 60, 2), charges(2, 20, 2)];
        let first: Vec<Vec<f64>> = (0..2).map(|seed| start(&plan, seed)).collect();
        let run = |stops: &[usize]| {
            let all = steps(0.01, 12);
            let mut networks = networks(&engine, &plan, &all, &first, &measures);
            let mut begin = 0;
            for &end in stops {
                train(&engine, &mut networks, begin..end, end == 12).unwrap();
                begin = end;
            }
            (networks.curves(&engine).unwrap(), networks.trained(&engine).unwrap())
        };
        let (curves, trained) = run(&[12]);
        assert_eq!((curves.clone(), trained.clone()), run(&[1, 5, 12]));
        for (curve, trained) in curves.iter().zip(&trained) {
            assert!(curve[11][0] > curve[0][0]);
            for layer in &plan.layers {
                let begin = layer.weights - plan.theta().start;
                let shape = (layer.outputs, layer.inputs);
                let weights = &trained[begin..begin + shape.0 * shape.1];
                let w = ArrayView2::from_shape(shape, weights).unwrap();
                let w = if shape.0 < shape.1 { w.reversed_axes() } else { w };
                let off = w.t().dot(&w) - Array2::<f64>::eye(w.ncols());
                assert!(off.iter().all(|x| x.abs() < 1e-6), "{off}");
            }
        }
    }
}
