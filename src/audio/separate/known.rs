//! Known methods, for the whole of a recording at once.

use std::time::Instant;

use ndarray::{Array1, Axis};

use super::options::Method;
use super::search::Delays;
use super::separated::Separated;
use super::separator::Job;
use crate::audio::baselines::{Fdica, Mnmf, delay_and_sum, gcc_phat};
use crate::audio::{DelaySearch, spectrogram};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::observer::Observer;
use crate::outcome::Outcome;

pub(super) fn separated(
    job: &Job<'_>,
    observer: &mut dyn Observer,
    begin: Instant,
) -> Result<Separated> {
    let (recording, sources) = (job.recording, job.separator.sources);
    // Frames that overlap enough to be changed.
    let stft = job.stft.with_hop((job.stft.window() / 4).max(1))?;
    let mut delays = None;
    let signals = match job.separator.method {
        Method::DelayAndSum => {
            let most = job.separator.max_lag * f64::from(recording.rate());
            let most = (most.round() as usize).clamp(1, recording.len() - 1);
            let search = DelaySearch::new(sources, recording.rate()).max_lag(most);
            let samples = gcc_phat(recording, &search)?;
            let sums = delay_and_sum(recording, samples.view())?;
            delays = Some(Delays { samples, search: None });
            sums
        }
        Method::Fdica => {
            let microphones = recording.microphones();
            if sources != microphones {
                let problem = format!("{sources} of them, at {microphones} microphones");
                let remedy =
                    "independent components are as many as microphones; use another method";
                return Err(Error::parameter("sources", problem, remedy));
            }
            Fdica::new(stft).solve_with(recording, observer)?
        }
        _ => {
            let mnmf = Mnmf::new(stft, sources).seed(job.separator.seed);
            mnmf.solve_with(recording, observer)?
        }
    };
    let spectrograms = spectrogram::power(&job.stft.forward_all(signals.view()));
    let mut masks = spectrograms.clone();
    let sums = masks.sum_axis(Axis(0));
    for mut mask in masks.outer_iter_mut() {
        mask.zip_mut_with(&sums, |mask, sum| *mask /= sum.max(f64::MIN_POSITIVE));
    }
    Ok(Separated {
        rate: recording.rate(),
        stft: job.stft,
        signals,
        delays,
        masks,
        spectrograms,
        noise: Array1::zeros(job.stft.frequencies()),
        filter: None,
        outcome: Outcome {
            interrupted: observer.interrupted(),
            ..Outcome::new(&Engine::cpu(), begin, 0, 0.0)
        },
    })
}
