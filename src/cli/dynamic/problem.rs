//! The problem that was asked for: an example, densities with spaces, or a file.

use std::path::Path;

use gaspard::dynamic::paper::Example;
use gaspard::dynamic::{Bins, Domain, Form, Frames, Map, Problem, Space};
use gaspard::{Error, Result};

use super::source::Source;
use crate::cli::inputs;

use super::{Arguments, BinsOption, FormOption, STEPS, Sides, law, map, spec};

impl Arguments {
    /// What is asked for, and the form that it is asked for in.
    pub(super) fn problem(&self) -> Result<(Problem, FormOption)> {
        let (problem, form) = match (&self.example, &self.spec, &self.start, &self.end) {
            (Some(name), ..) => {
                let example = Example::named(name)?;
                let form = self.form.unwrap_or(example.form.into());
                (self.example_problem(example, form)?, form)
            }
            (None, Some(path), ..) => spec::read(path, self)?,
            (None, None, Some(start), Some(end)) => {
                let laws_alone = self.map.is_empty() && !self.law.is_empty();
                let usual = if laws_alone { FormOption::Kantorovich } else { FormOption::Monge };
                let form = self.form.unwrap_or(usual);
                (self.given_problem(start, end, form)?, form)
            }
            _ => unreachable!("clap asks for both ends, an example or a file"),
        };
        match self.kappa {
            Some(kappa) => Ok((problem.unbalanced(kappa)?, form)),
            None => Ok((problem, form)),
        }
    }

    fn example_problem(&self, example: &Example, form: FormOption) -> Result<Problem> {
        let (cells, steps) = match &self.grid {
            None => ([64, 64], STEPS),
            Some(Sides { cells, steps }) => match cells.as_slice() {
                [rows, cols] => ([*rows, *cols], *steps),
                _ => {
                    let problem = format!("{} axes of space", cells.len());
                    let remedy = "examples have 2: give HxWxT";
                    return Err(Error::parameter("--grid", problem, remedy));
                }
            },
        };
        let beta = match self.beta.as_slice() {
            [] => 1.0,
            [beta] => *beta,
            more => {
                let problem = format!("{} weights for one space", more.len());
                return Err(Error::parameter("--beta", problem, "give one"));
            }
        };
        inputs::require_room(&self.common.host(), "the densities", &cells)?;
        let domain = Domain::new(&cells, steps)?;
        let map = example.map(&domain)?;
        let bins = if self.bins.is_none() { Example::bins(&map)? } else { None };
        let space = self.tie(map, form, bins, |frames| self.framed(frames))?;
        example.ends(&domain)?.space(space, beta)
    }

    fn given_problem(&self, start: &str, end: &str, form: FormOption) -> Result<Problem> {
        let mut problem = self.ends(start, end, self.grid.as_ref())?;
        let spaces = self.map.len() + self.law.len();
        if !self.beta.is_empty() && self.beta.len() != spaces {
            let counts = format!("{} weights for {spaces} maps and laws", self.beta.len());
            return Err(Error::parameter("--beta", counts, "give one for each of them, or none"));
        }
        if self.points.len() != self.law.len() {
            let counts =
                format!("{} files of points for {} laws", self.points.len(), self.law.len());
            return Err(Error::parameter("--points", counts, "give one for every --law"));
        }
        let beta = |index: usize| self.beta.get(index).copied().unwrap_or(1.0);
        for (index, path) in self.map.iter().enumerate() {
            let map = map::read(path, Path::new(""), problem.domain())?;
            let space = self.tie(map, form, None, |frames| self.framed(frames))?;
            problem = problem.space(space, beta(index))?;
        }
        for (index, (path, points)) in self.law.iter().zip(&self.points).enumerate() {
            let frames =
                Frames::new(law::read(path, &self.common.host())?, law::read_points(points)?);
            let space = Space::frames(self.framed(frames))?;
            problem = problem.space(space, beta(self.map.len() + index))?;
        }
        Ok(problem)
    }

    /// Densities on the grid that was asked for, or on that of the first file.
    pub(super) fn ends(&self, start: &str, end: &str, grid: Option<&Sides>) -> Result<Problem> {
        let ends = [start, end].map(|text| Source::read(text, self.mass));
        let [start, end] = ends;
        let (start, end) = (start?, end?);
        let sides = match (grid, start.cells().or(end.cells())) {
            (Some(sides), _) => sides.clone(),
            (None, Some(cells)) => Sides { cells, steps: STEPS },
            (None, None) => {
                let problem = "no file says how many cells there are".to_owned();
                return Err(Error::parameter("--grid", problem, "give it, as in 64x64x32"));
            }
        };
        inputs::require_room(&self.common.host(), "the densities", &sides.cells)?;
        let domain = Domain::new(&sides.cells, sides.steps)?;
        let (start, end) = (start.on(&domain, self.normalise)?, end.on(&domain, self.normalise)?);
        Problem::new(&domain, start.view(), end.view())
    }

    /// The space that a map leads to, on these bins or on those that were asked for; `framed` says
    /// more of its frames.
    pub(super) fn tie(
        &self,
        map: Map,
        form: FormOption,
        bins: Option<Bins>,
        framed: impl Fn(Frames) -> Frames,
    ) -> Result<Space> {
        let (points, bins) = match (&self.bins, bins) {
            (_, Some(bins)) => (false, Some(bins)),
            (None, None) => (false, None),
            (Some(BinsOption::Points), None) => (true, None),
            (Some(BinsOption::Counts(counts)), None) => (false, Some(Bins::around(&map, counts)?)),
        };
        if let Some(bins) = &bins {
            inputs::require_room(&self.common.host(), "the bins", bins.counts())?;
        }
        match form {
            FormOption::Coupled if points => {
                let problem = "points are no grid for momenta to live on";
                Err(Error::parameter("--bins", problem, "give bins along every axis"))
            }
            FormOption::Kantorovich => {
                let frames =
                    if points { Frames::of_cells(&map) } else { Frames::of_map(&map, bins)? };
                Ok(Space::frames(framed(frames))?.known_as(map))
            }
            _ => Form::from(form).space(map, bins),
        }
    }

    /// Frames with what was asked for.
    pub(super) fn framed(&self, frames: Frames) -> Frames {
        let frames = frames.stride(self.stride);
        let frames = match self.epsilon {
            Some(epsilon) => frames.epsilon(epsilon),
            None => frames,
        };
        match self.floor {
            Some(floor) => frames.floor(floor),
            None => frames,
        }
    }
}
