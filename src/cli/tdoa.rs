//! `gaspard tdoa`: how much later each source reaches one microphone than another.

use std::path::PathBuf;
use std::time::Instant;

use clap::ValueEnum;
use gaspard::audio::baselines::{gcc_phat, mccc};
use gaspard::audio::{DelaySearch, Recording, Stft};
use gaspard::io::wav;
use gaspard::report::record::RunRecord;
use gaspard::{Error, Result};
use ndarray::Array2;
use serde::Serialize;

use super::options::Common;
use super::session::Session;
use super::status::{Status, Summary};
use super::{interrupt, outputs};

const EXAMPLE: &str = "\
Example:
  gaspard tdoa mix.wav --sources 2 --json -
      The delays of two sources at every microphone but the first.

  gaspard tdoa left.wav right.wav --sources 1 --max-lag 40 --min-distance 2
      One source at two microphones that are close to each other.";

/// Time differences of arrival of several sources
///
/// Delays are positive where a source reaches a microphone later than microphone 1. Sources and
/// microphones count from 1.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub(super) struct Arguments {
    /// The recording: one .wav file with a channel for each microphone, or several files
    #[arg(value_name = "FILE.wav", required = true)]
    files: Vec<PathBuf>,
    /// How many sources there are
    #[arg(long, value_name = "NUMBER")]
    sources: usize,
    /// How delays are found
    #[arg(long, value_enum, value_name = "HOW", default_value = "gcc-phat")]
    method: MethodOption,
    /// The largest delay, in samples [default: 0.3 s, or less where the recording is shorter]
    #[arg(long, value_name = "SAMPLES")]
    max_lag: Option<usize>,
    /// Sources whose delays differ by no more samples are one [default: 12.5 ms]
    #[arg(long, value_name = "SAMPLES", allow_negative_numbers = true)]
    min_distance: Option<f64>,
    /// Samples of a frame, in which delays are reported too [default: 25 ms]
    #[arg(long, value_name = "SAMPLES")]
    hop: Option<usize>,
    #[command(flatten)]
    common: Common,
}

/// `--method`, in the words of clap and of JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
enum MethodOption {
    /// Peaks of the generalised cross-correlation with phase transform
    GccPhat,
    /// Peaks of the multichannel cross-correlation coefficient
    Mccc,
}

impl MethodOption {
    /// The delays (source, microphone) in samples.
    fn find(self, recording: &Recording, search: &DelaySearch) -> Result<Array2<f64>> {
        match self {
            Self::GccPhat => gcc_phat(recording, search),
            Self::Mccc => mccc(recording, search),
        }
    }
}

/// One delay in JSON.
#[derive(Serialize)]
pub(super) struct Delay {
    source: usize,
    microphone: usize,
    frames: f64,
    samples: f64,
    seconds: f64,
}

/// Delays (source, microphone) in samples one by one, in frames of `hop` samples or 25 ms too.
pub(super) fn listed(delays: &Array2<f64>, rate: u32, hop: Option<usize>) -> Result<Vec<Delay>> {
    let hop = match hop {
        Some(0) => return Err(Error::parameter("--hop", "it is 0", "use at least one sample")),
        Some(hop) => hop,
        None => Stft::at_rate(rate)?.hop(),
    };
    let delay = |((source, microphone), samples): ((usize, usize), &f64)| Delay {
        source: source + 1,
        microphone: microphone + 1,
        frames: samples / hop as f64,
        samples: *samples,
        seconds: samples / f64::from(rate),
    };
    Ok(delays.indexed_iter().filter(|((_, microphone), _)| *microphone > 0).map(delay).collect())
}

#[derive(Serialize)]
struct Found {
    delays: Vec<Delay>,
    method: MethodOption,
    rate: u32,
    seconds: f64,
    interrupted: bool,
}

#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    found: &'a Found,
    record: RunRecord,
}

impl Summary for Found {
    fn status(&self) -> Status {
        if self.interrupted { Status::Interrupted } else { Status::Done }
    }

    /// Delays are a table of their own.
    fn numbers(&self) -> Vec<(&'static str, f64)> {
        Vec::new()
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<Status> {
    let common = &arguments.common;
    let mut session = Session::begin(common, None, [])?;
    let recording = wav::read_all(&arguments.files)?;
    for remark in recording.remarks() {
        session.warn(&remark.to_string());
    }
    session.lap("read");
    let search = arguments.search(&recording);
    let begin = Instant::now();
    let delays = arguments.method.find(&recording, &search)?;
    let found = Found {
        delays: listed(&delays, recording.rate(), arguments.hop)?,
        method: arguments.method,
        rate: recording.rate(),
        seconds: begin.elapsed().as_secs_f64(),
        interrupted: interrupt::requested(),
    };
    session.lap("solve");
    session.note(&format!(
        "{} sources at {} microphones, in {:.2} s",
        search.sources,
        recording.microphones(),
        found.seconds
    ));
    if common.json.as_deref() != Some(std::path::Path::new("-")) {
        outputs::print(&table(&found.delays))?;
    }
    let host = session.host();
    session.finish(&host, &found, |record| Report { found: &found, record })
}

impl Arguments {
    fn search(&self, recording: &Recording) -> DelaySearch {
        let defaults = DelaySearch::new(self.sources, recording.rate());
        let longest = defaults.max_lag.min(recording.len() - 1);
        defaults
            .max_lag(self.max_lag.unwrap_or(longest))
            .min_distance(self.min_distance.unwrap_or(defaults.min_distance))
    }
}

/// One line a delay.
fn table(delays: &[Delay]) -> String {
    let lines = delays.iter().map(|Delay { source, microphone, frames, samples, seconds }| {
        format!("{source:>6} {microphone:>10} {samples:>12.3} {frames:>10.4} {seconds:>11.7}\n")
    });
    let head = format!(
        "{:>6} {:>10} {:>12} {:>10} {:>11}\n",
        "source", "microphone", "samples", "frames", "seconds"
    );
    lines.fold(head, |text, line| text + &line)
}
