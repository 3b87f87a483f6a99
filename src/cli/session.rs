//! One run from its options to its record.

use std::io::Write;
use std::path::Path;
use std::time::{Instant, SystemTime};

use gaspard::error::bytes;
use gaspard::report::dynamic::DynamicResults;
use gaspard::report::gromov::GromovResults;
use gaspard::report::record::{KernelRecord, Results, RunRecord, Timing, kernels};
use gaspard::{Engine, Error, Geometry, Outcome, Result};
use serde::Serialize;

use super::options::Common;
use super::status::{Status, Summary};
use super::watch::Watch;
use super::{interrupt, outputs};

/// The tolerance of the marginals above which rounding alone makes a result worth a warning, and
/// above which it is worth nothing.
const COARSE: f64 = 1e-3;
const HOPELESS: f64 = 0.1;

/// What a command needs while it runs: somebody to talk to, a clock, a device.
pub(super) struct Session<'a> {
    common: &'a Common,
    started: SystemTime,
    begin: Instant,
    lap: Instant,
    timings: Vec<Timing>,
}

impl<'a> Session<'a> {
    /// Begins a run: listens for Ctrl-C, and refuses files that cannot be written, or that would
    /// take the place of what is read.
    pub(super) fn begin<'i, 'o>(
        common: &'a Common,
        inputs: impl IntoIterator<Item = &'i Path>,
        files: impl IntoIterator<Item = &'o Path>,
    ) -> Result<Self> {
        let now = Instant::now();
        let session =
            Self { common, started: SystemTime::now(), begin: now, lap: now, timings: Vec::new() };
        let inputs: Vec<&Path> = inputs.into_iter().collect();
        let mut all: Vec<&Path> = files.into_iter().collect();
        all.extend(common.json.as_deref().filter(|path| !outputs::is_stdout(path)));
        outputs::check(&inputs, &all)?;
        if !interrupt::listen() {
            session.warn("Ctrl-C will end this run without results: it cannot be caught here");
        }
        Ok(session)
    }

    /// A line for people.
    pub(super) fn note(&self, text: &str) {
        if !self.common.quiet {
            writeln!(std::io::stderr(), "{text}").ok();
        }
    }

    /// A line for people that even `--quiet` lets through.
    pub(super) fn warn(&self, text: &str) {
        outputs::complain("warning", text);
    }

    /// Ends a phase of the run, on the record.
    pub(super) fn lap(&mut self, phase: &'static str) {
        let seconds = self.lap.elapsed().as_secs_f64();
        self.timings.push(Timing { phase, seconds });
        self.lap = Instant::now();
    }

    /// Opens the device that was asked for.
    pub(super) fn open_device(&self) -> Result<Engine> {
        let (engine, line) = self.common.device.open(&self.common.engine_options())?;
        self.note(&line);
        Ok(engine)
    }

    /// The CPU engine, under the limits that were asked for.
    pub(super) fn host(&self) -> Engine {
        self.common.host()
    }

    /// Watches a solve, whose residual is this.
    pub(super) fn watch(&self, residual: &'static str) -> Watch {
        Watch::new(self.common.quiet, residual)
    }

