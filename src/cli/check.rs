//! `gaspard check`: can this device be trusted?

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::SystemTime;

use gaspard::check::{self, Row};
use gaspard::report::record::RunRecord;
use gaspard::{EngineOptions, Error, Result};
use serde::Serialize;

use super::device::Choice;
use super::options::parse_bytes;
use super::status::Status;
use super::{interrupt, outputs};

const EXAMPLE: &str = "\
Examples:
  gaspard check
  gaspard check --device 1 --seed 7 --json check.json";

/// Run every kernel of a device against its f64 twin
///
/// The first thing to run on a new GPU. Prints for every case the largest error found and the
/// largest that rounding to f32 explains; exit code 1 if any case errs by more.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub(super) struct Arguments {
    /// The device to check: gpu (the best; a software adapter where there is no other), a number
    /// from `gaspard devices`, or a part of a name
    #[arg(short, long, value_name = "gpu|N|NAME", default_value = "gpu")]
    device: Choice,
    /// Seed of the inputs
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    seed: u64,
    /// Refuse to hold more bytes of arrays than this, for example 2GiB [default: what the device
    /// has]
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes)]
    memory_limit: Option<u64>,
    /// Write the cases as JSON; - or nothing for stdout instead of the table
    #[arg(long, value_name = "FILE|-", num_args = 0..=1, default_missing_value = "-")]
    json: Option<PathBuf>,
    /// Print the cases that failed, and nothing else
    #[arg(short, long)]
    quiet: bool,
}

#[derive(Serialize)]
struct Report<'a> {
    version: &'static str,
    device: &'a str,
    seed: u64,
    passed: bool,
    cases: Vec<Case<'a>>,
    record: RunRecord,
}

#[derive(Serialize)]
struct Case<'a> {
    kernel: &'a str,
    case: &'a str,
    /// null where a kernel did not run at all
    error: Option<f64>,
    allowed: f64,
    passed: bool,
    seconds: f64,
}

pub(super) fn run(arguments: &Arguments) -> Result<Status> {
    let started = SystemTime::now();
    let on_stdout = arguments.json.as_deref().is_some_and(outputs::is_stdout);
    if let Some(path) = arguments.json.as_deref().filter(|_| !on_stdout) {
        outputs::check(&[], &[path])?;
    }
    let memory_limit = arguments.memory_limit;
    let options = EngineOptions { memory_limit, ..EngineOptions::default() };
    let (engine, line) = arguments.device.open(&options)?;
    if !arguments.quiet {
        outputs::complain("check", &line);
    }
    interrupt::listen();
    let rows = check::run(&engine, arguments.seed, &mut |row| {
        if !on_stdout
            && (!arguments.quiet || !row.passed)
            && outputs::print(&table_line(row)).is_err()
        {
            return ControlFlow::Break(());
        }
        if interrupt::requested() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    let failed = rows.iter().filter(|row| !row.passed).count();
    let device = engine.description();
    if let Some(path) = &arguments.json {
        let report = Report {
            version: env!("CARGO_PKG_VERSION"),
            device: &device,
            seed: arguments.seed,
            passed: failed == 0,
            cases: rows.iter().map(Case::from).collect(),
            record: RunRecord { seed: arguments.seed, ..outputs::record(&engine, started) },
        };
        outputs::write_json(path, &report)?;
    }
    if interrupt::requested() {
        return Ok(Status::Interrupted);
    }
    if failed > 0 {
        return Err(Error::data(
            device,
            format!("{failed} of {} cases do not agree with the CPU", rows.len()),
            "do not trust its results, and please report the table with that of `gaspard devices`",
        ));
    }
    if !arguments.quiet {
        outputs::complain("check", &format!("all {} cases agree with the CPU", rows.len()));
    }
    Ok(Status::Done)
}

impl<'a> From<&'a Row> for Case<'a> {
    fn from(row: &'a Row) -> Self {
        Self {
            kernel: &row.kernel,
            case: &row.case,
            error: row.error.is_finite().then_some(row.error),
            allowed: row.allowed,
            passed: row.passed,
            seconds: row.seconds,
        }
    }
}

fn table_line(row: &Row) -> String {
    let verdict = if row.passed { "ok" } else { "FAILED" };
    let Row { kernel, case, error, allowed, .. } = row;
    format!("{verdict:6} {kernel:24} error {error:8.1e}  allowed {allowed:8.1e}  {case}\n")
}
