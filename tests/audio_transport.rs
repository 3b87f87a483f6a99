//! Separation of spectrograms against linear programs, closed forms and scenes with known delays.

mod common;

#[path = "audio/lp.rs"]
mod lp;
#[path = "audio/scenes.rs"]
mod scenes;

use std::ops::ControlFlow;

use gaspard::audio::transport::{Noise, Plan, Separation, Solution, Start, Weights};
use gaspard::{Engine, Error, Law, Observer, Progress};
use ndarray::{Array2, Axis, Slice, array};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use scenes::{furthest, scene};

/// A scene of two voices with every eighth frequency only.
fn small(seed: u64, delays: &Array2<f64>, snr: f64) -> Vec<Array2<f64>> {
    let (microphones, _) = scene(seed, delays, snr);
    let some = Slice::from(..).step_by(8);
    microphones.iter().map(|heard| heard.slice_axis(Axis(0), some).to_owned()).collect()
}

/// Columns of mass one, some of whose frames are empty.
fn columns(random: &mut ChaCha8Rng, microphones: usize, frames: usize) -> Vec<Vec<f64>> {
    let column = |_| {
        let mut column: Vec<f64> =
            (0..frames).map(|_| random.random_range(-0.3_f64..1.0).max(0.0)).collect();
        column[frames / 2] += 0.1;
        let sum: f64 = column.iter().sum();
        column.iter().map(|value| value / sum).collect()
    };
    (0..microphones).map(column).collect()
}

/// One frequency.
fn spectrograms(columns: &[Vec<f64>]) -> Vec<Array2<f64>> {
    let one =
        |column: &Vec<f64>| Array2::from_shape_vec((1, column.len()), column.clone()).unwrap();
    columns.iter().map(one).collect()
}

fn rows(delays: &Array2<f64>) -> Vec<Vec<f64>> {
    delays.rows().into_iter().map(|row| row.to_vec()).collect()
}

/// The mean of |a - b| over the masks of all microphones, weighted by what was heard.
fn mask_distance(a: &Solution, b: &Solution, heard: &[Array2<f64>]) -> f64 {
    let (mut sum, mut mass) = (0.0, 0.0);
    for ((a, b), heard) in a.masks.iter().zip(&b.masks).zip(heard) {
        for (a, b) in a.outer_iter().zip(b.outer_iter()) {
            sum += ((&a - &b).mapv(f64::abs) * heard).sum();
        }
        mass += heard.sum();
    }
    sum / mass
}

#[test]
fn exact_plans_solve_the_linear_program() {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    for _ in 0..6 {
        let columns = columns(&mut random, 2, 6);
        let delays =
            array![[0.0, random.random_range(-3.0..3.0)], [0.0, random.random_range(-3.0..3.0)]];
        let paper = Separation::new(&spectrograms(&columns), 2).unwrap().paper().plan(Plan::Exact);
        for outlier in [None, Some(1.5)] {
            let separation = paper.clone().mask_outlier(outlier);
            let found = separation.separate_at(&delays, &Engine::cpu()).unwrap();
            let expected = lp::least_cost(&columns, &rows(&delays), outlier);
            assert!((found.cost - expected).abs() < 1e-10, "{} {expected}", found.cost);
        }
    }
}

#[test]
fn entropic_plans_approach_the_linear_program() {
    let mut random = ChaCha8Rng::seed_from_u64(2);
    for microphones in [2, 3] {
        for _ in 0..3 {
            let columns = columns(&mut random, microphones, 5);
            let mut delays =
                Array2::from_shape_simple_fn((2, microphones), || random.random_range(-2.0..2.0));
            delays.column_mut(0).fill(0.0);
            let expected = lp::least_cost(&columns, &rows(&delays), None);
            // No plan has more entropy than the even one; and where optima are apart, much less counts.
            let most = f64::ln(2.0 * 5_f64.powi(microphones as i32));
            let mut before = f64::INFINITY;
            for (epsilon, bound) in [(1.0, most), (0.1, 0.1 * most), (0.01, 1e-3)] {
                let separation = Separation::new(&spectrograms(&columns), 2)
                    .unwrap()
                    .paper()
                    .epsilons([epsilon])
                    .mask_iterations(60_000);
                let found = separation.separate_at(&delays, &Engine::cpu()).unwrap();
                assert!(found.residual < 1e-5, "{}", found.residual);
                // A residual of 1e-5 may save as much mass four frames.
                let error = found.cost - expected;
                assert!((-2e-4..bound).contains(&error), "{epsilon}: {error}");
                assert!(error < before + 2e-4);
                before = error;
            }
        }
    }
}

