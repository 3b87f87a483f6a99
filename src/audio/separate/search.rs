//! Delays by transport, for a recording as a whole.

use ndarray::{Array1, Array2, Array3, ArrayView2, Axis, s};

use super::options::{Method, NoiseLevel};
use super::separator::Job;
use crate::audio::recording::Recording;
use crate::audio::refine::CrossSpectra;
use crate::audio::stft::Stft;
use crate::audio::transport::{Seed, Separation, Solution, TracePoint};
use crate::audio::{delays, noise, spectrogram};
use crate::error::{Error, Result};
use crate::observer::Observer;
use crate::outcome::Outcome;

/// Blocks that delays are found from, the loudest ones.
const MOST_BLOCKS: usize = 8;
/// So many times the level of the noise is subtracted to find delays.
const SUBTRACTED: f64 = 3.0;
/// Iterations between two steps of the delays.
const INNER: usize = 10;
/// The share of all mass that is left out of the search, at frequencies where there is hardly any.
const NEGLIGIBLE: f64 = 1e-3;
/// Lags along one axis of a landscape, at most.
const RESOLUTION: f64 = 48.0;

/// Delays. Transport puts sources in the order of their delays at microphone 2.
#[derive(Clone, Debug, PartialEq)]
pub struct Delays {
    /// The delays (source, microphone) in samples: positive where a source reaches a microphone later
    /// than the first one, 0 there.
    pub samples: Array2<f64>,
    /// How transport found them; none of other methods.
    pub search: Option<Search>,
}

/// How transport found delays.
#[derive(Clone, Debug, PartialEq)]
pub struct Search {
    /// The delays (source, microphone) before refinement, in frames of 25 ms.
    pub frames: Array2<f64>,
    /// What the plans cost, in squared frames, for a recording of mass one.
    pub cost: f64,
    /// The value of the problem, with entropy.
    pub objective: f64,
    /// By how much the next best end that is another one costs more, relative to the best: small where
    /// delays are doubtful. None where all starts led to the same delays.
    pub gap: Option<f64>,
    /// All starts and where they led to, the best one first.
    pub seeds: Vec<Seed>,
    /// The steps of the best descent.
    pub trace: Vec<TracePoint>,
    /// How the search ended: iterations are steps of the best descent, the tolerance is that of how far
    /// delays move, in frames.
    pub outcome: Outcome,
}

/// The objective over the delays of two sources, or of one, at a microphone; all others are where they
/// were found.
#[derive(Clone, Debug, PartialEq)]
pub struct Landscape {
    /// Lags in samples, along both axes.
    pub lags: Vec<f64>,
    /// (delay of source 2, delay of source 1); of one source (1, delay).
    pub values: Array2<f64>,
}

/// The blocks that delays are found from, as spectrograms at the rate that they are searched at.
struct Heard {
    rate: u32,
    stft: Stft,
    blocks: usize,
    /// (microphone, frequency, block and frame).
    power: Array3<f64>,
}

pub(super) fn search(job: &Job<'_>, observer: &mut dyn Observer) -> Result<Search> {
    let heard = Heard::new(job)?;
    let solution = heard.separation(job)?.solve_with(job.engine, observer)?;
    // Frames of another rate are as long but for rounding.
    let hop = heard.stft.hop() as f64 / f64::from(heard.rate);
    let scale = hop * f64::from(job.recording.rate()) / job.stft.hop() as f64;
    Ok(Search::new(solution, scale))
}

pub(super) fn landscape(
    job: &Job<'_>,
    found: &Search,
    microphone: usize,
    observer: &dyn Observer,
) -> Result<Landscape> {
    let (sources, microphones) = found.frames.dim();
    if !(1..microphones).contains(&microphone) {
        let problem = format!("there is no number {microphone} of {microphones}");
        return Err(Error::parameter(
            "microphone",
            problem,
            "count from 0, and leave out the first",
        ));
    }
    let heard = Heard::new(job)?;
    let most = heard.max_lag(job);
    let step = (2.0 * most / RESOLUTION).max(0.25);
    let count = (most / step).floor() as i32;
    let lags: Vec<f64> = (-count..=count).map(|place| f64::from(place) * step).collect();
    let rows: &[f64] = if sources == 1 { &[0.0] } else { &lags };
    let candidates: Vec<Array2<f64>> = rows
        .iter()
        .flat_map(|second| {
            lags.iter().map(move |first| {
                let mut candidate = found.frames.clone();
                candidate[[0, microphone]] = *first;
                if sources > 1 {
                    candidate[[1, microphone]] = *second;
                }
                candidate
            })
        })
        .collect();
    let scores = heard.separation(job)?.scores(&candidates, job.engine, observer)?;
    let values = Array2::from_shape_vec((rows.len(), lags.len()), scores)
        .expect("there is a score for every candidate");
    let hop = job.stft.hop() as f64;
    Ok(Landscape { lags: lags.iter().map(|lag| lag * hop).collect(), values })
}

