//! `gaspard demo`: one result of each system, as a page of pictures with the commands that made them.

mod inputs;
mod page;
mod steps;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Instant, SystemTime};

use gaspard::report::record::RunRecord;
use gaspard::{Engine, Error, Result};
use serde::Serialize;
use serde_json::Value;

use super::status::Status;
use super::{interrupt, outputs};
use steps::Step;

const EXAMPLE: &str = "\
Examples:
  gaspard demo --out demo
      Ten seconds on two cores; then open demo/index.html in a browser.";

/// Make a page of examples: one result of each system
///
/// Draws its own shapes, clouds and voices, runs ordinary gaspard commands on them one after the
/// other in the folder, and leaves their pictures, sounds and JSON there, with a page that shows each
/// beside its command. Nothing is read from elsewhere.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub(super) struct Arguments {
    /// The folder for everything; made where it is missing
    #[arg(short, long, value_name = "DIR", default_value = "demo")]
    out: PathBuf,
    /// Where to run: as for every computing command; what always runs on the CPU says so
    #[arg(short, long, value_name = "auto|cpu|gpu|N|NAME", default_value = "auto")]
    device: String,
    /// Only steps whose command contains this: flat, for example
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Write what was run and found as JSON; - for stdout. DIR/demo.json is written in any case
    #[arg(long, value_name = "FILE|-")]
    json: Option<PathBuf>,
    /// Say nothing on stderr but warnings and errors
    #[arg(short, long)]
    quiet: bool,
}

impl Arguments {
    /// A line for people.
    fn note(&self, text: &str) {
        if !self.quiet {
            // Where stderr is closed there is nobody to tell.
            writeln!(std::io::stderr(), "{text}").ok();
        }
    }
}

/// A step that was run.
#[derive(Clone, Debug, Serialize)]
struct Done {
    title: &'static str,
    command: String,
    /// 0 done, 3 not converged, 130 interrupted, else failed.
    exit_code: Option<i32>,
    /// Of the whole program, its start included.
    seconds: f64,
    /// The numbers that count, by name.
    numbers: Vec<(&'static str, f64)>,
    pictures: Vec<&'static str>,
    sounds: Vec<&'static str>,
    #[serde(skip)]
    text: &'static str,
}

#[derive(Debug, Serialize)]
struct Report<'a> {
    version: &'static str,
    steps: &'a [Done],
    seconds: f64,
    record: RunRecord,
}

pub(super) fn run(arguments: &Arguments) -> Result<Status> {
    let only = arguments.only.as_deref().unwrap_or_default();
    let steps: Vec<Step> = steps::all().filter(|step| step.command.contains(only)).collect();
    if steps.is_empty() {
        let problem = format!("no command contains {only}");
        return Err(Error::parameter("--only", problem, "try flat, dynamic, gromov or separate"));
    }
    if let Some(path) = arguments.json.as_deref().filter(|path| !outputs::is_stdout(path)) {
        outputs::check(&[], &[path])?;
    }
    interrupt::listen();
    let (begin, started) = (Instant::now(), SystemTime::now());
    outputs::check_folder("--out", &arguments.out)?;
    outputs::make_folder(&arguments.out)?;
    inputs::draw(&arguments.out)?;
    let mut all = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        if interrupt::requested() {
            break;
        }
        let (number, count) = (index + 1, steps.len());
        arguments.note(&format!("{number}/{count} {}\n    gaspard {}", step.title, step.command));
        all.push(follow(step, arguments)?);
    }
    let report = Report {
        version: env!("CARGO_PKG_VERSION"),
        steps: &all,
        seconds: seconds(begin),
        record: outputs::record(&Engine::cpu(), started),
    };
    let page = arguments.out.join("index.html");
    std::fs::write(&page, page::html(&all))
        .map_err(|error| Error::file(&page, format!("cannot be written: {error}")))?;
    outputs::write_json(&arguments.out.join("demo.json"), &report)?;
    if let Some(path) = &arguments.json {
        outputs::write_json(path, &report)?;
    }
    let (done, count) = (all.len(), steps.len());
    let took = format!("{done} of {count} steps in {:.1} s", report.seconds);
    arguments.note(&format!("{took}: {}", page.display()));
    let codes = || all.iter().map(|done| done.exit_code);
    if let Some(done) = all.iter().find(|done| !matches!(done.exit_code, Some(0 | 3 | 130))) {
        let problem = format!("`gaspard {}` failed", done.command);
        return Err(Error::data("the demo", problem, "see its message above"));
    }
    let interrupted = all.len() < steps.len() || codes().any(|code| code == Some(130));
    Ok(Status::new(interrupted, codes().all(|code| code == Some(0))))
}

fn seconds(begin: Instant) -> f64 {
    begin.elapsed().as_secs_f64()
}

/// Runs the command of a step in the folder, as its reader would.
fn follow(step: &Step, arguments: &Arguments) -> Result<Done> {
    // What always runs on the CPU says so in its command.
    let device = match step.command.contains("--device") {
        true => &[][..],
        false => &["--device", &arguments.device],
    };
    let program = std::env::current_exe()
        .map_err(|error| Error::file("gaspard", format!("the program is not found: {error}")))?;
    let begin = Instant::now();
    let status = Command::new(&program)
        .args(step.command.split_whitespace())
        .args(device)
        .arg("--quiet")
        .current_dir(&arguments.out)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .map_err(|error| Error::file(&program, format!("cannot be run: {error}")))?;
    Ok(Done {
        title: step.title,
        text: step.text,
        command: step.command.to_owned(),
        exit_code: status.code(),
        seconds: seconds(begin),
        numbers: numbers(step, &arguments.out),
        pictures: step.pictures.to_vec(),
        sounds: step.sounds.to_vec(),
    })
}

/// What the step's JSON says under these names.
fn numbers(step: &Step, folder: &Path) -> Vec<(&'static str, f64)> {
    let Some(name) = step.json() else { return Vec::new() };
    let text = std::fs::read_to_string(folder.join(name)).unwrap_or_default();
    let report: Value = serde_json::from_str(&text).unwrap_or_default();
    let find = |name: &&'static str| Some((*name, report.get(*name)?.as_f64()?));
    step.numbers.iter().filter_map(find).collect()
}
