//! `gaspard tdoa`: how much later each source reaches one microphone than another.

use std::path::PathBuf;
use std::time::Instant;

use clap::ValueEnum;
use gaspard::audio::baselines::{gcc_phat, mccc};
use gaspard::audio::separate::Delays;
use gaspard::audio::{DelaySearch, Recording, Separator};
use gaspard::io::wav;
use gaspard::report::delays::DelayResults;
use gaspard::report::record::RunRecord;
use gaspard::{Engine, Outcome, Result};
use serde::Serialize;

use super::given::Given;
use super::interrupt;
use super::options::Common;
use super::separate::{MOVES, SEARCH_OPTIONS, STEPS, SearchArguments, say};
use super::session::Session;
use super::status::Status;

const EXAMPLE: &str = "\
Examples:
  gaspard tdoa mix.wav --sources 2 --json -
      The delays of two sources at every microphone but the first.

  gaspard tdoa left.wav right.wav --sources 1 --method gcc-phat --max-lag 40 --min-distance 2
      One source at two microphones that are close to each other.";

/// Time differences of arrival of several sources
///
/// Delays are positive where a source reaches a microphone later than microphone 1. Sources and
/// microphones count from 1. Sources are in the order of their delays.
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = EXAMPLE,
    mut_arg("max_iterations", |arg| arg.help(STEPS)),
    mut_arg("tolerance", |arg| arg.help(MOVES))
)]
pub(super) struct Arguments {
    /// The recording: one .wav file with a channel for each microphone, or several files
    #[arg(value_name = "FILE.wav", required = true)]
    files: Vec<PathBuf>,
    /// How many sources there are
    #[arg(long, value_name = "NUMBER")]
    sources: usize,
    /// How delays are found
    #[arg(long, value_enum, value_name = "HOW", default_value = "transport")]
    method: MethodOption,
    /// The largest delay, in samples [default: 0.3 s, or less where the recording is shorter]
    #[arg(long, value_name = "SAMPLES")]
    max_lag: Option<usize>,
    /// Sources whose delays differ by no more samples are one, with gcc-phat and mccc [default: 12.5 ms]
    #[arg(long, value_name = "SAMPLES", allow_negative_numbers = true)]
    min_distance: Option<f64>,
    /// Samples of a frame, in which delays are reported too [default: 25 ms]
    #[arg(long, value_name = "SAMPLES")]
    hop: Option<usize>,
    #[command(flatten)]
    transport: SearchArguments,
    #[command(flatten)]
    common: Common,
}

/// `--method`, in the words of clap and of JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
enum MethodOption {
    /// Optimal transport of spectrograms, then correlation of the sources that it separates
    Transport,
    /// Peaks of the generalised cross-correlation with phase transform
    GccPhat,
    /// Peaks of the multichannel cross-correlation coefficient
    Mccc,
}

#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    results: &'a DelayResults,
    method: MethodOption,
    rate: u32,
    record: RunRecord,
}

pub(super) fn run(arguments: &Arguments, given: &Given) -> Result<Status> {
    let common = &arguments.common;
    arguments.check(given)?;
    let inputs = arguments.files.iter().map(PathBuf::as_path);
    let mut session = Session::begin(common, inputs, [])?;
    let recording = wav::read_all(&arguments.files)?;
    for remark in recording.remarks() {
        session.warn(&remark.to_string());
    }
    session.lap("read");
    let engine = match arguments.method {
        MethodOption::Transport => session.open_device()?,
        _ => session.host(),
    };
    let begin = Instant::now();
    let delays = arguments.find(&recording, &engine, &session)?;
    let seconds = begin.elapsed().as_secs_f64();
    let outcome = match &delays.search {
        Some(search) => Outcome { seconds, ..search.outcome.clone() },
        None => Outcome {
            converged: true,
            interrupted: interrupt::requested(),
            iterations: 0,
            tolerance: 0.0,
            seconds,
            device: engine.description(),
        },
    };
    let rate = recording.rate();
    let results = DelayResults::new(Some(&delays), rate, arguments.hop, outcome)?;
    session.lap("solve");
    let (sources, microphones) = (arguments.sources, recording.microphones());
    let what = format!("{sources} sources at {microphones} microphones");
    say(&results, &what, &session, common)?;
    let (results, method) = (&results, arguments.method);
    session.finish(&engine, results, |record| Report { results, method, rate, record })
}

impl Arguments {
    /// Refuses options that the method has no use for.
    fn check(&self, given: &Given) -> Result<()> {
        if self.method == MethodOption::Transport {
            given.refuse(&["min-distance"], "--method transport")?;
            return self.transport.check(given);
        }
        let name = "--method gcc-phat and mccc";
        given.refuse(&SEARCH_OPTIONS, name)?;
        given.refuse(&["profile", "memory-limit"], name)?;
        self.common.device.expect_cpu(name);
        Ok(())
    }

    fn find(
        &self,
        recording: &Recording,
        engine: &Engine,
        session: &Session<'_>,
    ) -> Result<Delays> {
        let search = self.search(recording);
        let samples = match self.method {
            MethodOption::Transport => {
                let separator = Separator::new(self.sources);
                let (lag, seed) = (self.max_lag, self.common.seed);
                let separator =
                    self.transport.applied(separator, recording, self.sources, lag, seed)?;
                return separator.delays_with(
                    recording,
                    engine,
                    &mut session.watch("delays moved by"),
                );
            }
            MethodOption::GccPhat => gcc_phat(recording, &search)?,
            MethodOption::Mccc => mccc(recording, &search)?,
        };
        Ok(Delays { samples, search: None })
    }

    fn search(&self, recording: &Recording) -> DelaySearch {
        let defaults = DelaySearch::new(self.sources, recording.rate());
        let longest = defaults.max_lag.min(recording.len() - 1);
        defaults
            .max_lag(self.max_lag.unwrap_or(longest))
            .min_distance(self.min_distance.unwrap_or(defaults.min_distance))
    }
}
