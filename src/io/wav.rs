//! Sound in `.wav` files.

use std::io::{self, Cursor, Read, Seek};
use std::path::Path;

use hound::{SampleFormat, WavReader, WavSpec, WavWriter};
use ndarray::{ArrayView2, Axis, concatenate};

use crate::audio::Recording;
use crate::error::{Error, Result};

/// How samples are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// Integers of so many bits: 16, 24 or 32. Samples from -1 to 1 can be written.
    Integer(u16),
    /// Floats of 32 bits.
    #[default]
    Float,
}

/// Reads a file with one or more channels: integers of 8, 16, 24 or 32 bits, which become numbers
/// from -1 to 1, or floats of 32 bits.
///
/// # Errors
/// [`Error::File`] where the file is missing, no `.wav` file, cut short or of another encoding, and
/// the errors of [`Recording::new`].
///
/// # Examples
/// ```
/// use gaspard::audio::Recording;
/// use gaspard::io::wav;
/// use ndarray::array;
///
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("click.wav");
/// let click = Recording::new("a click", 8000, array![[0.0, 0.5], [0.25, -1.0]])?;
/// wav::write(&path, &click, wav::Encoding::Integer(16))?;
/// assert_eq!(wav::read(&path)?, click);
/// # Ok::<(), gaspard::Error>(())
/// ```
pub fn read(path: impl AsRef<Path>) -> Result<Recording> {
    read_from(&path, super::open(path.as_ref())?)
}

/// [`read`] from bytes that are not in a file of their own; errors call them `name`.
///
/// # Errors
/// As [`read`].
pub fn read_from(name: impl AsRef<Path>, mut input: impl Read + Seek) -> Result<Recording> {
    let path = name.as_ref();
    let length = super::length_left(path, &mut input)?;
    let fail = |error: hound::Error| Error::file(path, problem(&error));
    let reader = WavReader::new(input).map_err(fail)?;
    let WavSpec { channels, sample_rate, bits_per_sample, sample_format } = reader.spec();
    let claimed = u64::from(reader.len()) * u64::from(bits_per_sample.div_ceil(8));
    if claimed > length {
        let problem = format!(
            "cut short: its header promises {claimed} bytes of samples, but the file has {length}; copy it again"
        );
        return Err(Error::file(path, problem));
    }
    let samples: Vec<f64> = match sample_format {
        SampleFormat::Float => reader
            .into_samples::<f32>()
            .map(|sample| sample.map(f64::from))
            .collect::<hound::Result<_>>(),
        SampleFormat::Int => {
            let unit = full_scale(bits_per_sample);
            let samples = reader.into_samples::<i32>();
            samples.map(|sample| sample.map(|sample| f64::from(sample) / unit)).collect()
        }
    }
    .map_err(fail)?;
    let channels = usize::from(channels);
    let interleaved = ArrayView2::from_shape((samples.len() / channels, channels), &samples)
        .map_err(|_| Error::file(path, "damaged: its channels differ in length"))?;
    Recording::new(&path.display().to_string(), sample_rate, interleaved.t().to_owned())
}

/// Reads the files of several microphones, or of several groups of them, as one recording.
///
/// # Errors
/// Those of [`read`], and [`Error::Shape`] where rates or lengths differ.
pub fn read_all(paths: &[impl AsRef<Path>]) -> Result<Recording> {
    let parts: Vec<Recording> = paths.iter().map(read).collect::<Result<_>>()?;
    let Some(first) = parts.first() else {
        return Err(Error::data("the recording", "it has no file", "name at least one"));
    };
    for (part, path) in parts.iter().zip(paths) {
        let name = path.as_ref().display().to_string();
        if part.rate() != first.rate() {
            let [expected, found] = [first, part].map(|part| format!("{} Hz", part.rate()));
            let found = format!("{found}; resample one of the files");
            return Err(Error::shape(format!("the rate of {name}"), expected, found));
        }
        if part.len() != first.len() {
            let [expected, found] = [first, part].map(|part| format!("{} samples", part.len()));
            let found = format!("{found}; cut the files to the time that all of them have");
            return Err(Error::shape(format!("the length of {name}"), expected, found));
        }
    }
    let views: Vec<_> = parts.iter().map(Recording::channels).collect();
    let channels = concatenate(Axis(0), &views).expect("the lengths were compared");
    Recording::new("the recording", first.rate(), channels)
}

