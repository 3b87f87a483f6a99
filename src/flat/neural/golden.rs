//! Whole trainings against PyTorch's automatic differentiation and its Adam: `tests/golden/flat.npz`.

use std::collections::HashMap;
use std::path::Path;

use ndarray::{Array2, ArrayD, Ix1, Ix2};

use super::solve::Seen;
use super::{Rate, Training, schedule};
use crate::engine::Engine;
use crate::flat::{Cloud, Pair};
use crate::io::npz;
use crate::kernels::flat::network::{HEAD, Plan, Step, lambda_of};
use crate::kernels::flat::train::{Networks, train};
use crate::kernels::properties::engines;

struct Golden(HashMap<String, ArrayD<f64>>);

impl Golden {
    fn read() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/flat.npz");
        Self(npz::read(&path).unwrap().into_iter().collect())
    }

    fn vector(&self, name: &str) -> Vec<f64> {
        self.0[name].clone().into_dimensionality::<Ix1>().unwrap().to_vec()
    }

    fn matrix(&self, name: &str) -> Array2<f64> {
        self.0[name].clone().into_dimensionality::<Ix2>().unwrap()
    }

    fn number(&self, name: &str) -> f64 {
        self.0[name].iter().copied().next().unwrap()
    }

    fn cloud(&self, name: &str) -> Cloud {
        let weights = self.vector(&format!("{name}_weights")).into();
        Cloud::new(name, self.matrix(&format!("{name}_points")), weights).unwrap()
    }

    /// A network by its layers. PyTorch's pairs come out as all maxima, then all minima; ours stay where
    /// they are, in ascending order.
    fn network(&self, plan: &Plan, from: &str, pairs: bool) -> Vec<f64> {
        let mut network = vec![0.0; plan.fixed];
        for (index, layer) in plan.layers.iter().enumerate() {
            let name = format!("{from}/w{}", index + 1);
            let weights = self.matrix(&name);
            let half = layer.inputs / 2;
            let column = |ours: usize| match (pairs && index > 0, ours % 2) {
                (false, _) => ours,
                (true, 1) => ours / 2,
                (true, _) => half + ours / 2,
            };
            let entries =
                (0..layer.outputs).flat_map(|row| (0..layer.inputs).map(move |col| (row, col)));
            for (place, (row, col)) in layer.matrix().zip(entries) {
                network[place] = weights[[row, column(col)]];
            }
            let bias = self.vector(&format!("{from}/b{}", index + 1));
            network[layer.bias..layer.bias + layer.outputs].copy_from_slice(&bias);
            if let Some(left) = self.0.get(&format!("{from}/u{}", index + 1)) {
                network[layer.left..layer.left + layer.outputs]
                    .copy_from_slice(left.as_slice().unwrap());
            }
        }
        network
    }
}

/// What a training measured in every epoch, and theta in the end.
struct Run {
    curve: Vec<(f64, f64, f64)>,
    theta: Vec<f64>,
    expected: Vec<f64>,
}

fn run(golden: &Golden, mode: &str, training: &Training, engine: &Engine) -> Run {
    let (a, b) = (golden.cloud("a"), golden.cloud("b"));
    let epochs = golden.number(&format!("{mode}/epochs")) as usize;
    let rate = golden.number(&format!("{mode}/rate"));
    let plan = training.plan(3);
    let pairs = mode == "paper";
    let first = golden.network(&plan, &format!("{mode}/start"), pairs);
    let expected = golden.network(&plan, &format!("{mode}/end"), pairs);
    let seen = Seen::new(&Pair { a: &a, b: &b, stream: 0 }, training.centred);
    let steps = schedule::steps(rate, &training.decay, epochs);
    let optimiser = training.optimiser();
    let table = Step::table(&steps, &optimiser);
    let mut networks =
        Networks::new(engine, plan.clone(), optimiser, &table, &[first], &[&seen.charges]).unwrap();
    train(engine, &mut networks, 0..epochs, false).unwrap();
    let curve = lambda_of(&steps, &networks.curves(engine).unwrap()[0]);
    let theta = networks.numbers(engine).unwrap()[plan.theta()].to_vec();
    Run { curve, theta, expected: expected[HEAD..HEAD + plan.parameters].to_vec() }
}

fn off(found: impl IntoIterator<Item = f64>, expected: &[f64]) -> f64 {
    let size = expected.iter().fold(1e-12_f64, |most, value| most.max(value.abs()));
    let off = found.into_iter().zip(expected).map(|(x, y)| (x - y).abs());
    off.fold(0.0, f64::max) / size
}

#[test]
fn the_published_estimator_is_that_of_pytorch() {
    let golden = Golden::read();
    let training = Training::paper().clip(Some(golden.number("paper/clip")));
    assert_eq!(training.decay, Rate::Steps { factor: 0.9, after: vec![32, 64] });
    for engine in engines() {
        let run = run(&golden, "paper", &training, &engine);
        let tolerance = if engine.is_gpu() { 2e-3 } else { 1e-9 };
        let values = off(run.curve.iter().map(|epoch| epoch.0), &golden.vector("paper/value"));
        let penalties = off(run.curve.iter().map(|epoch| epoch.1), &golden.vector("paper/penalty"));
        let lambdas = off(run.curve.iter().map(|epoch| epoch.2), &golden.vector("paper/lambda"));
        let theta = off(run.theta, &run.expected);
        let worst = values.max(penalties).max(lambdas).max(theta);
        assert!(worst < tolerance, "{engine:?}: {values:e} {penalties:e} {lambdas:e} {theta:e}");
    }
}

/// Where a value passes 1 an epoch earlier or later by rounding, a gradient is taken or left: on a GPU,
/// trainings are the same until then, and end nearly alike.
#[test]
fn the_tight_bound_is_that_of_pytorch() {
    let golden = Golden::read();
    let expected = golden.vector("tight/value");
    for engine in engines() {
        let run = run(&golden, "tight", &Training::tight(), &engine);
        let found: Vec<f64> = run.curve.iter().map(|epoch| epoch.0).collect();
        let first = off(found[..20].iter().copied(), &expected[..20]);
        let (values, theta) = (off(found, &expected), off(run.theta, &run.expected));
        let [early, late] = if engine.is_gpu() { [2e-5, 3e-2] } else { [1e-9, 1e-9] };
        assert!(
            first < early && values.max(theta) < late,
            "{engine:?}: {first:e} {values:e} {theta:e}"
        );
    }
}
