//! Separation of generated voices, from recordings to sources.

use gaspard::audio::metrics::{delay_error, sdr_improvement, spectrogram_error};
use gaspard::audio::separate::{Filter, Method, NoiseLevel, Separated};
use gaspard::audio::spectrogram::{self, Remainder};
use gaspard::audio::{Recording, Scene, Separator, Simulation, Speaker, Stft, Voice};
use gaspard::{Engine, Error};
use ndarray::{Array2, array, s};

const RATE: u32 = 8000;

fn scene_of(rate: u32, seconds: f64, delays: Array2<f64>, snr: f64, seed: u64) -> Scene {
    let samples = (seconds * f64::from(rate)) as usize;
    let voices = [Voice::Low, Voice::High, Voice::Low];
    let sources = (0..delays.nrows())
        .map(|k| Speaker::new(voices[k % 3]).seed(3 * seed + k as u64).speak(rate, samples));
    let sources: Vec<_> = sources.collect();
    Simulation::new(rate, sources).unwrap().delays(delays).snr(snr).seed(seed).run().unwrap()
}

fn scene(snr: f64, seed: u64) -> Scene {
    scene_of(RATE, 1.5, array![[0.0, 700.0], [0.0, -912.5]], snr, seed)
}

fn separate(separator: &Separator, scene: &Scene) -> Separated {
    separator.separate(&scene.mixture, &Engine::cpu()).unwrap()
}

fn frames_off(scene: &Scene, found: &Separated) -> f64 {
    let rate = scene.mixture.rate();
    let hop = Stft::at_rate(rate).unwrap().hop();
    let delays = &found.delays.as_ref().unwrap().samples;
    delay_error(scene.delays.view(), delays.view(), rate, hop).unwrap().frames
}

fn gain(scene: &Scene, found: &Separated) -> f64 {
    let mixture = scene.mixture.channel(0);
    sdr_improvement(scene.images.view(), found.signals.view(), mixture).unwrap().value
}

fn spectral_error(scene: &Scene, found: &Separated) -> f64 {
    let truth = spectrogram::power(&found.stft.forward_all(scene.images.view()));
    spectrogram_error(truth.view(), found.spectrograms.view()).unwrap().value
}

#[test]
fn two_voices() {
    for (snr, least) in [(30.0, 10.0), (10.0, 8.0), (0.0, 6.0)] {
        let scene = scene(snr, 1);
        let found = separate(&Separator::new(2), &scene);
        let (off, gain, error) =
            (frames_off(&scene, &found), gain(&scene, &found), spectral_error(&scene, &found));
        println!("{snr} dB: {off:.5} frames, {gain:.2} dB, {error:.3}");
        assert!(off < 0.02 && gain > least && error < 0.4, "{snr} {off} {gain} {error}");
        assert_eq!(found.filter, Some(Filter::Aligned));
    }
}

#[test]
fn the_published_form_is_there_too() {
    let scene = scene(30.0, 1);
    let found = separate(&Separator::new(2).method(Method::Paper), &scene);
    assert_eq!(found.filter, Some(Filter::Wiener { iterations: 1 }));
    let (off, gain) = (frames_off(&scene, &found), gain(&scene, &found));
    println!("paper: {off:.3} frames, {gain:.2} dB, {:.3}", spectral_error(&scene, &found));
    assert!(off < 1.0 && gain > 3.0, "{off} {gain}");
    // All that microphone 1 hears belongs to someone.
    let heard = spectrogram::power(&found.stft.forward(scene.mixture.channel(0)));
    let sum: f64 = found.energies(&heard).iter().sum();
    assert!((sum - 1.0).abs() < 1e-6, "{sum}");
}

