//! Iterative Bregman projections.

use std::time::Instant;

use super::evaluate::evaluate;
use super::star::Star;
use super::{Barycenter, BarycenterSolution};
use crate::engine::{Array, Engine};
use crate::error::Result;
use crate::geometry::Geometry;
use crate::linear::Control;
use crate::linear::iterate::{self, Iteration};
use crate::observer::Observer;

pub(super) fn solve(
    problem: &Barycenter<'_>,
    engine: &Engine,
    observer: &mut dyn Observer,
) -> Result<BarycenterSolution> {
    let begin = Instant::now();
    let support = problem.resolved_support();
    let mut star = Star::new(engine, problem, &support)?;
    // The correction changes what the scalings converge to while they do: no over-relaxation.
    let control = match problem.debiased {
        true => Control { relaxation: Some(1.0), ..problem.control.clone() },
        false => problem.control.clone(),
    };
    let found = iterate::run(&mut star, &control, cost_bound(problem)?, observer)?;
    let seconds = begin.elapsed().as_secs_f64();
    evaluate(star, problem, support, found, seconds)
}

impl Iteration for Star {
    fn engine(&self) -> &Engine {
        &self.engine
    }

    fn count(&self) -> usize {
        1
    }

    fn begin(&mut self, epsilon: f64) -> Result<()> {
        self.hear(epsilon)
    }

    fn iterate(
        &mut self,
        epsilon: f64,
        relaxation: f64,
        residual: Option<&mut Array>,
    ) -> Result<()> {
        self.project(epsilon, relaxation)?;
        residual.map_or(Ok(()), |total| self.residual(epsilon, total))
    }

    fn masses(&self) -> Vec<f64> {
        vec![1.0]
    }

    fn rescale(&mut self, from: f64, to: f64) -> Result<()> {
        self.change_unit(from, to)
    }

    fn rest(&mut self, _: &[bool]) -> Result<()> {
        Ok(())
    }
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
