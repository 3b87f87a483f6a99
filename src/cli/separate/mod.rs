//! `gaspard separate`: sources from what several microphones record of them.

mod pictures;
pub(super) mod search;

use std::path::PathBuf;
use std::time::Instant;

use clap::ValueEnum;
use gaspard::audio::separate::{Filter, Method, Separated};
use gaspard::audio::spectrogram::{self, Remainder};
use gaspard::audio::{Recording, Separator};
use gaspard::io::wav;
use gaspard::report::record::RunRecord;
use gaspard::{Error, Result};
use serde::Serialize;

pub(super) use search::{Found, SearchArguments};

use super::options::Common;
use super::session::Session;
use super::simulate::EncodingOption;
use super::status::{Status, Summary};

const EXAMPLE: &str = "\
Example:
  gaspard separate mix.wav --sources 2 --out found --json -
      source_1.wav and source_2.wav as microphone 1 hears them, and their delays.

  gaspard separate left.wav right.wav --sources 2 --out found --pictures pictures
      A file for each microphone; pictures of spectrograms, masks and the search.

  gaspard separate mix.wav --sources 2 --method mnmf --out found
      A known method to compare with.";

/// Sources from what several microphones record of them
///
/// Spectrograms of two microphones are moved onto each other by optimal transport; lags that much
/// is moved by are the delays of the sources, and what is moved by one of them belongs to that
/// source. Sources are as loud as at microphone 1, and in the order of their delays. Long
/// recordings are worked through in blocks that fade into each other.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub(super) struct Arguments {
    /// The recording: one .wav file with a channel for each microphone, or several files
    #[arg(value_name = "FILE.wav", required = true)]
    files: Vec<PathBuf>,
    /// How many sources there are
    #[arg(long, value_name = "NUMBER")]
    sources: usize,
    /// A folder for the sources: source_1.wav, source_2.wav, ...
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// How sources are separated
    #[arg(long, value_enum, value_name = "HOW", default_value = "robust")]
    method: MethodOption,
    /// How sound is made of masks and delays
    #[arg(long, value_enum, value_name = "HOW", default_value = "auto")]
    filter: FilterOption,
    /// Iterations of --filter wiener
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    iterations: usize,
    /// Share what belongs to no source among the sources, instead of dropping it as noise
    #[arg(long)]
    share_noise: bool,
    /// The largest delay, in samples [default: 0.3 s]
    #[arg(long, value_name = "SAMPLES", value_parser = clap::value_parser!(u32).range(1..))]
    max_lag: Option<u32>,
    #[command(flatten)]
    search: SearchArguments,
    /// A folder for pictures: spectrograms of microphone 1 and of the sources, masks, the objective
    /// over the delays
    #[arg(long, value_name = "DIR")]
    pictures: Option<PathBuf>,
    /// How samples are written
    #[arg(long, value_enum, value_name = "HOW", default_value = "float")]
    encoding: EncodingOption,
    #[command(flatten)]
    common: Common,
}

/// `--method`, in the words of clap and of JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
enum MethodOption {
    /// Optimal transport of spectrograms, with a source of its own for noise
    Robust,
    /// Optimal transport of spectrograms, as published
    Paper,
    /// Microphones shifted by delays of gcc-phat, and averaged
    DelayAndSum,
    /// Independent components at every frequency
    Fdica,
    /// Multichannel non-negative matrix factorisation
    Mnmf,
}

impl From<MethodOption> for Method {
    fn from(option: MethodOption) -> Self {
        match option {
            MethodOption::Robust => Self::Robust,
            MethodOption::Paper => Self::Paper,
            MethodOption::DelayAndSum => Self::DelayAndSum,
            MethodOption::Fdica => Self::Fdica,
            MethodOption::Mnmf => Self::Mnmf,
        }
    }
}

/// `--filter`, in the words of clap and of JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
enum FilterOption {
    /// Aligned where delays are far enough apart, else mask; wiener with --method paper
    Auto,
    /// Each source by its share in the power of microphone 1
    Mask,
    /// A Wiener filter over all microphones, for delays far below 32 ms
    Wiener,
    /// A Wiener filter over all microphones after each source was brought in phase
    Aligned,
}

/// What was found, in JSON.
#[derive(Serialize)]
struct Results {
    #[serde(flatten)]
    delays: Found,
    method: MethodOption,
    /// The one that was used; none of methods that have no choice.
    filter: Option<FilterOption>,
    /// The share of each source in the energy at microphone 1.
    mask_energy: Vec<f64>,
    rate: u32,
    samples: usize,
    seconds: f64,
    files: Vec<String>,
}

