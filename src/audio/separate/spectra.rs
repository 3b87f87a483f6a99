//! Masks and spectrograms of the sources, block by block.

use ndarray::{Array1, Array2, Array3, Axis, s};

use super::options::Method;
use super::search::{Search, noise_of_recording, problem};
use super::separator::Job;
use crate::audio::noise;
use crate::audio::spectrogram::{self, Remainder};
use crate::error::Result;
use crate::observer::Observer;

/// What belongs to whom at microphone 1.
pub(super) struct Spectra {
    /// The level of the noise (frequency).
    pub noise: Array1<f64>,
    /// Shares (source, frequency, frame).
    pub masks: Array3<f64>,
    /// Powers (source, frequency, frame).
    pub spectrograms: Array3<f64>,
}

pub(super) fn spectra(job: &Job<'_>, search: &Search, observer: &dyn Observer) -> Result<Spectra> {
    let sources = job.separator.sources;
    let frames = job.stft.frames(job.recording.len());
    let shape = (sources, job.stft.frequencies(), frames);
    let mut spectra = Spectra {
        noise: noise_of_recording(job)?,
        masks: Array3::zeros(shape),
        spectrograms: Array3::zeros(shape),
    };
    for block in 0..job.blocks.count() {
        if observer.interrupted() {
            break;
        }
        let heard = spectrogram::power(&job.stft.forward_all(job.piece(block).channels()));
        let cleaned: Vec<Array2<f64>> = heard
            .axis_iter(Axis(0))
            .map(|power| noise::subtracted(power, spectra.noise.view(), 1.0))
            .collect::<Result<_>>()?;
        let masks = masks(job, search, &cleaned, observer)?;
        let powers =
            spectrogram::sources(masks.view(), cleaned[0].view(), Remainder::Dropped, 1.0)?;
        let first = job.blocks.range(block).start / job.stft.hop();
        // The frames at its end may reach beyond those of the recording as a whole.
        for t in 0..heard.dim().2.min(frames - first) {
            let at = ((first + t) * job.stft.hop()).min(job.recording.len() - 1);
            let weight = job.blocks.weight(block, at);
            for (all, part) in [(&mut spectra.masks, &masks), (&mut spectra.spectrograms, &powers)]
            {
                let mut all = all.slice_mut(s![.., .., first + t]);
                all.scaled_add(weight, &part.slice(s![.., .., t]));
            }
        }
    }
    Ok(spectra)
}

/// The shares of the sources in a block at microphone 1.
fn masks(
    job: &Job<'_>,
    search: &Search,
    cleaned: &[Array2<f64>],
    observer: &dyn Observer,
) -> Result<Array3<f64>> {
    let sources = job.separator.sources;
    let (frequencies, frames) = cleaned[0].dim();
    let even = Array3::from_elem((sources, frequencies, frames), 1.0 / sources as f64);
    // Where a microphone hears nothing for so long, nothing can be told apart.
    if cleaned.iter().any(|power| power.iter().all(|power| *power == 0.0)) {
        return Ok(even);
    }
    let most = (frames as f64 - 1.0).max(1.0);
    let separation = problem(job, cleaned)?.max_lag(most);
    let solution = separation.separate_at_with(&search.frames, job.engine, observer)?;
    let mut masks = solution.masks.into_iter().next().expect("there are microphones");
    if job.separator.remainder == Remainder::Shared && job.separator.method == Method::Robust {
        let sums = masks.sum_axis(Axis(0));
        for (mut mask, even) in masks.outer_iter_mut().zip(even.outer_iter()) {
            ndarray::Zip::from(&mut mask).and(&sums).and(&even).for_each(|mask, sum, even| {
                *mask = if *sum > 0.0 { *mask / sum } else { *even };
            });
        }
    }
    Ok(masks)
}
