//! The sweep loop: annealing, stop tests, over-relaxation, batches.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use super::evaluate::evaluate;
use super::{Forest, Tree, TreeSolution};
use crate::engine::{Array, Engine, Pending};
use crate::error::Result;
use crate::linear::Law;
use crate::linear::schedule::Control;
use crate::observer::{Observer, Progress};

/// Residual at which an annealing stage hands over to the next.
const STAGE_TOLERANCE: f64 = 0.02;
/// Sweeps that an annealing stage takes at most.
const STAGE_SWEEPS: usize = 60;
/// Over-relaxation never goes beyond this.
const MAX_RELAXATION: f64 = 1.95;

/// Solves one problem.
///
/// # Errors
/// [`crate::Error::Parameter`], [`crate::Error::Data`] and [`crate::Error::Shape`] for bad input,
/// [`crate::Error::Limit`] for what does not fit, and any fault of the device.
pub fn solve(
    tree: &Tree,
    control: &Control,
    engine: &Engine,
    observer: &mut dyn Observer,
) -> Result<TreeSolution> {
    let mut solutions = solve_batch(&[tree], control, engine, observer)?;
    Ok(solutions.pop().expect("one problem, one solution"))
}

/// Solves problems of one structure together; sizes, weights and costs may differ. Each stops by
/// its own test, and its result does not depend on what it is batched with.
///
/// # Errors
/// As [`solve`].
pub fn solve_batch(
    trees: &[&Tree],
    control: &Control,
    engine: &Engine,
    observer: &mut dyn Observer,
) -> Result<Vec<TreeSolution>> {
    control.validate()?;
    let start = std::time::Instant::now();
    let mut forest = Forest::new(engine, trees)?;
    let outcome = run(&mut forest, trees, control, observer)?;
    let solve_seconds = start.elapsed().as_secs_f64();
    evaluate(forest, trees, control, outcome, solve_seconds)
}

/// What the loop found, tree by tree.
pub(super) struct Outcome {
    pub iterations: Vec<usize>,
    pub converged: Vec<bool>,
    /// (iteration, residual) at the stop tests of the final epsilon.
    pub traces: Vec<Vec<(usize, f64)>>,
    pub tolerance: f64,
    pub interrupted: bool,
    /// The epsilon that the potentials are in units of.
    pub epsilon: f64,
}

