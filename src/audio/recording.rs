//! What microphones recorded.

use std::fmt;

use ndarray::{Array2, ArrayView1, ArrayView2};

use crate::error::{Error, Result};

/// Peaks that are cut off stay at their largest value for at least so many samples.
const CLIPPED_RUN: usize = 3;

/// A mean beyond this share of the root mean square is worth a remark.
const OFFSET_SHARE: f64 = 0.5;

/// Samples of one or more microphones that ran together: finite, at least one of them.
///
/// ```
/// use gaspard::audio::Recording;
/// use ndarray::array;
/// let recording = Recording::new("a click", 8000, array![[0.0, 1.0, -1.0, 0.0], [0.0, 0.0, 1.0, -1.0]])?;
/// assert_eq!((recording.microphones(), recording.len()), (2, 4));
/// assert_eq!(recording.seconds(), 4.0 / 8000.0);
/// assert!(recording.remarks().is_empty());
/// # Ok::<(), gaspard::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    rate: u32,
    channels: Array2<f64>,
}

impl Recording {
    /// Samples (microphone, sample) at a rate in hertz; `name` is what errors call them.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a rate of 0, [`Error::Data`] for no samples and for samples that
    /// are not finite.
    pub fn new(name: &str, rate: u32, channels: Array2<f64>) -> Result<Self> {
        if rate == 0 {
            return Err(Error::parameter("rate", "it is 0", "give samples per second"));
        }
        if channels.is_empty() {
            return Err(Error::data(name, "it has no samples", "give at least one"));
        }
        if let Some(((microphone, sample), value)) =
            channels.indexed_iter().find(|(_, value)| !value.is_finite())
        {
            let problem = format!("sample {sample} of microphone {} is {value}", microphone + 1);
            return Err(Error::data(name, problem, "replace such samples, for example by 0"));
        }
        // Its energy is summed in what follows.
        if !channels.iter().map(|value| value * value).sum::<f64>().is_finite() {
            return Err(Error::data(name, "its energy overflows", "scale it down"));
        }
        Ok(Self { rate, channels })
    }

    /// Samples per second.
    pub fn rate(&self) -> u32 {
        self.rate
    }

    /// The samples (microphone, sample).
    pub fn channels(&self) -> ArrayView2<'_, f64> {
        self.channels.view()
    }

    /// The samples of a microphone, counted from 0.
    ///
    /// # Panics
    /// Where there is no such microphone.
    pub fn channel(&self, microphone: usize) -> ArrayView1<'_, f64> {
        self.channels.row(microphone)
    }

    /// How many microphones there are.
    pub fn microphones(&self) -> usize {
        self.channels.nrows()
    }

    /// Samples of each microphone.
    #[allow(clippy::len_without_is_empty)] // It never is.
    pub fn len(&self) -> usize {
        self.channels.ncols()
    }

    /// How long it is.
    pub fn seconds(&self) -> f64 {
        self.len() as f64 / f64::from(self.rate)
    }

    /// What may keep methods from working well on it: silence, offsets, peaks that were cut off.
    pub fn remarks(&self) -> Vec<Remark> {
        self.channels
            .rows()
            .into_iter()
            .enumerate()
            .flat_map(|(index, samples)| remarks(index + 1, samples))
            .collect()
    }
}

/// Something odd about a microphone, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Remark {
    /// All samples are zero.
    Silent {
        /// Which one.
        microphone: usize,
    },
    /// The mean is large beside the root mean square.
    Offset {
        /// Which one.
        microphone: usize,
        /// The mean.
        mean: f64,
    },
    /// Peaks stay at the largest value that occurs.
    Clipped {
        /// Which one.
        microphone: usize,
        /// How many samples do.
        samples: usize,
    },
}

impl fmt::Display for Remark {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent { microphone } => write!(out, "microphone {microphone} is silent"),
            Self::Offset { microphone, mean } => {
                write!(
                    out,
                    "microphone {microphone} has an offset of {mean:.3e}; subtract its mean"
                )
            }
            Self::Clipped { microphone, samples } => write!(
                out,
                "microphone {microphone} is clipped at {samples} samples; record at a lower level"
            ),
        }
    }
}

fn remarks(microphone: usize, samples: ArrayView1<'_, f64>) -> Vec<Remark> {
    let count = samples.len() as f64;
    let power = samples.iter().map(|value| value * value).sum::<f64>() / count;
    if power == 0.0 {
        return vec![Remark::Silent { microphone }];
    }
    let mean = samples.sum() / count;
    let offset = mean.abs() > OFFSET_SHARE * power.sqrt() && samples.len() > 1;
    let clipped = clipped(samples);
    [
        offset.then_some(Remark::Offset { microphone, mean }),
        (clipped > 0).then_some(Remark::Clipped { microphone, samples: clipped }),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Samples in runs at the largest or the smallest value. A constant signal is none of peaks.
fn clipped(samples: ArrayView1<'_, f64>) -> usize {
    let top = samples.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let bottom = samples.iter().copied().fold(f64::INFINITY, f64::min);
    let samples: Vec<f64> = samples.to_vec();
    let runs = samples.chunk_by(|a, b| a == b).filter(|run| run[0] == top || run[0] == bottom);
    if top == bottom { 0 } else { runs.map(<[f64]>::len).filter(|run| *run >= CLIPPED_RUN).sum() }
}
