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
    let sources = (0..delays.nrows()).map(|k| {
        Speaker::new(voices[k % 3]).seed(3 * seed + k as u64).speak(rate, samples)
    });
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
