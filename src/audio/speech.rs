//! Sounds like speech, from a seed.

use std::f64::consts::{PI, TAU};

use ndarray::Array1;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::noise::normal;

/// The first three formants of vowels in hertz, for a man's voice (Peterson and Barney 1952).
const VOWELS: [[f64; 3]; 8] = [
    [270.0, 2290.0, 3010.0],
    [390.0, 1990.0, 2550.0],
    [530.0, 1840.0, 2480.0],
    [660.0, 1720.0, 2410.0],
    [730.0, 1090.0, 2440.0],
    [570.0, 840.0, 2410.0],
    [300.0, 870.0, 2240.0],
    [490.0, 1350.0, 1690.0],
];

/// A fourth formant, and the bandwidths of all.
const FOURTH: f64 = 3500.0;
const BANDWIDTHS: [f64; 4] = [60.0, 90.0, 120.0, 200.0];

/// Poles above this share of the rate are left out.
const HIGHEST: f64 = 0.45;

/// The pitch of a speaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voice {
    /// 85 to 150 Hz.
    Low,
    /// 165 to 260 Hz, with formants a sixth higher.
    High,
}

/// Says syllables without meaning: pulses of the glottis at a gliding pitch through formants that
/// move from vowel to vowel, bursts of noise before some of them, pauses. It has what separation
/// methods rely on, and needs no data: harmonics, onsets, silence, most of the energy in few bins.
///
/// ```
/// use gaspard::audio::{Speaker, Voice};
/// let speech = Speaker::new(Voice::High).seed(3).speak(8000, 8000);
/// let power = speech.mapv(|sample| sample * sample).mean().unwrap();
/// assert!((power - 1.0).abs() < 1e-9);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Speaker {
    voice: Voice,
    seed: u64,
}

impl Speaker {
    /// A speaker with this voice.
    pub fn new(voice: Voice) -> Self {
        Self { voice, seed: 0 }
    }

    /// What is said.
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// So many samples at a rate in hertz; their root mean square is 1.
    pub fn speak(&self, rate: u32, samples: usize) -> Array1<f64> {
        let rate = f64::from(rate);
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        let mut mouth = Mouth::new(self.voice, rate);
        let mut speech = Vec::with_capacity(samples);
        let mut left_in_phrase = 0;
        while speech.len() < samples {
            if left_in_phrase == 0 {
                mouth.pause(random.random_range(0.1..0.3), &mut speech);
                left_in_phrase = random.random_range(3..8);
                mouth.pitch = mouth.range.1 * random.random_range(0.85..1.0);
            }
            if random.random_bool(0.6) {
                mouth.burst(&mut random, &mut speech);
            }
            mouth.vowel(&mut random, &mut speech);
            mouth.pause(random.random_range(0.015..0.05), &mut speech);
            left_in_phrase -= 1;
        }
        speech.truncate(samples);
        let speech = Array1::from(speech);
        let power = speech.iter().map(|x| x * x).sum::<f64>() / samples.max(1) as f64;
        // A second of it is never silent; less than the first pause is.
        speech / if power > 0.0 { power.sqrt() } else { 1.0 }
    }
}

/// The state of the voice from sound to sound.
struct Mouth {
    rate: f64,
    range: (f64, f64),
    scale: f64,
    pitch: f64,
    phase: f64,
    formants: [f64; 3],
}

impl Mouth {
    fn new(voice: Voice, rate: f64) -> Self {
        let (range, scale) = match voice {
            Voice::Low => ((85.0, 150.0), 1.0),
            Voice::High => ((165.0, 260.0), 7.0 / 6.0),
        };
        Self { rate, range, scale, pitch: range.1, phase: 0.0, formants: VOWELS[7] }
    }

    /// At least one: at rates of a few hertz speech would not get on.
    fn samples(&self, seconds: f64) -> usize {
        ((seconds * self.rate).round() as usize).max(1)
    }

    fn pause(&self, seconds: f64, speech: &mut Vec<f64>) {
        speech.resize(speech.len() + self.samples(seconds), 0.0);
    }

