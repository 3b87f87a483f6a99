//! How fast kernels and solves run here, against what this device can do at most.
//!
//! First the device's own ceilings are measured: how many bytes it copies, how many exponentials
//! and how many multiply-adds it makes a second. Then each case is timed. Its roofline is the time
//! that the ceiling which binds would take for the exponentials, bytes and multiply-adds that the
//! case cannot do without; the fraction is the roofline over the measured time.
//!
//! What is counted, and what is not:
//!
//! * A softmin over a matrix reads every cost once; over points it makes one exponential a pair,
//!   and multiply-adds for the distance. Rescaling of running sums is overhead, not counted.
//! * A softmin along an axis of a grid makes one exponential a pair on a GPU. On the CPU it is a
//!   matrix product: one multiply-add a pair, one exponential an input.
//! * On the CPU exponentials are made of multiply-adds; a case with many of both cannot reach 1.
//! * Kernels are launched many times between two waits, so that the cost of a launch overlaps with
//!   the launch before. Solves are timed at two numbers of iterations and the difference divided:
//!   setting up, stop tests and the evaluation of the result are not in the time.
//! * An iteration of dynamic transport is counted at 32 numbers a cell, 128 bytes in f32. Small
//!   grids stay in a cache and can go beyond the bandwidth of memory.
//!
//! Times of a GPU are the device's own where the engine was opened with
//! [`EngineOptions::profile`](crate::EngineOptions) and the driver has timestamps, else those of
//! the clock on the wall. The former leave out all that happens between two launches.

mod audio;
mod ceilings;
mod clock;
mod dynamic;
mod flat;
mod gromov;
mod kernels;
mod solves;
mod table;

pub use ceilings::{Ceilings, ceilings};
#[doc(hidden)]
pub use dynamic::{Iteration, SteadyPoisson};
pub use table::table;

use std::ops::ControlFlow;

use crate::engine::{DeviceKind, Engine};
use crate::error::{Error, Result};

/// What to run.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Smaller sizes and fewer repetitions: about half a minute on two cores.
    pub quick: bool,
    /// Only cases whose name contains this, in any case.
    pub filter: Option<String>,
}

/// A run of the benchmarks.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "io", derive(serde::Serialize))]
pub struct Report {
    /// The device, as its driver names it.
    pub device: String,
    /// The driver and its version; empty on the CPU.
    pub driver: String,
    /// The version of gaspard.
    pub version: String,
    /// The commit that was built, where the environment variable GASPARD_COMMIT says.
    pub commit: Option<String>,
    /// What the times are of: `device timestamps` or `wall clock`.
    pub clock: String,
    /// What the device can do at most.
    pub ceilings: Ceilings,
    /// The cases.
    pub rows: Vec<Row>,
}

/// A case: what it took, and what it could take at best.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "io", derive(serde::Serialize))]
pub struct Row {
    /// What was run.
    pub name: String,
    /// How large, and what one run of it is; or why it was skipped.
    pub size: String,
    /// What one run cannot do without.
    pub counts: Counts,
    /// Median seconds of one run; not a number, null in JSON, for a case that was skipped.
    pub seconds: f64,
    /// The least seconds of one run, likewise.
    pub best_seconds: f64,
    /// Seconds that the ceiling which binds would take; `None` where no ceiling applies.
    pub roofline: Option<f64>,
    /// Which ceiling that is.
    pub binding: Option<Binding>,
    /// `roofline / seconds`.
    pub fraction: Option<f64>,
}

/// The work of one run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "io", derive(serde::Serialize))]
pub struct Counts {
    /// Exponentials.
    pub exponentials: f64,
    /// Bytes read from and written to memory.
    pub bytes: f64,
    /// Additions and multiplications, two for each multiply-add, and two for an operation that
    /// takes the place of one.
    pub flops: f64,
}

/// What limits a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "io", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum Binding {
    /// The rate of exponentials.
    Exponentials,
    /// The bandwidth of memory.
    Bandwidth,
    /// The rate of multiply-adds.
    MultiplyAdds,
}

/// How large the cases are that a device is given.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Scale {
    /// A software adapter: only to see that everything runs.
    Software,
    /// The CPU.
    Cpu,
    /// A GPU.
    Gpu,
}

