//! What is kept of delays, and of the search that found them, in JSON.

use ndarray::Array2;
use serde::Serialize;

use crate::audio::Stft;
use crate::audio::separate::Delays;
use crate::error::{Error, Result};
use crate::outcome::Outcome;

/// Delays in frames that are nearer to each other are the same.
const SAME: f64 = 0.5;

/// How much later a source reaches a microphone than the first one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct DelayRecord {
    /// The source, from 1.
    pub source: usize,
    /// The microphone, from 1.
    pub microphone: usize,
    /// The delay in frames.
    pub frames: f64,
    /// The delay in samples.
    pub samples: f64,
    /// The delay in seconds.
    pub seconds: f64,
}

impl DelayRecord {
    /// Delays (source, microphone) in samples one by one, but for those at the first microphone; in
    /// frames of `hop` samples too, or of 25 ms where there is none.
    ///
    /// ```
    /// use gaspard::report::delays::DelayRecord;
    /// use ndarray::array;
    ///
    /// let all = DelayRecord::list(&array![[0.0, 400.0], [0.0, -200.0]], 16_000, None)?;
    /// assert_eq!((all[1].source, all[1].microphone, all[1].frames), (2, 2, -0.5));
    /// # Ok::<(), gaspard::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Parameter`] for a hop of 0 and for rates without a frame of 25 ms.
    pub fn list(delays: &Array2<f64>, rate: u32, hop: Option<usize>) -> Result<Vec<Self>> {
        let hop = match hop {
            Some(0) => return Err(Error::parameter("--hop", "it is 0", "use at least one sample")),
            Some(hop) => hop,
            None => Stft::at_rate(rate)?.hop(),
        };
        let record = |((source, microphone), samples): ((usize, usize), &f64)| Self {
            source: source + 1,
            microphone: microphone + 1,
            frames: samples / hop as f64,
            samples: *samples,
            seconds: samples / f64::from(rate),
        };
        let later = delays.indexed_iter().filter(|((_, microphone), _)| *microphone > 0);
        Ok(later.map(record).collect())
    }
}

/// The delays of a recording, and how they were found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DelayResults {
    /// One for every source and every microphone but the first; none of methods that find sources
    /// without them.
    pub delays: Vec<DelayRecord>,
    /// The value of the problem of transport, with entropy; none of other methods.
    pub objective: Option<f64>,
    /// Its cost, without.
    pub cost: Option<f64>,
    /// By how much the next best end of the search costs more, relative to the best; none where all
    /// starts led to the same delays.
    pub gap: Option<f64>,
    /// Starts of the search, and those that led to these delays.
    pub starts: Option<[usize; 2]>,
    /// How the search ended: iterations are steps of the best descent, the tolerance is that of how far
    /// delays move, in frames of 25 ms.
    #[serde(flatten)]
    pub outcome: Outcome,
}

impl DelayResults {
    /// Of delays in samples at this rate, listed as by [`DelayRecord::list`].
    ///
    /// # Errors
    /// As [`DelayRecord::list`].
    pub fn new(
        delays: Option<&Delays>,
        rate: u32,
        hop: Option<usize>,
        outcome: Outcome,
    ) -> Result<Self> {
        let search = delays.and_then(|delays| delays.search.as_ref());
        let listed = delays.map(|delays| DelayRecord::list(&delays.samples, rate, hop));
        Ok(Self {
            delays: listed.transpose()?.unwrap_or_default(),
            objective: search.map(|search| search.objective),
            cost: search.map(|search| search.cost),
            gap: search.and_then(|search| search.gap),
            starts: search.map(|search| {
                let best = &search.seeds[0].end;
                let near =
                    |end: &Array2<f64>| end.iter().zip(best).all(|(a, b)| (a - b).abs() <= SAME);
                [search.seeds.len(), search.seeds.iter().filter(|seed| near(&seed.end)).count()]
            }),
            outcome,
        })
    }
}
