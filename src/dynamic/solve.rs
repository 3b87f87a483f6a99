//! The iteration and its stop test.

use std::time::Instant;

use super::checkpoint::{Checkpoint, Keeper};
use super::control::Method;
use super::evaluate::host_bytes;
use super::metric::with_other_metric;
use super::run::Run;
use super::solution::Ended;
use super::start::first_state;
use super::system::System;
use super::{Control, Problem, Solution, TracePoint};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::numeric::check_residual;
use crate::observer::{Latched, Observer, Part, stops};
use crate::outcome::Outcome;

/// Roundings of sigma |V| below which a dual point is nothing.
const ROUNDINGS: f64 = 1e4;

impl Problem {
    /// Moves the start into the end.
    ///
    /// ```
    /// use gaspard::Engine;
    /// use gaspard::dynamic::{Control, Domain, Map, Problem, Space};
    ///
    /// // A bump that moves by 0.2 along both axes, in two spaces of which the other is twice as large.
    /// let domain = Domain::new(&[16, 16], 8)?;
    /// let square = |x: f64, c: f64| (x - c) * (x - c);
    /// let bump = |c: f64| domain.density(|x| (-(square(x[0], c) + square(x[1], c)) / 0.03).exp());
    /// let problem = Problem::new(&domain, bump(0.4).view(), bump(0.6).view())?
    ///     .space(Space::particles(Map::scaling(&domain, 2.0)?), 0.5)?;
    /// let solution = problem.solve(&Control::default(), &Engine::cpu())?;
    /// assert!(solution.outcome.converged && solution.density.shape() == [9, 16, 16]);
    /// assert!((solution.costs[1] / solution.costs[0] - 4.0).abs() < 1e-6);
    /// assert!((solution.total / (3.0 * solution.costs[0]) - 1.0).abs() < 1e-6);
    /// # Ok::<(), gaspard::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`crate::Error::Parameter`], [`crate::Error::Data`] and [`crate::Error::Shape`] for bad input,
    /// [`crate::Error::Limit`] for a grid that does not fit, and any fault of the device.
    pub fn solve(&self, control: &Control, engine: &Engine) -> Result<Solution> {
        self.solve_with(control, engine, &mut ())
    }

    /// Moves the start into the end under the eyes of an observer.
    ///
    /// # Errors
    /// As [`Problem::solve`].
    pub fn solve_with(
        &self,
        control: &Control,
        engine: &Engine,
        observer: &mut dyn Observer,
    ) -> Result<Solution> {
        self.solve_from(None, control, engine, observer, None)
    }

