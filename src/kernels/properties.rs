//! Kernels against the definitions of what they compute, on both engines; no twin is used as truth.

use std::sync::OnceLock;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::linear::consensus::{Step, consensus};
use super::linear::debias::debias;
use super::linear::join_partials::{Partials, join_partials};
use super::linear::node_residual::NodeResidual;
use super::linear::node_update::{NodeArrays, node_update};
use super::linear::segment_sum::segment_sum;
use super::linear::sum_messages::sum_messages;
use super::tiles::problem_of_points;
use super::{NEARLY_NOTHING, NOTHING};
use crate::engine::{Array, Engine, Selector};
use crate::linear::Law;

/// The CPU, and a GPU if there is one; `GASPARD_REQUIRE_GPU` makes it an error that there is none.
pub(crate) fn engines() -> Vec<Engine> {
    static GPU: OnceLock<Option<Engine>> = OnceLock::new();
    let gpu = GPU.get_or_init(|| match Engine::gpu(Selector::Best) {
        Err(error) if std::env::var_os("GASPARD_REQUIRE_GPU").is_some() => panic!("{error}"),
        found => found.ok(),
    });
    std::iter::once(Engine::cpu()).chain(gpu.clone()).collect()
}

/// The same cases every time: what fails once fails again.
pub(super) fn same_cases() -> ProptestConfig {
    ProptestConfig {
        cases: 24,
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

fn a_law() -> impl Strategy<Value = Law> {
    prop_oneof![
        Just(Law::Fixed),
        Just(Law::Free),
        (0.01..10.0).prop_map(|rho| Law::Kl { rho }),
        (0.01..2.0).prop_map(|rho| Law::Tv { rho }),
        (0.0..1.0, 0.0..1.0).prop_map(|(low, more)| Law::Range { low, high: low + more }),
    ]
}

/// mu, the reference and the belief of a few points, as logarithms.
fn some_points() -> impl Strategy<Value = Vec<(f64, f64, f64)>> {
    vec((-4.0..1.0, -4.0..1.0, -3.0..3.0), 1..300)
}

fn node(engine: &Engine, points: &[(f64, f64, f64)], potential: f64) -> (NodeArrays, Array) {
    let upload = |pick: fn(&(f64, f64, f64)) -> f64| {
        engine.upload("points", &points.iter().map(pick).collect::<Vec<_>>()).unwrap()
    };
    let potentials = vec![potential; points.len()];
    let biases: Vec<f64> = points.iter().map(|point| potential + point.1).collect();
    let arrays = NodeArrays {
        log_weight: upload(|point| point.0),
        log_reference: upload(|point| point.1),
        potential: engine.upload("potential", &potentials).unwrap(),
        bias: engine.upload("bias", &biases).unwrap(),
        problem: problem_of_points(engine, &[0, points.len()]).unwrap(),
    };
    (arrays, upload(|point| point.2))
}

/// The p that minimises epsilon KL(p | q) + D(p, mu), by golden-section search of log p between
/// bounds that the constraints of the law set.
fn best_marginal(law: Law, epsilon: f64, mu: f64, q: f64) -> f64 {
    let objective = |log_p: f64| {
        let p = log_p.exp();
        let penalty = match law {
            Law::Kl { rho } => rho * (p * (p / mu).ln() - p + mu),
            Law::Tv { rho } => rho * (p - mu).abs(),
            Law::Fixed | Law::Range { .. } | Law::Free => 0.0,
        };
        epsilon * (p * (p / q).ln() - p + q) + penalty
    };
    let (mut low, mut high) = match law {
        Law::Fixed => return mu,
        Law::Range { high: 0.0, .. } => return 0.0,
        Law::Range { low, high } => ((low * mu).max(1e-30).ln(), (high * mu).ln()),
        _ => (-40.0, 10.0),
    };
    let golden = 0.5 * (5.0_f64.sqrt() - 1.0);
    for _ in 0..200 {
        let (left, right) = (high - golden * (high - low), low + golden * (high - low));
        if objective(left) < objective(right) { high = right } else { low = left }
    }
    (0.5 * (low + high)).exp()
}

proptest! {
    #![proptest_config(same_cases())]

    #[test]
    fn an_update_makes_the_marginal_that_the_law_asks_for(
        law in a_law(), epsilon in 0.05..2.0, points in some_points()
    ) {
        for engine in engines() {
            let (mut arrays, belief) = node(&engine, &points, 0.3);
            let running = engine.upload("running", &[1.0]).unwrap();
            let scaled = law.scaled(epsilon);
            node_update(&engine, &mut arrays, &belief, scaled, 1.0, &running).unwrap();
            let bias = engine.download(&arrays.bias).unwrap();
            for (&(log_mu, log_reference, belief), bias) in points.iter().zip(bias) {
                let q = (log_reference + belief).exp();
                let expected = best_marginal(law, epsilon, log_mu.exp(), q);
                let found = (bias + belief).exp();
                // The search compares values: it finds the minimum to the root of the roundoff.
                let allowed = 2e-6 * (1.0 + q + log_mu.exp());
                prop_assert!((found - expected).abs() <= allowed,
                    "{law} on {engine:?}: {found} is not {expected}");
            }
        }
    }

    #[test]
    fn a_relaxed_update_goes_part_of_the_way(
        law in a_law(), relaxation in 0.1..1.9, points in some_points()
    ) {
        for engine in engines() {
            let running = engine.upload("running", &[1.0]).unwrap();
            let scaled = law.scaled(0.5);
            let potential_after = |relaxation: f64| {
                let (mut arrays, belief) = node(&engine, &points, 0.3);
                node_update(&engine, &mut arrays, &belief, scaled, relaxation, &running).unwrap();
                engine.download(&arrays.potential).unwrap()
            };
            for (part, whole) in potential_after(relaxation).iter().zip(potential_after(1.0)) {
                let jump = whole < NEARLY_NOTHING;
                let expected = if jump { NOTHING } else { 0.3 + relaxation * (whole - 0.3) };
                let allowed = 8.0 * engine.unit_roundoff() * (1.0 + expected.abs());
                prop_assert!((part - expected).abs() <= allowed, "{part} is not {expected}");
            }
        }
    }

    #[test]
    fn the_residual_is_the_distance_to_the_marginal_that_the_law_asks_for(
        law in a_law(), epsilon in 0.05..2.0, points in some_points()
    ) {
        let expected: f64 = points
            .iter()
            .map(|&(log_mu, log_reference, belief)| {
                let (mu, q): (f64, f64) = (log_mu.exp(), (log_reference + belief).exp());
                let wanted = match law {
                    Law::Fixed => mu,
                    Law::Free => q,
                    Law::Kl { rho } => {
                        q.powf(epsilon / (epsilon + rho)) * mu.powf(rho / (epsilon + rho))
                    }
                    Law::Tv { rho } => {
                        mu.clamp(q * f64::exp(-rho / epsilon), q * f64::exp(rho / epsilon))
                    }
                    Law::Range { low, high } => q.clamp(low * mu, high * mu),
                };
                (q * f64::exp(0.3) - wanted).abs()
            })
            .sum();
        let mass: f64 = points.iter().map(|point| (point.1 + point.2).exp() + point.0.exp()).sum();
        for engine in engines() {
            let (arrays, belief) = node(&engine, &points, 0.3);
            let mut out = engine.zeros("residual", 1).unwrap();
            let mut plan = NodeResidual::new(&engine, &[0, points.len()]).unwrap();
            let scaled = law.scaled(epsilon);
            plan.launch(&engine, &arrays, &belief, scaled, &mut out).unwrap();
            let found = engine.download(&out).unwrap()[0];
            let allowed = 32.0 * engine.unit_roundoff() * mass;
            prop_assert!((found - expected).abs() <= allowed, "{law}: {found} is not {expected}");
        }
    }

    #[test]
    fn messages_add_up(
        count in 1..15_usize, length in 1..600_usize, seed in vec(-20.0..20.0, 97), hole in 0..97_usize
    ) {
        let message = |k: usize, i: usize| {
            let place = (31 * k + 7 * i) % 97;
            if place == hole { NOTHING } else { seed[place] }
        };
        for engine in engines() {
            let arrays: Vec<_> = (0..count)
                .map(|k| {
                    let values: Vec<f64> = (0..length).map(|i| message(k, i)).collect();
                    engine.upload("message", &values).unwrap()
                })
                .collect();
            let mut out = engine.zeros("sum", length).unwrap();
            let mut scratch = engine.zeros("scratch", length).unwrap();
            let arrays: Vec<_> = arrays.iter().collect();
            sum_messages(&engine, &arrays, &mut out, &mut scratch).unwrap();
            for (i, found) in engine.download(&out).unwrap().into_iter().enumerate() {
                let terms = (0..count).map(|k| message(k, i));
                if terms.clone().any(|term| term == NOTHING) {
                    prop_assert!((1.0001 * NOTHING..NEARLY_NOTHING).contains(&found));
                } else {
                    let allowed = 20.0 * 14.0 * 14.0 * engine.unit_roundoff();
                    prop_assert!((found - terms.sum::<f64>()).abs() <= allowed);
                }
            }
        }
    }

    #[test]
    fn a_consensus_is_the_weighted_geometric_mean(
        members in 1..6_usize, length in 1..300_usize, seed in vec(0.01..5.0, 101),
        relaxation in 0.1..1.9
    ) {
        let scaling = |k: usize, i: usize| seed[(17 * k + 3 * i) % 101];
        let weights: Vec<f64> = (0..members).map(|k| seed[k] / 5.0).collect();
        let logs: Vec<f64> = (0..members * length)
            .map(|place| f64::ln(scaling(place / length, place % length)))
            .collect();
        for engine in engines() {
            let weights_there = engine.upload("weights", &weights).unwrap();
            let messages = engine.upload("messages", &logs).unwrap();
            let mut mean = engine.filled("mean", length, 9.0).unwrap();
            let mut bias = engine.filled("bias", logs.len(), 0.4).unwrap();
            let step = Step { add: true, fresh: true, spread: true, relaxation };
            consensus(&engine, step, &weights_there, &messages, &mut mean, &mut bias).unwrap();
            let (mean, bias) = (engine.download(&mean).unwrap(), engine.download(&bias).unwrap());
            let allowed = 64.0 * engine.unit_roundoff();
            for i in 0..length {
                let expected: f64 =
                    (0..members).map(|k| scaling(k, i).powf(weights[k])).product();
                prop_assert!((mean[i].exp() / expected - 1.0).abs() <= allowed);
                for k in 0..members {
                    let goal = (expected / scaling(k, i)).ln();
                    let back = 0.4 + relaxation * (goal - 0.4);
                    prop_assert!((bias[k * length + i] - back).abs() <= allowed);
                }
            }
        }
    }

    #[test]
    fn debiasing_is_a_square_root(points in vec((0.01..5.0, 0.01..5.0, 0.01..5.0), 1..300)) {
        for engine in engines() {
            let upload = |pick: fn(&(f64, f64, f64)) -> f64| {
                let logs: Vec<f64> = points.iter().map(|point| pick(point).ln()).collect();
                engine.upload("points", &logs).unwrap()
            };
            let mut correction = upload(|point| point.0);
            let (mean, blurred) = (upload(|point| point.1), upload(|point| point.2));
            debias(&engine, &mean, &blurred, &mut correction).unwrap();
            for (&(c, mean, blurred), found) in
                points.iter().zip(engine.download(&correction).unwrap())
            {
                let expected = f64::sqrt(c * mean / blurred);
                let error = (found.exp() / expected - 1.0).abs();
                prop_assert!(error <= 16.0 * engine.unit_roundoff(), "{error:e}");
            }
        }
    }

    #[test]
    fn partial_sums_join_to_the_whole(
        slots in 1..20_usize, outputs in 1..400_usize, seed in vec((-30.0..30.0, 0.5..60.0), 89)
    ) {
        for engine in engines() {
            // Peaks as the engine's kernels write them: base 2 on a GPU, base e on the CPU.
            let base = if engine.is_gpu() { 2.0_f64 } else { std::f64::consts::E };
            let pair = |slot: usize, i: usize| seed[(13 * slot + 5 * i) % 89];
            let pairs: Vec<f64> = (0..slots * outputs)
                .flat_map(|place| <[f64; 2]>::from(pair(place / outputs, place % outputs)))
                .collect();
            let mut partials = Partials::empty(&engine, slots as u32, &[0, outputs]).unwrap();
            engine.write(&mut partials.pairs, &pairs).unwrap();
            let running = engine.upload("running", &[1.0]).unwrap();
            let mut out = engine.zeros("out", outputs).unwrap();
            join_partials(&engine, &partials, &running, &mut out).unwrap();
            for (i, found) in engine.download(&out).unwrap().into_iter().enumerate() {
                let whole: f64 = (0..slots)
                    .map(|slot| {
                        let (peak, sum) = pair(slot, i);
                        sum * base.powf(peak)
                    })
                    .sum();
                let error = (found - whole.ln()).abs();
                prop_assert!(error <= 128.0 * engine.unit_roundoff(), "{error:e}");
            }
        }
    }
}

#[test]
fn long_sums_do_not_lose_small_terms() {
    // Blocks of 256 ones, then 256 terms that a running sum of ones would swallow in f32.
    const SMALL: f64 = 1.0 / 1_048_576.0;
    let count = 10_000_000_usize;
    let values: Vec<f64> =
        (0..count).map(|i| if (i / 256).is_multiple_of(2) { 1.0 } else { SMALL }).collect();
    let ones = values.iter().filter(|&&value| value == 1.0).count();
    let expected = ones as f64 + (count - ones) as f64 * SMALL;
    for engine in engines() {
        let values = engine.upload("values", &values).unwrap();
        let offsets = engine.table("offsets", &[0, count as u32]).unwrap();
        let mut out = engine.zeros("sum", 1).unwrap();
        segment_sum(&engine, &offsets, &values, false, &mut out).unwrap();
        let error = (engine.download(&out).unwrap()[0] - expected).abs() / expected;
        // A plain f32 sum loses the small terms altogether: 1e-6 of the whole.
        assert!(error <= 2.0 * engine.unit_roundoff(), "{engine:?}: {error:e}");
    }
}

#[test]
fn elementwise_kernels_reach_beyond_65535_workgroups() {
    let count = 65_535 * 256 + 300;
    let values: Vec<f64> = (0..count).map(|i| (i % 8191) as f64).collect();
    for engine in engines().into_iter().filter(Engine::is_gpu) {
        let message = engine.upload("message", &values).unwrap();
        let mut out = engine.zeros("sum", count).unwrap();
        let mut scratch = engine.zeros("scratch", 0).unwrap();
        sum_messages(&engine, &[&message, &message], &mut out, &mut scratch).unwrap();
        let found = engine.download(&out).unwrap();
        assert!(found.iter().zip(&values).all(|(found, value)| *found == 2.0 * value));
    }
}

#[test]
fn nothing_stays_nothing_in_a_debiased_barycenter() {
    for engine in engines() {
        let mut correction = engine.upload("c", &[NOTHING, 0.0, 0.0, 0.0]).unwrap();
        let mean = engine.upload("mean", &[0.0, NOTHING, 0.0, 0.0]).unwrap();
        let blurred = engine.upload("blurred", &[0.0, 0.0, NOTHING, 0.0]).unwrap();
        for _ in 0..150 {
            debias(&engine, &mean, &blurred, &mut correction).unwrap();
        }
        let found = engine.download(&correction).unwrap();
        assert_eq!(found[3], 0.0);
        assert!(found[..3].iter().all(|&value| value < NEARLY_NOTHING), "{found:?}");
    }
}
