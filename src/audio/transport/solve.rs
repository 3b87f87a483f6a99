//! The whole way: starts, descents, the best of these, masks.

use std::time::Instant;

use ndarray::Array2;

use super::Separation;
use super::descent::{Descent, descend};
use super::entropic::Entropic;
use super::exact::Exact;
use super::masks::Masks;
use super::options::{Options, Plan, Start};
use super::planner::{Delays, Planner, Report};
use super::scene::Scene;
use super::seeds::starts;
use super::solution::{Solution, flat};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::observer::{Latched, Observer, Part};
use crate::outcome::Outcome;

/// Error of the marginals at which masks are done.
const MASK_TOLERANCE: f64 = 1e-5;

impl Separation {
    /// Separates recordings of one shape, with the same options, all at once: on a GPU that takes little
    /// more time than one, until it is busy. They do not depend on one another.
    ///
    /// ```
    /// use gaspard::Engine;
    /// use gaspard::audio::transport::Separation;
    /// use ndarray::Array2;
    /// // Two recordings of one burst, which is later at the second microphone.
    /// let recording = |delay: usize| {
    ///     let mut heard = [Array2::zeros((1, 30)), Array2::zeros((1, 30))];
    ///     (heard[0][[0, 10]], heard[1][[0, 10 + delay]]) = (1.0, 1.0);
    ///     Separation::new(&heard, 1)
    /// };
    /// let both = [recording(2)?, recording(7)?];
    /// let solutions = Separation::solve_batch(&both, &Engine::cpu(), &mut ())?;
    /// assert!((solutions[1].delays[[0, 1]] - 7.0).abs() < 1e-3);
    /// # Ok::<(), gaspard::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Separation::solve`]; [`Error::Shape`] and [`Error::Parameter`] for recordings that differ in
    /// shape, number of sources or options.
    pub fn solve_batch(
        scenes: &[Self],
        engine: &Engine,
        observer: &mut dyn Observer,
    ) -> Result<Vec<Solution>> {
        let begin = Instant::now();
        let Some(first) = scenes.first() else { return Ok(Vec::new()) };
        first.validate()?;
        let shape = |scene: &Separation| (scene.spectrograms.len(), scene.spectrograms[0].dim());
        for scene in scenes {
            if shape(scene) != shape(first) {
                let text = |(microphones, (frequencies, frames))| {
                    format!("{microphones} microphones, {frequencies} x {frames}")
                };
                let (expected, found) = (text(shape(first)), text(shape(scene)));
                return Err(Error::shape("a recording of a batch", expected, found));
            }
            if scene.sources != first.sources || scene.options != first.options {
                let problem = "recordings differ in sources or options";
                return Err(Error::parameter("the batch", problem, "solve them one by one"));
            }
        }
        let (options, sources) = (&first.options, first.sources);
        let all = scenes.iter().map(Separation::scene).collect::<Result<Vec<Scene>>>()?;
        let plans = Entropic::plans_at_once(engine, &all[0], sources);
        let at_once = (plans / starts_per_scene(options)).max(1);
        let parts = all.len().div_ceil(at_once);
        let observer = &mut Latched::new(observer);
        let mut solutions = Vec::with_capacity(all.len());
        for (part, scenes) in all.chunks(at_once).enumerate() {
            let mut observer = Part { observer: &mut *observer, part: (part + 1, parts) };
            solutions.extend(solve_scenes(scenes, sources, options, engine, &mut observer)?);
        }
        for solution in &mut solutions {
            solution.outcome.seconds = begin.elapsed().as_secs_f64();
        }
        Ok(solutions)
    }
}

fn starts_per_scene(options: &Options) -> usize {
    match &options.start {
        Start::Grid { top, .. } => *top,
        Start::Random { starts, .. } => *starts,
        Start::SpectroCorrelation => 1,
        Start::Given(all) => all.len(),
    }
}

