//! The outer iteration: plan, linearised problem, next plan (paper algorithm 1, with a safeguard).

use std::time::Instant;

use super::exactness::{CHECK_EVERY, Exactness};
use super::linearise::Linearised;
use super::plan::Weights;
use super::start::{check_solution, plan_rows, product_plan, product_rows, random_rows};
use super::track::Track;
use super::{Control, Problem, Solution, Start, Update};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::linear::pace::{Checks, RAN_AWAY};
use crate::linear::tree::Forest;
use crate::numeric::{check_residual, largest};
use crate::observer::{Observer, Progress, stops};
use crate::outcome::Outcome;

/// The change of the plan at which an annealing stage hands over to the next.
const HAND_OVER: f64 = 0.3;
/// Iterations that an annealing stage takes at most.
const STAGE_ITERATIONS: usize = 20;
impl Problem {
    /// Solves the problem, and returns the best of what its starts led to.
    ///
    /// ```
    /// use gaspard::gromov::{Control, Problem, Space};
    /// use gaspard::{Engine, Geometry, Law};
    /// use ndarray::{Array1, array};
    ///
    /// // A triangle, and the same one with its corners in another order.
    /// let thirds = Array1::from_elem(3, 1.0 / 3.0);
    /// let space = |d: ndarray::Array2<f64>| Space::new(Geometry::matrix(d)?, thirds.clone());
    /// let mut problem = Problem::default();
    /// let a = space(array![[0.0, 3.0, 4.0], [3.0, 0.0, 5.0], [4.0, 5.0, 0.0]])?;
    /// let b = space(array![[0.0, 5.0, 3.0], [5.0, 0.0, 4.0], [3.0, 4.0, 0.0]])?;
    /// let (a, b) = (problem.node(a, Law::Fixed), problem.node(b, Law::Fixed));
    /// problem.edge(a, b, 1.0);
    /// let best = problem.solve(&Control { seeds: 8, ..Control::new(0.05) }, &Engine::cpu())?;
    /// assert!(best.terms.transport() < 1e-3);
    /// assert!(best.plans[0][[0, 2]] > 0.33 && best.plans[0][[1, 0]] > 0.33);
    /// # Ok::<(), gaspard::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Parameter`], [`Error::Data`] and [`Error::Shape`] for bad input,
    /// [`Error::Limit`] for what does not fit, and any fault of the device; [`Error::Interrupted`] where
    /// an observer stops it before there is a plan.
    pub fn solve(&self, control: &Control, engine: &Engine) -> Result<Solution> {
        self.solve_with(control, engine, &mut ())
    }

    /// As [`Problem::solve`], under the eyes of an observer.
    ///
    /// # Errors
    /// As [`Problem::solve`].
    pub fn solve_with(
        &self,
        control: &Control,
        engine: &Engine,
        observer: &mut dyn Observer,
    ) -> Result<Solution> {
        Ok(self.solve_seeds(control, engine, observer)?.swap_remove(0))
    }

    /// Solves the problem from every start, and returns what each led to, the best first.
    ///
    /// # Errors
    /// As [`Problem::solve`].
    pub fn solve_seeds(
        &self,
        control: &Control,
        engine: &Engine,
        observer: &mut dyn Observer,
    ) -> Result<Vec<Solution>> {
        run(self, None, control, engine, observer)
    }

    /// Goes on from a solution of the same problem, or of one that hardly differs, with its plans and
    /// potentials: one start, in place of those of `control`. At an annealing of more than 1, little
    /// is left of it. Returns it as it is where an observer stops it before the next plan.
    ///
    /// # Errors
    /// As [`Problem::solve`], and [`Error::Data`] or [`Error::Shape`] for a solution that
    /// does not fit the problem or has no plans.
    pub fn solve_from(
        &self,
        start: &Solution,
        control: &Control,
        engine: &Engine,
        observer: &mut dyn Observer,
    ) -> Result<Solution> {
        match run(self, Some(start), control, engine, observer) {
            Err(Error::Interrupted { .. }) => {
                let outcome =
                    Outcome { interrupted: true, converged: false, ..start.outcome.clone() };
                Ok(Solution { outcome, ..start.clone() })
            }
            found => Ok(found?.swap_remove(0)),
        }
    }
}