#[test]
fn known_methods_fit_in() {
    let near = scene_of(RATE, 1.5, array![[0.0, 3.0], [0.0, -4.0]], 30.0, 2);
    let fdica = separate(&Separator::new(2).method(Method::Fdica), &near);
    let better = gain(&near, &fdica);
    assert!(better > 5.0, "{better}");
    assert!(fdica.delays.is_none() && fdica.filter.is_none());
    let far = scene(20.0, 2);
    let summed = separate(&Separator::new(2).method(Method::DelayAndSum), &far);
    assert!(frames_off(&far, &summed) < 0.01 && gain(&far, &summed) > 1.0);
    let mnmf = separate(&Separator::new(2).method(Method::Mnmf).seed(3), &near);
    assert_eq!(mnmf.signals.dim(), (2, near.mixture.len()));
}

#[test]
fn three_microphones_and_three_sources() {
    let delays = array![[0.0, 700.0, 300.0], [0.0, -900.0, 800.0], [0.0, 100.0, -1100.0]];
    let scene = scene_of(RATE, 1.5, delays, 20.0, 4);
    let found = separate(&Separator::new(3), &scene);
    let (off, gain) = (frames_off(&scene, &found), gain(&scene, &found));
    println!("three: {off:.4} frames, {gain:.2} dB");
    assert!(off < 0.05 && gain > 6.0, "{off} {gain}");
}

#[test]
fn microphones_that_are_swapped_turn_delays_around() {
    let scene = scene(20.0, 5);
    let channels = scene.mixture.channels();
    let swapped = channels.slice(s![..;-1, ..]).to_owned();
    let swapped = Recording::new("swapped", RATE, swapped).unwrap();
    let delays = |recording: &Recording| {
        let found = Separator::new(2).delays_with(recording, &Engine::cpu(), &mut ()).unwrap();
        found.samples.column(1).to_vec()
    };
    let (there, back) = (delays(&scene.mixture), delays(&swapped));
    // Sources are in the order of their delays.
    assert!(
        (there[0] + back[1]).abs() < 1.0 && (there[1] + back[0]).abs() < 1.0,
        "{there:?} {back:?}"
    );
}

#[test]
fn rates_scale_and_delays_are_searched_at_a_lower_one() {
    let scene = scene_of(16_000, 1.5, array![[0.0, 1400.0], [0.0, -1825.0]], 20.0, 6);
    for separator in [Separator::new(2), Separator::new(2).delay_rate(8000)] {
        let found = separate(&separator, &scene);
        assert_eq!((found.stft.window(), found.stft.hop(), found.rate), (512, 400, 16_000));
        let (off, gain) = (frames_off(&scene, &found), gain(&scene, &found));
        assert!(off < 0.02 && gain > 8.0, "{off} {gain}");
    }
}

#[test]
fn blocks_join_without_a_seam() {
    let scene = scene_of(RATE, 14.0, array![[0.0, 700.0], [0.0, -912.5]], 20.0, 7);
    let whole = separate(&Separator::new(2).block(60.0), &scene);
    let blocks = separate(&Separator::new(2).block(4.0), &scene);
    let [(of_whole, gain_whole), (of_blocks, gain_blocks)] =
        [&whole, &blocks].map(|found| (frames_off(&scene, found), gain(&scene, found)));
    println!("whole {of_whole:.4} {gain_whole:.2}, blocks {of_blocks:.4} {gain_blocks:.2}");
    assert!(of_whole < 0.01 && of_blocks < 0.01);
    assert!(gain_whole > 8.0 && (gain_blocks - gain_whole).abs() < 1.0);
    // Blocks differ from the whole no more at cuts than elsewhere.
    let difference = |range: std::ops::Range<usize>| {
        let [a, b] = [&whole, &blocks].map(|found| found.signals.slice(s![.., range.clone()]));
        (&a - &b).mapv(|x| x * x).sum() / (a.mapv(|x| x * x).sum() + 1e-9)
    };
    let shares: Vec<f64> = (0..28).map(|half| difference(4000 * half..4000 * (half + 1))).collect();
    assert!(shares.iter().all(|share| *share < 0.3), "{shares:?}");
}