    /// Refuses an epsilon so small beside the costs that the device's numbers cannot tell them
    /// apart, and warns where they hardly can.
    pub(super) fn check_epsilon<'g>(
        &self,
        engine: &Engine,
        epsilon: f64,
        geometries: impl IntoIterator<Item = &'g Geometry>,
    ) -> Result<()> {
        let largest = geometries.into_iter().map(Geometry::cost_bound).fold(0.0, f64::max);
        // Costs over epsilon are rounded, and their rounding is a relative error of the coupling.
        let error = engine.unit_roundoff() * largest / epsilon;
        let coarse = format!("{epsilon:e} is tiny beside costs of up to {largest:.3e}");
        let remedy = match engine.is_gpu() {
            true => "use --device cpu, which is more precise, or a larger epsilon",
            false => "use a larger epsilon, or transport --exact",
        };
        if error > HOPELESS {
            let problem = format!("{coarse}: rounding would be all there is");
            return Err(Error::parameter("epsilon", problem, remedy));
        }
        if error > COARSE {
            self.warn(&format!("epsilon {coarse}: marginals can be off by {error:.0e}; {remedy}"));
        }
        Ok(())
    }

    /// Says how a solve went.
    pub(super) fn summarise(&self, results: &Results, unit: &str) {
        let Outcome { iterations, seconds, tolerance, .. } = &results.outcome;
        let effort = format!("after {iterations} {unit} in {seconds:.2} s");
        let error = format!("marginal error {:.1e}", results.marginal_error);
        match results.status() {
            Status::Done => self.note(&format!("converged {effort}; {error}")),
            Status::Interrupted => self.warn(&format!("interrupted {effort}; {error}")),
            Status::NotConverged => {
                let missed = missed(*tolerance, "a larger --tolerance or epsilon");
                self.warn(&format!("not converged {effort}; {error}{missed}"));
            }
        }
        if !results.reached_epsilon {
            self.warn(&format!(
                "annealing was cut short: the results belong to epsilon {:.3e}",
                results.epsilon
            ));
        }
    }

    /// Says how a dynamic solve went.
    pub(super) fn summarise_dynamic(&self, results: &DynamicResults) {
        let Outcome { iterations, seconds, tolerance, .. } = &results.outcome;
        let effort = format!("after {iterations} iterations in {seconds:.2} s");
        let residual = format!("residual {:.1e}", results.residuals.worst());
        match results.status() {
            Status::Done => self.note(&format!("converged {effort}; {residual}")),
            Status::Interrupted => self.warn(&format!("interrupted {effort}; {residual}")),
            Status::NotConverged => {
                let missed = missed(*tolerance, "a larger --tolerance");
                self.warn(&format!("not converged {effort}; {residual}{missed}"));
            }
        }
    }

    /// Says how a Gromov-Wasserstein solve went.
    pub(super) fn summarise_gromov(&self, results: &GromovResults) {
        self.summarise_rounds(results, ["plans", "sweeps", "plan"]);
    }

    /// Says how a solve went that is made of rounds and of steps within them, and ends when
    /// something does not change any more: `words` for these.
    pub(super) fn summarise_rounds(&self, results: &GromovResults, words: [&str; 3]) {
        let GromovResults { outer_iterations, sweeps, change, .. } = results;
        let seconds = results.outcome.seconds;
        let [rounds, steps, what] = words;
        let effort =
            format!("after {outer_iterations} {rounds}, {sweeps} {steps}, in {seconds:.2} s");
        let last = format!("the last {what} changed by {change:.1e}");
        match results.status() {
            Status::Done => self.note(&format!("converged {effort}; {last}")),
            Status::Interrupted => self.warn(&format!("interrupted {effort}; {last}")),
            Status::NotConverged if results.cycling => self.warn(&format!(
                "not converged {effort}: the iteration goes to and fro between two plans; use \
                 --update safeguarded, or another --seed"
            )),
            Status::NotConverged => self.warn(&format!(
                "not converged {effort}; {last}: allow more --max-iterations, or a larger \
                 --tolerance or --epsilon"
            )),
        }
        if !results.reached_epsilon {
            self.warn(&format!(
                "annealing was cut short: the results belong to epsilon {:.3e}",
                results.epsilon
            ));
        }
    }

    /// Ends a run whose files are written: JSON or lines on stdout. `report` wraps the record
    /// into what the command has to say.
    pub(super) fn finish<R: Serialize>(
        mut self,
        engine: &Engine,
        results: &impl Summary,
        report: impl FnOnce(RunRecord) -> R,
    ) -> Result<Status> {
        self.lap("write");
        let kernels = if self.common.profile { Some(kernels(engine)?) } else { None };
        if let Some(kernels) = &kernels {
            self.note(&kernel_table(kernels, engine.bytes_peak()));
        }
        self.timings.push(Timing { phase: "total", seconds: self.begin.elapsed().as_secs_f64() });
        let record = RunRecord {
            seed: self.common.seed,
            timings: self.timings,
            kernels,
            ..outputs::record(engine, self.started)
        };
        let json = self.common.json.as_deref();
        if let Some(path) = json {
            outputs::write_json(path, &report(record))?;
        }
        if !json.is_some_and(outputs::is_stdout) {
            outputs::print_numbers(&results.numbers())?;
        }
        Ok(results.status())
    }
}

/// What was to be reached and was not, and what to do about it.
fn missed(tolerance: f64, remedy: &str) -> String {
    if tolerance == 0.0 {
        return ": all iterations were used, as --tolerance 0 asks for".to_owned();
    }
    format!(", to reach {tolerance:.1e}: allow more --max-iterations, or {remedy}")
}

fn kernel_table(kernels: &[KernelRecord], peak: u64) -> String {
    let all: f64 = kernels.iter().map(|kernel| kernel.seconds).sum();
    let mut table =
        format!("{:<32} {:>9} {:>11} {:>6}\n", "kernel", "launches", "seconds", "share");
    for KernelRecord { kernel, launches, seconds } in kernels {
        let share = 100.0 * seconds / all.max(f64::MIN_POSITIVE);
        table += &format!("{kernel:<32} {launches:>9} {seconds:>11.6} {share:>5.1}%\n");
    }
    table + &format!("at most {} of arrays at once", bytes(peak))
}
