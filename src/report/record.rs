//! What is kept of a run in JSON: its results under the names that all commands share, and the
//! circumstances they were obtained under.
//!
//! JSON knows no infinities and no NaN: numbers that are not finite become `null`.

use std::io;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};

use crate::engine::{DeviceKind, Engine};
use crate::error::Result;
use crate::linear::BarycenterSolution;
use crate::linear::tree::TreeSolution;
use crate::outcome::Outcome;

/// About how many points of a trace are kept.
const TRACE: usize = 1000;

/// The numbers that every transport solve reports.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Results {
    /// The objective: linear + entropic + marginal terms; for a divergence, the divergence.
    pub value: f64,
    /// The sum of coupling times cost, over all edges with their weights.
    pub linear: f64,
    /// epsilon times the relative entropy against the reference.
    pub entropic: f64,
    /// The penalties of the marginal laws.
    pub marginal_terms: f64,
    /// A lower bound of the objective, from the potentials; NaN where it is not computed.
    pub dual: f64,
    /// The mass of the coupling.
    pub mass: f64,
    /// How far the marginals are from where their laws want them: L1, for a mass of 1.
    pub marginal_error: f64,
    /// How the solve ended: iterations are sweeps, or pivots where the method is exact.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// The entropic strength that the results belong to, in the units of the cost.
    pub epsilon: f64,
    /// False if the run ended before annealing had come down to the epsilon asked for.
    pub reached_epsilon: bool,
    /// True if marginals and values were evaluated in double precision.
    pub evaluated_in_f64: bool,
    /// (iteration, residual) at the stop tests of the final epsilon; of long runs about a thousand
    /// of them, the last one included.
    pub trace: Vec<(usize, f64)>,
}

impl From<&TreeSolution> for Results {
    fn from(solution: &TreeSolution) -> Self {
        Self {
            value: solution.terms.total(),
            linear: solution.terms.linear,
            entropic: solution.terms.entropic,
            marginal_terms: solution.terms.marginal,
            dual: solution.terms.dual,
            mass: solution.mass,
            marginal_error: solution.marginal_error,
            outcome: solution.outcome.clone(),
            epsilon: solution.epsilon,
            reached_epsilon: solution.reached_epsilon,
            evaluated_in_f64: solution.evaluated_in_f64,
            trace: thinned(&solution.trace),
        }
    }
}

impl From<&BarycenterSolution> for Results {
    fn from(solution: &BarycenterSolution) -> Self {
        Self {
            value: solution.terms.total(),
            linear: solution.terms.linear,
            entropic: solution.terms.entropic,
            marginal_terms: solution.terms.marginal,
            dual: solution.terms.dual,
            mass: solution.weights.sum(),
            marginal_error: solution.marginal_error,
            outcome: solution.outcome.clone(),
            epsilon: solution.epsilon,
            reached_epsilon: solution.reached_epsilon,
            evaluated_in_f64: solution.evaluated_in_f64,
            trace: thinned(&solution.trace),
        }
    }
}

/// About [`TRACE`] points of a trace, evenly spaced, and its last one.
pub(super) fn thinned<T: Copy>(trace: &[T]) -> Vec<T> {
    let step = trace.len().div_ceil(TRACE).max(1);
    let last = trace.len().saturating_sub(1);
    let kept = trace.iter().enumerate().filter(|(at, _)| at % step == 0 || *at == last);
    kept.map(|(_, &point)| point).collect()
}

/// The circumstances of a run: what repeats it, and what explains its speed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunRecord {
    /// The version of gaspard.
    pub version: &'static str,
    /// The command line, program name first.
    pub arguments: Vec<String>,
    /// The seed of everything random.
    pub seed: u64,
    /// When the run began, in seconds since 1970 began.
    pub started: u64,
    /// The operating system and the processor architecture.
    pub platform: String,
    /// The device.
    pub device: DeviceRecord,
    /// Seconds of each phase of the run.
    pub timings: Vec<Timing>,
    /// The most bytes of arrays held on the device at once.
    pub bytes_peak: u64,
    /// The time of every kernel, longest first, where the run was profiled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernels: Option<Vec<KernelRecord>>,
}

impl RunRecord {
    /// The record of a run on an engine that began then; timings and kernels are for the caller
    /// to add.
    pub fn new(engine: &Engine, arguments: Vec<String>, started: SystemTime) -> Self {
        let since_1970 = started.duration_since(UNIX_EPOCH);
        Self {
            version: env!("CARGO_PKG_VERSION"),
            arguments,
            seed: 0,
            started: since_1970.map_or(0, |time| time.as_secs()),
            platform: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            device: DeviceRecord::of(engine),
            timings: Vec::new(),
            bytes_peak: engine.bytes_peak(),
            kernels: None,
        }
    }
}

/// Seconds of one phase of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Timing {
    /// What was done.
    pub phase: &'static str,
    /// How long it took.
    pub seconds: f64,
}

/// A device, as far as a record needs to name it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DeviceRecord {
    /// `cpu`, `discrete`, `integrated`, `virtual`, `other` or `software`.
    pub kind: &'static str,
    /// The adapter's name, or the CPU engine's description.
    pub name: String,
    /// The driver and its version; none for the CPU.
    pub driver: Option<String>,
    /// The graphics interface; none for the CPU.
    pub backend: Option<String>,
    /// Bytes of memory that the driver reports.
    pub memory: Option<u64>,
}