#[test]
fn bursts_are_told_apart_exactly() {
    let mut heard = [Array2::zeros((3, 50)), Array2::zeros((3, 50))];
    // Both at the same frequency, and one alone at another; the third one is silent.
    for (f, frame, delay) in [(0, 10, 3), (0, 40, -5), (1, 12, 3)] {
        heard[0][[f, frame]] = 2.0;
        heard[1][[f, (frame as i32 + delay) as usize]] = 2.0;
    }
    for engine in common::engines() {
        for near in [true, false] {
            let separation = Separation::new(&heard, 2).unwrap();
            let start = Start::Given(vec![array![[0.0, 2.2], [0.0, -5.9]]]);
            let separation = if near { separation.start(start) } else { separation };
            let found = separation.solve(&engine).unwrap();
            let truth = array![[0.0, 3.0], [0.0, -5.0]];
            assert!(furthest(&found.delays, &truth) < 1e-3, "{engine:?} {:?}", found.delays);
            // Beside what moves for nothing, exp(-4 / 0.5) goes to the outlier source for a price of 4.
            let leak = 4.0 * f64::exp(-8.0);
            assert!(found.outcome.converged && found.cost < 2.0 * leak, "{}", found.cost);
            let early = usize::from((found.delays[[0, 1]] - 3.0).abs() > 1.0);
            for (l, f, frame, source) in
                [(0, 0, 10, early), (1, 0, 13, early), (0, 0, 40, 1 - early), (1, 1, 15, early)]
            {
                assert!((found.masks[l][[source, f, frame]] - 1.0).abs() < 1e-6);
            }
            assert_eq!(found.masks[0][[0, 2, 10]], 0.5);
        }
    }
    let start = Start::Given(vec![array![[0.0, 2.2], [0.0, -5.9]]]);
    let exact = Separation::new(&heard, 2).unwrap().plan(Plan::Exact).start(start);
    let found = exact.solve(&Engine::cpu()).unwrap();
    assert_eq!(found.delays, array![[0.0, 3.0], [0.0, -5.0]]);
    assert_eq!(found.cost, 0.0);
    assert_eq!((found.masks[0][[0, 0, 10]], found.masks[1][[1, 0, 35]]), (1.0, 1.0));
}

#[test]
fn delays_of_voices_are_found() {
    let two = array![[0.0, 2.3], [0.0, -5.6]];
    let three = array![[0.0, 2.3], [0.0, -5.6], [0.0, 8.0]];
    let leaves = array![[0.0, 2.3, -1.0], [0.0, -5.6, 4.2]];
    for (truth, snr, bound) in [
        (&array![[0.0, -3.4]], 0.0, 0.3),
        (&two, 20.0, 0.2),
        (&two, 0.0, 0.3),
        (&three, 20.0, 0.4),
        (&leaves, 20.0, 0.2),
    ] {
        let (heard, clean) = scene(3, truth, snr);
        let found = Separation::new(&heard, truth.nrows()).unwrap().solve(&Engine::cpu()).unwrap();
        let error = furthest(&found.delays, truth);
        assert!(error < bound, "{truth} at {snr} dB: {} is {error} off", found.delays);
        assert!(found.seeds.windows(2).all(|pair| pair[0].cost <= pair[1].cost));
        assert_eq!(found.cost, found.seeds[0].cost);
        if truth.dim() == (2, 2) && snr > 10.0 {
            // The sources are found too, each by the delay of its voice.
            let errors = clean.iter().enumerate().map(|(voice, clean)| {
                let distance = |k: &usize| (found.delays[[*k, 1]] - truth[[voice, 1]]).abs();
                let source = (0..2).min_by(|a, b| distance(a).total_cmp(&distance(b))).unwrap();
                let sound = found.spectrogram(source, 0, &heard[0], Noise::Removed).unwrap();
                (&sound - clean).mapv(|x| x * x).sum() / clean.mapv(|x| x * x).sum()
            });
            assert!(errors.sum::<f64>() / 2.0 < 0.1);
        }
    }
}