/// The level N (F) of the noise in power spectrograms (microphone, frequency, frame) of a recording at
/// another rate.
pub(super) fn noise_level(
    job: &Job<'_>,
    stft: &Stft,
    rate: u32,
    power: &Array3<f64>,
) -> Result<Array1<f64>> {
    match job.separator.noise_level() {
        NoiseLevel::None => Ok(Array1::zeros(stft.frequencies())),
        NoiseLevel::White => noise::white(power.view(), noise::QUANTILE),
        NoiseLevel::Coloured => noise::coloured(power.view(), noise::QUANTILE),
        // Of white noise, a lower rate keeps what is below half of it.
        NoiseLevel::Variance(variance) => {
            let kept = (f64::from(rate) / f64::from(job.recording.rate())).min(1.0);
            noise::known(stft, variance * kept)
        }
    }
}

/// The level of the noise at the rate of the recording.
pub(super) fn noise_of_recording(job: &Job<'_>) -> Result<Array1<f64>> {
    let rate = job.recording.rate();
    match job.separator.noise_level() {
        NoiseLevel::White | NoiseLevel::Coloured => {
            let heard = Heard::at_rate(job, rate)?;
            noise_level(job, &heard.stft, rate, &heard.power)
        }
        _ => noise_level(job, &job.stft, rate, &Array3::zeros((0, 0, 0))),
    }
}

impl Heard {
    fn new(job: &Job<'_>) -> Result<Self> {
        let rate = job.recording.rate();
        Self::at_rate(job, job.separator.delay_rate.map_or(rate, |wanted| wanted.min(rate)))
    }

    fn at_rate(job: &Job<'_>, rate: u32) -> Result<Self> {
        let stft = Stft::at_rate(rate)?;
        let pieces: Vec<Recording> = loudest(job)
            .into_iter()
            .map(|block| job.piece(block).resampled(rate))
            .collect::<Result<_>>()?;
        let frames = pieces.iter().map(|piece| stft.frames(piece.len())).max().unwrap_or(0);
        let shape = (job.recording.microphones(), stft.frequencies(), pieces.len() * frames);
        let mut power = Array3::zeros(shape);
        for (place, piece) in pieces.iter().enumerate() {
            let heard = spectrogram::power(&stft.forward_all(piece.channels()));
            let begin = place * frames;
            power.slice_mut(s![.., .., begin..begin + heard.dim().2]).assign(&heard);
        }
        Ok(Self { rate, stft, blocks: pieces.len(), power })
    }

    /// The largest delay in frames.
    fn max_lag(&self, job: &Job<'_>) -> f64 {
        let frames = self.power.dim().2 / self.blocks;
        let lag = job.separator.max_lag * f64::from(self.rate) / self.stft.hop() as f64;
        lag.min(frames as f64 - 1.0)
    }

