//! A solve, its numbers and its pictures.

use std::collections::BTreeMap;
use std::fmt::{Display, Formatter};

use gaspard::Result;
use gaspard::dynamic::paper::Example;
use gaspard::dynamic::{Control, Form, Particles, Problem, Solution};
use gaspard::report::animation::{self, Playback};
use gaspard::report::dynamic::{chosen, frames};
use gaspard::report::paths;
use gaspard::report::picture::{Colormap, Scale, Style, Upscale, strip, write_png};
use serde::{Deserialize, Serialize};

use crate::cases::{Case, Row};
use crate::common::{Context, Size};

/// Which solve.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Key {
    example: String,
    form: String,
    beta: f64,
    cells: usize,
    steps: usize,
}

/// Costs, what is measured of the motion, and how the iteration went, by name.
pub type Numbers = BTreeMap<String, f64>;

impl Key {
    pub fn new(case: &Case, row: &Row, context: &Context) -> Self {
        let [cells, steps] = case.grid(context.size);
        let form = format!("{:?}", row.form).to_lowercase();
        Self { example: case.example.to_owned(), form, beta: row.beta, cells, steps }
    }
}

impl Display for Key {
    fn fmt(&self, out: &mut Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}_{}_{}", self.example, self.form, self.beta)
    }
}

pub fn solve(example: &Example, key: &Key, form: Form, context: &Context) -> Result<Numbers> {
    let problem = example.problem([key.cells; 2], key.steps, form, key.beta)?;
    let usual = Control::usual(&problem);
    let control = match context.size {
        Size::Tiny => Control { max_iterations: 20, warm_iterations: 20, ..usual },
        // Costs to about four digits.
        _ => Control { tolerance: 0.1 * usual.tolerance, max_iterations: 6000, ..usual },
    };
    let solution = problem.solve(&control, &context.engine)?;
    draw(key, &problem, &solution, context)?;
    let costs = solution.costs.iter().enumerate();
    let costs = costs.map(|(space, cost)| (format!("C_{}", space + 1), *cost));
    let measured = example.measure(&problem, &solution)?.into_iter();
    let measured = measured.map(|(name, number)| (name.to_owned(), number));
    let of_the_iteration = [
        ("total", solution.total),
        ("iterations", solution.outcome.iterations as f64),
        ("converged", f64::from(u8::from(solution.outcome.converged))),
        ("seconds", solution.outcome.seconds),
    ];
    let rest = of_the_iteration.map(|(name, number)| (name.to_owned(), number));
    // Widths of what is far from a density are none, nor have they a place in JSON.
    Ok(costs.chain(measured).chain(rest).filter(|(_, number)| number.is_finite()).collect())
}

/// Nine frames, an animation, and the curves of particles in all spaces that a map leads to.
fn draw(key: &Key, problem: &Problem, solution: &Solution, context: &Context) -> Result<()> {
    let file = |ending: &str| context.out.join(format!("{key}{ending}"));
    let enlarge = Upscale::Factor((192 / key.cells).max(1) as u32);
    let style = Style::new(Colormap::Magma).scale(Scale::Quantile(0.999)).upscale(enlarge);
    let frames = frames(solution);
    write_png(file(".png"), &strip(&chosen(&frames, 9), &style)?)?;
    animation::save(file(".gif"), &frames, &style, Playback::there_and_back(0.08))?;
    let particles = Particles::trace(solution, problem, 100, context.seed)?;
    let paper = Style::new(Colormap::Ink).scale(Scale::Quantile(0.999)).gamma(0.6);
    paths::save_png(file("_paths.png"), problem, solution, &particles, &paper)
}