#[test]
fn every_start_leads_to_the_delays() {
    let truth = array![[0.0, 2.3], [0.0, -5.6]];
    let heard = small(5, &truth, 20.0);
    let separation = Separation::new(&heard, 2).unwrap();
    for start in [
        Start::default(),
        Start::Random { starts: 10, seed: 4 },
        Start::SpectroCorrelation,
        Start::Given(vec![array![[0.0, 9.0], [0.0, 9.0]], array![[0.0, 1.5], [0.0, -5.0]]]),
    ] {
        let separation = separation.clone().start(start.clone());
        let found = separation.solve(&Engine::cpu()).unwrap();
        let error = furthest(&found.delays, &truth);
        assert!(error < 0.5, "{start:?}: {error}");
    }
}

#[test]
fn the_objective_never_grows() {
    let truth = array![[0.0, 2.3], [0.0, -5.6]];
    let leaves = array![[0.0, 2.3, 1.0], [0.0, -5.6, -2.0]];
    let start = Start::Given(vec![array![[0.0, 0.5], [0.0, -3.6]]]);
    let leaves_start = Start::Given(vec![array![[0.0, 1.5, 0.0], [0.0, -4.6, -1.0]]]);
    for (truth, start, law, outlier) in [
        (&truth, &start, Law::Fixed, Some(9.0)),
        (&truth, &start, Law::Kl { rho: 5.0 }, Some(9.0)),
        (&truth, &start, Law::Tv { rho: 3.0 }, None),
        (&truth, &start, Law::Kl { rho: 5.0 }, None),
        (&leaves, &leaves_start, Law::Fixed, Some(9.0)),
    ] {
        let heard: Vec<_> = small(6, truth, 20.0)
            .iter()
            .map(|all| all.slice_axis(Axis(0), Slice::from(1..5)).to_owned())
            .collect();
        let found = Separation::new(&heard, 2)
            .unwrap()
            .epsilons([2.0])
            .outlier(outlier)
            .relaxation(law)
            .start(start.clone())
            .inner_iterations(2000)
            .solve(&Engine::cpu())
            .unwrap();
        assert!(found.trace.len() > 3);
        for pair in found.trace.windows(2) {
            // Kernels end where they are 1e-6 of the outlier's weight, and move with the delays.
            let [before, after] = [pair[0].objective, pair[1].objective];
            assert!(after <= before + 2e-5, "{law} {outlier:?}: {before} {after}");
        }
        let [first, last] = [found.trace[0], *found.trace.last().unwrap()];
        assert!(last.objective < first.objective - 1e-3);
    }
}

#[test]
fn engines_agree() {
    let Some(gpu) = common::gpu() else { return };
    let truth = array![[0.0, 2.3], [0.0, -5.6]];
    let leaves = array![[0.0, 2.3, 1.0], [0.0, -5.6, -2.0]];
    for truth in [&truth, &leaves] {
        let heard = small(7, truth, 15.0);
        for outlier in [4.0, 9.0, 25.0] {
            let separation = Separation::new(&heard, 2).unwrap().mask_outlier(Some(outlier));
            let here = separation.separate_at(truth, &Engine::cpu()).unwrap();
            let there = separation.separate_at(truth, &gpu).unwrap();
            let distance = mask_distance(&here, &there, &heard);
            assert!(distance < 1e-5, "{outlier}: {distance:e}");
        }
    }
    let heard = small(7, &truth, 15.0);
    let robust = Separation::new(&heard, 2).unwrap().start(Start::Given(vec![
        array![[0.0, 4.0], [0.0, -6.0]],
        array![[0.0, -1.0], [0.0, -6.0]],
    ]));
    let paper = robust.clone().paper().inner_iterations(10).max_iterations(3);
    let paper = paper.start(Start::Given(vec![array![[0.0, 4.0], [0.0, -6.0]]]));
    for separation in [robust, paper] {
        let here = separation.solve(&Engine::cpu()).unwrap();
        let there = separation.solve(&gpu).unwrap();
        assert!(furthest(&here.delays, &there.delays) < 2e-3, "{} {}", here.delays, there.delays);
        assert!(mask_distance(&here, &there, &heard) < 2e-3);
    }
}

