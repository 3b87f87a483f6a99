//! `gaspard simulate`: recordings whose sources and delays are known.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Instant;

use clap::ValueEnum;
use gaspard::audio::{Recording, Simulation, Speaker, Voice};
use gaspard::io::wav::{self, Encoding};
use gaspard::report::delays::DelayRecord;
use gaspard::report::record::RunRecord;
use gaspard::{Error, Result};
use ndarray::{Array1, Array2, ArrayView1, Axis};
use serde::Serialize;

use super::given::Given;
use super::options::Common;
use super::outputs;
use super::session::Session;
use super::status::{Status, Summary};

const EXAMPLE: &str = "\
Examples:
  gaspard simulate a.wav b.wav --delays 700,-412.5 --snr 20 --out mix.wav --images truth
      Two sources, two microphones: the first one reaches microphone 2 after 700 samples.

  gaspard simulate --voices 2 --delays 300:120,-700:55 --out mix.wav
      Three microphones, and two voices that the program makes itself.";

/// Records sources with several microphones
///
/// Each source reaches each microphone at a delay and with a gain, without walls; white noise is
/// added. It begins so late that it begins within the recording at every microphone.
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = EXAMPLE,
    mut_arg("device", |arg| arg.hide(true)),
    mut_arg("profile", |arg| arg.hide(true)),
    mut_arg("memory_limit", |arg| arg.hide(true))
)]
pub(super) struct Arguments {
    /// The sources: .wav files of one channel, at one rate
    #[arg(value_name = "SOURCE.wav", required_unless_present = "voices")]
    sources: Vec<PathBuf>,
    /// So many voices that say syllables without meaning, in place of files
    #[arg(long, value_name = "NUMBER", conflicts_with = "sources",
          value_parser = clap::value_parser!(u16).range(1..=64))]
    voices: Option<u16>,
    /// Seconds that voices speak
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 2.0,
        requires = "voices",
        allow_negative_numbers = true
    )]
    seconds: f64,
    /// Samples per second; files are resampled [default: that of the files; 8000 for voices]
    #[arg(long, value_name = "HERTZ", value_parser = clap::value_parser!(u32).range(1000..=768_000))]
    rate: Option<u32>,
    /// How many samples later than microphone 1 each source reaches the others: sources separated
    /// by commas, the microphones of one by colons
    #[arg(long, value_name = "D,D,... | D:D,D:D,...", allow_hyphen_values = true)]
    delays: Table,
    /// Gains: one a source, or one for each microphone separated by colons [default: 1]
    #[arg(long, value_name = "G,G,... | G:G,G:G,...", allow_hyphen_values = true)]
    gains: Option<Table>,
    /// Power of the sources over that of the noise in decibels [default: no noise]
    #[arg(long, value_name = "DB", allow_negative_numbers = true)]
    snr: Option<f64>,
    /// How many microphones there are, to check the delays against
    #[arg(long, value_name = "NUMBER")]
    microphones: Option<usize>,
    /// What the microphones record, one channel each
    #[arg(short, long, value_name = "FILE.wav")]
    out: PathBuf,
    /// A folder for the sources as microphone 1 hears them: source_1.wav, source_2.wav, ...
    #[arg(long, value_name = "DIR")]
    images: Option<PathBuf>,
    /// How samples are written
    #[arg(long, value_enum, value_name = "HOW", default_value = "float")]
    encoding: EncodingOption,
    #[command(flatten)]
    common: Common,
}

/// `--encoding`, in clap's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum EncodingOption {
    /// 32 bits, of any size
    Float,
    /// Integers of 16 bits, from -1 to 1
    Int16,
    /// Integers of 24 bits, from -1 to 1
    Int24,
    /// Integers of 32 bits, from -1 to 1
    Int32,
}

impl From<EncodingOption> for Encoding {
    fn from(option: EncodingOption) -> Self {
        match option {
            EncodingOption::Float => Self::Float,
            EncodingOption::Int16 => Self::Integer(16),
            EncodingOption::Int24 => Self::Integer(24),
            EncodingOption::Int32 => Self::Integer(32),
        }
    }
}

