//! The sweep loop: annealing, stop tests, over-relaxation, batches.

use super::evaluate::evaluate;
use super::{Forest, Tree, TreeSolution};
use crate::engine::Engine;
use crate::error::Result;
use crate::linear::Law;
use crate::linear::pace::{Checks, Pace, RAN_AWAY, StopTest};
use crate::linear::schedule::Control;
use crate::numeric::check_residual;
use crate::observer::{Observer, Progress, stops};

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
/// its own test. Annealing and over-relaxation are those of the whole batch, so that a result
/// depends on what it is batched with, within its tolerance.
///
/// ```
/// use gaspard::linear::tree::{self, Tree};
/// use gaspard::{Control, Engine, Geometry, Law};
/// use ndarray::array;
///
/// // The same costs, other weights: both at once, and each stops by itself.
/// let problem = |weight: f64| {
///     let mut tree = Tree::default();
///     let a = tree.node(array![weight, 1.0 - weight], Law::Fixed);
///     let b = tree.node(array![0.5, 0.5], Law::Fixed);
///     tree.edge(a, b, Geometry::matrix(array![[0.0, 1.0], [1.0, 0.0]])?);
///     Ok::<_, gaspard::Error>(tree)
/// };
/// let (first, second) = (problem(0.5)?, problem(0.9)?);
/// let control = Control::new(0.01);
/// let found = tree::solve_batch(&[&first, &second], &control, &Engine::cpu(), &mut ())?;
/// assert!(found[0].terms.linear < 1e-3 && (found[1].terms.linear - 0.4).abs() < 1e-3);
/// # Ok::<(), gaspard::Error>(())
/// ```
///
/// # Errors
/// As [`solve`].
pub fn solve_batch(
    trees: &[&Tree],
    control: &Control,
    engine: &Engine,
    observer: &mut dyn Observer,
) -> Result<Vec<TreeSolution>> {
    solve_with(trees, control, Sweeps::InTurn, engine, observer)
}

/// How the nodes of a tree are updated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sweeps {
    /// One after the other.
    InTurn,
    /// Both as one: two nodes with the same points, weights and law.
    Mirrored,
}

/// As [`solve_batch`].
pub(crate) fn solve_with(
    trees: &[&Tree],
    control: &Control,
    sweeps_are: Sweeps,
    engine: &Engine,
    observer: &mut dyn Observer,
) -> Result<Vec<TreeSolution>> {
    control.validate()?;
    let start = std::time::Instant::now();
    let mut forest = Forest::new(engine, trees)?;
    let outcome = run(&mut forest, trees, control, sweeps_are, observer)?;
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
    /// Marginals that are further off show that the stop test was deceived.
    pub acceptable: f64,
    pub interrupted: bool,
    /// The epsilon that the potentials are in units of.
    pub epsilon: f64,
}

fn run(
    forest: &mut Forest,
    trees: &[&Tree],
    control: &Control,
    sweeps_are: Sweeps,
    observer: &mut dyn Observer,
) -> Result<Outcome> {
    let cost_bound = trees
        .iter()
        .flat_map(|tree| &tree.edges)
        .map(|edge| edge.weight * edge.geometry.cost_bound())
        .fold(0.0, f64::max);
    let stages = control.stages(cost_bound);
    let stop_test = StopTest::new(control, &forest.engine, cost_bound);
    let tolerance = stop_test.tolerance;
    let acceptable = stop_test.acceptable();
    let mut stop_tests = vec![stop_test; forest.count];
    // Of a mirrored sweep one of two equal residuals is looked at.
    let looked_at = if sweeps_are == Sweeps::Mirrored { 0.5 } else { 1.0 };
    let masses: Vec<f64> = trees.iter().map(|tree| looked_at * mass_scale(tree)).collect();
    let mut outcome = Outcome {
        iterations: vec![0; forest.count],
        converged: vec![false; forest.count],
        traces: vec![Vec::new(); forest.count],
        tolerance,
        acceptable,
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
            let checking = (sweeps + 1 - pace.begin).is_multiple_of(control.check_every);
            if checking {
                forest.engine.write(&mut residual, &vec![0.0; forest.count])?;
            }
            let book = checking.then_some(&mut residual);
            match sweeps_are {
                Sweeps::InTurn => forest.sweep(epsilon, pace.relaxation, book)?,
                Sweeps::Mirrored => forest.mirrored_sweep(epsilon, book)?,
            }
            sweeps += 1;
            let out_of_budget = sweeps >= pace.end;
            outcome.interrupted |= observer.interrupted();
            let stop_now = outcome.interrupted || out_of_budget;
            let read = if checking { checks.push(sweeps, &residual)? } else { None };
            let read = if stop_now { checks.last()?.or(read) } else { read };
            let mut settled = false;
            if let Some((iteration, values)) = read {
                let residuals: Vec<f64> =
                    values.iter().zip(&masses).map(|(value, mass)| value / mass).collect();
                settled = if last {
                    judge(forest, &mut outcome, &mut stop_tests, iteration, &residuals)?
                } else {
                    residuals.iter().all(|&residual| residual <= pace.tolerance)
                };
                let worst = Pace::worst_running(&residuals, &outcome.converged);
                pace.adapt(worst, control);
                let running = outcome.converged.iter().filter(|done| !**done).count();
                let progress = Progress {
                    epsilon: Some(epsilon),
                    running: (running, forest.count),
                    ..Progress::new(iteration, control.max_iterations, worst, pace.tolerance)
                };
                outcome.interrupted |= stops(observer, &progress);
                check_residual(worst, iteration, RAN_AWAY)?;
            }
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

/// Notes the residuals of a stop test at the final epsilon, and stops the trees that meet theirs;
/// true if none is left.
fn judge(
    forest: &mut Forest,
    outcome: &mut Outcome,
    stop_tests: &mut [StopTest],
    iteration: usize,
    residuals: &[f64],
) -> Result<bool> {
    let mut stopped_one = false;
    for (tree, &residual) in residuals.iter().enumerate() {
        if outcome.converged[tree] {
            continue;
        }
        outcome.traces[tree].push((iteration, residual));
        if stop_tests[tree].met(residual) {
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

/// The mass that residuals are relative to.
fn mass_scale(tree: &Tree) -> f64 {
    let masses = tree.nodes.iter().filter(|node| node.law != Law::Free);
    masses.map(|node| node.weights.sum()).fold(0.0, f64::max)
}
