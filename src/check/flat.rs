//! Kernels of the flat metric.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::random::{Random, single};
use super::{Case, ROUNDOFF, Unit};
use crate::error::Result;
use crate::kernels::NOTHING;
use crate::kernels::flat::network::{Constraint, Optimiser, Output, Plan, Step, initial};
use crate::kernels::flat::plan_rows::{PlanRows, RowSums};
use crate::kernels::flat::potential_update::{PACE, Potentials, potential_update};
use crate::kernels::flat::train::{Charges, Networks, train};
use crate::kernels::tiles::Blocks;

pub(super) fn cases(random: &mut Random) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    updates(&mut cases, random);
    plans(&mut cases, random);
    trainings(&mut cases, random);
    Ok(cases)
}

/// Gradients and values of two epochs that change nothing: after steps of Adam, whose length does not
/// depend on that of a gradient, rounding would be compared with rounding.
fn trainings(cases: &mut Vec<Case>, random: &mut Random) {
    let optimiser = Optimiser { beta_1: 0.9, beta_2: 0.999, decay: 0.0, clip: f64::INFINITY };
    let still = Step { rate: 0.0, penalty: [1.0, 0.0, 0.0], sets: 0 };
    for (hidden, group, dimension, constraint, output) in [
        (vec![64, 64], 2, 5, Constraint::Spectral, Output::Penalised),
        (vec![64, 64], 64, 2, Constraint::Orthonormal, Output::Clamped),
        (vec![128, 20, 8], 4, 17, Constraint::Spectral, Output::Clamped),
        (vec![12], 12, 9, Constraint::Bjorck { iterations: 5 }, Output::Penalised),
    ] {
        let counts = [1, 130, 65];
        let plan = Plan::new(dimension, &hidden, group, constraint, output);
        let mut seeds = ChaCha8Rng::seed_from_u64(random.number(0.0, 1e6) as u64);
        let networks: Vec<Vec<f64>> = counts
            .iter()
            .map(|_| initial(&plan, &mut seeds).into_iter().map(single).collect())
            .collect();
        let measures: Vec<Charges> = counts
            .iter()
            .map(|&count| Charges {
                places: random.vector(count * dimension, -1.5, 1.5),
                charges: random.vector(count, -1.0, 1.0),
                weights: random.vector(count, 0.0, 1.0),
            })
            .collect();
        // Sums over points of values up to 1, and products of the layers' width.
        let width = hidden.iter().max().copied().unwrap_or(1) as f64;
        cases.push(Case {
            kernel: "flat/train",
            name: format!(
                "{hidden:?} in {dimension}-D, groups of {group}, {constraint:?}, {output:?}"
            ),
            unit: Unit::Absolute,
            allowed: 8.0 * ROUNDOFF * 130.0 * width.sqrt(),
            work: Box::new(move |engine| {
                let table = Step::table(&[still; 2], &optimiser);
                let measures: Vec<&Charges> = measures.iter().collect();
                let mut all =
                    Networks::new(engine, plan.clone(), optimiser, &table, &networks, &measures)?;
                train(engine, &mut all, 0..2, true)?;
                let numbers = all.numbers(engine)?;
                let mut begin = 0;
                let mut out = all.trained(engine)?.concat();
                out.extend(all.curves(engine)?.concat().concat());
                for count in counts {
                    let gradient = plan.beside(1);
                    out.extend(&numbers[begin + gradient.start..begin + gradient.end]);
                    begin += plan.numbers(count);
                }
                Ok(out)
            }),
        });
    }
}

