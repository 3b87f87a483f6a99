//! The loop of every entropic iteration: stages of epsilon, stop tests, over-relaxation, batches.

use super::pace::{Checks, Pace, RAN_AWAY, StopTest};
use super::schedule::Control;
use crate::engine::{Array, Engine};
use crate::error::Result;
use crate::kernels::{NEARLY_NOTHING, NOTHING};
use crate::numeric::check_residual;
use crate::observer::{Observer, Progress, stops};

/// What the loop asks of the problems that it solves together.
pub(super) trait Iteration {
    fn engine(&self) -> &Engine;

    /// Problems of the batch.
    fn count(&self) -> usize;

    /// Makes what the first iteration at an epsilon starts from.
    fn begin(&mut self, epsilon: f64) -> Result<()>;

    /// Makes an iteration. With `residual`, which is zero before, adds up how far each problem is from
    /// its solution.
    fn iterate(
        &mut self,
        epsilon: f64,
        relaxation: f64,
        residual: Option<&mut Array>,
    ) -> Result<()>;

    /// The mass that the residual of each problem is relative to.
    fn masses(&self) -> Vec<f64>;

    /// Changes the unit of all potentials from one epsilon to another.
    fn rescale(&mut self, from: f64, to: f64) -> Result<()>;

    /// Lets the problems rest that are done, while others are not.
    fn rest(&mut self, done: &[bool]) -> Result<()>;
}

/// What the loop found, problem by problem.
pub(super) struct Found {
    pub iterations: Vec<usize>,
    pub converged: Vec<bool>,
    /// (iteration, residual) at the stop tests of the final epsilon.
    pub traces: Vec<Vec<(usize, f64)>>,
    pub tolerance: f64,
    /// Marginals that are further off show that the stop test was deceived.
    pub acceptable: f64,
    pub interrupted: bool,
    /// The epsilon that the potentials are in units of.
    pub epsilon: f64,
}

/// Iterates from a large epsilon, comparable with costs of up to `cost_bound`, down to the target. Each
/// problem stops by its own test.
pub(super) fn run(
    problems: &mut dyn Iteration,
    control: &Control,
    cost_bound: f64,
    observer: &mut dyn Observer,
) -> Result<Found> {
    let count = problems.count();
    let stages = control.stages(cost_bound);
    let stop_test = StopTest::new(control, problems.engine(), cost_bound);
    let tolerance = stop_test.tolerance;
    let mut found = Found {
        iterations: vec![0; count],
        converged: vec![false; count],
        traces: vec![Vec::new(); count],
        tolerance,
        acceptable: stop_test.acceptable(),
        interrupted: false,
        epsilon: stages[0],
    };
    let mut stop_tests = vec![stop_test; count];
    let masses = problems.masses();
    let mut residual = problems.engine().zeros("residual", count)?;
    let mut iterations = 0;
    for (stage, &epsilon) in stages.iter().enumerate() {
        if stage > 0 {
            problems.rescale(found.epsilon, epsilon)?;
            found.epsilon = epsilon;
        }
        let last = stage + 1 == stages.len();
        let mut pace = Pace::new(control, last, iterations, tolerance);
        problems.begin(epsilon)?;
        let mut checks = Checks::new(problems.engine());
        loop {
            let checking = (iterations + 1 - pace.begin).is_multiple_of(control.check_every);
            if checking {
                problems.engine().write(&mut residual, &vec![0.0; count])?;
            }
            problems.iterate(epsilon, pace.relaxation, checking.then_some(&mut residual))?;
            iterations += 1;
            let out_of_budget = iterations >= pace.end;
            found.interrupted |= observer.interrupted();
            let stop_now = found.interrupted || out_of_budget;
            let read = if checking { checks.push(iterations, &residual)? } else { None };
            let read = if stop_now { checks.last()?.or(read) } else { read };
            let mut settled = false;
            if let Some((iteration, values)) = read {
                let residuals: Vec<f64> =
                    values.iter().zip(&masses).map(|(value, mass)| value / mass).collect();
                settled = match last {
                    true => found.judge(problems, &mut stop_tests, iteration, &residuals)?,
                    false => residuals.iter().all(|&residual| residual <= pace.tolerance),
                };
                let worst = Pace::worst_running(&residuals, &found.converged);
                pace.adapt(worst, control);
                let running = found.converged.iter().filter(|done| !**done).count();
                let progress = Progress {
                    epsilon: Some(epsilon),
                    running: (running, count),
                    ..Progress::new(iteration, control.max_iterations, worst, pace.tolerance)
                };
                found.interrupted |= stops(observer, &progress);
                check_residual(worst, iteration, RAN_AWAY)?;
            }
            if settled || out_of_budget || found.interrupted {
                break;
            }
        }
        for (own, converged) in found.iterations.iter_mut().zip(&found.converged) {
            if !converged {
                *own = iterations;
            }
        }
        if found.interrupted || iterations >= control.max_iterations {
            // Potentials stay in units of the epsilon that was reached.
            break;
        }
    }
    Ok(found)
}

impl Found {
    /// Notes the residuals of a stop test at the final epsilon, and lets the problems rest that meet
    /// theirs; true if none is left.
    fn judge(
        &mut self,
        problems: &mut dyn Iteration,
        stop_tests: &mut [StopTest],
        iteration: usize,
        residuals: &[f64],
    ) -> Result<bool> {
        let mut stopped_one = false;
        for (problem, &residual) in residuals.iter().enumerate() {
            if self.converged[problem] {
                continue;
            }
            self.traces[problem].push((iteration, residual));
            if stop_tests[problem].met(residual) {
                self.converged[problem] = true;
                self.iterations[problem] = iteration;
                stopped_one = true;
            }
        }
        let done = self.converged.iter().all(|&converged| converged);
        if stopped_one && !done {
            problems.rest(&self.converged)?;
        }
        Ok(done)
    }
}

/// The numbers of an array of logarithms, with their unit changed from one epsilon to another.
pub(super) fn rescaled(engine: &Engine, array: &Array, from: f64, to: f64) -> Result<Vec<f64>> {
    let mut values = engine.download(array)?;
    for value in &mut values {
        *value = if *value < NEARLY_NOTHING { NOTHING } else { *value * (from / to) };
    }
    Ok(values)
}
