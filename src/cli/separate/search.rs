//! How delays are searched for by transport, and what was found.

use std::str::FromStr;

use gaspard::Result;
use gaspard::audio::baselines::gcc_phat;
use gaspard::audio::separate::NoiseLevel;
use gaspard::audio::transport::Start;
use gaspard::audio::{DelaySearch, Recording, Separator, Stft};
use gaspard::report::delays::{DelayRecord, DelayResults};
use ndarray::Array2;

use crate::cli::given::Given;
use crate::cli::options::{Common, Iterating};
use crate::cli::outputs;
use crate::cli::session::Session;
use crate::cli::simulate::Table;
use crate::cli::status::{Status, Summary};

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
    #[command(flatten)]
    iterating: Iterating,
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

/// What the iterations of the search count, and what they are stopped by.
pub(in crate::cli) const STEPS: &str = "Stop the search after so many steps of the delays at each \
                                        epsilon, converged or not; the best of all starts may take \
                                        four times as many at the last one [default: 12]";
pub(in crate::cli) const MOVES: &str = "Stop the search when no delay moves by more than this in a \
                                        step, in frames of 25 ms; 0 to use all iterations \
                                        [default: 0.001]";

/// The options that only a search by transport has.
pub(in crate::cli) const SEARCH_OPTIONS: [&str; 7] =
    ["noise", "start", "starts", "delay-rate", "block", "max-iterations", "tolerance"];

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
        let separator = match self.iterating.iterations() {
            Some(iterations) => separator.max_iterations(iterations),
            None => separator,
        };
        let separator = match self.iterating.tolerance {
            Some(frames) => separator.tolerance(frames),
            None => separator,
        };
        Ok(match max_lag {
            Some(lag) => separator.max_lag(lag as f64 / f64::from(rate)),
            None => separator,
        })
    }
}

impl Summary for DelayResults {
    fn status(&self) -> Status {
        Status::of(&self.outcome)
    }

    fn numbers(&self) -> Vec<(&'static str, f64)> {
        let named = [("objective", self.objective), ("gap", self.gap)];
        named.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

/// Says how a run went: effort and doubts on stderr, a table of the delays on stdout unless JSON goes
/// there.
pub(in crate::cli) fn say(
    results: &DelayResults,
    what: &str,
    session: &Session<'_>,
    common: &Common,
) -> Result<()> {
    const CLOSE: f64 = 0.02;
    let seconds = results.outcome.seconds;
    let status = results.status();
    match status {
        Status::Interrupted => session
            .warn(&format!("interrupted after {seconds:.2} s: {what}, as far as they were found")),
        _ => session.note(&format!("{what}, in {seconds:.2} s")),
    }
    if let Some(gap) = results.gap.filter(|gap| *gap < CLOSE) {
        let more = 100.0 * gap;
        session.warn(&format!("other delays cost only {more:.1} % more: these are doubtful"));
    }
    if status == Status::NotConverged {
        session.warn(
            "not converged: the delays were still moving when the search ended; allow more \
             --max-iterations, or a larger --tolerance",
        );
    }
    if results.delays.is_empty() || common.json.as_deref().is_some_and(outputs::is_stdout) {
        return Ok(());
    }
    outputs::print(&table(&results.delays))
}

/// One line a delay.
fn table(delays: &[DelayRecord]) -> String {
    let lines = delays.iter().map(|delay| {
        let DelayRecord { source, microphone, frames, samples, seconds } = delay;
        format!("{source:>6} {microphone:>10} {samples:>12.3} {frames:>10.4} {seconds:>11.7}\n")
    });
    let head = format!(
        "{:>6} {:>10} {:>12} {:>10} {:>11}\n",
        "source", "microphone", "samples", "frames", "seconds"
    );
    lines.fold(head, |text, line| text + &line)
}
