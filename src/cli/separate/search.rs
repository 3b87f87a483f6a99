//! How delays are searched for by transport, and what was found.

use std::str::FromStr;

use gaspard::Result;
use gaspard::audio::baselines::gcc_phat;
use gaspard::audio::separate::{Delays, NoiseLevel};
use gaspard::audio::transport::Start;
use gaspard::audio::{DelaySearch, Recording, Separator, Stft};
use ndarray::Array2;
use serde::Serialize;

use crate::cli::given::Given;
use crate::cli::options::Common;
use crate::cli::outputs;
use crate::cli::session::Session;
use crate::cli::simulate::Table;
use crate::cli::status::Status;
use crate::cli::tdoa::{self, Delay};

/// What the search by transport can be told.
#[derive(Clone, Debug, clap::Args)]
pub(in crate::cli) struct SearchArguments {
    /// What is known of the noise: white or coloured, at a level that is estimated; none; or the
    /// variance of white noise
    #[arg(
        long,
        value_name = "white|coloured|none|VARIANCE",
        default_value = "white",
        allow_hyphen_values = true
    )]
    noise: NoiseOption,
    /// Where the search of delays starts: on a grid, at random, at peaks of the correlation of
    /// spectrograms or of gcc-phat, or at given delays in samples, written as for simulate
    #[arg(
        long,
        value_name = "grid|random|spectrogram|gcc-phat|D,D,...",
        default_value = "grid",
        allow_hyphen_values = true
    )]
    start: StartOption,
    /// How many starts there are at random, or from the best of the grid [default: 10 at
    /// random; of the grid 5, and 20 for more than two sources]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..))]
    starts: Option<u16>,
    /// Search delays at this rate, where that of the recording is higher; 8000 is faster
    #[arg(long, value_name = "HERTZ", value_parser = clap::value_parser!(u32).range(1000..=768_000))]
    delay_rate: Option<u32>,
    /// Seconds of a block, where the recording is longer
    #[arg(long, value_name = "SECONDS", default_value_t = 8.0, allow_negative_numbers = true)]
    block: f64,
}

/// `--noise`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::cli) struct NoiseOption(NoiseLevel);

impl FromStr for NoiseOption {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        Ok(Self(match text {
            "white" => NoiseLevel::White,
            "coloured" => NoiseLevel::Coloured,
            "none" => NoiseLevel::None,
            _ => NoiseLevel::Variance(
                text.parse()
                    .map_err(|_| "neither white, coloured, none nor a number".to_owned())?,
            ),
        }))
    }
}

/// `--start`.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::cli) enum StartOption {
    Grid,
    Random,
    Spectrogram,
    GccPhat,
    Given(Table),
}

impl FromStr for StartOption {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        Ok(match text {
            "grid" => Self::Grid,
            "random" => Self::Random,
            "spectrogram" => Self::Spectrogram,
            "gcc-phat" => Self::GccPhat,
            _ => Self::Given(text.parse()?),
        })
    }
}

/// The options that only a search by transport has.
pub(in crate::cli) const SEARCH_OPTIONS: [&str; 5] =
    ["noise", "start", "starts", "delay-rate", "block"];

impl SearchArguments {
    /// Refuses options that have no meaning with each other.
    pub(in crate::cli) fn check(&self, given: &Given) -> Result<()> {
        match self.start {
            StartOption::Grid | StartOption::Random => Ok(()),
            _ => given.refuse(&["starts"], "this --start, which is one"),
        }
    }