fn run(
    forest: &mut Forest,
    trees: &[&Tree],
    control: &Control,
    observer: &mut dyn Observer,
) -> Result<Outcome> {
    let cost_bound = trees
        .iter()
        .flat_map(|tree| &tree.edges)
        .map(|edge| edge.weight * edge.geometry.cost_bound())
        .fold(0.0, f64::max);
    let stages = control.stages(cost_bound);
    let tolerance = tolerance(control, &forest.engine, cost_bound);
    let masses: Vec<f64> = trees.iter().map(|tree| mass_scale(tree)).collect();
    let mut outcome = Outcome {
        iterations: vec![0; forest.count],
        converged: vec![false; forest.count],
        traces: vec![Vec::new(); forest.count],
        tolerance,
        interrupted: false,
        epsilon: stages[0],
    };
    let mut residual = forest.engine.zeros("residual", forest.count)?;
    let mut sweeps = 0;
    for (stage, &epsilon) in stages.iter().enumerate() {
        if stage > 0 {
            forest.rescale(outcome.epsilon, epsilon)?;
            outcome.epsilon = epsilon;
        }
        let last = stage + 1 == stages.len();
        let mut pace = Pace::new(control, last, sweeps, tolerance);
        for index in 0..forest.shape.gather.len() {
            forest.step(forest.shape.gather[index], epsilon, 1.0, None)?;
        }
        let mut checks = Checks::new(&forest.engine);
        loop {
            let checking = (sweeps + 1 - pace.begin) % control.check_every == 0;
            if checking {
                forest.engine.write(&mut residual, &vec![0.0; forest.count])?;
            }
            for index in 0..forest.shape.sweep.len() {
                let book = checking.then_some(&mut residual);
                forest.step(forest.shape.sweep[index], epsilon, pace.relaxation, book)?;
            }
            sweeps += 1;
            let out_of_budget = sweeps >= pace.end;
            let stop_now = observer.interrupted() || out_of_budget;
            let read = if checking { checks.push(sweeps, &residual)? } else { None };
            let read = if stop_now { checks.last()?.or(read) } else { read };
            let mut settled = false;
            if let Some((iteration, values)) = read {
                let residuals: Vec<f64> =
                    values.iter().zip(&masses).map(|(value, mass)| value / mass).collect();
                settled = judge(forest, &mut outcome, &pace, last, iteration, &residuals)?;
                let worst = pace.worst_running(&residuals, &outcome.converged);
                pace.adapt(worst, control);
                let running = outcome.converged.iter().filter(|done| !**done).count();
                let progress = Progress {
                    iteration,
                    max_iterations: control.max_iterations,
                    residual: worst,
                    tolerance: pace.tolerance,
                    epsilon,
                    running: (running, forest.count),
                };
                if observer.progress(&progress) == ControlFlow::Break(()) {
                    outcome.interrupted = true;
                }
            }
            outcome.interrupted |= observer.interrupted();
            if settled || out_of_budget || outcome.interrupted {
                break;
            }
        }
        for (iterations, converged) in outcome.iterations.iter_mut().zip(&outcome.converged) {
            if !converged {
                *iterations = sweeps;
            }
        }
        if outcome.interrupted || sweeps >= control.max_iterations {
            // Potentials stay in units of the epsilon that was reached.
            break;
        }
    }
    Ok(outcome)
}

/// Notes the residuals of a stop test; true if nothing is left to run at this epsilon.
fn judge(
    forest: &mut Forest,
    outcome: &mut Outcome,
    pace: &Pace,
    last: bool,
    iteration: usize,
    residuals: &[f64],
) -> Result<bool> {
    if !last {
        return Ok(residuals.iter().all(|&residual| residual <= pace.tolerance));
    }
    let mut stopped_one = false;
    for (tree, &residual) in residuals.iter().enumerate() {
        if outcome.converged[tree] {
            continue;
        }
        outcome.traces[tree].push((iteration, residual));
        if residual <= pace.tolerance {
            outcome.converged[tree] = true;
            outcome.iterations[tree] = iteration;
            stopped_one = true;
        }
    }
    let done = outcome.converged.iter().all(|&converged| converged);
    if stopped_one && !done {
        let flags: Vec<f64> =
            outcome.converged.iter().map(|&done| f64::from(u8::from(!done))).collect();
        forest.engine.write(&mut forest.running, &flags)?;
    }
    Ok(done)
}

/// The pace of one stage: how long, how exact, how bold.
struct Pace {
    begin: usize,
    end: usize,
    tolerance: f64,
    relaxation: f64,
    /// Residuals of the last stop tests without over-relaxation, to observe the rate.
    history: Vec<f64>,
    best: f64,
    /// Over-relaxation was tried and made things worse.
    given_up: bool,
}

impl Pace {
    fn new(control: &Control, last: bool, sweeps: usize, tolerance: f64) -> Self {
        let budget = if last { control.max_iterations } else { sweeps + STAGE_SWEEPS };
        Self {
            begin: sweeps,
            end: budget.min(control.max_iterations).max(sweeps + 1),
            tolerance: if last { tolerance } else { tolerance.max(STAGE_TOLERANCE) },
            relaxation: control.relaxation.unwrap_or(1.0),
            history: Vec::new(),
            best: f64::INFINITY,
            given_up: !last,
        }
    }

