//! Sound from spectrograms and delays, block by block.

use ndarray::{Array2, s};

use super::options::{Filter, Method};
use super::search::Delays;
use super::separated::Separated;
use super::separator::Job;
use super::spectra::Spectra;
use crate::audio::reconstruct::Reconstruction;
use crate::error::Result;
use crate::observer::{Observer, Untold};

/// The sources by their masks.
pub(super) fn masked(
    job: &Job<'_>,
    spectra: &Spectra,
    observer: &dyn Observer,
) -> Result<Array2<f64>> {
    Ok(rebuilt(job, spectra, observer, |rebuild, _| rebuild.mask())?.0)
}

pub(super) fn separated(
    job: &Job<'_>,
    delays: Delays,
    spectra: Spectra,
    masked: Array2<f64>,
    observer: &dyn Observer,
) -> Result<Separated> {
    let filter = chosen(job, &delays);
    let (signals, stopped) = match filter {
        Filter::Wiener { iterations } => rebuilt(job, &spectra, observer, |rebuild, observer| {
            rebuild.wiener_with(iterations, &mut Untold(observer))
        })?,
        Filter::Aligned => {
            rebuilt(job, &spectra, observer, |rebuild, _| rebuild.aligned(delays.samples.view()))?
        }
        Filter::Auto | Filter::Mask => (masked, observer.interrupted()),
    };
    let search = delays.search.as_ref().expect("transport searches");
    let mut outcome = search.outcome.clone();
    outcome.interrupted |= stopped;
    Ok(Separated {
        rate: job.recording.rate(),
        stft: job.stft,
        signals,
        filter: Some(filter),
        outcome,
        delays: Some(delays),
        masks: spectra.masks,
        spectrograms: spectra.spectrograms,
        noise: spectra.noise,
    })
}

/// The filter that is best for these delays.
fn chosen(job: &Job<'_>, delays: &Delays) -> Filter {
    let separator = job.separator;
    let hop = job.stft.hop() as f64;
    let samples = &delays.samples;
    let apart = |a: usize, b: usize| {
        let gaps = samples.row(a).into_iter().zip(samples.row(b)).map(|(a, b)| (a - b).abs());
        gaps.fold(0.0, f64::max) >= hop
    };
    let all_apart = || (0..separator.sources).all(|a| (0..a).all(|b| apart(a, b)));
    match separator.filter {
        Filter::Auto if separator.method == Method::Paper => Filter::Wiener { iterations: 1 },
        Filter::Auto if separator.refines() && all_apart() => Filter::Aligned,
        Filter::Auto => Filter::Mask,
        filter => filter,
    }
}

/// What a filter makes of every block, joined; and whether it was stopped.
fn rebuilt(
    job: &Job<'_>,
    spectra: &Spectra,
    observer: &dyn Observer,
    filter: impl Fn(&Reconstruction<'_>, &dyn Observer) -> Result<Array2<f64>>,
) -> Result<(Array2<f64>, bool)> {
    let mut signals = Array2::zeros((job.separator.sources, job.recording.len()));
    for block in 0..job.blocks.count() {
        if observer.interrupted() {
            return Ok((signals, true));
        }
        let (range, piece) = (job.blocks.range(block), job.piece(block));
        let first = range.start / job.stft.hop();
        let frames = job.stft.frames(piece.len());
        let last = (first + frames).min(spectra.spectrograms.dim().2);
        let powers = spectra.spectrograms.slice(s![.., .., first..last]);
        let rebuild =
            Reconstruction::new(&piece, &job.stft, powers)?.noise(spectra.noise.clone())?;
        let found = filter(&rebuild, observer)?;
        for (n, sample) in range.enumerate() {
            let weight = job.blocks.weight(block, sample);
            signals.column_mut(sample).scaled_add(weight, &found.column(n));
        }
    }
    Ok((signals, observer.interrupted()))
}
