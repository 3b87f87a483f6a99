//! `gaspard separate`: sources from what several microphones record of them.

mod pictures;
pub(super) mod search;

use std::path::PathBuf;

use clap::ValueEnum;
use gaspard::Result;
use gaspard::audio::separate::{Filter, Method, Separated};
use gaspard::audio::spectrogram::{self, Remainder};
use gaspard::audio::{Recording, Separator};
use gaspard::io::wav;
use gaspard::report::delays::DelayResults;
use gaspard::report::record::RunRecord;
use serde::Serialize;

pub(super) use search::{MOVES, SEARCH_OPTIONS, STEPS, SearchArguments, say};

use super::given::Given;
use super::options::Common;
use super::outputs;
use super::session::Session;
use super::simulate::{EncodingOption, source_files};
use super::status::Status;

const EXAMPLE: &str = "\
Examples:
  gaspard separate mix.wav --sources 2 --out found --json -
      source_1.wav and source_2.wav as microphone 1 hears them, and their delays.

  gaspard separate left.wav right.wav --sources 2 --out found --pictures pictures
      A file for each microphone; pictures of spectrograms, masks and the search.

  gaspard separate mix.wav --sources 2 --method mnmf --out found
      A known method to compare with.";

/// Files that are looked after before it is known how many there will be.
const MOST_FILES: usize = 1000;

/// Sources from what several microphones record of them
///
/// Spectrograms of two microphones are moved onto each other by optimal transport; lags that much
/// is moved by are the delays of the sources, and what is moved by one of them belongs to that
/// source. Sources are as loud as at microphone 1, and in the order of their delays, where the
/// method knows these. Long recordings are worked through in blocks that fade into each other.
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
    /// A folder for the sources: source_1.wav, source_2.wav, ...
    #[arg(short, long, value_name = "DIR")]
    out: PathBuf,
    /// How sources are separated
    #[arg(long, value_enum, value_name = "HOW", default_value = "robust")]
    method: MethodOption,
    /// How sound is made of masks and delays
    #[arg(long, value_enum, value_name = "HOW", default_value = "auto")]
    filter: FilterOption,
    /// Iterations of --filter wiener
    #[arg(long, value_name = "NUMBER", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..))]
    iterations: u32,
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
struct Report<'a> {
    #[serde(flatten)]
    results: &'a DelayResults,
    method: MethodOption,
    /// The one that was used; none of methods that have no choice.
    filter: Option<FilterOption>,
    /// The share of each source in the energy at microphone 1.
    mask_energy: Vec<f64>,
    rate: u32,
    samples: usize,
    files: Vec<String>,
    record: RunRecord,
}

pub(super) fn run(arguments: &Arguments, given: &Given) -> Result<Status> {
    let common = &arguments.common;
    arguments.check(given)?;
    // More sources than a few are refused by all methods, once there is a recording.
    let sources = source_files(&arguments.out, arguments.sources.min(MOST_FILES));
    let inputs = arguments.files.iter().map(PathBuf::as_path);
    let files = sources.iter().filter(|path| outputs::has_folder(path)).map(PathBuf::as_path);
    let mut session = Session::begin(common, inputs, files)?;
    let recording = wav::read_all(&arguments.files)?;
    for remark in recording.remarks() {
        session.warn(&remark.to_string());
    }
    for folder in [Some(&arguments.out), arguments.pictures.as_ref()].into_iter().flatten() {
        outputs::make_folder(folder)?;
    }
    session.lap("read");
    let separator = arguments.separator(&recording)?;
    let (engine, mut watch) = match arguments.is_transport() {
        true => (session.open_device()?, session.watch("delays moved by")),
        false => (session.host(), session.watch("change")),
    };
    let separated = separator.separate_with(&recording, &engine, &mut watch)?;
    drop(watch);
    session.lap("solve");
    let files = arguments.write(&sources, &separated)?;
    if let Some(folder) = &arguments.pictures {
        pictures::draw(folder, &separator, &recording, &separated, &engine)?;
    }
    let heard = spectrogram::power(&separated.stft.forward(recording.channel(0)));
    let (rate, outcome) = (recording.rate(), separated.outcome.clone());
    let results = DelayResults::new(separated.delays.as_ref(), rate, None, outcome)?;
    let (folder, length) = (arguments.out.display(), recording.seconds());
    let what = format!("sources of {length:.2} s of sound are in {folder}");
    say(&results, &what, &session, common)?;
    session.finish(&engine, &results, |record| Report {
        results: &results,
        method: arguments.method,
        filter: separated.filter.map(FilterOption::from),
        mask_energy: separated.energies(&heard),
        rate,
        samples: recording.len(),
        files,
        record,
    })
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
    fn check(&self, given: &Given) -> Result<()> {
        outputs::check_folder("--out", &self.out)?;
        self.pictures.iter().try_for_each(|folder| outputs::check_folder("--pictures", folder))?;
        if self.is_transport() {
            if self.method == MethodOption::Paper {
                given.refuse(&["noise"], "--method paper, which does not look at it")?;
            }
            if self.filter != FilterOption::Wiener {
                given.refuse_unless(&["iterations"], "this --filter", "add --filter wiener")?;
            }
            return self.search.check(given);
        }
        let (name, others) = match self.method {
            MethodOption::DelayAndSum => ("--method delay-and-sum", &[][..]),
            MethodOption::Fdica => ("--method fdica", &["max-lag"][..]),
            _ => ("--method mnmf", &["max-lag"][..]),
        };
        given.refuse(&SEARCH_OPTIONS, name)?;
        given.refuse(&["filter", "iterations", "share-noise"], name)?;
        given.refuse(&["profile", "memory-limit"], name)?;
        given.refuse(others, name)?;
        self.common.device.expect_cpu(name);
        Ok(())
    }

    fn separator(&self, recording: &Recording) -> Result<Separator> {
        let separator = Separator::new(self.sources)
            .method(self.method.into())
            .filter(match self.filter {
                FilterOption::Auto => Filter::Auto,
                FilterOption::Mask => Filter::Mask,
                FilterOption::Wiener => Filter::Wiener { iterations: self.iterations as usize },
                FilterOption::Aligned => Filter::Aligned,
            })
            .remainder(if self.share_noise { Remainder::Shared } else { Remainder::Dropped })
            .seed(self.common.seed);
        let lag = self.max_lag.map(|lag| lag as usize);
        self.search.applied(separator, recording, self.sources, lag, self.common.seed)
    }

    fn write(&self, files: &[PathBuf], separated: &Separated) -> Result<Vec<String>> {
        let sounds = (0..separated.signals.nrows()).map(|source| separated.source(source));
        let sounds = sounds.collect::<Result<Vec<_>>>()?;
        let encoding = self.encoding.into();
        let mut named = files.iter().zip(&sounds);
        named.clone().try_for_each(|(path, sound)| wav::check(path, sound, encoding))?;
        named.try_for_each(|(path, sound)| wav::write(path, sound, encoding))?;
        Ok(files.iter().map(|path| path.display().to_string()).collect())
    }
}