#[test]
fn noise_that_is_shared_belongs_to_someone() {
    let scene = scene(0.0, 8);
    let dropped = separate(&Separator::new(2), &scene);
    let shared = separate(&Separator::new(2).remainder(Remainder::Shared), &scene);
    let least = |found: &Separated| {
        let sums = found.masks.sum_axis(ndarray::Axis(0));
        sums.iter().copied().fold(f64::INFINITY, f64::min)
    };
    assert!(least(&dropped) < 0.5 && least(&shared) > 1.0 - 1e-9);
    let search = |found: &Separated| {
        let search = found.delays.as_ref().unwrap().search.as_ref().unwrap();
        (search.frames.clone(), search.objective, search.seeds.clone())
    };
    assert!(search(&dropped) == search(&shared));
    // The variance, given, is near what is estimated: 1.1 times at 0 dB.
    let known = Separator::new(2).noise(NoiseLevel::Variance(scene.noise_variance));
    let known = separate(&known, &scene);
    let ratio = dropped.noise[0] / known.noise[0];
    assert!((0.9..1.6).contains(&ratio), "{ratio}");
    let coloured = separate(&Separator::new(2).noise(NoiseLevel::Coloured), &scene);
    assert!(frames_off(&scene, &coloured) < 0.02);
}

#[test]
fn filters_in_their_order() {
    let scene = scene(30.0, 9);
    let gain_of = |filter| gain(&scene, &separate(&Separator::new(2).filter(filter), &scene));
    let mask = gain_of(Filter::Mask);
    let aligned = gain_of(Filter::Aligned);
    let wiener = gain_of(Filter::Wiener { iterations: 0 });
    assert!(aligned > mask + 1.0, "{aligned} {mask}");
    assert!((wiener - mask).abs() < 0.1, "{wiener} {mask}");
    // Sources that are hardly apart are left to the mask.
    let near = scene_of(RATE, 1.0, array![[0.0, 3.0], [0.0, -4.0]], 30.0, 2);
    assert_eq!(separate(&Separator::new(2), &near).filter, Some(Filter::Mask));
}

#[test]
fn the_objective_is_least_where_the_delays_are() {
    let scene = scene(20.0, 10);
    let engine = Engine::cpu();
    let separator = Separator::new(2);
    let found = separator.delays_with(&scene.mixture, &engine, &mut ()).unwrap();
    let search = found.search.unwrap();
    let map = separator.landscape(&scene.mixture, &search, 1, &engine, &()).unwrap();
    let (least, _) = map.values.indexed_iter().min_by(|a, b| a.1.total_cmp(b.1)).unwrap();
    let mut at = [map.lags[least.1], map.lags[least.0]];
    at.sort_by(f64::total_cmp);
    // Within a step of the grid.
    assert!((at[0] + 912.5).abs() < 150.0 && (at[1] - 700.0).abs() < 150.0, "{at:?}");
    assert!(separator.landscape(&scene.mixture, &search, 2, &engine, &()).is_err());
}

#[test]
fn level_and_order_are_kept() {
    let scene = scene(30.0, 11);
    let louder = Recording::new("louder", RATE, &scene.mixture.channels() * 64.0).unwrap();
    let [one, other] = [&scene.mixture, &louder]
        .map(|recording| Separator::new(2).separate(recording, &Engine::cpu()).unwrap().signals);
    let worst = (&one * 64.0 - &other).iter().fold(0.0_f64, |worst, x| worst.max(x.abs()));
    assert!(worst < 1e-6, "{worst}");
}