    /// As [`Problem::solve_with`], from a checkpoint of an earlier solve of the same problem if there is
    /// one, while `keeper` takes checkpoints every now and then, and one in the end. A solve that goes on
    /// from one does the same, bit for bit, as one that was never stopped, on the same device and with
    /// the same control; but for one that was stopped before the warm iterations of frames were done,
    /// which are not made again.
    ///
    /// ```
    /// use gaspard::Engine;
    /// use gaspard::dynamic::{Checkpoint, Control, Form, paper::Example};
    ///
    /// let problem = Example::named("6.1a")?.problem([8, 8], 4, Form::Monge, 1.0)?;
    /// let (engine, control) = (Engine::cpu(), Control { tolerance: 0.0, ..Control::default() });
    /// let short = Control { max_iterations: 40, ..control.clone() };
    /// let mut kept = None;
    /// let mut keep = |checkpoint: &Checkpoint| {
    ///     kept = Some(checkpoint.clone());
    ///     Ok(())
    /// };
    /// problem.solve_from(None, &short, &engine, &mut (), Some(&mut keep))?;
    /// // Twice 40 iterations are the same as 80 at once, bit for bit.
    /// let long = Control { max_iterations: 80, ..control };
    /// let on = problem.solve_from(kept.as_ref(), &long, &engine, &mut (), None)?;
    /// assert_eq!(on.total, problem.solve(&long, &engine)?.total);
    /// # Ok::<(), gaspard::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Problem::solve`]; [`crate::Error::Data`] for a checkpoint of another problem, and what the
    /// keeper returns.
    pub fn solve_from(
        &self,
        checkpoint: Option<&Checkpoint>,
        control: &Control,
        engine: &Engine,
        observer: &mut dyn Observer,
        mut keeper: Option<Keeper<'_>>,
    ) -> Result<Solution> {
        control.validate()?;
        self.validate()?;
        validate_method(self, control)?;
        engine.host().require(
            "the evaluation on the host",
            host_bytes(self),
            "use a coarser grid, or a machine with more memory",
        )?;
        let observer = &mut Latched::new(observer);
        let begin = Instant::now();
        let metric = self.metric()?;
        let start = first_state(self);
        let mut system = System::new(self, control.method, engine, &metric, &start)?;
        let mut run = Run::new(control, self, system.room());
        let identity = self.identity(&metric, engine);
        match checkpoint {
            Some(checkpoint) => {
                checkpoint.check(&identity)?;
                system.restore(|name| checkpoint.parts(name))?;
                run.restore(checkpoint)?;
            }
            None if self.frames_weight().is_some() && control.warm_iterations > 0 => {
                let mut part = Part { observer: &mut *observer, part: (1, 2) };
                run.interrupted = warm(self, control, engine, &metric, &mut part, &mut system)?;
            }
            None => system.start(&|| observer.interrupted())?,
        }
        let mut part =
            Part { observer, part: if self.frames_weight().is_some() { (2, 2) } else { (1, 1) } };
        let already = run.trace.last().map_or(0.0, |point| point.seconds);
        let mut kept = Instant::now();
        let share = self.domain.cell_share() * self.units();
        let (converged, steps) = loop {
            run.iteration += 1;
            let steps = run.pace.steps();
            system.iterate(steps)?;
            run.interrupted |= part.interrupted();
            let last = run.iteration >= control.max_iterations || run.interrupted;
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
                let progress = run.progress(control);
                run.interrupted |= stops(&mut part, &progress);
                let remedy = "use smaller steps (tau, sigma), or the coupled or shared form";
                check_residual(residuals.worst(), run.iteration, remedy)?;
                if converged || last || run.interrupted {
                    break (converged, steps);
                }
                run.pace.look(residuals.worst());
            }
            system.accept();
            run.pace.advance();
            if let Some(keeper) = &mut keeper
                && kept.elapsed().as_secs_f64() >= control.checkpoint_seconds
            {
                keeper(&run.checkpoint(&identity, &system)?)?;
                kept = Instant::now();
            }
        };
        let (primary, coupled) = system.points(steps)?;
        system.accept();
        if let Some(keeper) = &mut keeper {
            // As if it went on: the next iteration is that of a solve which was never stopped.
            run.pace.look_and_advance(run.residuals.worst(), run.iteration, control);
            keeper(&run.checkpoint(&identity, &system)?)?;
        }
        let frame_costs = system.frame_costs(&|| part.interrupted())?;
        drop(system);
        let ended = Ended { primary, sigma: steps.sigma, coupled, frame_costs };
        let outcome = Outcome {
            converged,
            interrupted: run.interrupted,
            ..Outcome::new(engine, begin, run.iteration, control.tolerance)
        };
        let mut solution = Solution::new(self, &metric, ended, run, outcome)?;
        solution.outcome.seconds = already + begin.elapsed().as_secs_f64();
        Ok(solution)
    }
}

/// Refuses a method that does not go with the spaces.
fn validate_method(problem: &Problem, control: &Control) -> Result<()> {
    if control.method == Method::Pdfp && problem.has_coupled() {
        let problem = "the second projection knows nothing of coupled spaces";
        return Err(Error::parameter("solver", problem, "use yan or condat-vu"));
    }
    Ok(())
}

/// Starts a system from a motion of particles; true if it was stopped.
fn warm(
    problem: &Problem,
    control: &Control,
    engine: &Engine,
    metric: &[f64],
    observer: &mut dyn Observer,
    system: &mut System,
) -> Result<bool> {
    let particles = problem.of_particles();
    let own = particles.metric()?;
    let start = first_state(&particles);
    let mut first = System::new(&particles, Method::Relaxed, engine, &own, &start)?;
    first.start(&|| observer.interrupted())?;
    let control = Control {
        method: Method::Relaxed,
        max_iterations: control.warm_iterations,
        ..control.clone()
    };
    let mut run = Run::new(&control, &particles, first.room());
    let share = problem.domain.cell_share();
    let steps = loop {
        run.iteration += 1;
        let steps = run.pace.steps();
        first.iterate(steps)?;
        run.interrupted |= observer.interrupted();
        let last = run.iteration >= control.max_iterations || run.interrupted;
        if last || run.iteration.is_multiple_of(control.check_every) {
            let floor = ROUNDINGS * engine.unit_roundoff() * steps.sigma;
            let note = first.note(steps, floor, share)?;
            run.residuals = note.residuals;
            run.interrupted |= stops(observer, &run.progress(&control));
            if last || run.interrupted || note.residuals.worst() <= control.tolerance {
                break steps;
            }
        }
        first.accept();
        run.pace.advance();
    };
    let (points, _) = first.points(steps)?;
    drop(first);
    let dual = with_other_metric(&particles.layout(), &own, metric, &points.dual);
    system.resume_from(&points.state, &dual, &|| run.interrupted || observer.interrupted())?;
    Ok(run.interrupted)
}
