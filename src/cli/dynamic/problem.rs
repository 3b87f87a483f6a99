//! The problem that was asked for: an example, or densities with maps.

use gaspard::dynamic::paper::Example;
use gaspard::dynamic::{Domain, Form, Map, Problem};
use gaspard::io::npy;
use gaspard::{Error, Result};

use super::source::Source;
use super::{Arguments, FormOption, STEPS, Sides};

impl Arguments {
    /// What is asked for, and the form that it is asked for in.
    pub(super) fn problem(&self) -> Result<(Problem, FormOption)> {
        let (problem, usual) = match (&self.example, &self.start, &self.end) {
            (Some(name), _, _) => {
                let example = Example::named(name)?;
                (self.example_problem(example)?, example.form)
            }
            (None, Some(start), Some(end)) => (self.given_problem(start, end)?, Form::default()),
            _ => unreachable!("clap asks for both or an example"),
        };
        let form = self.form.unwrap_or(match usual {
            Form::Monge => FormOption::Monge,
            Form::Shared => FormOption::Shared,
        });
        let problem = problem.form(form.into());
        match self.kappa {
            Some(kappa) => Ok((problem.unbalanced(kappa)?, form)),
            None => Ok((problem, form)),
        }
    }

    fn example_problem(&self, example: &Example) -> Result<Problem> {
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
        example.problem(cells, steps, beta)
    }

    fn given_problem(&self, start: &str, end: &str) -> Result<Problem> {
        let ends = [start, end].map(|text| Source::read(text, self.mass));
        let [start, end] = ends;
        let (start, end) = (start?, end?);
        let sides = match (&self.grid, start.cells().or(end.cells())) {
            (Some(sides), _) => sides.clone(),
            (None, Some(cells)) => Sides { cells, steps: STEPS },
            (None, None) => {
                let problem = "no file says how many cells there are".to_owned();
                return Err(Error::parameter("--grid", problem, "give it, as in 64x64x32"));
            }
        };
        let domain = Domain::new(&sides.cells, sides.steps)?;
        let (start, end) = (start.on(&domain)?, end.on(&domain)?);
        let mut problem = Problem::new(&domain, start.view(), end.view())?;
        if !self.beta.is_empty() && self.beta.len() != self.map.len() {
            let counts = format!("{} weights for {} maps", self.beta.len(), self.map.len());
            return Err(Error::parameter("--beta", counts, "give one for every --map, or none"));
        }
        for (index, path) in self.map.iter().enumerate() {
            let map = Map::sampled(&domain, npy::read(path)?.view())?;
            problem = problem.space(map, self.beta.get(index).copied().unwrap_or(1.0))?;
        }
        Ok(problem)
    }
}
