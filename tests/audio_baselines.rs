//! The baselines where they have to succeed, and what they refuse.

use gaspard::Error;
use gaspard::audio::baselines::{Fdica, Mnmf, delay_and_sum, gcc_phat, mccc};
use gaspard::audio::metrics::{delay_error, sdr_improvement};
use gaspard::audio::{DelaySearch, Recording, Scene, Simulation, Speaker, Stft, Voice};
use ndarray::{Array1, Array2, array};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn random(seed: u64, samples: usize) -> Array1<f64> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    Array1::from_shape_simple_fn(samples, || random.random_range(-1.0..1.0))
}

fn speakers(samples: usize) -> [Array1<f64>; 2] {
    [(Voice::Low, 6), (Voice::High, 46)]
        .map(|(voice, seed)| Speaker::new(voice).seed(seed).speak(8000, samples))
}

fn scene(sources: impl IntoIterator<Item = Array1<f64>>, delays: &Array2<f64>, snr: f64) -> Scene {
    let simulation = Simulation::new(8000, sources).unwrap().delays(delays.clone());
    simulation.snr(snr).seed(3).run().unwrap()
}

fn gain(scene: &Scene, found: &Array2<f64>) -> f64 {
    let mixture = scene.mixture.channel(0);
    sdr_improvement(scene.images.view(), found.view(), mixture).unwrap().value
}

type Method = fn(&Recording, &DelaySearch) -> gaspard::Result<Array2<f64>>;
const METHODS: [Method; 2] = [gcc_phat, mccc];

#[test]
fn one_source_is_found_to_a_fraction_of_a_sample() {
    for method in METHODS {
        for delay in [0.0, 1.0, 37.25, -118.6, 1000.5] {
            let scene = scene([random(1, 8000)], &array![[0.0, delay]], 10.0);
            let found = method(&scene.mixture, &DelaySearch::new(1, 8000)).unwrap();
            assert!((found[[0, 1]] - delay).abs() < 0.03, "{delay}: {found}");
        }
    }
}

#[test]
fn several_sources_are_found_in_any_order() {
    let delays = array![[0.0, 300.4], [0.0, -512.0], [0.0, 61.7]];
    let sources = [1, 2, 3].map(|seed| random(seed, 16_000));
    for method in METHODS {
        let scene = scene(sources.clone(), &delays, 10.0);
        let found = method(&scene.mixture, &DelaySearch::new(3, 8000)).unwrap();
        let error = delay_error(delays.view(), found.view(), 8000, 200).unwrap();
        assert!(error.samples < 0.1, "{error:?} {found}");
    }
}

#[test]
fn speech_is_found_by_the_phase_transform() {
    let delays = array![[0.0, 700.0], [0.0, -412.5]];
    let scene = scene(speakers(16_000), &delays, 20.0);
    let found = gcc_phat(&scene.mixture, &DelaySearch::new(2, 8000)).unwrap();
    let error = delay_error(delays.view(), found.view(), 8000, 200).unwrap();
    assert!(error.samples < 1.0, "{error:?} {found}");
}

/// Delays of one source belong together, although their peaks are not in the same order at every
/// microphone.
#[test]
fn more_microphones_are_matched() {
    let delays = array![[0.0, 300.4, -90.0, 20.0], [0.0, -512.0, 150.3, 215.0]];
    let sources = || [random(1, 16_000), random(2, 16_000)];
    let uneven = array![[1.0, 1.0, 0.5, 1.0], [1.0, 0.5, 1.0, 0.7]];
    let cases: [(Method, _); 3] =
        [(gcc_phat, Array2::ones((2, 4))), (gcc_phat, uneven), (mccc, Array2::ones((2, 4)))];
    for (method, gains) in cases {
        let simulation = Simulation::new(8000, sources()).unwrap().delays(delays.clone());
        let mixture = simulation.gains(gains).snr(10.0).run().unwrap().mixture;
        let found = method(&mixture, &DelaySearch::new(2, 8000)).unwrap();
        let error = delay_error(delays.view(), found.view(), 8000, 200).unwrap();
        assert!(error.samples < 0.1, "{error:?} {found}");
    }
}

