//! Plans, then distances and features, in turns.

use std::time::Instant;

use ndarray::{Array1, Array2};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::input::{Center, Input, Spread};
use super::{FreeSupport, FreeSupportSolution};
use crate::engine::Engine;
use crate::error::Result;
use crate::gromov::exact::inner;
use crate::gromov::{Terms, TracePoint};
use crate::observer::{Observer, Progress, stops};
use crate::outcome::Outcome;

/// Solves a problem that was checked.
pub(super) fn solve(
    problem: &FreeSupport,
    engine: &Engine,
    observer: &mut dyn Observer,
) -> Result<FreeSupportSolution> {
    let begin = Instant::now();
    let masses = &problem.masses / problem.masses.sum();
    let total: f64 = problem.weights.iter().sum();
    let weights: Vec<f64> = problem.weights.iter().map(|weight| weight / total).collect();
    let mut inputs = inputs(problem, &masses)?;
    let mut center = start(problem, &inputs, &weights, masses);
    let tolerance = problem.tolerance.unwrap_or(problem.plans.tolerance_on(engine));
    let mut values = vec![f64::NAN; inputs.len()];
    let mut trace: Vec<TracePoint> = Vec::new();
    let mut terms = Terms::default();
    let (mut converged, mut interrupted) = (false, false);
    for iteration in 1..=problem.max_iterations {
        for input in &mut inputs {
            input.improve(&problem.plans, &center, engine, observer)?;
        }
        // Those that were interrupted on the way are plans as well.
        let spread: Vec<_> = inputs.iter().map(Input::spread).collect();
        let next = center.next(&spread, &weights);
        terms = Terms::default();
        for (index, (input, spread)) in inputs.iter().zip(&spread).enumerate() {
            let Terms { structure, labels, regularisation, .. } = input.terms(spread, &next);
            let weight = weights[index];
            values[index] = structure + labels;
            terms.structure += weight * structure;
            terms.labels += weight * labels;
            terms.regularisation += weight * regularisation;
        }
        let change = center.change(&next);
        center = next;
        trace.push(TracePoint {
            iteration,
            seconds: begin.elapsed().as_secs_f64(),
            epsilon: problem.plans.epsilon(),
            transport: terms.transport(),
            total: terms.total(),
            change,
            share: 1.0,
        });
        converged = change <= tolerance && inputs.iter().all(|input| input.settled);
        let progress = Progress {
            epsilon: Some(problem.plans.epsilon()).filter(|epsilon| *epsilon > 0.0),
            cost: Some(terms.total()),
            running: (usize::from(!converged), 1),
            ..Progress::new(iteration, problem.max_iterations, change, tolerance)
        };
        interrupted |= stops(observer, &progress);
        if converged || interrupted {
            break;
        }
    }
    Ok(FreeSupportSolution {
        seed: problem.seed,
        distances: center.distances,
        features: center.features,
        masses: center.masses,
        steps: inputs.iter().map(|input| input.steps).sum(),
        plans: inputs.into_iter().map(|input| input.plan).collect(),
        values,
        terms,
        change: trace.last().map_or(f64::INFINITY, |point| point.change),
        outcome: Outcome {
            converged: converged && !interrupted,
            interrupted,
            ..Outcome::new(engine, begin, trace.len(), tolerance)
        },
        trace,
    })
}

fn inputs(problem: &FreeSupport, masses: &Array1<f64>) -> Result<Vec<Input>> {
    let spaces = problem.inputs.iter().enumerate();
    spaces
        .map(|(index, space)| {
            let features = problem.features.as_ref();
            let features = features.map(|all| (all.alpha, all.inputs[index].clone()));
            Input::new(space, features, masses, index)
        })
        .collect()
}

fn start(problem: &FreeSupport, inputs: &[Input], weights: &[f64], masses: Array1<f64>) -> Center {
    let mut random = ChaCha8Rng::seed_from_u64(problem.seed);
    let distances = problem.start.clone();
    let distances = distances.unwrap_or_else(|| random_distances(&mut random, masses.len()));
    random.set_stream(1);
    let features = problem.features.as_ref().map(|features| {
        let start = problem.start_features.clone();
        start.unwrap_or_else(|| {
            let mut rows = Array2::zeros((masses.len(), features.inputs[0].ncols()));
            for mut row in rows.rows_mut() {
                let index = drawn(&mut random, weights);
                let point = drawn(&mut random, &inputs[index].weights);
                row.assign(&features.inputs[index].row(point));
            }
            rows
        })
    });
    Center { distances, features, masses }
}

impl Center {
    /// The best distances and features for the plans that were spread.
    fn next(&self, spread: &[Spread], weights: &[f64]) -> Self {
        let masses = &self.masses;
        let mut sum = Array2::<f64>::zeros(self.distances.dim());
        let mut features = self.features.as_ref().map(|features| Array2::zeros(features.dim()));
        for (spread, &weight) in spread.iter().zip(weights) {
            // Symmetric to the last bit.
            sum.scaled_add(0.5 * weight, &spread.distances);
            sum.scaled_add(0.5 * weight, &spread.distances.t());
            if let (Some(sum), Some(carried)) = (&mut features, &spread.features) {
                sum.scaled_add(weight, carried);
            }
        }
        let distance =
            |(i, j): (usize, usize)| (sum[[i.min(j), i.max(j)]] / (masses[i] * masses[j])).max(0.0);
        if let Some(features) = &mut features {
            features.rows_mut().into_iter().zip(masses).for_each(|(mut row, &mass)| row /= mass);
        }
        Self {
            distances: Array2::from_shape_fn(sum.dim(), distance),
            features,
            masses: masses.clone(),
        }
    }

    /// How far the next one is, relatively, in the Frobenius norm: the larger of both parts.
    fn change(&self, next: &Self) -> f64 {
        let relative = |from: &Array2<f64>, to: &Array2<f64>| {
            norm(&(to - from)) / norm(to).max(f64::MIN_POSITIVE)
        };
        let features = self.features.iter().zip(&next.features);
        features
            .map(|(from, to)| relative(from, to))
            .fold(relative(&self.distances, &next.distances), f64::max)
    }
}

/// An index, each as likely as its weight.
fn drawn<'a>(random: &mut ChaCha8Rng, weights: impl IntoIterator<Item = &'a f64> + Copy) -> usize {
    let total: f64 = weights.into_iter().sum();
    let mut left = total * random.random::<f64>();
    let mut last = 0;
    for (index, &weight) in weights.into_iter().enumerate().filter(|(_, weight)| **weight > 0.0) {
        last = index;
        left -= weight;
        if left < 0.0 {
            break;
        }
    }
    last
}

/// Squared distances of Gaussian points in the plane, divided by the largest.
fn random_distances(random: &mut ChaCha8Rng, points: usize) -> Array2<f64> {
    // Box and Muller: two coordinates from one radius and one angle.
    let places: Vec<[f64; 2]> = (0..points)
        .map(|_| {
            let radius = (-2.0 * (1.0 - random.random::<f64>()).ln()).sqrt();
            let (sin, cos) = (std::f64::consts::TAU * random.random::<f64>()).sin_cos();
            [radius * cos, radius * sin]
        })
        .collect();
    let distances = Array2::from_shape_fn((points, points), |(i, j)| {
        let [[a, b], [c, d]] = [places[i], places[j]];
        (a - c).powi(2) + (b - d).powi(2)
    });
    let largest = distances.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    distances / largest
}

/// The Frobenius norm.
fn norm(matrix: &Array2<f64>) -> f64 {
    inner(matrix, matrix).sqrt()
}
