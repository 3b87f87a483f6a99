//! What the known methods make of two voices at two microphones: the errors of delays, and by how
//! many decibels sources are better than the mixture, on average over scenes.
//!
//! ```text
//! cargo run --release --example sound_baselines
//! ```

use gaspard::Result;
use gaspard::audio::baselines::{Fdica, Mnmf, delay_and_sum, gcc_phat, mccc};
use gaspard::audio::metrics::{delay_error, sdr_improvement};
use gaspard::audio::{
    DelaySearch, Reconstruction, Scene, Simulation, Speaker, Stft, Voice, spectrogram,
};
use ndarray::{Array2, array};

const RATE: u32 = 8000;
const SCENES: u64 = 4;

fn main() -> Result<()> {
    println!("{:<42} {:>10} {:>10}", "", "far", "near");
    for snr in [0.0, 30.0] {
        println!("at {snr} dB");
        // Far: several frames of 200 samples. Near: a few samples.
        let far = rows(snr, 1.0, 100.0)?;
        let near = rows(snr, 0.005, 2.0)?;
        for ((name, far), (_, near)) in far.iter().zip(&near) {
            println!("  {name:<40} {far:>10.2} {near:>10.2}");
        }
    }
    Ok(())
}

/// The mean of every number over the scenes.
fn rows(snr: f64, scale: f64, apart: f64) -> Result<Vec<(&'static str, f64)>> {
    let mut sums: Vec<(&'static str, f64)> = Vec::new();
    for seed in 0..SCENES {
        let row = measured(&scene(seed, snr, scale)?, apart)?;
        match sums.is_empty() {
            true => sums = row,
            false => sums.iter_mut().zip(row).for_each(|(sum, (_, value))| sum.1 += value),
        }
    }
    Ok(sums.into_iter().map(|(name, sum)| (name, sum / SCENES as f64)).collect())
}

fn scene(seed: u64, snr: f64, scale: f64) -> Result<Scene> {
    let speakers = [(Voice::Low, seed + 5), (Voice::High, seed + 45)];
    let sources = speakers.map(|(voice, seed)| Speaker::new(voice).seed(seed).speak(RATE, 16_000));
    let delays = array![[0.0, 703.3 * scale], [0.0, -(412.6 + 90.0 * seed as f64) * scale]];
    Simulation::new(RATE, sources)?.delays(delays).snr(snr).seed(seed).run()
}

fn measured(scene: &Scene, apart: f64) -> Result<Vec<(&'static str, f64)>> {
    let recording = &scene.mixture;
    let search = DelaySearch::new(2, RATE).min_distance(apart);
    let off = |found: Array2<f64>| {
        delay_error(scene.delays.view(), found.view(), RATE, 200).map(|error| error.samples)
    };
    let gain = |found: Array2<f64>| {
        let mixture = recording.channel(0);
        sdr_improvement(scene.images.view(), found.view(), mixture).map(|gain| gain.value)
    };
    let coarse = Stft::at_rate(RATE)?;
    let fine = coarse.with_hop(64)?;
    // As if the spectrograms of the sources were known.
    let spectra = spectrogram::power(&coarse.forward_all(scene.images.view()));
    let known = Reconstruction::new(recording, &coarse, spectra.view())?
        .noise_variance(scene.noise_variance)?;
    Ok(vec![
        ("GCC-PHAT, error in samples", off(gcc_phat(recording, &search)?)?),
        ("MCCC, error in samples", off(mccc(recording, &search)?)?),
        (
            "delay and sum at the true delays, dB",
            gain(delay_and_sum(recording, scene.delays.view())?)?,
        ),
        ("FDICA, dB", gain(Fdica::new(fine).solve(recording)?)?),
        ("MNMF, dB", gain(Mnmf::new(fine, 2).solve(recording)?)?),
        ("mask from true spectrograms, dB", gain(known.mask()?)?),
        ("Wiener filter, one iteration, dB", gain(known.wiener(1)?)?),
        ("Wiener filter after alignment, dB", gain(known.aligned(scene.delays.view())?)?),
    ])
}
