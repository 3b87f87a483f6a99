//! Kernels of the flat metric.

use super::random::{Random, single};
use super::{Case, ROUNDOFF, Unit};
use crate::error::Result;
use crate::kernels::NOTHING;
use crate::kernels::flat::plan_rows::{PlanRows, RowSums};
use crate::kernels::flat::potential_update::{PACE, Potentials, potential_update};
use crate::kernels::tiles::Blocks;

pub(super) fn cases(random: &mut Random) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    updates(&mut cases, random);
    plans(&mut cases, random);
    Ok(cases)
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
