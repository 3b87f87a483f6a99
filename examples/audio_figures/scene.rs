//! The scenes of the experiment.

use gaspard::Result;
use gaspard::audio::{Scene, Simulation, Speaker, Voice};
use ndarray::array;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

pub const RATE: u32 = 8000;
pub const HOP: usize = 200;
/// 1.4 s of speech in 2 s.
const SPEECH: usize = 11_200;
const SAMPLES: usize = 16_000;

/// Which run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
pub struct Key {
    pub snr: i32,
    pub run: u64,
    pub seed: u64,
}

/// How far delays go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Range {
    /// 2 to 10 frames, and two frames apart
    #[value(name = "a")]
    Frames,
    /// Up to 8 samples, and two samples apart
    #[value(name = "b")]
    Samples,
}

impl Range {
    pub fn name(self) -> &'static str {
        match self {
            Self::Frames => "range_a",
            Self::Samples => "range_b",
        }
    }

    /// The least and the largest delay, and the least difference, in samples.
    fn bounds(self) -> [f64; 3] {
        match self {
            Self::Frames => [2.0, 10.0, 2.0].map(|frames| frames * HOP as f64),
            Self::Samples => [0.0, 8.0, 2.0],
        }
    }

    /// Samples that peaks of correlations are apart.
    pub fn apart(self) -> f64 {
        if self == Self::Frames { 100.0 } else { 1.5 }
    }
}

/// Voices, delays and noise that belong to a key alone.
pub fn scene(range: Range, key: &Key) -> Result<Scene> {
    // The same voices and delays at every ratio.
    let mut random = ChaCha8Rng::seed_from_u64(key.seed);
    random.set_stream(key.run);
    let [least, most, apart] = range.bounds();
    let mut draw = || {
        let size = random.random_range(least..=most);
        if random.random_bool(0.5) { size } else { -size }
    };
    let first = draw();
    let mut second = draw();
    while (second - first).abs() < apart {
        second = draw();
    }
    let voices = [(Voice::Low, random.random()), (Voice::High, random.random())];
    let sources = voices.map(|(voice, seed)| Speaker::new(voice).seed(seed).speak(RATE, SPEECH));
    Simulation::new(RATE, sources)?
        .delays(array![[0.0, first], [0.0, second]])
        .samples(SAMPLES)
        .snr(f64::from(key.snr))
        .seed(random.random())
        .run()
}