fn run(
    problem: &Problem,
    given: Option<&Solution>,
    control: &Control,
    engine: &Engine,
    observer: &mut dyn Observer,
) -> Result<Vec<Solution>> {
    control.validate()?;
    problem.validate()?;
    given.map_or(Ok(()), |solution| check_solution(problem, solution))?;
    if control.plans {
        let size = |node: usize| problem.nodes[node].space.len() as u64;
        let pairs = problem.edges.iter().map(|edge| size(edge.rows) * size(edge.cols));
        let remedy = "do not ask for plans, but for marginals only";
        engine.host().require("the plans on the host", 8 * pairs.sum::<u64>(), remedy)?;
    }
    let epsilons = control.epsilons(problem.scale());
    let several = given.is_none() && control.start == Start::Random;
    let count = if several { control.seeds } else { 1 };
    let mut run = Run {
        problem,
        control,
        given,
        engine,
        linearised: Linearised::new(engine, problem, count)?,
        tracks: Vec::new(),
        begin: Instant::now(),
        target: epsilons[epsilons.len() - 1],
        interrupted: false,
        iterations: 0,
        sweeps: 0,
    };
    run.start(count, epsilons[0], observer)?;
    for (stage, &epsilon) in epsilons.iter().enumerate() {
        if run.interrupted || run.iterations >= control.max_iterations {
            break;
        }
        run.iterate(epsilon, (stage + 1, epsilons.len()), observer)?;
    }
    run.finish()
}

struct Run<'a> {
    problem: &'a Problem,
    control: &'a Control,
    /// A solution to start from, where there is one.
    given: Option<&'a Solution>,
    engine: &'a Engine,
    linearised: Linearised,
    tracks: Vec<Track>,
    begin: Instant,
    /// The epsilon of the last stage.
    target: f64,
    interrupted: bool,
    /// Linearised problems and sweeps over the tree so far.
    iterations: usize,
    sweeps: usize,
}

