//! Block coordinate descent: plans for given delays, and the best delays for given plans.

use std::time::Instant;

use super::options::{Options, Plan};
use super::planner::{Delays, Planner, Report};
use super::solution::{SAME, TracePoint};
use crate::error::Result;
use crate::numeric::{check_residual, larger, largest};
use crate::observer::{Observer, Progress, stops};

/// Frames that no delay moves any more when a descent has done with an epsilon that is not the last.
const NEARLY_STILL: f64 = 1e-2;

/// So many times more steps at the last epsilon are left to the best descent of a scene.
const SETTLING: usize = 3;

/// A descent, from where it starts to where it ends.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Descent {
    pub scene: usize,
    pub start: Delays,
    pub delays: Delays,
    pub cost: f64,
    pub converged: bool,
    pub trace: Vec<TracePoint>,
}

impl Descent {
    pub(super) fn new(scene: usize, start: Delays) -> Self {
        let delays = start.clone();
        Self { scene, start, delays, cost: f64::INFINITY, converged: false, trace: Vec::new() }
    }

    /// Takes the best delays for a plan; how far they moved.
    fn follow(&mut self, report: &Report, epsilon: f64, furthest: f64, seconds: f64) -> f64 {
        let next = report.delays(&self.delays, furthest);
        let moved = next.iter().zip(&self.delays).map(|(new, old)| (new - old).abs());
        let moved = largest(moved);
        self.cost = report.cost(&next);
        self.delays = next;
        let objective = report.objective;
        let iteration = self.trace.len() + 1;
        self.trace.push(TracePoint { iteration, seconds, epsilon, objective, cost: self.cost });
        moved
    }
}

/// Runs all descents at once; true if it was interrupted. Those that have met by the end of a stage go
/// on as one.
pub(super) fn descend(
    planner: &mut dyn Planner,
    options: &Options,
    largest: f64,
    descents: &mut [Descent],
    observer: &mut dyn Observer,
) -> Result<bool> {
    let stages: &[f64] = if options.plan == Plan::Exact { &[0.0] } else { &options.epsilons };
    let begin = Instant::now();
    let mut steps = 0;
    let mut interrupted = false;
    let mut leaders: Vec<usize> = (0..descents.len()).collect();
    'stages: for (stage, &epsilon) in stages.iter().enumerate() {
        planner.begin(epsilon)?;
        let last = stage + 1 == stages.len();
        let still = if last { options.tolerance } else { NEARLY_STILL.max(options.tolerance) };
        if stage > 0 {
            join(descents, &mut leaders);
        }
        let leads = |(place, leader): (usize, &usize)| place == *leader;
        let mut running: Vec<bool> = leaders.iter().enumerate().map(leads).collect();
        let limit = options.max_iterations * if last { 1 + SETTLING } else { 1 };
        for step in 0..limit {
            if step == options.max_iterations {
                rest_but_best(descents, &mut running);
                if running.iter().all(|running| !running) {
                    break;
                }
            }
            let plans: Vec<_> = descents
                .iter()
                .zip(&running)
                .map(|(descent, running)| (descent.scene, running.then_some(&descent.delays[..])))
                .collect();
            let reports = planner.step(&plans, observer)?;
            steps += 1;
            let seconds = begin.elapsed().as_secs_f64();
            let mut furthest = 0.0_f64;
            for ((descent, running), report) in descents.iter_mut().zip(&mut running).zip(reports) {
                let Some(report) = report else { continue };
                let moved = descent.follow(&report, epsilon, largest, seconds);
                *running = moved > still;
                descent.converged = last && !*running;
                furthest = larger(furthest, moved);
            }
            let left = running.iter().filter(|running| **running).count();
            let iterations = (stages.len() + SETTLING) * options.max_iterations;
            let progress = Progress {
                epsilon: (options.plan == Plan::Entropic).then_some(epsilon),
                cost: descents.iter().map(|descent| descent.cost).reduce(f64::min),
                running: (left, descents.len()),
                ..Progress::new(steps, iterations, furthest, still)
            };
            check_residual(furthest, steps, "use a larger epsilon, or the CPU")?;
            if stops(observer, &progress) {
                interrupted = true;
                break 'stages;
            }
            if left == 0 {
                break;
            }
        }
    }
    for (place, leader) in leaders.into_iter().enumerate() {
        if leader != place {
            let end = descents[leader].clone();
            descents[place] = Descent { start: descents[place].start.clone(), ..end };
        }
    }
    Ok(interrupted)
}

/// Descents that are where one before them is follow that one from now on.
fn join(descents: &mut [Descent], leaders: &mut [usize]) {
    for place in 1..descents.len() {
        let this = &descents[place];
        let near = |other: &Descent| {
            let mut pairs = this.delays.iter().zip(&other.delays);
            this.scene == other.scene && pairs.all(|(a, b)| (a - b).abs() <= SAME)
        };
        let met = |other: &usize| leaders[*other] == *other && near(&descents[*other]);
        if leaders[place] == place
            && let Some(leader) = (0..place).find(met)
        {
            leaders[place] = leader;
            // It is out of the running for the best.
            descents[place].cost = f64::INFINITY;
        }
    }
}

/// Stops all descents but the best one of each scene: the first one of those that cost as little.
fn rest_but_best(descents: &[Descent], running: &mut [bool]) {
    for (place, running) in running.iter_mut().enumerate() {
        *running &= is_best(descents, place);
    }
}

fn is_best(descents: &[Descent], place: usize) -> bool {
    let this = &descents[place];
    let better = |(other, descent): (usize, &Descent)| {
        descent.scene == this.scene && (descent.cost, other) < (this.cost, place)
    };
    !descents.iter().enumerate().any(better)
}
