//! The iteration and its stop test.

use std::ops::ControlFlow;
use std::time::Instant;

use super::flow::{Flow, Points, Steps};
use super::{Control, Problem, Solution};
use crate::engine::Engine;
use crate::error::Result;
use crate::kernels::dynamic::residuals::Sums;
use crate::observer::{Observer, Progress};

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
    /// The duality gap on fields that keep mass, beside the cost.
    pub gap: f64,
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
    control.validate()?;
    problem.validate()?;
    let begin = Instant::now();
    let layout = problem.layout();
    let end: Vec<f64> = problem.end.iter().copied().collect();
    let start = first_state(problem);
    let metric = problem.metric()?;
    let mut flow = Flow::new(engine, layout, problem.reaction, &metric, &end, &start)?;
    flow.project()?;
    let mut run = Run { trace: Vec::new(), residuals: Residuals::default(), interrupted: false };
    let mut steps = Steps { sigma: control.sigma, relaxation: control.relaxation };
    let mut iteration = 0;
    let volume = problem.domain.cell_volume() * problem.units();
    let converged = loop {
        iteration += 1;
        flow.iterate(steps)?;
        let last = iteration == control.max_iterations || observer.interrupted();
        if last || iteration % control.check_every == 0 {
            let sums = flow.residuals(steps)?;
            let floor = ROUNDINGS * engine.unit_roundoff() * steps.sigma;
            run.note(iteration, begin.elapsed().as_secs_f64(), &sums, floor, volume);
            let converged = run.residuals.worst() <= control.tolerance;
            run.interrupted |= observer.interrupted();
            let progress = run.progress(iteration, control);
            run.interrupted |= observer.progress(&progress) == ControlFlow::Break(());
            if converged || last || run.interrupted {
                break converged;
            }
        }
        flow.accept();
        steps.sigma = (steps.sigma * control.growth).min(control.largest_sigma);
    };
    let Points { state, dual, roots } = flow.points(control.relaxation)?;
    drop(flow);
    let mut solution = Solution::new(problem, &metric, &state, &dual, &roots, steps.sigma)?;
    solution.iterations = iteration;
    solution.converged = converged;
    solution.interrupted = run.interrupted;
    solution.residuals = run.residuals;
    solution.trace = run.trace;
    solution.seconds = begin.elapsed().as_secs_f64();
    solution.device = engine.description();
    Ok(solution)
}

struct Run {
    trace: Vec<TracePoint>,
    residuals: Residuals,
    interrupted: bool,
}

impl Run {
    fn note(&mut self, iteration: usize, seconds: f64, sums: &Sums, floor: f64, volume: f64) {
        self.residuals = Residuals::of(sums, floor);
        let total = volume * sums.energy;
        self.trace.push(TracePoint { iteration, seconds, total, residuals: self.residuals });
    }

    fn progress(&self, iteration: usize, control: &Control) -> Progress {
        Progress {
            iteration,
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
    /// Where nothing moves the dual point is zero but for rounding: beside |V|, it counts as no less
    /// than `floor`.
    fn of(sums: &Sums, floor: f64) -> Self {
        let size = sums.size.sqrt();
        Self {
            consistency: sums.gap.sqrt() / size,
            stationarity: sums.unrest.sqrt() / sums.dual_size.sqrt().max(floor * size),
            gap: (sums.energy - sums.paired).abs() / sums.energy.abs().max(floor * sums.size),
        }
    }

    fn worst(&self) -> f64 {
        self.consistency.max(self.stationarity)
    }
}

/// No momentum, and the density on a straight line in time: it is projected before it is used.
pub(super) fn first_state(problem: &Problem) -> Vec<f64> {
    let layout = problem.layout();
    let (steps, places) = (layout.grid.time, layout.grid.places());
    let mut state = vec![0.0; layout.numbers()];
    let density = layout.density() * layout.grid.cells();
    for step in 0..steps {
        let time = step as f64 / steps as f64;
        let first = density + step * places;
        let both = problem.start.iter().zip(&problem.end);
        for (value, (start, end)) in state[first..first + places].iter_mut().zip(both) {
            *value = (1.0 - time) * start + time * end;
        }
    }
    state
}
