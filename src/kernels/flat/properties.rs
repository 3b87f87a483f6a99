//! Kernels against the definitions of what they compute, on both engines; no twin is used as truth.

use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::plan_rows::{PlanRows, RowSums};
use super::potential_update::{Potentials, potential_update};
use crate::engine::Engine;
use crate::kernels::properties::{engines, same_cases};
use crate::kernels::tiles::Blocks;
use crate::kernels::{NEARLY_NOTHING, NOTHING};

/// Numbers that a device holds exactly.
fn numbers(random: &mut ChaCha8Rng, count: usize, scale: f64) -> Vec<f64> {
    (0..count).map(|_| f64::from(random.random_range(-1.0_f32..1.0)) * scale).collect()
}

/// (log of the sum, mean of d - 2) of a row.
fn naive_row(x: &[f64], ys: &[Vec<f64>], v: &[f64], rate: f64) -> (f64, f64) {
    let distance = |y: &Vec<f64>| -> f64 {
        x.iter().zip(y).map(|(x, y)| (x - y) * (x - y)).sum::<f64>().sqrt()
    };
    let near = ys.iter().map(distance).zip(v).filter(|(d, v)| *d < 2.0 && **v > NEARLY_NOTHING);
    let scores: Vec<(f64, f64)> = near.map(|(d, v)| (v - rate * d, d - 2.0)).collect();
    if scores.is_empty() {
        return (NOTHING, 0.0);
    }
    let peak = scores.iter().map(|score| score.0).fold(f64::NEG_INFINITY, f64::max);
    let mass: f64 = scores.iter().map(|score| (score.0 - peak).exp()).sum();
    let cost: f64 = scores.iter().map(|score| (score.0 - peak).exp() * score.1).sum();
    (peak + mass.ln(), cost / mass)
}

/// Sums of a batch whose middle problem does not run, with holes, beside the naive ones.
fn check_rows(engine: &Engine, seed: u64, sizes: [(usize, usize); 3], dimension: usize, rate: f64) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let blocks = Blocks::of(sizes);
    let (rows, cols) = (blocks.total_rows(), blocks.total_cols());
    let [x, y] = [rows, cols].map(|count| numbers(&mut random, count * dimension, 2.0));
    let mut v = numbers(&mut random, cols, 8.0);
    v.iter_mut().step_by(3).for_each(|v| *v = NOTHING);
    let upload = |values: &[f64]| engine.upload("values", values).unwrap();
    let mut out = RowSums { logarithm: upload(&vec![7.0; rows]), mean: upload(&vec![7.0; rows]) };
    PlanRows::new(engine, &blocks, dimension)
        .unwrap()
        .launch(
            engine,
            &upload(&x),
            &upload(&y),
            &upload(&v),
            rate,
            &upload(&[1.0, 0.0, 1.0]),
            &mut out,
        )
        .unwrap();
    let [logarithm, mean] =
        [&out.logarithm, &out.mean].map(|array| engine.download(array).unwrap());
    let point = |all: &[f64], i: usize, count: usize| -> Vec<f64> {
        (0..dimension).map(|k| all[k * count + i]).collect()
    };
    let allowed = 8.0 * engine.unit_roundoff() * (10.0 + 4.0 * rate);
    for problem in 0..3 {
        let others = blocks.cols[problem]..blocks.cols[problem + 1];
        let ys: Vec<Vec<f64>> = others.clone().map(|j| point(&y, j, cols)).collect();
        for i in blocks.rows[problem]..blocks.rows[problem + 1] {
            if problem == 1 {
                assert_eq!((logarithm[i], mean[i]), (7.0, 7.0));
                continue;
            }
            let (log, cost) = naive_row(&point(&x, i, rows), &ys, &v[others.clone()], rate);
            if log < NEARLY_NOTHING {
                assert!(logarithm[i] < NEARLY_NOTHING && mean[i] == 0.0, "{engine:?}");
                continue;
            }
            let off = (logarithm[i] - log).abs().max((mean[i] - cost).abs());
            assert!(off <= allowed, "{engine:?} at {i}: off by {off:e}, allowed {allowed:e}");
        }
    }
}

proptest! {
    #![proptest_config(same_cases())]

    #[test]
    fn rows_of_a_plan_are_their_sums(
        seed in 0..1000_u64, n in 1..270_usize, m in 1..270_usize, dimension in 1..12_usize,
        rate in 0.5..100.0_f64
    ) {
        let rate = f64::from(rate as f32);
        for engine in engines() {
            check_rows(&engine, seed, [(n, m), (m, 3), (1, n)], dimension, rate);
        }
    }

    #[test]
    fn a_potential_steps_towards_its_goal_and_stays_within_one(
        seed in 0..1000_u64, n in 1..600_usize, m in 1..300_usize, epsilon in 0.01..2.0_f64,
        boldest in 1.0..1.9_f64
    ) {
        for engine in engines() {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            let [potential, log_weight, message] = [1.0, 5.0, 2.0 / epsilon]
                .map(|scale| numbers(&mut random, n + m + 2, scale));
            let upload = |values: &[f64]| engine.upload("values", values).unwrap();
            // Three problems: one that grew 19 times and does so once more, one that stands still,
            // one that has given up over-relaxation.
            let mut side = Potentials {
                offsets: engine.table("offsets", &[0, n as u32, n as u32 + 2, (n + m) as u32 + 2]).unwrap(),
                log_weight: upload(&log_weight),
                potential: upload(&potential),
                bias: upload(&vec![7.0; n + m + 2]),
                pace: upload(&[3.0, -1.0, 19.0, 4.0, 0.0, 3.0, -1.0, 5.0, 3.0]),
            };
            let running = upload(&[1.0, 0.0, 1.0]);
            potential_update(&engine, &mut side, &upload(&message), epsilon, boldest, &running).unwrap();
            let [after, bias, pace] = [&side.potential, &side.bias, &side.pace]
                .map(|array| engine.download(array).unwrap());
            let allowed = 8.0 * engine.unit_roundoff() * (4.0 + 2.0 / epsilon + 5.0);
            let mut changes = [0.0_f64; 2];
            for i in 0..n + m + 2 {
                if (n..n + 2).contains(&i) {
                    prop_assert_eq!((after[i], bias[i]), (potential[i], 7.0));
                    continue;
                }
                let goal = -epsilon * message[i];
                let omega = if i < n { f64::min(1.6, boldest) } else { 1.0 };
                let wanted = f64::clamp(potential[i] + omega * (goal - potential[i]), -1.0, 1.0);
                prop_assert!((after[i] - wanted).abs() <= allowed, "{} {}", after[i], wanted);
                prop_assert!(after[i].abs() <= 1.0);
                prop_assert!((bias[i] - (log_weight[i] + wanted / epsilon)).abs() <= allowed / epsilon);
                let change = &mut changes[usize::from(i >= n)];
                *change = change.max((wanted - potential[i]).abs());
            }
            let close = |found: f64, wanted: f64| (found - wanted).abs() <= allowed;
            prop_assert!(pace[0] == -1.0 && close(pace[1], changes[0]) && pace[2] == 20.0);
            prop_assert!(pace[3] == 4.0 && pace[4] == 0.0 && pace[5] == 3.0);
            prop_assert!(pace[6] == -1.0 && close(pace[7], changes[1]) && pace[8] == 0.0);
        }
    }
}