/// Refuses a recording that [`write()`] could not write, before anything is written.
///
/// # Errors
/// Those of [`write()`] but for faults of the file.
pub fn check(path: impl AsRef<Path>, recording: &Recording, encoding: Encoding) -> Result<()> {
    spec(path.as_ref(), recording, encoding).map(|_| ())
}

/// Writes a recording with all its channels, whole or not at all.
///
/// ```
/// use gaspard::audio::{Simulation, Speaker, Voice};
/// use gaspard::io::wav::{self, Encoding};
///
/// let folder = tempfile::tempdir().expect("a folder");
/// let path = folder.path().join("scene.wav");
/// let voice = Speaker::new(Voice::Low).speak(8000, 800);
/// let scene = Simulation::new(8000, [voice])?.delays(ndarray::array![[0.0, 3.0]]).run()?;
/// wav::write(&path, &scene.mixture, Encoding::Float)?;
/// let read = wav::read(&path)?;
/// assert_eq!((read.rate(), read.microphones(), read.len()), (8000, 2, scene.mixture.len()));
/// # Ok::<(), gaspard::Error>(())
/// ```
///
/// # Errors
/// [`Error::Parameter`] for bits other than 16, 24 and 32, [`Error::Data`] for samples that
/// integers cannot hold and for more channels than a file can have, [`Error::File`] where the file
/// cannot be written.
pub fn write(path: impl AsRef<Path>, recording: &Recording, encoding: Encoding) -> Result<()> {
    let path = path.as_ref();
    let spec = spec(path, recording, encoding)?;
    // Lengths come first in such files, and are known last.
    let mut content = Cursor::new(Vec::new());
    encode(&mut content, spec, recording.channels().t())
        .map_err(|error| Error::file(path, problem(&error)))?;
    super::atomic_write(path, |out| io::Write::write_all(out, content.get_ref()))
}

/// How a recording is to be written, if it can be.
fn spec(path: &Path, recording: &Recording, encoding: Encoding) -> Result<WavSpec> {
    let (bits_per_sample, sample_format) = match encoding {
        Encoding::Integer(bits @ (16 | 24 | 32)) => (bits, SampleFormat::Int),
        Encoding::Integer(bits) => {
            let remedy = "use 16, 24 or 32, or floats";
            return Err(Error::parameter("encoding", format!("integers of {bits} bits"), remedy));
        }
        Encoding::Float => (32, SampleFormat::Float),
    };
    let samples = recording.channels();
    let peak = samples.iter().fold(0.0_f64, |peak, sample| peak.max(sample.abs()));
    let largest = if sample_format == SampleFormat::Int { 1.0 } else { f64::from(f32::MAX) };
    if peak > largest {
        let problem =
            format!("a sample has the size {peak:.3}, and at most {largest} can be written");
        return Err(Error::data(
            path.display().to_string(),
            problem,
            "scale it down, or write floats",
        ));
    }
    let channels = u16::try_from(recording.microphones()).map_err(|_| {
        let problem = format!("{} channels", recording.microphones());
        Error::data(path.display().to_string(), problem, "write several files")
    })?;
    Ok(WavSpec { channels, sample_rate: recording.rate(), bits_per_sample, sample_format })
}

fn encode(
    out: &mut Cursor<Vec<u8>>,
    spec: WavSpec,
    samples: ArrayView2<'_, f64>,
) -> hound::Result<()> {
    let unit = full_scale(spec.bits_per_sample);
    let mut writer = WavWriter::new(out, spec)?;
    for sample in samples {
        match spec.sample_format {
            SampleFormat::Float => writer.write_sample(*sample as f32)?,
            // 1 is one step above the largest integer.
            SampleFormat::Int => {
                writer.write_sample((sample * unit).round().min(unit - 1.0) as i32)?
            }
        }
    }
    writer.finalize()
}

/// The integer that stands for 1.
fn full_scale(bits: u16) -> f64 {
    2.0_f64.powi(i32::from(bits) - 1)
}

fn problem(error: &hound::Error) -> String {
    match error {
        hound::Error::IoError(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            "cut short; copy or export it again".into()
        }
        hound::Error::IoError(error) => format!("cannot be read: {error}"),
        hound::Error::Unsupported => {
            "an encoding that is not known here; export it as PCM of 16, 24 or 32 bits, or as floats of 32 bits".into()
        }
        other => format!("not a .wav file, or damaged: {other}"),
    }
}