fn updates(cases: &mut Vec<Case>, random: &mut Random) {
    for (sizes, epsilon, boldest) in [
        (vec![1], 1.0, 1.0),
        (vec![255, 256, 257], 0.125, 1.0),
        (vec![257, 1, 700], 0.0625, 1.75),
        (vec![3000], 0.015_625, 1.75),
    ] {
        let count: usize = sizes.iter().sum();
        let mut offsets = vec![0_u32];
        for size in &sizes {
            offsets.push(offsets[offsets.len() - 1] + *size as u32);
        }
        let mut log_weight = random.logs(count, 5.0, false);
        log_weight.iter_mut().step_by(7).for_each(|log| *log = NOTHING);
        let potential = random.vector(count, -1.0, 1.0);
        let message = random.logs(count, 1.5 / epsilon, false);
        let problems = sizes.len();
        // Steps so far, the last change, and how often it grew; one more is too often.
        let pace: Vec<f64> =
            (0..problems).flat_map(|problem| [3.0, 0.125, 19.0 - problem as f64]).collect();
        let running: Vec<f64> =
            (0..problems).map(|problem| f64::from(u8::from(problem != 1))).collect();
        cases.push(Case {
            kernel: "flat/potential_update",
            name: format!("{sizes:?} points, epsilon {epsilon}, omega up to {boldest}"),
            unit: Unit::Absolute,
            // A step of numbers up to 4, and its quotient by epsilon beside logarithms up to 5.
            allowed: 4.0 * ROUNDOFF * (4.0 / epsilon + 5.0),
            work: Box::new(move |engine| {
                let upload = |values: &[f64]| engine.upload("values", values);
                let mut side = Potentials {
                    offsets: engine.table("offsets", &offsets)?,
                    log_weight: upload(&log_weight)?,
                    potential: upload(&potential)?,
                    bias: engine.zeros("bias", count)?,
                    pace: upload(&pace)?,
                };
                debug_assert_eq!(side.pace.len(), PACE * problems);
                let (message, running) = (upload(&message)?, upload(&running)?);
                potential_update(engine, &mut side, &message, epsilon, boldest, &running)?;
                let mut all = engine.download(&side.potential)?;
                all.extend(engine.download(&side.bias)?);
                all.extend(engine.download(&side.pace)?);
                Ok(all)
            }),
        });
    }
}

fn plans(cases: &mut Vec<Case>, random: &mut Random) {
    for (sizes, dimension, rate, holes) in [
        (vec![(1, 1)], 1, 1.0, false),
        (vec![(1, 257), (129, 3)], 2, 16.0, true),
        (vec![(127, 128), (128, 127), (129, 131)], 5, 64.0, true),
        (vec![(300, 300)], 2, 128.0, false),
        (vec![(64, 65)], 70, 8.0, true),
    ] {
        let blocks = Blocks::of(sizes.iter().copied());
        let (rows, cols) = (blocks.total_rows(), blocks.total_cols());
        let side = single(3.0 / (dimension as f64).sqrt());
        let x = random.vector(rows * dimension, -side / 2.0, side / 2.0);
        let y = random.vector(cols * dimension, -side / 2.0, side / 2.0);
        let v = random.logs(cols, 5.0, holes);
        cases.push(Case {
            kernel: "flat/plan_rows",
            name: format!("{sizes:?} in {dimension}-D, rate {rate}"),
            unit: Unit::Absolute,
            // Scores up to the rate times a distance of 2 are rounded a few times, which makes
            // masses as wrong, relatively; means are of numbers up to 2.
            allowed: 4.0 * ROUNDOFF * (2.0 * rate + 10.0) * (1.0 + (dimension as f64) / 16.0),
            work: Box::new(move |engine| {
                let upload = |values: &[f64]| engine.upload("values", values);
                let (x, y, v) = (upload(&x)?, upload(&y)?, upload(&v)?);
                let running = engine.filled("running", blocks.count(), 1.0)?;
                let mut out = RowSums {
                    logarithm: engine.zeros("logarithms", rows)?,
                    mean: engine.zeros("means", rows)?,
                };
                let plan = PlanRows::new(engine, &blocks, dimension)?;
                plan.launch(engine, &x, &y, &v, rate, &running, &mut out)?;
                let mut both = engine.download(&out.logarithm)?;
                both.extend(engine.download(&out.mean)?);
                Ok(both)
            }),
        });
    }
}