    /// A separator that searches as these options say.
    pub(in crate::cli) fn applied(
        &self,
        separator: Separator,
        recording: &Recording,
        sources: usize,
        max_lag: Option<usize>,
        seed: u64,
    ) -> Result<Separator> {
        let rate = recording.rate();
        if let Some(lag) = max_lag {
            DelaySearch::new(sources, rate).max_lag(lag).min_distance(0.0).check(recording)?;
        }
        let most = max_lag.unwrap_or((0.3 * f64::from(rate)) as usize).min(recording.len() - 1);
        let frames = |samples: Array2<f64>| -> Result<Start> {
            Ok(Start::Given(vec![samples / Stft::at_rate(rate)?.hop() as f64]))
        };
        let start = match &self.start {
            StartOption::Grid => Start::Grid {
                step: None,
                top: self.starts.map_or(Separator::starts(sources), usize::from),
            },
            StartOption::Random => {
                Start::Random { starts: self.starts.map_or(10, usize::from), seed }
            }
            StartOption::Spectrogram => Start::SpectroCorrelation,
            StartOption::GccPhat => {
                frames(gcc_phat(recording, &DelaySearch::new(sources, rate).max_lag(most))?)?
            }
            StartOption::Given(table) => {
                let microphones = recording.microphones();
                let later = table.rows("--start", sources, microphones - 1, false)?;
                let mut all = Array2::zeros((sources, microphones));
                all.slice_mut(ndarray::s![.., 1..]).assign(&later);
                frames(all)?
            }
        };
        let separator = separator.noise(self.noise.0).start(start).block(self.block);
        let separator =
            self.delay_rate.map_or(separator.clone(), |rate| separator.delay_rate(rate));
        Ok(match max_lag {
            Some(lag) => separator.max_lag(lag as f64 / f64::from(rate)),
            None => separator,
        })
    }
}

/// Delays in JSON.
#[derive(Serialize)]
pub(in crate::cli) struct Found {
    delays: Vec<Delay>,
    /// The value of the problem of transport, with entropy; its cost without.
    objective: Option<f64>,
    cost: Option<f64>,
    /// By how much the next best end of the search costs more, relative to the best; none where all
    /// starts led to the same delays.
    gap: Option<f64>,
    /// Starts of the search, and those that led to these delays.
    starts: Option<[usize; 2]>,
    converged: bool,
    interrupted: bool,
}

impl Found {
    pub(in crate::cli) fn new(
        delays: Option<&Delays>,
        recording: &Recording,
        hop: Option<usize>,
        interrupted: bool,
    ) -> Result<Self> {
        let search = delays.and_then(|delays| delays.search.as_ref());
        let listed = match delays {
            Some(delays) => tdoa::listed(&delays.samples, recording.rate(), hop)?,
            None => Vec::new(),
        };
        Ok(Self {
            delays: listed,
            objective: search.map(|search| search.objective),
            cost: search.map(|search| search.cost),
            gap: search.and_then(|search| search.gap),
            starts: search.map(|search| {
                let best = &search.seeds[0].end;
                let near =
                    |end: &Array2<f64>| end.iter().zip(best).all(|(a, b)| (a - b).abs() <= 0.5);
                [search.seeds.len(), search.seeds.iter().filter(|seed| near(&seed.end)).count()]
            }),
            converged: search.is_none_or(|search| search.converged),
            interrupted,
        })
    }

    pub(in crate::cli) fn status(&self) -> Status {
        Status::new(self.interrupted, self.converged)
    }

    pub(in crate::cli) fn numbers(&self) -> Vec<(&'static str, f64)> {
        let named = [("objective", self.objective), ("gap", self.gap)];
        named.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }

    /// Says how a run went that took so many seconds.
    pub(in crate::cli) fn summarise(&self, session: &Session<'_>, what: &str, seconds: f64) {
        if self.interrupted {
            session.warn(&format!(
                "interrupted after {seconds:.2} s: {what}, as far as they were found"
            ));
        } else {
            session.note(&format!("{what}, in {seconds:.2} s"));
        }
    }

    /// Tells people: doubts on stderr, a table on stdout unless JSON goes there.
    pub(in crate::cli) fn say(&self, session: &Session<'_>, common: &Common) -> Result<()> {
        const CLOSE: f64 = 0.02;
        if let Some(gap) = self.gap.filter(|gap| *gap < CLOSE) {
            session.warn(&format!(
                "other delays cost only {:.1} % more: these are doubtful",
                100.0 * gap
            ));
        }
        if !self.converged && !self.interrupted {
            session.warn("the delays were still moving when the search ended");
        }
        if self.delays.is_empty() || common.json.as_deref().is_some_and(outputs::is_stdout) {
            return Ok(());
        }
        outputs::print(&tdoa::table(&self.delays))
    }
}
