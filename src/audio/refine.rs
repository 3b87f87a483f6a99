//! Delays to a fraction of a sample, from delays to a fraction of a frame.

use ndarray::{Array2, ArrayView1, ArrayView2};
use rayon::prelude::*;
use rustfft::num_complex::Complex64;

use super::correlation::{Correlation, correlation_length};
use super::delays;
use super::recording::Recording;
use super::signal::spectrum;
use crate::error::{Error, Result};

/// Steps in a sample, among which the highest value is looked for.
const COARSE: usize = 2;
/// Steps in a sample around it, between which a parabola is laid.
const FINE: usize = 8;

/// The delays (source, microphone) at which sources as they were rebuilt at microphone 1
/// (source, sample) correlate most with what the other microphones recorded: not further from
/// `delays` than `reach` samples (a hop of the spectrogram) and half the way to the nearest other
/// source, so that no source takes the delay of another.
///
/// A source that is silent keeps its delays.
///
/// ```
/// use gaspard::audio::{refine_delays, Simulation, Speaker, Voice};
/// use ndarray::array;
///
/// let voice = Speaker::new(Voice::High).speak(8000, 4000);
/// let scene = Simulation::new(8000, [voice])?.delays(array![[0.0, 417.3]]).run()?;
/// // Known to two frames of 200 samples only.
/// let coarse = array![[0.0, 400.0]];
/// let fine = refine_delays(&scene.mixture, scene.images.view(), coarse.view(), 200.0)?;
/// assert!((fine[[0, 1]] - 417.3).abs() < 0.1);
/// # Ok::<(), gaspard::Error>(())
/// ```
///
/// # Errors
/// [`Error::Shape`] and [`Error::Data`] where delays or sources do not fit the recording,
/// [`Error::Parameter`] for a reach that is not positive.
pub fn refine_delays(
    recording: &Recording,
    sources: ArrayView2<'_, f64>,
    delays: ArrayView2<'_, f64>,
    reach: f64,
) -> Result<Array2<f64>> {
    let (count, microphones) = (sources.nrows(), recording.microphones());
    if sources.ncols() != recording.len() {
        let expected = format!("{} samples", recording.len());
        return Err(Error::shape("the sources", expected, sources.ncols().to_string()));
    }
    delays::check(delays, count, microphones)?;
    if !(reach > 0.0 && reach.is_finite()) {
        let problem = format!("it is {reach}");
        return Err(Error::parameter("reach", problem, "use the hop of the spectrogram"));
    }
    let mut spectra = CrossSpectra::new(count, microphones, recording.len());
    spectra.add(sources, recording.channels());
    Ok(spectra.refined(delays, reach))
}

/// How rebuilt sources correlate with what microphones recorded, summed over pieces of a recording.
pub(crate) struct CrossSpectra {
    length: usize,
    /// Pairs of a source and a microphone other than the first.
    pairs: Vec<(usize, usize)>,
    sums: Vec<Vec<Complex64>>,
}

impl CrossSpectra {
    /// For pieces of at most so many samples.
    pub(crate) fn new(sources: usize, microphones: usize, samples: usize) -> Self {
        let pairs = (0..sources).flat_map(|k| (1..microphones).map(move |l| (k, l)));
        Self { length: correlation_length(samples), pairs: pairs.collect(), sums: Vec::new() }
    }

    /// Adds a piece: sources (source, sample) and microphones (microphone, sample).
    pub(crate) fn add(&mut self, sources: ArrayView2<'_, f64>, channels: ArrayView2<'_, f64>) {
        let spectra = |signals: ArrayView2<'_, f64>| -> Vec<Vec<Complex64>> {
            let rows: Vec<ArrayView1<'_, f64>> = signals.rows().into_iter().collect();
            rows.into_par_iter().map(|signal| spectrum(signal, self.length)).collect()
        };
        let (ours, theirs) = (spectra(sources), spectra(channels));
        self.sums.resize(self.pairs.len(), vec![Complex64::ZERO; self.length / 2 + 1]);
        for (&(k, l), sum) in self.pairs.iter().zip(&mut self.sums) {
            let products = ours[k].iter().zip(&theirs[l]).map(|(x, y)| y * x.conj());
            sum.iter_mut().zip(products).for_each(|(sum, product)| *sum += product);
        }
    }

    /// Delays where correlations are largest, within `reach` samples of `delays`.
    pub(crate) fn refined(&self, delays: ArrayView2<'_, f64>, reach: f64) -> Array2<f64> {
        let found: Vec<f64> = self
            .pairs
            .par_iter()
            .zip(&self.sums)
            .map(|(&(k, l), sum)| {
                highest(sum, self.length, delays[[k, l]], reach.min(half_gap(delays, k, l)))
            })
            .collect();
        let mut refined = delays.to_owned();
        self.pairs.iter().zip(found).for_each(|(&(k, l), delay)| refined[[k, l]] = delay);
        refined
    }
}

/// Half the way from the delay of a source to the nearest one of another at this microphone.
fn half_gap(delays: ArrayView2<'_, f64>, source: usize, microphone: usize) -> f64 {
    let column = delays.column(microphone);
    let others = column.iter().enumerate().filter(|(other, _)| *other != source);
    let gaps = others.map(|(_, delay)| (delay - column[source]).abs());
    0.5 * gaps.fold(f64::INFINITY, f64::min)
}

/// The lag of the largest value within `reach` of a lag: on a grid first, and then around the highest
/// value there.
fn highest(cross: &[Complex64], length: usize, around: f64, reach: f64) -> f64 {
    let correlation = Correlation::new(cross.to_vec(), length, COARSE);
    let within = |around: f64, reach: f64, steps: f64| {
        ((around - reach) * steps).ceil() as isize..=((around + reach) * steps).floor() as isize
    };
    let larger = |a: (isize, f64), b: (isize, f64)| if b.1 > a.1 { b } else { a };
    let coarse = within(around, reach, COARSE as f64);
    let Some((step, _)) = coarse.map(|step| (step, correlation.at(step))).reduce(larger) else {
        return around;
    };
    let lag = |step: isize| step as f64 / FINE as f64;
    let at = |step: isize| Correlation::exactly(cross, length, lag(step));
    let near = within(step as f64 / COARSE as f64, 1.0 / COARSE as f64, FINE as f64);
    let inside = within(around, reach, FINE as f64);
    let fine = near.filter(|step| inside.contains(step)).map(|step| (step, at(step)));
    let Some((step, value)) = fine.reduce(larger) else { return around };
    // Where values still rise beyond the reach, or all are zero, no parabola has its vertex here.
    if value <= 0.0 {
        return around;
    }
    let [before, after] = [step - 1, step + 1].map(at);
    let bend = before - 2.0 * value + after;
    let peaked = bend < 0.0 && before <= value && after <= value;
    let shift = if peaked { 0.5 * (before - after) / bend } else { 0.0 };
    lag(step) + shift / FINE as f64
}
