//! Delays (source, microphone) in samples: what they must be, and where they are looked for.

use ndarray::ArrayView2;

use super::permutation;
use super::recording::Recording;
use crate::error::{Error, Result};

/// Where delays are looked for.
///
/// ```
/// use gaspard::audio::DelaySearch;
/// let search = DelaySearch::new(2, 8000).max_lag(64).min_distance(2.0);
/// assert_eq!(search.sources, 2);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DelaySearch {
    /// K: how many sources there are, at most 6.
    pub sources: usize,
    /// The largest delay to either side, in samples; 0.3 s by default.
    pub max_lag: usize,
    /// Delays that differ by no more are one, in samples; 12.5 ms by default, 100 samples at 8 kHz.
    /// Use about 2 samples for arrays whose delays are below a millisecond.
    pub min_distance: f64,
}

impl DelaySearch {
    /// The defaults for so many sources at a rate.
    pub fn new(sources: usize, rate: u32) -> Self {
        let rate = f64::from(rate);
        Self { sources, max_lag: (0.3 * rate) as usize, min_distance: rate / 80.0 }
    }

    /// Delays of up to so many samples.
    pub fn max_lag(self, samples: usize) -> Self {
        Self { max_lag: samples, ..self }
    }

    /// Delays that are more than so many samples apart.
    pub fn min_distance(self, samples: f64) -> Self {
        Self { min_distance: samples, ..self }
    }

    /// Refuses searches that cannot find anything in this recording.
    ///
    /// # Errors
    /// [`Error::Parameter`] for too many sources, and for lags and distances that the recording has no
    /// room for; [`Error::Shape`] for one microphone, [`Error::Data`] for a silent one.
    pub fn check(&self, recording: &Recording) -> Result<()> {
        permutation::check(self.sources)?;
        at_least_two(recording)?;
        if self.max_lag == 0 || self.max_lag >= recording.len() {
            let problem = format!("{} samples", self.max_lag);
            let remedy =
                format!("use 1 to {}: the recording has to be longer", recording.len() - 1);
            return Err(Error::parameter("max-lag", problem, remedy));
        }
        if !(self.min_distance >= 0.0 && self.min_distance.is_finite()) {
            let problem = format!("{} samples", self.min_distance);
            return Err(Error::parameter("min_distance", problem, "use 0 or more"));
        }
        // Peaks that keep this distance have to fit in between.
        if (self.sources - 1) as f64 * self.min_distance > 2.0 * self.max_lag as f64 {
            let problem =
                format!("{} samples, beside a max_lag of {}", self.min_distance, self.max_lag);
            return Err(Error::parameter("min_distance", problem, "use fewer samples"));
        }
        if let Some(silent) =
            recording.channels().rows().into_iter().position(|row| row.iter().all(|x| *x == 0.0))
        {
            let name = format!("microphone {}", silent + 1);
            return Err(Error::data(name, "it is silent", "leave it out"));
        }
        Ok(())
    }

    /// What to say where there are fewer peaks than sources.
    pub(crate) fn too_few(&self, microphone: usize, found: usize) -> Error {
        let problem = format!(
            "{found} of {} delays were found between microphones 1 and {}",
            self.sources,
            microphone + 1
        );
        let remedy = "look for fewer sources, or allow a larger max_lag or a smaller min_distance";
        Error::data("the recording", problem, remedy)
    }
}

/// Sources in the order of their delays: at microphone 2, and where these are equal at the next.
pub(crate) fn order(delays: ArrayView2<'_, f64>) -> Vec<usize> {
    let mut order: Vec<usize> = (0..delays.nrows()).collect();
    let row = |source: usize| delays.row(source).to_vec();
    order.sort_by(|a, b| row(*a).partial_cmp(&row(*b)).expect("delays are numbers"));
    order
}

/// Refuses a recording of one microphone.
pub(crate) fn at_least_two(recording: &Recording) -> Result<()> {
    if recording.microphones() >= 2 {
        return Ok(());
    }
    Err(Error::shape("the recording", "two or more microphones", "one"))
}

/// Refuses delays that do not fit the recording, are not finite, or are not 0 at microphone 1.
pub(crate) fn check(delays: ArrayView2<'_, f64>, sources: usize, microphones: usize) -> Result<()> {
    if delays.dim() != (sources, microphones) {
        let expected = format!("{sources} sources x {microphones} microphones");
        return Err(Error::shape("the delays", expected, format!("{:?}", delays.dim())));
    }
    if let Some(((source, microphone), delay)) = delays.indexed_iter().find(|(_, d)| !d.is_finite())
    {
        let problem =
            format!("that of source {} at microphone {} is {delay}", source + 1, microphone + 1);
        return Err(Error::data("the delays", problem, "give finite numbers of samples"));
    }
    if delays.column(0).iter().any(|delay| *delay != 0.0) {
        let remedy = "delays count from microphone 1: subtract the first column";
        return Err(Error::data("the delays", "they are not 0 at microphone 1", remedy));
    }
    Ok(())
}