    /// Noise around one high frequency.
    fn burst(&self, random: &mut ChaCha8Rng, speech: &mut Vec<f64>) {
        let count = self.samples(random.random_range(0.03..0.11));
        let centre = random.random_range(0.2..0.42) * self.rate.min(12_000.0);
        let level = random.random_range(0.02..0.12);
        let mut filter = Resonator::default();
        speech.extend((0..count).map(|n| {
            let noise = normal(random) * envelope(n, count, self.rate);
            level * filter.next(noise, centre, 900.0, self.rate)
        }));
    }

    /// Pulses of the glottis through formants on their way to another vowel.
    fn vowel(&mut self, random: &mut ChaCha8Rng, speech: &mut Vec<f64>) {
        let count = self.samples(random.random_range(0.12..0.28));
        let level = random.random_range(0.4..1.0);
        let target = VOWELS[random.random_range(0..VOWELS.len())];
        let glide: f64 = random.random_range(0.86..1.04);
        let (start, from) = (self.pitch, self.formants);
        let mut filters = [Resonator::default(); 4];
        for n in 0..count {
            let progress = n as f64 / count as f64;
            // Most of the way is done in the first third.
            let moved = 1.0 - (-6.0 * progress).exp();
            let formant = |index: usize| from[index] + moved * (target[index] - from[index]);
            self.formants = std::array::from_fn(formant);
            self.pitch = start * glide.powf(progress);
            let jitter = 1.0 + 0.01 * normal(random);
            self.phase = (self.phase + self.pitch * jitter / self.rate).fract();
            let breath = 0.02 * normal(random);
            let mut sound = envelope(n, count, self.rate) * (glottis(self.phase) + breath);
            let all = self.formants.iter().chain(&[FOURTH]).zip(BANDWIDTHS).zip(&mut filters);
            for ((formant, bandwidth), filter) in all {
                let centre = formant * self.scale;
                if centre < HIGHEST * self.rate {
                    sound = filter.next(sound, centre, bandwidth * self.scale, self.rate);
                }
            }
            speech.push(level * sound);
        }
        self.pitch = self.pitch.clamp(self.range.0, self.range.1);
    }
}

/// The derivative of the air flow at a phase of the period: it opens slowly and closes fast
/// (Rosenberg 1971).
fn glottis(phase: f64) -> f64 {
    const OPENING: f64 = 0.4;
    const CLOSING: f64 = 0.16;
    if phase < OPENING {
        0.5 * PI / OPENING * (PI * phase / OPENING).sin()
    } else if phase < OPENING + CLOSING {
        -0.5 * PI / CLOSING * (0.5 * PI * (phase - OPENING) / CLOSING).sin()
    } else {
        0.0
    }
}

/// Rises and falls within 25 ms, or half of what there is.
fn envelope(n: usize, count: usize, rate: f64) -> f64 {
    let ramp = (0.025 * rate).min(0.5 * count as f64).max(1.0);
    let nearest = n.min(count - 1 - n) as f64;
    (0.5 * PI * (nearest / ramp).min(1.0)).sin().powi(2)
}

/// One formant: a pair of poles, with a gain of 1 at frequency 0.
#[derive(Clone, Copy, Default)]
struct Resonator {
    last: [f64; 2],
}

impl Resonator {
    fn next(&mut self, input: f64, centre: f64, bandwidth: f64, rate: f64) -> f64 {
        let radius = (-PI * bandwidth / rate).exp();
        let turn = 2.0 * radius * (TAU * centre / rate).cos();
        let squared = radius * radius;
        let output = (1.0 - turn + squared) * input + turn * self.last[0] - squared * self.last[1];
        self.last = [output, self.last[0]];
        output
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speech_at_any_rate_is_as_long_as_asked_for() {
        for rate in [1, 3, 10, 100, 8000] {
            let speech = Speaker::new(Voice::Low).seed(1).speak(rate, 50);
            assert_eq!(speech.len(), 50);
            assert!(speech.iter().all(|sample| sample.is_finite()), "{rate}: {speech}");
        }
    }
}
