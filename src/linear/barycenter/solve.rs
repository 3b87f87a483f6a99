//! The loop of iterative Bregman projections.

use super::evaluate::evaluate;
use super::star::Star;
use super::{Barycenter, BarycenterSolution};
use crate::engine::Engine;
use crate::error::Result;
use crate::geometry::Geometry;
use crate::linear::Control;
use crate::linear::pace::RAN_AWAY;
use crate::linear::pace::{Checks, Pace, StopTest};
use crate::numeric::check_residual;
use crate::observer::{Observer, Progress, stops};

/// What the loop found.
pub(super) struct Outcome {
    pub iterations: usize,
    pub converged: bool,
    pub interrupted: bool,
    pub trace: Vec<(usize, f64)>,
    pub tolerance: f64,
    /// The epsilon that the scalings are in units of.
    pub epsilon: f64,
}

pub(super) fn solve(
    problem: &Barycenter<'_>,
    engine: &Engine,
    observer: &mut dyn Observer,
) -> Result<BarycenterSolution> {
    let start = std::time::Instant::now();
    let support = problem.resolved_support();
    let mut star = Star::new(engine, problem, &support)?;
    let outcome = run(&mut star, problem, observer)?;
    let seconds = start.elapsed().as_secs_f64();
    evaluate(star, problem, support, outcome, seconds)
}

fn run(star: &mut Star, problem: &Barycenter<'_>, observer: &mut dyn Observer) -> Result<Outcome> {
    let cost_bound = cost_bound(problem)?;
    // The correction changes what the scalings converge to while they do: no over-relaxation.
    let control = &match problem.debiased {
        true => Control { relaxation: Some(1.0), ..problem.control.clone() },
        false => problem.control.clone(),
    };
    let stages = control.stages(cost_bound);
    let mut stop_test = StopTest::new(control, &star.engine, cost_bound);
    let tolerance = stop_test.tolerance;
    let mut outcome = Outcome {
        iterations: 0,
        converged: false,
        interrupted: false,
        trace: Vec::new(),
        tolerance,
        epsilon: stages[0],
    };
    let mut residual = star.engine.zeros("residual", 1)?;
    for (stage, &epsilon) in stages.iter().enumerate() {
        if stage > 0 {
            star.rescale(outcome.epsilon, epsilon)?;
            outcome.epsilon = epsilon;
        }
        let last = stage + 1 == stages.len();
        let mut pace = Pace::new(control, last, outcome.iterations, tolerance);
        let mut checks = Checks::new(&star.engine);
        star.hear(epsilon)?;
        loop {
            star.iterate(epsilon, pace.relaxation)?;
            outcome.iterations += 1;
            let out_of_budget = outcome.iterations >= pace.end;
            outcome.interrupted |= observer.interrupted();
            let mut read = None;
            if (outcome.iterations - pace.begin).is_multiple_of(control.check_every) {
                star.residual(epsilon, &mut residual)?;
                read = checks.push(outcome.iterations, &residual)?;
            }
            if out_of_budget || outcome.interrupted {
                read = checks.last()?.or(read);
            }
            if let Some((iteration, values)) = read {
                let residual = values[0];
                if last {
                    outcome.trace.push((iteration, residual));
                    outcome.converged = stop_test.met(residual);
                }
                pace.adapt(residual, control);
                let progress = Progress {
                    epsilon: Some(epsilon),
                    ..Progress::new(iteration, control.max_iterations, residual, pace.tolerance)
                };
                outcome.interrupted |= stops(observer, &progress);
                check_residual(residual, iteration, RAN_AWAY)?;
                if outcome.converged || (!last && residual <= pace.tolerance) {
                    break;
                }
            }
            if out_of_budget || outcome.interrupted {
                break;
            }
        }
        if outcome.interrupted || outcome.iterations >= control.max_iterations {
            break;
        }
    }
    Ok(outcome)
}

fn cost_bound(problem: &Barycenter<'_>) -> Result<f64> {
    if let Some(geometry) = &problem.geometry {
        return Ok(geometry.cost_bound());
    }
    let support = problem.resolved_support();
    let mut bound: f64 = 0.0;
    for measure in &problem.measures {
        let geometry = Geometry::between(measure.support(), &support, problem.cost)?;
        bound = bound.max(geometry.cost_bound());
    }
    Ok(bound)
}