    fn worst_running(&self, residuals: &[f64], converged: &[bool]) -> f64 {
        let running = residuals.iter().zip(converged).filter(|(_, converged)| !**converged);
        let worst = running.map(|(residual, _)| *residual).fold(0.0, f64::max);
        if worst > 0.0 { worst } else { residuals.iter().copied().fold(0.0, f64::max) }
    }

    /// Chooses the over-relaxation from the observed contraction per sweep, eta, as successive
    /// over-relaxation does: 2 / (1 + sqrt(1 - eta)) (Lehmann, von Renesse, Sambale, Uschmajew
    /// 2022, theorem 1). Falls back to plain steps where the residual grows.
    fn adapt(&mut self, residual: f64, control: &Control) {
        if control.relaxation.is_some() || self.given_up {
            return;
        }
        if self.relaxation > 1.0 {
            self.best = self.best.min(residual);
            if residual > 20.0 * self.best || !residual.is_finite() {
                self.relaxation = 1.0;
                self.given_up = true;
            }
            return;
        }
        self.history.push(residual);
        let [.., before, middle, now] = self.history[..] else { return };
        let (first, second) = (middle / before, now / middle);
        // The rate must have settled: early on, residuals fall in bursts.
        if !(second < 1.0 && (first - second).abs() < 0.1 * (1.0 - second).max(0.05)) {
            return;
        }
        let eta = second.powf(1.0 / control.check_every as f64);
        self.relaxation = (2.0 / (1.0 + (1.0 - eta).sqrt())).min(MAX_RELAXATION);
        self.best = now;
    }
}

/// Stop tests in flight. On a GPU the result of a test is looked at when the next one has been
/// launched, so that the device never waits for the host; on the CPU at once.
pub(crate) struct Checks {
    engine: Engine,
    pending: VecDeque<(usize, Pending)>,
}

impl Checks {
    pub(crate) fn new(engine: &Engine) -> Self {
        Self { engine: engine.clone(), pending: VecDeque::new() }
    }

    /// Starts to read a test's values, and returns the values of the test that is due.
    pub(crate) fn push(
        &mut self,
        iteration: usize,
        values: &Array,
    ) -> Result<Option<(usize, Vec<f64>)>> {
        self.pending.push_back((iteration, self.engine.read(values)?));
        let lag = usize::from(self.engine.is_gpu());
        if self.pending.len() > lag { self.pop() } else { Ok(None) }
    }

    /// The values of the last test, if it has not been looked at yet.
    pub(crate) fn last(&mut self) -> Result<Option<(usize, Vec<f64>)>> {
        while self.pending.len() > 1 {
            self.pop()?;
        }
        self.pop()
    }

    fn pop(&mut self) -> Result<Option<(usize, Vec<f64>)>> {
        let Some((iteration, pending)) = self.pending.pop_front() else { return Ok(None) };
        Ok(Some((iteration, pending.wait(&self.engine)?)))
    }
}

/// The residual to stop at: what the user asked for, else what the engine can resolve.
pub(crate) fn tolerance(control: &Control, engine: &Engine, cost_bound: f64) -> f64 {
    control.tolerance.unwrap_or_else(|| {
        if engine.is_gpu() {
            resolvable(engine, control.epsilon, cost_bound).max(1e-5)
        } else {
            1e-6
        }
    })
}

/// The L1 residual below which rounding of the scores hides the marginals' true error: potentials
/// over epsilon are as large as the costs over epsilon, and every entry of the plan is rounded by
/// that times the unit roundoff.
pub(crate) fn resolvable(engine: &Engine, epsilon: f64, cost_bound: f64) -> f64 {
    engine.unit_roundoff() * (2.0 + cost_bound / epsilon)
}

/// The mass that residuals are relative to.
fn mass_scale(tree: &Tree) -> f64 {
    let masses = tree.nodes.iter().filter(|node| node.law != Law::Free);
    masses.map(|node| node.weights.sum()).fold(0.0, f64::max)
}