/// All of a solution but how long it took.
fn timeless(mut solution: Solution) -> Solution {
    solution.outcome.seconds = 0.0;
    solution.trace.iter_mut().for_each(|point| point.seconds = 0.0);
    solution
}

#[test]
fn recordings_of_a_batch_do_not_depend_on_one_another() {
    let truths = [array![[0.0, 2.0], [0.0, -5.0]], array![[0.0, 7.5], [0.0, 0.4]]];
    let scenes: Vec<Separation> = truths
        .iter()
        .enumerate()
        .map(|(seed, truth)| Separation::new(&small(seed as u64, truth, 20.0), 2).unwrap())
        .collect();
    let together = Separation::solve_batch(&scenes, &Engine::cpu(), &mut ()).unwrap();
    for ((scene, together), truth) in scenes.iter().zip(&together).zip(&truths) {
        assert_eq!(timeless(scene.solve(&Engine::cpu()).unwrap()), timeless(together.clone()));
        assert!(furthest(&together.delays, truth) < 0.5);
    }
    assert!(Separation::solve_batch(&[], &Engine::cpu(), &mut ()).unwrap().is_empty());
    let mixed = [scenes[0].clone(), scenes[1].clone().power(0.5)];
    assert!(matches!(
        Separation::solve_batch(&mixed, &Engine::cpu(), &mut ()),
        Err(Error::Parameter { .. })
    ));
}

#[test]
fn sources_have_no_order_and_microphones_mirror_delays() {
    let truth = array![[0.0, 2.0], [0.0, -5.0]];
    let heard = small(9, &truth, 30.0);
    let solve = |heard: &[Array2<f64>], first: f64, second: f64| {
        let start = Start::Given(vec![array![[0.0, first], [0.0, second]]]);
        let separation = Separation::new(heard, 2).unwrap().start(start);
        separation.solve(&Engine::cpu()).unwrap()
    };
    let found = solve(&heard, 3.0, -4.0);
    let other = solve(&heard, -4.0, 3.0);
    for source in 0..2 {
        let (one, same) = (found.delays[[source, 1]], other.delays[[1 - source, 1]]);
        assert!((one - same).abs() < 1e-9);
        let (one, same) = (
            found.masks[0].index_axis(Axis(0), source),
            other.masks[0].index_axis(Axis(0), 1 - source),
        );
        assert!((&one - &same).iter().all(|difference| difference.abs() < 1e-9));
    }
    // The iteration begins at one of the two microphones, and is not at its end.
    let swapped = solve(&[heard[1].clone(), heard[0].clone()], -3.0, 4.0);
    assert!(furthest(&swapped.delays.mapv(|delay| -delay), &found.delays) < 0.02);
    // What comes two frames later all in all.
    let mut later = Array2::zeros(heard[1].dim());
    later
        .slice_axis_mut(Axis(1), Slice::from(2..))
        .assign(&heard[1].slice_axis(Axis(1), Slice::from(..-2)));
    let shifted = solve(&[heard[0].clone(), later], 5.0, -2.0);
    let expected = found.delays.clone() + array![[0.0, 2.0], [0.0, 2.0]];
    assert!(furthest(&shifted.delays, &expected) < 0.05);
}

#[test]
fn silence_and_zeros_do_no_harm() {
    let truth = array![[0.0, 2.0], [0.0, -5.0]];
    let mut heard = small(10, &truth, 30.0);
    heard[0].row_mut(3).fill(0.0);
    heard[1].row_mut(3).fill(0.0);
    heard[1].row_mut(5).fill(0.0);
    for spectrogram in &mut heard {
        spectrogram.slice_axis_mut(Axis(1), Slice::from(..6)).fill(0.0);
    }
    let robust = Separation::new(&heard, 2).unwrap();
    let near = Start::Given(vec![array![[0.0, 3.0], [0.0, -4.0]]]);
    let tv = robust.clone().relaxation(Law::Tv { rho: 4.0 }).outlier(None).start(near.clone());
    let kl = robust.clone().relaxation(Law::Kl { rho: 9.0 }).outlier(None).start(near.clone());
    let exact = robust.clone().plan(Plan::Exact).start(near);
    for separation in [robust, tv, kl, exact] {
        let found = separation.solve(&Engine::cpu()).unwrap();
        assert!(furthest(&found.delays, &truth) < 0.6, "{}", found.delays);
        for (masks, outlier) in found.masks.iter().zip(&found.outlier) {
            let sum = masks.sum_axis(Axis(0)) + outlier;
            assert!(sum.iter().all(|sum| (sum - 1.0).abs() < 1e-9));
            assert!(masks.iter().chain(outlier).all(|share| *share >= 0.0));
            for silent in [3, 5] {
                assert!(masks.index_axis(Axis(1), silent).iter().all(|share| *share == 0.5));
            }
        }
    }
}