impl Run<'_> {
    fn start(&mut self, count: usize, epsilon: f64, observer: &dyn Observer) -> Result<()> {
        let nodes = product_plan(self.problem);
        self.tracks = (0..count).map(|_| Track::new(nodes.clone(), epsilon)).collect();
        let (problem, control, given) = (self.problem, self.control, self.given);
        let rows = |index: usize, track: usize| {
            let edge = problem.edges[index];
            match (given, control.start) {
                (Some(solution), _) => plan_rows(&solution.plans[index]),
                (None, Start::Random) => {
                    random_rows(control.seed.wrapping_add(track as u64), index)
                }
                (None, Start::Product) => {
                    product_rows(&nodes.marginals[edge.rows], &nodes.marginals[edge.cols])
                }
            }
        };
        self.interrupted = self.linearised.start(rows, observer)?.is_break();
        for (node, potential) in given.iter().flat_map(|given| given.potentials.iter().enumerate())
        {
            let potential: Vec<f64> = potential.iter().map(|f| f / epsilon).collect();
            self.linearised.forest.set_potential(node, &potential)?;
        }
        Ok(())
    }

    fn tolerance(&self) -> f64 {
        self.control.tolerance_on(self.engine)
    }

    fn iterate(
        &mut self,
        epsilon: f64,
        part: (usize, usize),
        observer: &mut dyn Observer,
    ) -> Result<()> {
        for track in &mut self.tracks {
            if track.epsilon != epsilon {
                track.converged = false;
                track.change = f64::INFINITY;
            }
        }
        let previous = self.tracks[0].epsilon;
        if previous != epsilon {
            self.linearised.forest.rescale(previous, epsilon)?;
            self.tracks.iter_mut().for_each(|track| track.epsilon = epsilon);
        }
        let weights = Weights { problem: self.problem, epsilon };
        let begin = self.iterations;
        let mut exactness = Exactness::new(self.problem, self.control, epsilon);
        loop {
            self.iterations += 1;
            let constant = |track: &Track| match self.problem.mass_is_fixed() {
                // A constant of all plans changes nothing.
                true => 0.0,
                false => weights.constant(&track.at),
            };
            let constants: Vec<f64> = self.tracks.iter().map(constant).collect();
            self.linearised.set_references(&constants, epsilon)?;
            self.solve_linear(epsilon, &mut exactness, observer)?;
            let watched: &dyn Observer = if self.is_needed() { &() } else { observer };
            let Some(all_found) = self.linearised.evaluate(epsilon, watched)? else {
                self.go_back();
                break;
            };
            let mut shares = vec![0.0; self.tracks.len()];
            for (index, found) in all_found.into_iter().enumerate() {
                let track = &mut self.tracks[index];
                if track.converged {
                    continue;
                }
                track.iterations += 1;
                shares[index] = track.absorb(&weights, found, self.control.update);
                track.note(self.begin.elapsed().as_secs_f64(), shares[index]);
            }
            let tolerance = self.tolerance();
            for track in &mut self.tracks {
                // Where sweeps are few and slow, plans far from their marginals hardly change.
                let missing = track.found.as_ref().map(|found| weights.marginal_error(&found.plan));
                let settled = track.change <= tolerance && missing <= Some(tolerance);
                track.converged |= settled && track.is_no_cycle();
            }
            let running = self.tracks.iter().filter(|track| !track.converged).count();
            let worst = largest(self.tracks.iter().map(|track| track.change));
            let max_iterations = self.control.max_iterations;
            let progress = Progress {
                epsilon: Some(epsilon),
                running: (running, self.tracks.len()),
                part,
                ..Progress::new(self.iterations, max_iterations, worst, tolerance)
            };
            self.interrupted |= stops(observer, &progress);
            // Before there are two plans, the change is infinite.
            if !worst.is_infinite() {
                check_residual(worst, self.iterations, RAN_AWAY)?;
            }
            // Annealing goes on as soon as the plan has settled roughly.
            let coarse = epsilon > self.control.epsilon;
            let stage_over = self.iterations - begin >= STAGE_ITERATIONS || worst <= HAND_OVER;
            let exhausted = self.iterations >= self.control.max_iterations;
            let stays = self.interrupted || exhausted || running == 0 && part.0 == part.1;
            if stays {
                // The potentials and costs are those of the plans that are kept.
                break;
            }
            self.advance(&weights, &mut shares)?;
            if running == 0 || coarse && stage_over {
                break;
            }
        }
        Ok(())
    }

    /// True where a linearised problem, once begun, has to lead to a plan: those of the last one
    /// cannot be written any more, only their numbers are kept.
    fn is_needed(&self) -> bool {
        self.control.plans && self.tracks.iter().all(|track| track.found.is_some())
    }

    /// Goes back to the last plans that were evaluated, because of an interruption.
    fn go_back(&mut self) {
        self.interrupted = true;
        for track in &mut self.tracks {
            if let Some(last) = track.trace.last() {
                (track.epsilon, track.change) = (last.epsilon, last.change);
            }
        }
    }

    /// Moves every running start by its share.
    fn advance(&mut self, weights: &Weights<'_>, shares: &mut [f64]) -> Result<()> {
        let free_mass = !self.problem.mass_is_fixed();
        for (track, share) in self.tracks.iter_mut().zip(shares.iter_mut()) {
            let Some(found) = track.found.as_ref().filter(|_| !track.converged) else {
                *share = 0.0;
                continue;
            };
            let mass = track.at.mass;
            let next = match self.control.update {
                Update::Plain => found.plan.clone().scaled((mass / found.plan.mass).sqrt()),
                Update::Safeguarded if *share == 1.0 => found.plan.clone(),
                Update::Safeguarded => {
                    track.at.mixed(&found.plan, *share, mass * found.cross_energy)
                }
            };
            // The costs are those of plans of mass 1: what counts is the share of the mass.
            let part = *share * found.plan.mass / (mass + *share * (found.plan.mass - mass));
            track.at = match (self.control.update, free_mass) {
                (Update::Safeguarded, true) => {
                    let scale = weights.best_scale(&next);
                    next.scaled(scale)
                }
                _ => next,
            };
            track.known = true;
            *share = if *share == 1.0 { 1.0 } else { part };
        }
        self.linearised.step(shares, weights.epsilon)
    }

    /// Sweeps over the tree until the marginals are right enough.
    fn solve_linear(
        &mut self,
        epsilon: f64,
        exactness: &mut Exactness,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        let change = self.tracks.iter().filter(|track| !track.converged);
        let change = largest(change.map(|track| track.change));
        let value = |track: &Track| if track.converged { f64::NAN } else { track.values[0] };
        exactness.begin(change, self.tracks.iter().map(value).collect());
        let masses: Vec<f64> = self.tracks.iter().map(|track| track.at.mass).collect();
        let forest = &mut self.linearised.forest;
        let running: Vec<f64> =
            self.tracks.iter().map(|track| f64::from(u8::from(!track.converged))).collect();
        forest.engine.write(&mut forest.running, &running)?;
        follow(forest, |shape| &shape.gather, epsilon)?;
        let mut residual = forest.engine.zeros("residual", forest.count)?;
        let mut checks = Checks::new(&forest.engine);
        for sweep in 1..=exactness.budget() {
            let checking = sweep % CHECK_EVERY == 0;
            if checking {
                forest.engine.write(&mut residual, &vec![0.0; forest.count])?;
            }
            let relaxation = exactness.relaxation();
            forest.sweep(epsilon, relaxation, checking.then_some(&mut residual))?;
            self.sweeps += 1;
            if checking && let Some((_, values)) = checks.push(sweep, &residual)? {
                let relative = values.iter().zip(&masses).zip(&running);
                let worst = relative.map(|((value, mass), running)| running * value / mass);
                if exactness.suffices(largest(worst)) {
                    break;
                }
            }
            if observer.interrupted() {
                break;
            }
        }
        if exactness.relaxation() > 1.0 {
            // So that the plan has the marginal of the node that was last.
            forest.sweep(epsilon, 1.0, None)?;
            self.sweeps += 1;
        }
        follow(forest, |shape| &shape.gather, epsilon)?;
        follow(forest, |shape| &shape.spread, epsilon)
    }

    fn finish(mut self) -> Result<Vec<Solution>> {
        let seconds = self.begin.elapsed().as_secs_f64();
        let mut order: Vec<usize> = (0..self.tracks.len()).collect();
        let value = |index: usize| {
            let total = self.tracks[index].terms.total();
            if total.is_nan() { f64::INFINITY } else { total }
        };
        order.sort_by(|&a, &b| value(a).total_cmp(&value(b)));
        if self.tracks.iter().all(|track| track.found.is_none()) {
            return Err(Error::Interrupted { before: "the first plan".to_owned() });
        }
        let mut solutions = Vec::new();
        for (rank, &index) in order.iter().enumerate() {
            // The plans of the best only: each is a matrix.
            let plans = if rank == 0 && self.control.plans {
                let epsilon = self.tracks[index].epsilon;
                (0..self.problem.edges.len())
                    .map(|edge| self.linearised.plan(edge, index, epsilon))
                    .collect::<Result<Vec<_>>>()?
            } else {
                Vec::new()
            };
            let track = &self.tracks[index];
            let Some(found) = &track.found else { continue };
            solutions.push(Solution {
                seed: self.control.seed.wrapping_add(index as u64),
                epsilon: track.epsilon,
                terms: track.terms,
                mass: found.plan.mass,
                marginals: found.plan.marginals.clone(),
                potentials: found.potentials(self.problem, track.epsilon),
                plans,
                change: track.change,
                outcome: Outcome {
                    converged: track.converged && track.epsilon == self.target,
                    interrupted: self.interrupted,
                    iterations: track.iterations,
                    tolerance: self.tolerance(),
                    seconds,
                    device: self.engine.description(),
                },
                reached_epsilon: track.epsilon == self.target,
                cycling: !track.is_no_cycle(),
                sweeps: self.sweeps,
                trace: track.trace.clone(),
            });
        }
        Ok(solutions)
    }
}

/// Makes the steps of a part of a sweep.
fn follow(
    forest: &mut Forest,
    moves: impl Fn(&crate::linear::tree::Shape) -> &Vec<crate::linear::tree::Move>,
    epsilon: f64,
) -> Result<()> {
    for index in 0..moves(&forest.shape).len() {
        let step = moves(&forest.shape)[index];
        forest.step(step, epsilon, 1.0, None)?;
    }
    Ok(())
}