#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    results: &'a Results,
    record: RunRecord,
}

impl Summary for Results {
    fn status(&self) -> Status {
        self.delays.status()
    }

    fn numbers(&self) -> Vec<(&'static str, f64)> {
        self.delays.numbers()
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<Status> {
    let common = &arguments.common;
    arguments.check()?;
    let mut session = Session::begin(common, None, [])?;
    let recording = wav::read_all(&arguments.files)?;
    for remark in recording.remarks() {
        session.warn(&remark.to_string());
    }
    for folder in [Some(&arguments.out), arguments.pictures.as_ref()].into_iter().flatten() {
        std::fs::create_dir_all(folder).map_err(|error| Error::file(folder, error))?;
    }
    session.lap("read");
    let separator = arguments.separator(&recording)?;
    let (engine, mut watch) = match arguments.is_transport() {
        true => (session.open_device()?, session.watch_delays()),
        false => (session.host(), session.watch_changes()),
    };
    let begin = Instant::now();
    let separated = separator.separate_with(&recording, &engine, &mut watch)?;
    drop(watch);
    let seconds = begin.elapsed().as_secs_f64();
    session.lap("solve");
    let files = arguments.write(&separated)?;
    if let Some(folder) = &arguments.pictures {
        pictures::draw(folder, &separator, &recording, &separated, &engine)?;
    }
    let heard = spectrogram::power(&separated.stft.forward(recording.channel(0)));
    let results = Results {
        delays: Found::new(separated.delays.as_ref(), &recording, None, separated.interrupted)?,
        method: arguments.method,
        filter: separated.filter.map(FilterOption::from),
        mask_energy: separated.energies(&heard),
        rate: recording.rate(),
        samples: recording.len(),
        seconds,
        files,
    };
    let folder = arguments.out.display();
    let length = recording.seconds();
    session.note(&format!("{length:.2} s of sound in {seconds:.2} s; sources are in {folder}"));
    results.delays.say(&session, common)?;
    session.finish(&engine, &results, |record| Report { results: &results, record })
}

impl From<Filter> for FilterOption {
    fn from(filter: Filter) -> Self {
        match filter {
            Filter::Auto => Self::Auto,
            Filter::Mask => Self::Mask,
            Filter::Wiener { .. } => Self::Wiener,
            Filter::Aligned => Self::Aligned,
        }
    }
}

impl Arguments {
    fn is_transport(&self) -> bool {
        matches!(self.method, MethodOption::Robust | MethodOption::Paper)
    }

    /// Refuses options that the method has no use for.
    fn check(&self) -> Result<()> {
        if !self.is_transport() && self.filter != FilterOption::Auto {
            let problem = "the method makes its sound in its own way";
            return Err(Error::parameter(
                "--filter",
                problem,
                "leave it out, or use --method robust",
            ));
        }
        for (option, folder) in [("--out", Some(&self.out)), ("--pictures", self.pictures.as_ref())]
        {
            if let Some(folder) = folder.filter(|folder| folder.is_file()) {
                let problem = format!("{} is a file", folder.display());
                return Err(Error::parameter(option, problem, "name a folder"));
            }
        }
        Ok(())
    }

    fn separator(&self, recording: &Recording) -> Result<Separator> {
        let separator = Separator::new(self.sources)
            .method(self.method.into())
            .filter(match self.filter {
                FilterOption::Auto => Filter::Auto,
                FilterOption::Mask => Filter::Mask,
                FilterOption::Wiener => Filter::Wiener { iterations: self.iterations },
                FilterOption::Aligned => Filter::Aligned,
            })
            .remainder(if self.share_noise { Remainder::Shared } else { Remainder::Dropped })
            .seed(self.common.seed);
        let lag = self.max_lag.map(|lag| lag as usize);
        self.search.applied(separator, recording, self.sources, lag, self.common.seed)
    }

    fn write(&self, separated: &Separated) -> Result<Vec<String>> {
        (0..separated.signals.nrows())
            .map(|source| {
                let path = self.out.join(format!("source_{}.wav", source + 1));
                wav::write(&path, &separated.source(source)?, self.encoding.into())?;
                Ok(path.display().to_string())
            })
            .collect()
    }
}