impl DeviceRecord {
    /// The device of an engine.
    pub fn of(engine: &Engine) -> Self {
        match engine.device() {
            Some(info) => Self {
                kind: kind_name(info.kind),
                name: info.name.clone(),
                driver: Some(info.driver.clone()),
                backend: Some(info.backend.clone()),
                memory: info.memory,
            },
            None => Self {
                kind: "cpu",
                name: engine.description(),
                driver: None,
                backend: None,
                memory: None,
            },
        }
    }
}

/// A kind of device in one word.
pub fn kind_name(kind: DeviceKind) -> &'static str {
    match kind {
        DeviceKind::Discrete => "discrete",
        DeviceKind::Integrated => "integrated",
        DeviceKind::Virtual => "virtual",
        DeviceKind::Other => "other",
        DeviceKind::Software => "software",
    }
}

/// The time of one kernel, summed over its launches.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KernelRecord {
    /// The kernel, as its shader is named.
    pub kernel: &'static str,
    /// How many times it was launched.
    pub launches: u64,
    /// Seconds in all.
    pub seconds: f64,
}

/// The time of every kernel of an engine that profiles, longest first.
///
/// # Errors
/// Any fault of the device since the last call.
pub fn kernels(engine: &Engine) -> Result<Vec<KernelRecord>> {
    let times = engine.profile()?;
    let record = |time: crate::engine::KernelTime| KernelRecord {
        kernel: time.kernel,
        launches: time.launches,
        seconds: time.seconds,
    };
    Ok(times.into_iter().map(record).collect())
}

/// Anything that serialises, as JSON with every field on a line of its own and every list on one
/// line, and a line break at its end.
///
/// # Errors
/// What the writer returns.
pub fn write_json(mut out: impl io::Write, value: &impl Serialize) -> io::Result<()> {
    let mut serializer = Serializer::with_formatter(&mut out, FieldLines::default());
    value.serialize(&mut serializer)?;
    writeln!(out)
}

/// Indents objects and leaves lists on their line: a trace of thousands of pairs is one line.
#[derive(Default)]
struct FieldLines(PrettyFormatter<'static>);

impl Formatter for FieldLines {
    fn begin_array_value<W: ?Sized + io::Write>(
        &mut self,
        out: &mut W,
        first: bool,
    ) -> io::Result<()> {
        if first { Ok(()) } else { out.write_all(b", ") }
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_object(out)
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_object(out)
    }

    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        out: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_object_key(out, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_object_value(out)
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_object_value(out)
    }
}

/// Writes a JSON file, whole or not at all.
///
/// ```
/// use gaspard::report::record::save_json;
///
/// let folder = tempfile::tempdir().expect("a folder");
/// let path = folder.path().join("record.json");
/// save_json(&path, &vec![1.5, 2.5])?;
/// assert!(path.exists());
/// # Ok::<(), gaspard::Error>(())
/// ```
///
/// # Errors
/// [`crate::Error::File`] when the file cannot be written.
pub fn save_json(path: impl AsRef<Path>, value: &impl Serialize) -> Result<()> {
    crate::io::atomic_write(path, |out| write_json(out, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_json_cannot_hold_become_null() {
        let mut text = Vec::new();
        write_json(&mut text, &[1.5, f64::NAN, f64::INFINITY]).unwrap();
        let text: String = String::from_utf8(text).unwrap().split_whitespace().collect();
        assert_eq!(text, "[1.5,null,null]");
    }

    #[test]
    fn long_traces_are_thinned_and_keep_their_ends() {
        let trace: Vec<(usize, f64)> = (0..12_345).map(|step| (step, 0.5)).collect();
        let kept = thinned(&trace);
        assert!((900..=1001).contains(&kept.len()), "{} points", kept.len());
        assert_eq!((kept.first(), kept.last()), (trace.first(), trace.last()));
        assert_eq!(thinned(&trace[..7]), trace[..7]);
        assert!(thinned(&trace[..0]).is_empty());
    }

    #[test]
    fn fields_have_lines_and_lists_have_one() {
        let mut text = Vec::new();
        let value =
            serde_json::json!({"trace": [[1, 0.5], [2, 0.25]], "list": [{"a": 1}], "b": {}});
        write_json(&mut text, &value).unwrap();
        let lines = [
            "{",
            r#"  "trace": [[1, 0.5], [2, 0.25]],"#,
            r#"  "list": [{"#,
            r#"    "a": 1"#,
            "  }],",
            r#"  "b": {}"#,
            "}",
        ];
        assert_eq!(String::from_utf8(text).unwrap().lines().collect::<Vec<_>>(), lines);
    }

    #[test]
    fn a_record_names_the_device_and_the_version() {
        let record = RunRecord::new(&Engine::cpu(), vec!["gaspard".into()], UNIX_EPOCH);
        let json = serde_json::to_value(&record).unwrap();
        assert_eq!(json["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(json["device"]["kind"], "cpu");
        assert_eq!(json["started"], 0);
        assert!(json.get("kernels").is_none());
    }
}