/// Numbers of every source: `1:2,3:4`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Table(Vec<Vec<f64>>);

impl FromStr for Table {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let number = |text: &str| {
            let parsed = text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
            parsed.ok_or_else(|| format!("`{text}` is not a number"))
        };
        let rows = text.split(',').map(|row| row.split(':').map(number).collect());
        Ok(Self(rows.collect::<std::result::Result<_, _>>()?))
    }
}

impl Table {
    /// Exactly so many numbers for each of so many sources; one number stands for all.
    pub(super) fn rows(
        &self,
        option: &str,
        sources: usize,
        width: usize,
        spread: bool,
    ) -> Result<Array2<f64>> {
        if self.0.len() != sources {
            let problem = format!("{} for {sources} sources", self.0.len());
            return Err(Error::parameter(
                option,
                problem,
                "give one a source, separated by commas",
            ));
        }
        let fits = |row: &Vec<f64>| row.len() == width || spread && row.len() == 1;
        if let Some(row) = self.0.iter().find(|row| !fits(row)) {
            let problem = format!("{} numbers for a source in place of {width}", row.len());
            let remedy = "separate those of the microphones by colons";
            return Err(Error::parameter(option, problem, remedy));
        }
        Ok(Array2::from_shape_fn((sources, width), |(k, l)| {
            let row = &self.0[k];
            row[if row.len() == 1 { 0 } else { l }]
        }))
    }
}

/// A scene in JSON.
#[derive(Serialize)]
struct Made {
    sources: usize,
    microphones: usize,
    rate: u32,
    samples: usize,
    delays: Vec<DelayRecord>,
    gains: Vec<Vec<f64>>,
    snr: Option<f64>,
    noise_variance: f64,
    /// Of making it.
    seconds: f64,
    files: Vec<String>,
}

#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    made: &'a Made,
    record: RunRecord,
}

impl Summary for Made {
    fn status(&self) -> Status {
        Status::Done
    }

    fn numbers(&self) -> Vec<(&'static str, f64)> {
        vec![
            ("sources", self.sources as f64),
            ("microphones", self.microphones as f64),
            ("samples", self.samples as f64),
            ("noise_variance", self.noise_variance),
        ]
    }
}

pub(super) fn run(arguments: &Arguments, given: &Given) -> Result<Status> {
    outputs::check_ending("--out", &arguments.out, &["wav"])?;
    given.refuse(&["profile", "memory-limit"], "simulate, which runs no kernels")?;
    arguments.common.device.expect_cpu("simulate");
    let image_files = arguments.image_files();
    if let Some(folder) = &arguments.images {
        outputs::check_folder("--images", folder)?;
    }
    let inputs = arguments.sources.iter().map(PathBuf::as_path);
    let images = image_files.iter().filter(|path| outputs::has_folder(path));
    let files = [&arguments.out].into_iter().chain(images).map(PathBuf::as_path);
    let mut session = Session::begin(&arguments.common, inputs, files)?;
    let (rate, sources) = arguments.sources()?;
    session.lap("read");
    let count = sources.len();
    let others = arguments.delays.0.first().map_or(0, Vec::len);
    let microphones = arguments.microphones.unwrap_or(others + 1);
    if microphones < 2 {
        return Err(Error::parameter("--microphones", microphones.to_string(), "use 2 or more"));
    }
    let later = arguments.delays.rows("--delays", count, microphones - 1, false)?;
    let delays =
        Array2::from_shape_fn(
            (count, microphones),
            |(k, l)| {
                if l == 0 { 0.0 } else { later[[k, l - 1]] }
            },
        );
    let one = Table(vec![vec![1.0]; count]);
    let gains =
        arguments.gains.as_ref().unwrap_or(&one).rows("--gains", count, microphones, true)?;
    let mut simulation = Simulation::new(rate, sources)?
        .delays(delays)
        .gains(gains.clone())
        .seed(arguments.common.seed);
    if let Some(snr) = arguments.snr {
        simulation = simulation.snr(snr);
    }
    let begin = Instant::now();
    let scene = simulation.run()?;
    let seconds = begin.elapsed().as_secs_f64();
    session.lap("solve");
    let delays = DelayRecord::list(&scene.delays, rate, None)?;
    let image = |(row, path): (ArrayView1<'_, f64>, &PathBuf)| {
        let image = Recording::new("a source", rate, row.insert_axis(Axis(0)).to_owned())?;
        Ok((path.clone(), image))
    };
    let mut recordings = vec![(arguments.out.clone(), scene.mixture.clone())];
    let images = scene.images.rows().into_iter().zip(&image_files).map(image);
    recordings.extend(images.collect::<Result<Vec<_>>>()?);
    let encoding = arguments.encoding.into();
    recordings.iter().try_for_each(|(path, sound)| wav::check(path, sound, encoding))?;
    arguments.images.iter().try_for_each(|folder| outputs::make_folder(folder))?;
    recordings.iter().try_for_each(|(path, sound)| wav::write(path, sound, encoding))?;
    let made = Made {
        sources: count,
        microphones,
        rate,
        samples: scene.mixture.len(),
        delays,
        gains: gains.rows().into_iter().map(|row| row.to_vec()).collect(),
        snr: arguments.snr,
        noise_variance: scene.noise_variance,
        seconds,
        files: recordings.iter().map(|(path, _)| path.display().to_string()).collect(),
    };
    let length = scene.mixture.seconds();
    session.note(&format!(
        "{count} sources at {microphones} microphones, {length:.2} s at {rate} Hz, in {}",
        arguments.out.display()
    ));
    let host = session.host();
    session.finish(&host, &made, |record| Report { made: &made, record })
}

