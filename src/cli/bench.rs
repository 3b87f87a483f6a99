//! `gaspard bench`: how fast, and how much of what the device can do.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::SystemTime;

use gaspard::bench::{self, Options, Row};
use gaspard::report::record::RunRecord;
use gaspard::{EngineOptions, Result};
use serde::Serialize;

use super::device::Choice;
use super::options::parse_bytes;
use super::status::Status;
use super::{interrupt, outputs};

const EXAMPLE: &str = "\
Examples:
  gaspard bench --quick
  gaspard bench dynamic --device gpu
  gaspard bench softmin --json bench.json";

/// Measure kernels and solves against the device's own ceilings
///
/// First measures how many bytes the device copies and how many exponentials and multiply-adds it
/// makes a second; then times each case and prints the fraction of the ceiling that binds it. Give
/// the machine nothing else to do meanwhile.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub(super) struct Arguments {
    /// Only cases whose name contains this: dynamic, for example
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// The device to measure: auto, cpu, gpu, a number from `gaspard devices`, or a part of a name
    #[arg(short, long, value_name = "auto|cpu|gpu|N|NAME", default_value = "auto")]
    device: Choice,
    /// The same as NAME
    #[arg(long, value_name = "NAME", conflicts_with = "name", hide = true)]
    filter: Option<String>,
    /// Smaller sizes and fewer repetitions
    #[arg(long)]
    quick: bool,
    /// Refuse to hold more bytes of arrays than this, for example 2GiB [default: what the device
    /// has]
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes)]
    memory_limit: Option<u64>,
    /// Write the measurements as JSON; - for stdout instead of the table
    #[arg(long, value_name = "FILE|-")]
    json: Option<PathBuf>,
    /// Say nothing while measuring
    #[arg(short, long)]
    quiet: bool,
}

#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    report: &'a bench::Report,
    record: RunRecord,
}

pub(super) fn run(arguments: &Arguments) -> Result<Status> {
    let started = SystemTime::now();
    let on_stdout = arguments.json.as_deref().is_some_and(outputs::is_stdout);
    if let Some(path) = arguments.json.as_deref().filter(|_| !on_stdout) {
        outputs::check(&[], &[path])?;
    }
    let memory_limit = arguments.memory_limit;
    let options = EngineOptions { profile: true, memory_limit, ..EngineOptions::default() };
    let (engine, line) = arguments.device.open(&options)?;
    if !arguments.quiet {
        outputs::complain("bench", &line);
    }
    interrupt::listen();
    let filter = arguments.name.as_ref().or(arguments.filter.as_ref()).cloned();
    let options = Options { quick: arguments.quick, filter };
    let report = bench::run(&engine, &options, &mut |row| {
        if !arguments.quiet {
            let Row { name, size, seconds, .. } = row;
            let took =
                if seconds.is_nan() { size.clone() } else { format!("{:.3} ms", 1e3 * seconds) };
            outputs::complain("bench", &format!("{name}: {took}"));
        }
        if interrupt::requested() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    if let Some(path) = &arguments.json {
        let record = outputs::record(&engine, started);
        outputs::write_json(path, &Report { report: &report, record })?;
    }
    if !on_stdout {
        outputs::print(&bench::table(&report))?;
    }
    Ok(if interrupt::requested() { Status::Interrupted } else { Status::Done })
}
