//! How good delays are, roughly, to choose where descents start.

use super::entropic::Entropic;
use super::options::Options;
use super::planner::{Delays, Planner};
use super::scene::Scene;
use crate::engine::Engine;
use crate::error::Result;
use crate::observer::Observer;

/// Frequencies that are looked at, those that count most.
const FREQUENCIES: usize = 40;
/// The epsilon of plans that are only scored, in squared frames.
const EPSILON: f64 = 2.0;

/// Delays of a scene.
pub(super) type Candidate = (usize, Delays);

/// Scores delays by the dual values of plans after a few iterations, at the frequencies that count
/// most: the lower, the better.
pub(super) struct Scorer<'a> {
    pub engine: &'a Engine,
    pub options: &'a Options,
    pub scenes: Vec<Scene>,
}

impl<'a> Scorer<'a> {
    pub(super) fn new(engine: &'a Engine, options: &'a Options, scenes: &[Scene]) -> Self {
        let scenes = scenes.iter().map(|scene| scene.heaviest(FREQUENCIES)).collect();
        Self { engine, options, scenes }
    }

    /// The same for some of the microphones.
    pub(super) fn with_microphones(&self, chosen: &[usize]) -> Self {
        let scenes = self.scenes.iter().map(|scene| scene.with_microphones(chosen)).collect();
        Self { scenes, ..*self }
    }

    /// The best `top` candidates of every scene, best first. Of an interrupted search, those among
    /// what was scored, and if there is none the first ones.
    pub(super) fn best(
        &self,
        candidates: Vec<Candidate>,
        top: usize,
        observer: &dyn Observer,
    ) -> Result<Vec<Vec<Delays>>> {
        let scores = self.scores(&candidates, observer)?;
        let mut of_scenes = vec![Vec::new(); self.scenes.len()];
        for ((scene, delays), score) in candidates.into_iter().zip(scores) {
            of_scenes[scene].push((score, delays));
        }
        let best = |mut scored: Vec<(f64, Delays)>| {
            scored.sort_by(|a, b| a.0.total_cmp(&b.0));
            scored.truncate(top);
            scored.into_iter().map(|(_, delays)| delays).collect()
        };
        Ok(of_scenes.into_iter().map(best).collect())
    }

    pub(super) fn scores(
        &self,
        candidates: &[Candidate],
        observer: &dyn Observer,
    ) -> Result<Vec<f64>> {
        let leaves = self.scenes[0].microphones - 1;
        let scenes: Vec<&Scene> = self.scenes.iter().collect();
        let Options { relaxation, outlier, inner_iterations, .. } = *self.options;
        let mut scores = vec![f64::INFINITY; candidates.len()];
        let sources = candidates[0].1.len() / leaves;
        let at_once = Entropic::plans_at_once(self.engine, scenes[0], sources);
        for (scores, candidates) in scores.chunks_mut(at_once).zip(candidates.chunks(at_once)) {
            if observer.interrupted() {
                break;
            }
            let mut planner = Entropic::new(
                self.engine,
                &scenes,
                sources,
                candidates.len(),
                (relaxation, outlier),
                inner_iterations,
            )?;
            planner.begin(EPSILON)?;
            let plans: Vec<_> =
                candidates.iter().map(|(scene, delays)| (*scene, Some(&delays[..]))).collect();
            for (score, report) in scores.iter_mut().zip(planner.step(&plans, observer)?) {
                *score = report.map_or(f64::INFINITY, |report| report.objective);
            }
        }
        Ok(scores)
    }
}