fn solve_scenes(
    scenes: &[Scene],
    sources: usize,
    options: &Options,
    engine: &Engine,
    observer: &mut dyn Observer,
) -> Result<Vec<Solution>> {
    let begin = Instant::now();
    let largest = options.largest_lag(scenes[0].frames);
    let starts = starts(engine, options, scenes, sources, observer)?;
    let mut descents: Vec<Descent> = starts
        .into_iter()
        .enumerate()
        .flat_map(|(scene, all)| all.into_iter().map(move |start| Descent::new(scene, start)))
        .collect();
    let borrowed: Vec<&Scene> = scenes.iter().collect();
    let interrupted = match options.plan {
        Plan::Entropic => {
            let laws = (options.relaxation, options.outlier);
            let iterations = options.inner_iterations;
            let mut planner =
                Entropic::new(engine, &borrowed, sources, descents.len(), laws, iterations)?;
            descend(&mut planner, options, largest, &mut descents, observer)?
        }
        Plan::Exact => {
            let mut planner = Exact { scenes: &borrowed, outlier: options.outlier };
            descend(&mut planner, options, largest, &mut descents, observer)?
        }
    };
    let mut of_scenes: Vec<Vec<Descent>> = vec![Vec::new(); scenes.len()];
    for descent in descents {
        of_scenes[descent.scene].push(descent);
    }
    let best: Vec<Delays> = of_scenes
        .iter()
        .map(|all| {
            let best = all.iter().min_by(|a, b| a.cost.total_cmp(&b.cost));
            best.expect("at least one start").delays.clone()
        })
        .collect();
    let masks = final_masks(&borrowed, &best, sources, options, engine, observer)?;
    let ended = Outcome { interrupted, ..Outcome::new(engine, begin, 0, options.tolerance) };
    let solutions = of_scenes.into_iter().zip(masks).map(|(descents, (masks, report))| {
        Solution::new(descents, masks, report.residual, options.power, ended.clone())
    });
    Ok(solutions.collect())
}

/// Masks for the delays of every scene, and what is known of the plans that they are from.
fn final_masks(
    scenes: &[&Scene],
    delays: &[Delays],
    sources: usize,
    options: &Options,
    engine: &Engine,
    observer: &dyn Observer,
) -> Result<Vec<(Masks, Report)>> {
    let outlier = options.outlier_of_masks();
    let mut plans: Vec<_> =
        delays.iter().enumerate().map(|(scene, delays)| (scene, Some(&delays[..]))).collect();
    if options.plan == Plan::Exact {
        let mut planner = Exact { scenes, outlier };
        let reports = planner.step(&plans, &())?.into_iter().flatten();
        return reports
            .enumerate()
            .map(|(scene, report)| {
                Ok((Masks::from_exact(&planner, scene, &delays[scene])?, report))
            })
            .collect();
    }
    // In pieces, until the marginals are met.
    const PIECES: usize = 3;
    let iterations = options.mask_iterations.div_ceil(PIECES);
    let laws = (options.relaxation, outlier);
    let mut planner = Entropic::new(engine, scenes, sources, scenes.len(), laws, iterations)?;
    let epsilon = *options.epsilons.last().expect("validated");
    planner.begin(epsilon)?;
    let mut reports: Vec<Option<Report>> = vec![None; scenes.len()];
    for _ in 0..PIECES {
        for (report, plan) in reports.iter_mut().zip(planner.step(&plans, &())?) {
            *report = plan.or(report.take());
        }
        // What is done rests: recordings of a batch do not depend on one another.
        for ((_, delays), report) in plans.iter_mut().zip(&reports) {
            if report.as_ref().is_some_and(|report| report.residual < MASK_TOLERANCE) {
                *delays = None;
            }
        }
        if observer.interrupted() || plans.iter().all(|(_, delays)| delays.is_none()) {
            break;
        }
    }
    let scalings = planner.scalings()?;
    let band = planner.band().expect("a stage has begun");
    let of_scenes = scalings.chunks(scalings.len() / scenes.len());
    let masks = scenes.iter().zip(of_scenes).zip(delays).zip(reports.into_iter().flatten());
    Ok(masks
        .map(|(((scene, scalings), delays), report)| {
            (Masks::from_scalings(scene, &band, delays, scalings), report)
        })
        .collect())
}

/// Masks of one recording at known delays.
pub(super) fn plan_at(
    separation: &Separation,
    delays: &Array2<f64>,
    engine: &Engine,
    observer: &dyn Observer,
) -> Result<Solution> {
    let begin = Instant::now();
    let scene = separation.scene()?;
    let flat = flat(delays, separation.options.largest_lag(scene.frames));
    let options = &separation.options;
    let all = std::slice::from_ref(&flat);
    let mut masks = final_masks(&[&scene], all, separation.sources, options, engine, observer)?;
    let (masks, report) = masks.remove(0);
    let mut descent = Descent::new(0, flat);
    descent.cost = report.cost(&descent.delays);
    let ended = Outcome {
        interrupted: observer.interrupted(),
        ..Outcome::new(engine, begin, 0, options.tolerance)
    };
    descent.converged = !ended.interrupted;
    Ok(Solution::new(vec![descent], masks, report.residual, options.power, ended))
}
