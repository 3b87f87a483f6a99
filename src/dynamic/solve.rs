//! The iteration and its stop test.

use std::ops::ControlFlow;
use std::time::Instant;

use super::checkpoint::{Checkpoint, Keeper};
use super::control::Method;
use super::evaluate::host_bytes;
use super::metric::with_other_metric;
use super::pace::Pace;
use super::solution::Outcome;
use super::system::System;
use super::{Control, Problem, Solution};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::kernels::dynamic::Layout;
use crate::kernels::dynamic::residuals::Sums;
use crate::observer::{Observer, Part, Progress};

/// Roundings of sigma |V| below which a dual point is nothing.
const ROUNDINGS: f64 = 1e4;

/// The relative residuals of an iteration (spec 4.5).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "io", derive(serde::Serialize))]
pub struct Residuals {
    /// How far the centred fields are from the staggered ones: |V - I U| / |V|.
    pub consistency: f64,
    /// |(U - U')/tau - I^T (y - y')| / |y|.
    pub stationarity: f64,
    /// The duality gap on fields that keep mass, beside the cost; none with costs of frames, whose
    /// dual is not known.
    #[cfg_attr(feature = "io", serde(skip_serializing_if = "Option::is_none"))]
    pub gap: Option<f64>,
    /// How far densities of coupled spaces are from where the law has them, in L1, where there are
    /// any.
    #[cfg_attr(feature = "io", serde(skip_serializing_if = "Option::is_none"))]
    pub coupling: Option<f64>,
}

/// The iteration at a point in time.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "io", derive(serde::Serialize))]
pub struct TracePoint {
    /// Iterations done.
    pub iteration: usize,
    /// Seconds since the start.
    pub seconds: f64,
    /// The cost over all spaces with their weights.
    pub total: f64,
    /// How far it is from a solution.
    #[cfg_attr(feature = "io", serde(flatten))]
    pub residuals: Residuals,
}

/// Moves the start into the end.
///
/// # Errors
/// [`crate::Error::Parameter`], [`crate::Error::Data`] and [`crate::Error::Shape`] for bad input,
/// [`crate::Error::Limit`] for a grid that does not fit, and any fault of the device.
pub fn solve(
    problem: &Problem,
    control: &Control,
    engine: &Engine,
    observer: &mut dyn Observer,
) -> Result<Solution> {
    solve_from(problem, control, engine, observer, None, None)
}

/// [`solve`], from a checkpoint of an earlier solve of the same problem if there is one, while
/// `keeper` takes checkpoints every now and then, and one in the end. A solve that goes on from one
/// does the same, bit for bit, as one that was never stopped, on the same device.
///
/// # Errors
/// As [`solve`]; [`crate::Error::Data`] for a checkpoint of another problem, and what the keeper
/// returns.
pub fn solve_from(
    problem: &Problem,
    control: &Control,
    engine: &Engine,
    observer: &mut dyn Observer,
    checkpoint: Option<&Checkpoint>,
    mut keeper: Option<Keeper<'_>>,
) -> Result<Solution> {
    control.validate()?;
    problem.validate()?;
    validate_method(problem, control)?;
    Engine::cpu().require(
        "the evaluation on the host",
        host_bytes(problem),
        "use a coarser grid, or a machine with more memory",
    )?;
    let begin = Instant::now();
    let metric = problem.metric()?;
    let start = first_state(problem);
    let mut system = System::new(problem, control.method, engine, &metric, &start)?;
    let mut run = Run::new(control, problem, &system);
    let identity = problem.identity(&metric, engine);
    match checkpoint {
        Some(checkpoint) => {
            checkpoint.check(&identity)?;
            system.restore(|name| checkpoint.parts(name))?;
            run.restore(checkpoint)?;
        }
        None if problem.frames_weight().is_some() && control.warm_iterations > 0 => {
            let mut part = Part { observer: &mut *observer, part: (1, 2) };
            warm(problem, control, engine, &metric, &mut part, &mut system)?;
        }
        None => system.start()?,
    }
    let mut part =
        Part { observer, part: if problem.frames_weight().is_some() { (2, 2) } else { (1, 1) } };
    let already = run.trace.last().map_or(0.0, |point| point.seconds);
    let mut kept = Instant::now();
    let share = problem.domain.cell_share() * problem.units();
    let (converged, steps) = loop {
        run.iteration += 1;
        let steps = run.pace.steps();
        system.iterate(steps)?;
        let last = run.iteration >= control.max_iterations || part.interrupted();
        if last || run.iteration.is_multiple_of(control.check_every) {
            let floor = ROUNDINGS * engine.unit_roundoff() * steps.sigma;
            let note = system.note(steps, floor, share)?;
            let residuals = note.residuals;
            run.residuals = residuals;
            run.trace.push(TracePoint {
                iteration: run.iteration,
                seconds: already + begin.elapsed().as_secs_f64(),
                total: note.total,
                residuals,
            });
            let converged = residuals.worst() <= control.tolerance;
            run.interrupted |= part.interrupted();
            let progress = run.progress(control);
            run.interrupted |= part.progress(&progress) == ControlFlow::Break(());
            if !residuals.worst().is_finite() {
                return Err(Error::data(
                    "the iteration",
                    format!("it ran away after {} iterations", run.iteration),
                    "use smaller steps (tau, sigma), or the coupled or shared form",
                ));
            }
            if converged || last || run.interrupted {
                break (converged, steps);
            }
            run.pace.look(residuals.worst());
        }
        system.accept();
        run.pace.advance();
        if let Some(keeper) = &mut keeper {
            if kept.elapsed().as_secs_f64() >= control.checkpoint_seconds {
                keeper(&run.checkpoint(&identity, &system)?)?;
                kept = Instant::now();
            }
        }
    };
    let (primary, coupled) = system.points(steps)?;
    system.accept();
    if let Some(keeper) = &mut keeper {
        // As if it went on: the next iteration is that of a solve which was never stopped.
        run.pace.look_and_advance(run.residuals.worst(), run.iteration, control);
        keeper(&run.checkpoint(&identity, &system)?)?;
    }
    let frame_costs = system.frame_costs()?;
    drop(system);
    let outcome = Outcome { primary, sigma: steps.sigma, coupled, frame_costs };
    let mut solution = Solution::new(problem, &metric, outcome)?;
    solution.iterations = run.iteration;
    solution.converged = converged;
    solution.interrupted = run.interrupted;
    solution.residuals = run.residuals;
    solution.trace = run.trace;
    solution.seconds = already + begin.elapsed().as_secs_f64();
    solution.device = engine.description();
    Ok(solution)
}