#[test]
fn relaxed_marginals_lead_from_nothing_to_everything() {
    let mut random = ChaCha8Rng::seed_from_u64(11);
    let columns = columns(&mut random, 2, 12);
    let delays = array![[0.0, 1.3], [0.0, -2.4]];
    let paper = Separation::new(&spectrograms(&columns), 2).unwrap().paper();
    let paper = paper.mask_iterations(60_000);
    let at = |separation: Separation| separation.separate_at(&delays, &Engine::cpu()).unwrap();
    // TV of strength rho on both sides is an outlier source of 2 rho, but for the entropy.
    let epsilon = 0.005;
    let most = epsilon * (1.0 + f64::ln(2.0 * 12.0 * 12.0));
    for rho in [0.2, 1.0, 3.0] {
        let tv = at(paper.clone().epsilons([epsilon]).relaxation(Law::Tv { rho })).cost;
        let exact = at(paper.clone().plan(Plan::Exact).mask_outlier(Some(2.0 * rho))).cost;
        assert!((-1e-6..most).contains(&(tv - exact)), "{rho}: {tv} {exact}");
    }
    let separation = paper.epsilons([0.05]);
    let fixed = at(separation.clone());
    let nearly = at(separation.clone().relaxation(Law::Kl { rho: 1e4 }));
    assert!((fixed.cost - nearly.cost).abs() < 1e-2 * fixed.cost);
    let less = at(separation.relaxation(Law::Kl { rho: 1.0 })).cost;
    assert!(less < fixed.cost);
}

#[test]
fn entropy_makes_no_mass() {
    let truth = array![[0.0, 2.0], [0.0, -5.0]];
    let heard = small(15, &truth, 20.0);
    let (epsilon, rho) = (4.0, 4.0);
    for law in [Law::Kl { rho }, Law::Tv { rho }] {
        for outlier in [None, Some(4.0)] {
            let separation = Separation::new(&heard, 2).unwrap().epsilons([epsilon]);
            let separation = separation.relaxation(law).mask_outlier(outlier);
            let found = separation.separate_at(&truth, &Engine::cpu()).unwrap();
            // To move nothing costs 2 rho, and the mass of the reference in entropy.
            assert!(found.cost <= 2.0 * rho + epsilon, "{law} {outlier:?}: {}", found.cost);
        }
    }
}

#[test]
fn logarithms_take_over_without_a_seam() {
    for truth in [array![[0.0, 2.3], [0.0, -5.6]], array![[0.0, 2.3, 1.0], [0.0, -5.6, -2.0]]] {
        let heard = small(12, &truth, 20.0);
        let at = |outlier: f64| {
            let outlier = Some(outlier / (truth.ncols() - 1) as f64);
            let separation = Separation::new(&heard, 2).unwrap().mask_outlier(outlier);
            separation.separate_at(&truth, &Engine::cpu()).unwrap()
        };
        // Scalings up to 60 epsilon.
        let distance = mask_distance(&at(29.999_999), &at(30.000_001), &heard);
        assert!(distance < 1e-6, "{distance:e}");
    }
}

#[test]
fn spectrograms_share_what_was_heard() {
    let truth = array![[0.0, 2.0], [0.0, -5.0]];
    let heard = small(13, &truth, 10.0);
    for power in [1.0, 0.5] {
        let separation = Separation::new(&heard, 2).unwrap().power(power).weights(Weights::Sqrt);
        let found = separation.separate_at(&truth, &Engine::cpu()).unwrap();
        for (microphone, heard) in heard.iter().enumerate() {
            let sum = |noise: Noise| {
                let of =
                    |source: usize| found.spectrogram(source, microphone, heard, noise).unwrap();
                of(0) + of(1)
            };
            let all = &sum(Noise::Shared) - heard;
            assert!(all.iter().zip(heard).all(|(left, heard)| left.abs() <= 1e-9 * heard));
            let some = sum(Noise::Removed);
            assert!(some.iter().zip(heard).all(|(some, heard)| *some <= heard * (1.0 + 1e-9)));
            assert!(some.sum() < heard.sum());
        }
        assert!(found.spectrogram(2, 0, &heard[0], Noise::Shared).is_err());
        assert!(found.spectrogram(0, 0, &Array2::zeros((2, 2)), Noise::Shared).is_err());
    }
}