#[test]
fn searches_that_make_no_sense_are_refused() {
    let scene = scene([random(1, 1000)], &array![[0.0, 5.0]], 10.0);
    let alone = Recording::new("alone", 8000, Array2::ones((1, 1000))).unwrap();
    let mut half = Array2::zeros((2, 1000));
    half.row_mut(0).assign(&random(2, 1000));
    let half = Recording::new("half", 8000, half).unwrap();
    let search = DelaySearch::new(1, 8000).max_lag(100);
    for method in METHODS {
        let refused = |recording: &Recording, search| method(recording, &search).unwrap_err();
        let with = |search| refused(&scene.mixture, search);
        assert!(matches!(with(DelaySearch { sources: 0, ..search }), Error::Parameter { .. }));
        assert!(matches!(with(DelaySearch { sources: 7, ..search }), Error::Parameter { .. }));
        assert!(matches!(with(search.max_lag(0)), Error::Parameter { .. }));
        assert!(matches!(with(search.max_lag(1005)), Error::Parameter { .. }));
        assert!(matches!(with(search.min_distance(-1.0)), Error::Parameter { .. }));
        assert!(matches!(with(search.min_distance(f64::NAN)), Error::Parameter { .. }));
        let crowded = DelaySearch { sources: 4, ..search }.min_distance(90.0);
        assert!(matches!(with(crowded), Error::Parameter { .. }));
        assert!(matches!(refused(&alone, search), Error::Shape { .. }));
        assert!(matches!(refused(&half, search), Error::Data { .. }));
    }
}

/// However loud a recording is, delays are the same and sources are as loud.
#[test]
fn the_scale_does_not_matter() {
    let scene = scene(speakers(4000), &array![[0.0, 3.0], [0.0, -120.0]], 20.0);
    let stft = Stft::new(256, 64, 256).unwrap();
    let search = DelaySearch::new(2, 8000).min_distance(20.0);
    let all = |recording: &Recording| {
        let delays = METHODS.map(|method| method(recording, &search).unwrap());
        let mnmf = Mnmf::new(stft, 2).components(2).iterations(5);
        let sources = [
            Fdica::new(stft).sweeps(10).solve(recording).unwrap(),
            mnmf.solve(recording).unwrap(),
            delay_and_sum(recording, scene.delays.view()).unwrap(),
        ];
        (delays, sources)
    };
    let (delays, sources) = all(&scene.mixture);
    for scale in [1e-12, 1e9] {
        let scaled = scale * &scene.mixture.channels();
        let (scaled_delays, scaled_sources) = all(&Recording::new("r", 8000, scaled).unwrap());
        let near = |a: &Array2<f64>, b: &Array2<f64>, scale: f64| {
            let size = a.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
            let off = (b / scale - a).iter().fold(0.0_f64, |most, x| most.max(x.abs()));
            assert!(off < 1e-6 * size, "{scale}: {off} {size}");
        };
        delays.iter().zip(&scaled_delays).for_each(|(a, b)| near(a, b, 1.0));
        sources.iter().zip(&scaled_sources).for_each(|(a, b)| near(a, b, scale));
    }
}

/// Noise falls by the number of microphones, the source stays.
#[test]
fn delay_and_sum_averages_the_noise() {
    let delays = array![[0.0, 30.5, -12.25, 100.0]];
    let scene = scene([random(1, 20_000)], &delays, 0.0);
    let found = delay_and_sum(&scene.mixture, delays.view()).unwrap();
    // White sources lose what lies near half the rate to fractions of samples.
    assert!((gain(&scene, &found) - 6.0).abs() < 0.3, "{}", gain(&scene, &found));
    let wrong = delay_and_sum(&scene.mixture, array![[0.0, 1.0]].view());
    assert!(matches!(wrong, Err(Error::Shape { .. })));
    let none = delay_and_sum(&scene.mixture, Array2::zeros((0, 4)).view());
    assert!(matches!(none, Err(Error::Data { .. })));
}

/// The gains that independent components are known for at delays of a few samples.
#[test]
fn fdica_separates_small_delays() {
    for (delays, hop, least) in [
        (array![[0.0, 3.0], [0.0, -2.0]], 64, 9.0),
        (array![[0.0, 3.0], [0.0, -2.0]], 200, 5.0),
        (array![[0.0, -4.5], [0.0, 5.25]], 64, 9.0),
    ] {
        let scene = scene(speakers(24_000), &delays, 40.0);
        let found = Fdica::new(Stft::new(256, hop, 256).unwrap()).solve(&scene.mixture).unwrap();
        let gain = gain(&scene, &found);
        assert!(gain > least, "{delays} {hop}: {gain}");
    }
}