/// Refuses a method that does not go with the spaces.
fn validate_method(problem: &Problem, control: &Control) -> Result<()> {
    if control.method == Method::Pdfp && problem.has_coupled() {
        let problem = "the second projection knows nothing of coupled spaces";
        return Err(Error::parameter("solver", problem, "use yan or condat-vu"));
    }
    Ok(())
}

/// Starts a system from a motion of particles (spec 9, in the end).
fn warm(
    problem: &Problem,
    control: &Control,
    engine: &Engine,
    metric: &[f64],
    observer: &mut dyn Observer,
    system: &mut System,
) -> Result<()> {
    let particles = problem.of_particles();
    let own = particles.metric()?;
    let start = first_state(&particles);
    let mut first = System::new(&particles, Method::Relaxed, engine, &own, &start)?;
    first.start()?;
    let control = Control {
        method: Method::Relaxed,
        max_iterations: control.warm_iterations,
        ..control.clone()
    };
    let mut run = Run::new(&control, &particles, &first);
    let share = problem.domain.cell_share();
    let steps = loop {
        run.iteration += 1;
        let steps = run.pace.steps();
        first.iterate(steps)?;
        let last = run.iteration >= control.max_iterations || observer.interrupted();
        if last || run.iteration.is_multiple_of(control.check_every) {
            let floor = ROUNDINGS * engine.unit_roundoff() * steps.sigma;
            let note = first.note(steps, floor, share)?;
            run.residuals = note.residuals;
            let stopped = observer.progress(&run.progress(&control)) == ControlFlow::Break(());
            if last || stopped || note.residuals.worst() <= control.tolerance {
                break steps;
            }
        }
        first.accept();
        run.pace.advance();
    };
    let (points, _) = first.points(steps)?;
    drop(first);
    let dual = with_other_metric(&particles.layout(), &own, metric, &points.dual);
    system.resume_from(&points.state, &dual)
}

/// Where an iteration stands.
pub(super) struct Run {
    pub iteration: usize,
    pub pace: Pace,
    pub trace: Vec<TracePoint>,
    pub residuals: Residuals,
    interrupted: bool,
}

impl Run {
    fn new(control: &Control, problem: &Problem, system: &System) -> Self {
        Self {
            iteration: 0,
            pace: Pace::new(control, problem.frames_weight(), system.room()),
            trace: Vec::new(),
            residuals: Residuals::default(),
            interrupted: false,
        }
    }

    fn progress(&self, control: &Control) -> Progress {
        Progress {
            iteration: self.iteration,
            max_iterations: control.max_iterations,
            residual: self.residuals.worst(),
            tolerance: control.tolerance,
            epsilon: None,
            cost: self.trace.last().map(|point| point.total),
            running: (1, 1),
            part: (1, 1),
        }
    }
}

impl Residuals {
    /// From the sums of every space. Where nothing moves the dual point is zero but for rounding:
    /// beside |V|, it counts as no less than `floor`.
    pub(super) fn of(all: &[Sums], floor: f64) -> Self {
        let worst = |part: fn(&Sums, f64) -> f64| {
            all.iter().map(|sums| part(sums, floor)).fold(0.0, f64::max)
        };
        let total = |part: fn(&Sums) -> f64| all.iter().map(part).sum::<f64>();
        let (energy, size) = (total(|sums| sums.energy), total(|sums| sums.size));
        let gap = energy - total(|sums| sums.paired);
        Self {
            consistency: worst(|sums, _| (sums.gap / sums.size).sqrt()),
            stationarity: worst(|sums, floor| {
                sums.unrest.sqrt() / sums.dual_size.sqrt().max(floor * sums.size.sqrt())
            }),
            gap: Some(gap.abs() / energy.abs().max(floor * size)),
            coupling: None,
        }
    }

    /// What the stop test looks at.
    pub(super) fn worst(&self) -> f64 {
        self.consistency.max(self.stationarity).max(self.coupling.unwrap_or(0.0))
    }
}

/// No momentum, and the density on a straight line in time: it is projected before it is used.
pub(super) fn first_state(problem: &Problem) -> Vec<f64> {
    let [start, end] =
        [&problem.start, &problem.end].map(|density| density.iter().copied().collect::<Vec<_>>());
    straight(&problem.layout(), &start, &end)
}

/// The same between any densities.
pub(super) fn straight(layout: &Layout, start: &[f64], end: &[f64]) -> Vec<f64> {
    let (steps, places) = (layout.grid.time, layout.grid.places());
    let mut state = vec![0.0; layout.numbers()];
    let density = layout.density() * layout.grid.cells();
    for step in 0..steps {
        let time = step as f64 / steps as f64;
        let first = density + step * places;
        let both = start.iter().zip(end);
        for (value, (start, end)) in state[first..first + places].iter_mut().zip(both) {
            *value = (1.0 - time) * start + time * end;
        }
    }
    state
}