/// Stops at the first step.
struct Impatient(usize);

impl Observer for Impatient {
    fn progress(&mut self, progress: &Progress) -> ControlFlow<()> {
        self.0 += 1;
        assert!(progress.iteration <= progress.max_iterations && progress.residual.is_finite());
        ControlFlow::Break(())
    }
}

#[test]
fn a_solve_can_be_stopped() {
    let truth = array![[0.0, 2.0], [0.0, -5.0]];
    let separation = Separation::new(&small(14, &truth, 20.0), 2).unwrap();
    let mut observer = Impatient(0);
    let found = separation.solve_with(&Engine::cpu(), &mut observer).unwrap();
    assert!(found.outcome.interrupted && !found.outcome.converged);
    assert_eq!((observer.0, found.outcome.iterations), (1, 1));
    assert!(found.delays.iter().all(|delay| delay.is_finite()));
}

#[test]
fn bad_input_is_refused() {
    let good = Array2::from_elem((3, 20), 1.0);
    let new = |heard: &[Array2<f64>], sources: usize| Separation::new(heard, sources);
    let mut wrong = good.clone();
    for value in [f64::NAN, -1.0, f64::INFINITY] {
        wrong[[1, 4]] = value;
        assert!(matches!(new(&[good.clone(), wrong.clone()], 2), Err(Error::Data { .. })));
    }
    assert!(matches!(new(std::slice::from_ref(&good), 2), Err(Error::Shape { .. })));
    let other = Array2::from_elem((3, 21), 1.0);
    assert!(matches!(new(&[good.clone(), other], 2), Err(Error::Shape { .. })));
    let empty = Array2::zeros((0, 5));
    assert!(matches!(new(&[empty.clone(), empty], 2), Err(Error::Data { .. })));
    let silent = Array2::zeros((3, 20));
    assert!(matches!(new(&[good.clone(), silent], 2), Err(Error::Data { .. })));
    assert!(matches!(new(&[good.clone(), good.clone()], 0), Err(Error::Parameter { .. })));

    // Nothing is heard by both.
    let mut halves = [Array2::zeros((3, 20)), Array2::zeros((3, 20))];
    (halves[0][[0, 3]], halves[1][[1, 3]]) = (1.0, 1.0);
    let apart = new(&halves, 2).unwrap();
    assert!(matches!(apart.solve(&Engine::cpu()), Err(Error::Data { .. })));

    let two = new(&[good.clone(), good.clone()], 2).unwrap();
    let three = new(&[good.clone(), good.clone(), good], 2).unwrap();
    let given = |delays: Array2<f64>| Start::Given(vec![delays]);
    for separation in [
        two.clone().epsilons([]),
        two.clone().epsilons([0.5, -1.0]),
        two.clone().outlier(Some(f64::NAN)),
        two.clone().mask_outlier(Some(0.0)),
        two.clone().relaxation(Law::Free),
        two.clone().relaxation(Law::Kl { rho: 0.0 }),
        two.clone().relaxation(Law::Tv { rho: 1.0 }).plan(Plan::Exact),
        two.clone().max_lag(0.0),
        two.clone().power(0.0),
        two.clone().inner_iterations(0),
        two.clone().start(Start::Random { starts: 0, seed: 1 }),
        two.clone().start(Start::Grid { step: Some(0.0), top: 5 }),
        two.clone().start(Start::Grid { step: Some(30.0), top: 5 }),
        two.clone().start(given(array![[0.0, 1.0]])),
        two.clone().start(given(array![[0.0, f64::NAN], [0.0, 1.0]])),
        two.start(given(array![[1.0, 1.0], [0.0, 1.0]])),
        three.plan(Plan::Exact),
    ] {
        let error = separation.solve(&Engine::cpu()).unwrap_err();
        assert!(error.to_string().contains("; ") || error.to_string().contains("expected"));
    }
}
