//! Pictures of what went in, what came out, and of the search between.

use std::path::Path;

use gaspard::audio::separate::Separated;
use gaspard::audio::{Recording, Separator, spectrogram};
use gaspard::report::sound;
use gaspard::{Engine, Result};
use ndarray::Axis;

use crate::cli::watch::Interrupts;

pub(super) fn draw(
    folder: &Path,
    separator: &Separator,
    recording: &Recording,
    separated: &Separated,
    engine: &Engine,
) -> Result<()> {
    let Separated { rate, stft, masks, .. } = separated;
    let heard = spectrogram::power(&stft.forward_all(recording.channels()));
    let loudest = heard.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    for (microphone, power) in heard.outer_iter().enumerate() {
        let name = format!("microphone {}", microphone + 1);
        sound::spectrogram(&name, power, stft, *rate, loudest)
            .save_png(folder.join(format!("microphone_{}.png", microphone + 1)))?;
    }
    for (source, mask) in masks.outer_iter().enumerate() {
        let name = format!("source {}", source + 1);
        let power = separated.spectrograms.index_axis(Axis(0), source);
        sound::spectrogram(&name, power, stft, *rate, loudest)
            .save_png(folder.join(format!("source_{}.png", source + 1)))?;
        sound::mask(&name, mask, stft, *rate)
            .save_png(folder.join(format!("mask_{}.png", source + 1)))?;
    }
    let Some(search) = separated.delays.as_ref().and_then(|delays| delays.search.as_ref()) else {
        return Ok(());
    };
    let found = &search.frames * stft.hop() as f64;
    for microphone in 1..recording.microphones() {
        let landscape = separator.landscape(recording, search, microphone, engine, &Interrupts)?;
        let title = format!("objective, delays at microphone {}", microphone + 1);
        sound::landscape(&title, &landscape, &found.column(microphone).to_vec())
            .save_png(folder.join(format!("objective_{}.png", microphone + 1)))?;
    }
    Ok(())
}