impl Arguments {
    /// Where the sources go, as microphone 1 hears them; nowhere unless they are asked for.
    fn image_files(&self) -> Vec<PathBuf> {
        let count = self.voices.map_or(self.sources.len(), usize::from);
        self.images.as_ref().map_or(Vec::new(), |folder| source_files(folder, count))
    }

    /// The rate, and the samples of every source.
    fn sources(&self) -> Result<(u32, Vec<Array1<f64>>)> {
        let Some(voices) = self.voices else {
            return read(&self.sources, self.rate);
        };
        const LONGEST: f64 = 3600.0;
        if !(self.seconds > 0.0 && self.seconds <= LONGEST) {
            let problem = format!("{} s", self.seconds);
            return Err(Error::parameter("--seconds", problem, "use more than 0, up to 3600"));
        }
        let rate = self.rate.unwrap_or(8000);
        let samples = ((self.seconds * f64::from(rate)).ceil() as usize).max(1);
        let speak = |index: u16| {
            let voice = if index.is_multiple_of(2) { Voice::Low } else { Voice::High };
            // Every seed of a run has voices of its own.
            let seed = self.common.seed.wrapping_mul(64).wrapping_add(u64::from(index));
            Speaker::new(voice).seed(seed).speak(rate, samples)
        };
        Ok((rate, (0..voices).map(speak).collect()))
    }
}

/// FOLDER/source_1.wav, FOLDER/source_2.wav, ...
pub(super) fn source_files(folder: &Path, count: usize) -> Vec<PathBuf> {
    (1..=count).map(|source| folder.join(format!("source_{source}.wav"))).collect()
}

/// Files of one channel each, at one rate.
fn read(paths: &[impl AsRef<Path>], rate: Option<u32>) -> Result<(u32, Vec<Array1<f64>>)> {
    let mut common = rate;
    let mut sources = Vec::new();
    for path in paths {
        let name = path.as_ref().display().to_string();
        let source = wav::read(path)?;
        if source.microphones() > 1 {
            let found = source.microphones().to_string();
            return Err(Error::shape(format!("the channels of {name}"), "1", found));
        }
        let source = rate.map_or_else(|| Ok(source.clone()), |rate| source.resampled(rate))?;
        let expected = *common.get_or_insert(source.rate());
        if source.rate() != expected {
            let [expected, found] = [expected, source.rate()].map(|rate| format!("{rate} Hz"));
            return Err(Error::shape(format!("the rate of {name} (see --rate)"), expected, found));
        }
        sources.push(source.channel(0).to_owned());
    }
    Ok((common.unwrap_or_default(), sources))
}
