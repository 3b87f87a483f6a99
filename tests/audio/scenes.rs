//! Spectrograms that look like speech, with known delays.

use std::f64::consts::PI;

use ndarray::Array2;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub const FREQUENCIES: usize = 129;
pub const FRAMES: usize = 81;

/// A stretch of voice: when, how long, and how loud at every frequency.
struct Syllable {
    centre: f64,
    width: f64,
    spectrum: Vec<f64>,
}

/// A speaker who says some syllables, which can be heard with any delay.
pub struct Voice(Vec<Syllable>);

impl Voice {
    pub fn new(random: &mut ChaCha8Rng) -> Self {
        let pitch = random.random_range(3.0..7.0);
        let mut centre = random.random_range(14.0..20.0);
        let mut syllables = Vec::new();
        while centre < FRAMES as f64 - 14.0 {
            let glide: f64 = random.random_range(0.85..1.2);
            let formants = [(); 3].map(|()| random.random_range(4.0..90.0));
            let loudness: f64 = random.random_range(0.2..1.0);
            let spectrum = (0..FREQUENCIES).map(|f| {
                let f = f as f64;
                let harmonic = (0.5 + 0.5 * (2.0 * PI * f / (pitch * glide)).cos()).powi(4);
                let formant: f64 =
                    formants.iter().map(|at: &f64| (-((f - at) / 6.0).powi(2)).exp()).sum();
                loudness * (harmonic * formant + 1e-6) / (1.0 + f / 20.0)
            });
            let spectrum = spectrum.collect();
            let width = random.random_range(1.0..3.0);
            syllables.push(Syllable { centre, width, spectrum });
            centre += random.random_range(4.0..11.0);
        }
        Self(syllables)
    }

    /// The power spectrogram (frequencies, frames) of the voice, so many frames later.
    pub fn heard(&self, delay: f64) -> Array2<f64> {
        Array2::from_shape_fn((FREQUENCIES, FRAMES), |(f, t)| {
            let parts = self.0.iter().map(|syllable| {
                let time = (t as f64 - delay - syllable.centre) / syllable.width;
                (-time * time).exp() * syllable.spectrum[f]
            });
            parts.sum()
        })
    }
}

/// What microphones hear of voices with delays (voices, microphones), with noise so much below them,
/// in decibels; and the spectrograms of the voices at the first microphone.
pub fn scene(seed: u64, delays: &Array2<f64>, snr: f64) -> (Vec<Array2<f64>>, Vec<Array2<f64>>) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let voices: Vec<Voice> = (0..delays.nrows()).map(|_| Voice::new(&mut random)).collect();
    let clean: Vec<Array2<f64>> = voices.iter().map(|voice| voice.heard(0.0)).collect();
    let power = clean.iter().map(|voice| voice.sum()).sum::<f64>();
    let noise = power / (FREQUENCIES * FRAMES) as f64 * 10_f64.powf(-snr / 10.0);
    let microphones = (0..delays.ncols()).map(|l| {
        let mut sum = Array2::<f64>::zeros((FREQUENCIES, FRAMES));
        for (voice, delay) in voices.iter().zip(delays.column(l)) {
            sum += &voice.heard(*delay);
        }
        sum.mapv(|value| value - noise * random.random_range(f64::MIN_POSITIVE..1.0).ln())
    });
    (microphones.collect(), clean)
}

/// The largest difference between delays, in the order of the sources that makes it least.
pub fn furthest(found: &Array2<f64>, truth: &Array2<f64>) -> f64 {
    orders(truth.nrows())
        .into_iter()
        .map(|order| {
            let rows = order.iter().enumerate().flat_map(|(row, other)| {
                let (found, truth) = (found.row(row), truth.row(*other));
                found.iter().zip(truth).map(|(a, b)| (a - b).abs()).collect::<Vec<_>>()
            });
            rows.fold(0.0, f64::max)
        })
        .fold(f64::INFINITY, f64::min)
}

fn orders(count: usize) -> Vec<Vec<usize>> {
    if count == 0 {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for order in orders(count - 1) {
        for place in 0..count {
            let mut more = order.clone();
            more.insert(place, count - 1);
            all.push(more);
        }
    }
    all
}