/// What a case needs to know.
struct Context<'a> {
    engine: &'a Engine,
    scale: Scale,
    quick: bool,
}

/// What a case does.
type Measurement = dyn Fn(&Context<'_>) -> Result<Timed>;

/// A case before it is run.
struct Case {
    name: String,
    run: Box<Measurement>,
}

/// A case that was run.
struct Timed {
    size: String,
    /// `None` where no ceiling applies.
    counts: Option<Counts>,
    /// Seconds of one run, each time; none for a case that was skipped.
    seconds: Vec<f64>,
}

impl Timed {
    fn skipped(size: &str, why: &Error) -> Self {
        Self { size: format!("{size}, skipped: {why}"), counts: None, seconds: Vec::new() }
    }
}

/// Measures the ceilings, then runs every case. `observe` sees each row as it is made, and may
/// stop; rows made until then are returned.
///
/// ```no_run
/// use gaspard::{Engine, bench};
/// use std::ops::ControlFlow;
/// let options = bench::Options { quick: true, filter: Some("softmin".into()) };
/// let report = bench::run(&Engine::cpu(), &options, &mut |row| {
///     eprintln!("{}: {:.3} ms", row.name, 1e3 * row.seconds);
///     ControlFlow::Continue(())
/// })?;
/// println!("{}", bench::table(&report));
/// # Ok::<(), gaspard::Error>(())
/// ```
///
/// # Errors
/// [`Error::Parameter`] where no case has this name, any fault of the device, and
/// [`crate::Error::Limit`] for a device without room for a case.
pub fn run(
    engine: &Engine,
    options: &Options,
    observe: &mut dyn FnMut(&Row) -> ControlFlow<()>,
) -> Result<Report> {
    let scale = match engine.device().map(|device| device.kind) {
        None => Scale::Cpu,
        Some(DeviceKind::Software) => Scale::Software,
        Some(_) => Scale::Gpu,
    };
    let filter = options.filter.as_deref().unwrap_or_default().to_lowercase();
    let lists =
        [kernels::cases, gromov::cases, dynamic::cases, flat::cases, audio::cases, solves::cases];
    let context = Context { engine, scale, quick: options.quick };
    let mut cases: Vec<Case> = lists.into_iter().flat_map(|list| list(&context)).collect();
    let mut names: Vec<String> = cases.iter().map(|case| case.name.clone()).collect();
    names.dedup();
    cases.retain(|case| case.name.to_lowercase().contains(&filter));
    if cases.is_empty() {
        let problem = format!("no case has {filter:?} in its name");
        return Err(Error::parameter("NAME", problem, format!("there are: {}", names.join("; "))));
    }
    let ceilings = ceilings(engine)?;
    let mut rows = Vec::new();
    for case in cases {
        let row = case_row(&ceilings, case.name, (case.run)(&context)?);
        let flow = observe(&row);
        rows.push(row);
        if flow.is_break() {
            break;
        }
    }
    Ok(Report {
        device: engine.device().map_or_else(|| engine.description(), |device| device.name.clone()),
        driver: engine.device().map_or_else(String::new, |device| device.driver.clone()),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        commit: std::env::var("GASPARD_COMMIT").ok(),
        clock: if clock::is_of_the_device(engine)? { "device timestamps" } else { "wall clock" }
            .to_owned(),
        ceilings,
        rows,
    })
}

impl Case {
    fn new(name: impl Into<String>, run: impl Fn(&Context<'_>) -> Result<Timed> + 'static) -> Self {
        Self { name: name.into(), run: Box::new(run) }
    }
}

/// What a case took, beside what it could take at best.
fn case_row(ceilings: &Ceilings, name: String, timed: Timed) -> Row {
    let Timed { size, counts, seconds } = timed;
    let median = clock::median(&seconds);
    let bound = counts.and_then(|counts| ceilings.bound(&counts));
    Row {
        name,
        size,
        counts: counts.unwrap_or_default(),
        seconds: median,
        best_seconds: seconds.into_iter().reduce(f64::min).unwrap_or(f64::NAN),
        roofline: bound.map(|(_, seconds)| seconds),
        binding: bound.map(|(binding, _)| binding),
        fraction: bound.map(|(_, seconds)| seconds / median),
    }
}