#[test]
fn fdica_separates_three() {
    let delays = array![[0.0, 3.0, -2.0], [0.0, -2.0, 4.0], [0.0, 0.5, 1.5]];
    let [low, high] = speakers(32_000);
    let third = Speaker::new(Voice::Low).seed(20).speak(8000, 32_000);
    let scene = scene([low, high, third], &delays, 40.0);
    let found = Fdica::new(Stft::new(256, 64, 256).unwrap()).solve(&scene.mixture).unwrap();
    let gain = gain(&scene, &found);
    assert!(gain > 4.0, "{gain}");
}

#[test]
fn fdica_refuses_what_it_cannot_separate() {
    let method = Fdica::new(Stft::new(256, 64, 256).unwrap());
    let solve = |channels: Array2<f64>| method.solve(&Recording::new("r", 8000, channels).unwrap());
    assert!(matches!(solve(Array2::ones((1, 1000))), Err(Error::Shape { .. })));
    assert!(matches!(solve(Array2::ones((7, 1000))), Err(Error::Parameter { .. })));
    let twice = array![[1.0], [1.0]] * &random(1, 1000);
    assert!(matches!(solve(twice), Err(Error::Data { .. })));
    // Silence is no error: there is nothing in it.
    assert!(solve(Array2::zeros((2, 1000))).unwrap().iter().all(|x| *x == 0.0));
    // Nor is a watcher that stops it.
    let scene = scene(speakers(4000), &array![[0.0, 1.0], [0.0, -1.0]], 40.0);
    let mut seen = 0;
    let mut stop = |progress: &gaspard::Progress| {
        seen = progress.iteration;
        std::ops::ControlFlow::Break(())
    };
    assert_eq!(method.solve_with(&scene.mixture, &mut stop).unwrap().dim(), scene.images.dim());
    assert_eq!(seen, 1);
}

/// Two sources of one component each, as the model has them, are separated.
#[test]
fn mnmf_separates_its_own_model() {
    let stft = Stft::new(64, 16, 64).unwrap();
    // Bands that go on and off at different times.
    let source = |seed: u64, band: f64, speed: f64| {
        let noise = random(seed, 8000);
        let mut last = [0.0; 2];
        let shaped = noise.iter().enumerate().map(|(n, noise)| {
            let value = noise + 1.8 * band.cos() * last[0] - 0.81 * last[1];
            last = [value, last[0]];
            value * (0.5 + 0.5 * (speed * n as f64).sin()).powi(2)
        });
        Array1::from_iter(shaped)
    };
    let sources = [source(1, 0.6, 0.01), source(2, 1.1, 0.017)];
    let scene = scene(sources, &array![[0.0, 1.5], [0.0, -1.0]], 40.0);
    let gains: Vec<f64> = (0..3)
        .map(|seed| {
            let method = Mnmf::new(stft, 2).components(1).iterations(60).seed(seed);
            gain(&scene, &method.solve(&scene.mixture).unwrap())
        })
        .collect();
    let best = gains.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    assert!(best > 8.0, "{gains:?}");
}

#[test]
fn mnmf_is_watched_and_refuses_nonsense() {
    let method = Mnmf::new(Stft::new(256, 64, 256).unwrap(), 2).components(4).iterations(12);
    let scene = scene(speakers(6000), &array![[0.0, 2.0], [0.0, -2.0]], 40.0);
    let mut residuals = Vec::new();
    let mut watch = |progress: &gaspard::Progress| {
        residuals.push(progress.residual);
        std::ops::ControlFlow::Continue(())
    };
    let found = method.solve_with(&scene.mixture, &mut watch).unwrap();
    assert!(found.iter().all(|x| x.is_finite()));
    assert_eq!(residuals.len(), 12);
    assert!(residuals[1] < residuals[0], "{residuals:?}");
    assert_eq!(found, method.solve(&scene.mixture).unwrap(), "the same seed gives the same bits");
    let alone = Recording::new("alone", 8000, Array2::ones((1, 1000))).unwrap();
    assert!(matches!(method.solve(&alone), Err(Error::Shape { .. })));
    let silent = Recording::new("silent", 8000, Array2::zeros((2, 1000))).unwrap();
    assert!(matches!(method.solve(&silent), Err(Error::Data { .. })));
    for wrong in
        [method.components(0), method.iterations(0), Mnmf::new(Stft::at_rate(8000).unwrap(), 0)]
    {
        assert!(matches!(wrong.solve(&scene.mixture), Err(Error::Parameter { .. })));
    }
}
