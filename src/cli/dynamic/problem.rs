//! The problem that was asked for: an example, densities with spaces, or a file.

use std::path::Path;

use gaspard::dynamic::paper::Example;
use gaspard::dynamic::{Bins, Domain, Form, Frames, Law, Map, Places, Problem, Space};
use gaspard::{Error, Result};

use super::source::Source;
use super::{Arguments, BinsOption, FormOption, STEPS, Sides, law, map, spec};

impl Arguments {
    /// What is asked for, and the form that it is asked for in.
    pub(super) fn problem(&self) -> Result<(Problem, FormOption)> {
        let (problem, form) = match (&self.example, &self.spec, &self.start, &self.end) {
            (Some(name), ..) => {
                let example = Example::named(name)?;
                let form = self.form.unwrap_or(example.form.into());
                (self.example_problem(example, form.into())?, form)
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

    fn example_problem(&self, example: &Example, form: Form) -> Result<Problem> {
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
        if form == Form::Kantorovich {
            let domain = Domain::new(&cells, steps)?;
            let (problem, map) = (example.ends(&domain)?, example.map(&domain)?);
            let bins = match map.dimension() {
                1 if self.bins.is_none() => Some(Bins::new(&[32], &[0.0], &[1.0])?),
                _ => None,
            };
            return problem.space(self.tie(map, FormOption::Kantorovich, bins)?, beta);
        }
        example.problem(cells, steps, form, beta)
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
            problem = problem.space(self.tie(map, form, None)?, beta(index))?;
        }
        for (index, (path, points)) in self.law.iter().zip(&self.points).enumerate() {
            let frames = Frames::new(law::read(path)?, law::read_points(points)?);
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
        let domain = Domain::new(&sides.cells, sides.steps)?;
        let (start, end) = (start.on(&domain)?, end.on(&domain)?);
        Problem::new(&domain, start.view(), end.view())
    }

    /// The space that a map leads to, on these bins or on those that were asked for.
    pub(super) fn tie(&self, map: Map, form: FormOption, bins: Option<Bins>) -> Result<Space> {
        let bins = match (&self.bins, bins) {
            (_, Some(bins)) => Some(bins),
            (Some(BinsOption::Counts(counts)), None) => Some(Bins::around(&map, counts)?),
            (Some(BinsOption::Points), None) if form == FormOption::Kantorovich => {
                let cells = map.values().nrows();
                let places = Places::Points(map.values().clone());
                let frames = self.framed(Frames::new(Law::identity(cells), places));
                return Ok(Space::frames(frames)?.known_as(map));
            }
            (Some(BinsOption::Points), None) if form == FormOption::Coupled => {
                let problem = "points are no grid for momenta to live on";
                return Err(Error::parameter("--bins", problem, "give bins along every axis"));
            }
            (Some(BinsOption::Points) | None, None) => None,
        };
        match form {
            FormOption::Kantorovich => {
                let bins = match bins {
                    Some(bins) => bins,
                    None => Bins::usual(&map)?,
                };
                let law = Law::deposit(&map, &bins)?;
                let frames = self.framed(Frames::new(law, Places::Bins(bins)));
                Ok(Space::frames(frames)?.known_as(map))
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