    /// The problem of all blocks, one beside another.
    fn separation(&self, job: &Job<'_>) -> Result<Separation> {
        let level = noise_level(job, &self.stft, self.rate, &self.power)?;
        let (_, frequencies, columns) = self.power.dim();
        let shape = (frequencies * self.blocks, columns / self.blocks);
        let beside = |power: ArrayView2<'_, f64>| -> Result<Array2<f64>> {
            let rest = noise::subtracted(power, level.view(), SUBTRACTED)?;
            Ok(rest.into_shape_with_order(shape).expect("every block has as many frames"))
        };
        let mut spectrograms: Vec<Array2<f64>> =
            self.power.axis_iter(Axis(0)).map(beside).collect::<Result<_>>()?;
        if job.separator.method == Method::Robust {
            let rows = heaviest(&spectrograms);
            spectrograms.iter_mut().for_each(|power| *power = power.select(Axis(0), &rows));
        }
        let problem = match job.separator.method {
            // With an outlier source plans are near their end after few iterations.
            Method::Robust => problem(job, &spectrograms)?.inner_iterations(INNER),
            _ => problem(job, &spectrograms)?,
        };
        let problem = match job.separator.max_iterations {
            Some(iterations) => problem.max_iterations(iterations),
            None => problem,
        };
        let problem = match job.separator.tolerance {
            Some(frames) => problem.tolerance(frames),
            None => problem,
        };
        // Masks are made later, of spectrograms less cleaned.
        Ok(problem
            .start(job.separator.start.clone())
            .plan(job.separator.plan)
            .max_lag(self.max_lag(job))
            .mask_iterations(1))
    }
}

/// The rows that hold nearly all that is heard, in their order.
fn heaviest(spectrograms: &[Array2<f64>]) -> Vec<usize> {
    let sums = spectrograms.iter().map(|power| power.sum_axis(Axis(1)));
    let masses = sums.reduce(|a, b| a + b).expect("there are microphones");
    let mut order: Vec<usize> = (0..masses.len()).collect();
    order.sort_by(|a, b| masses[*b].total_cmp(&masses[*a]));
    let mut left = (1.0 - NEGLIGIBLE) * masses.sum();
    let needed = order.iter().take_while(|row| {
        let needed = left > 0.0;
        left -= masses[**row];
        needed
    });
    let mut rows: Vec<usize> = needed.copied().collect();
    rows.sort_unstable();
    rows
}

/// Transport between spectrograms by the method that was chosen.
pub(super) fn problem(job: &Job<'_>, spectrograms: &[Array2<f64>]) -> Result<Separation> {
    let separation = Separation::new(spectrograms, job.separator.sources)?;
    Ok(if job.separator.method == Method::Paper { separation.paper() } else { separation })
}

/// The blocks with the most energy, in the order of time.
fn loudest(job: &Job<'_>) -> Vec<usize> {
    let energy = |block: usize| {
        let channels = job.recording.channels().slice_move(s![.., job.blocks.range(block)]);
        // That of the quietest microphone: where one hears nothing, there is nothing to compare.
        let energies = channels.rows().into_iter().map(|row| row.dot(&row)).collect::<Vec<_>>();
        energies.into_iter().fold(f64::INFINITY, f64::min)
    };
    let mut order: Vec<(usize, f64)> = (0..job.blocks.count()).map(|b| (b, energy(b))).collect();
    order.sort_by(|a, b| b.1.total_cmp(&a.1));
    order.truncate(MOST_BLOCKS);
    let mut chosen: Vec<usize> = order.into_iter().map(|(block, _)| block).collect();
    chosen.sort_unstable();
    chosen
}

impl Search {
    fn new(solution: Solution, scale: f64) -> Self {
        let order = delays::order(solution.delays.view());
        Self {
            frames: solution.delays.select(Axis(0), &order) * scale,
            cost: solution.cost,
            objective: solution.objective,
            gap: solution.gap,
            seeds: solution.seeds,
            trace: solution.trace,
            outcome: solution.outcome,
        }
    }

    /// In samples.
    pub(super) fn samples(&self, job: &Job<'_>) -> Array2<f64> {
        &self.frames * job.stft.hop() as f64
    }

    /// To a fraction of a sample, from the sources by their masks.
    pub(super) fn refined(&self, job: &Job<'_>, masked: &Array2<f64>) -> Array2<f64> {
        let (sources, microphones) = self.frames.dim();
        let longest = (0..job.blocks.count()).map(|block| job.blocks.range(block).len()).max();
        let mut spectra = CrossSpectra::new(sources, microphones, longest.unwrap_or(0));
        for block in 0..job.blocks.count() {
            let range = job.blocks.range(block);
            let sources = masked.slice(s![.., range.clone()]);
            spectra.add(sources, job.recording.channels().slice_move(s![.., range]));
        }
        spectra.refined(self.samples(job).view(), job.stft.hop() as f64)
    }
}