#[test]
fn what_cannot_be_separated_is_refused_or_survives() {
    let engine = Engine::cpu();
    let recording = |channels: Array2<f64>| Recording::new("a test", RATE, channels).unwrap();
    let scene = scene(20.0, 12);
    let separate = |recording: &Recording, separator: Separator| {
        separator.separate(recording, &engine).map(|_| ()).unwrap_err()
    };
    let mono = scene.mixture.channels().slice(s![..1, ..]).to_owned();
    assert!(matches!(separate(&recording(mono), Separator::new(1)), Error::Shape { .. }));
    let mut silent = scene.mixture.channels().to_owned();
    silent.row_mut(1).fill(0.0);
    let error = separate(&recording(silent), Separator::new(2)).to_string();
    assert!(error.contains("microphone 2: it is silent"), "{error}");
    for separator in [
        Separator::new(0),
        Separator::new(7),
        Separator::new(2).max_lag(0.0),
        Separator::new(2).block(f64::NAN),
        Separator::new(2).noise(NoiseLevel::Variance(-1.0)),
        Separator::new(3).method(Method::Fdica),
        // No grid has two lags so near.
        Separator::new(2).max_lag(0.001),
    ] {
        let error = separate(&scene.mixture, separator);
        assert!(matches!(error, Error::Parameter { .. }), "{error}");
    }
    let short = recording(Array2::ones((2, 100)));
    assert!(separate(&short, Separator::new(1)).to_string().contains("0.05 s"));
    // Offsets, clipped peaks, the same at both microphones, a click: nothing to find, but no fault.
    let peak = 0.3 * scene.mixture.channels().iter().fold(0.0_f64, |m, x| m.max(x.abs()));
    let mut click = Array2::zeros((2, 8000));
    (click[[0, 3000]], click[[1, 3400]]) = (1.0, 1.0);
    let channel = scene.mixture.channel(0).to_owned();
    for channels in [
        &scene.mixture.channels() + 3.0,
        scene.mixture.channels().mapv(|x| x.clamp(-peak, peak)),
        ndarray::stack![ndarray::Axis(0), channel, channel],
        click,
        Array2::ones((2, 4000)),
    ] {
        let found = Separator::new(2).separate(&recording(channels), &engine).unwrap();
        assert!(found.signals.iter().all(|sample| sample.is_finite()));
        assert!(found.delays.unwrap().samples.iter().all(|delay| delay.is_finite()));
    }
}

#[test]
fn a_stopped_separation_says_so() {
    struct Stop;
    impl gaspard::Observer for Stop {
        fn progress(&mut self, _: &gaspard::Progress) -> std::ops::ControlFlow<()> {
            std::ops::ControlFlow::Break(())
        }
        fn interrupted(&self) -> bool {
            true
        }
    }
    let scene = scene(20.0, 13);
    // One that says so once, between two iterations.
    for method in [Method::Robust, Method::Fdica, Method::Mnmf] {
        let mut said = false;
        let mut once = |_: &gaspard::Progress| match std::mem::replace(&mut said, true) {
            false => std::ops::ControlFlow::Break(()),
            true => std::ops::ControlFlow::Continue(()),
        };
        let separator = Separator::new(2).method(method);
        let found = separator.separate_with(&scene.mixture, &Engine::cpu(), &mut once).unwrap();
        assert!(found.outcome.interrupted, "{method:?}");
    }
    let found = Separator::new(2).separate_with(&scene.mixture, &Engine::cpu(), &mut Stop).unwrap();
    assert!(found.outcome.interrupted && found.delays.unwrap().search.unwrap().outcome.interrupted);
    assert!(found.signals.iter().all(|sample| *sample == 0.0));
}

#[test]
fn delays_that_were_stopped_while_they_were_refined_say_so() {
    use std::cell::Cell;
    /// Stops when it has been asked so many times.
    struct Patience(Cell<usize>, usize);
    impl gaspard::Observer for Patience {
        fn progress(&mut self, _: &gaspard::Progress) -> std::ops::ControlFlow<()> {
            std::ops::ControlFlow::Continue(())
        }
        fn interrupted(&self) -> bool {
            self.0.set(self.0.get() + 1);
            self.0.get() > self.1
        }
    }
    let scene = scene(20.0, 14);
    let asked = |separator: Separator, left: usize| {
        let mut observer = Patience(Cell::new(0), left);
        let delays = separator.delays_with(&scene.mixture, &Engine::cpu(), &mut observer).unwrap();
        (observer.0.get(), delays.search.unwrap().outcome.interrupted)
    };
    let (of_search, stopped) = asked(Separator::new(2).refine(false), usize::MAX);
    assert!(!stopped);
    // With refinement there is more to ask for, and the first of it comes after the search.
    let (of_both, stopped) = asked(Separator::new(2), usize::MAX);
    assert!(of_both > of_search && !stopped);
    assert!(asked(Separator::new(2), of_search).1);
}
