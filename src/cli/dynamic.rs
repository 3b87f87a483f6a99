//! `gaspard dynamic`: the cheapest motion of one density into another, over several spaces.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use gaspard::dynamic::paper::Example;
use gaspard::dynamic::{Control, Domain, Form, Map, Problem, Solution, solve};
use gaspard::io::{npy, npz};
use gaspard::report::animation::{self, Playback};
use gaspard::report::dynamic::DynamicResults;
use gaspard::report::picture::{Colormap, Scale, Style, Upscale, strip, write_png};
use gaspard::report::record::RunRecord;
use gaspard::{Error, Result};
use ndarray::{Array2, ArrayD};
use serde::Serialize;

use super::inputs::Input;
use super::options::{Common, MassOption};
use super::outputs;
use super::session::Session;
use super::status::Status;

const EXAMPLE: &str = "\
Example:
  gaspard dynamic gaussian:0.2,0.2,0.08 gaussian:0.8,0.8,0.08 --grid 64x64x32 \\
      --map height.npy --beta 1 --out way.gif --picture way.png
      Moves a bump across the square, around the hills of height.npy (64 x 64 heights), and shows
      it as an animation and as frames side by side.

  gaspard dynamic --example 6.2a --beta 1 --grid 32x32x32 --json -
      The paper's example 6.2a: costs in both spaces, residuals and trace as JSON.";

/// Steps of time that are taken where none are asked for.
const STEPS: usize = 32;
/// Frames side by side in a picture, at most.
const PICTURE_FRAMES: usize = 9;
/// Seconds that a frame of an animation stays.
const SECONDS_PER_FRAME: f64 = 0.08;

/// Move one density into another at the least kinetic cost, in this space and others
///
/// Space is the unit box, time runs from 0 to 1, densities have mean 1. The cost of moving a unit
/// of mass by L in a unit of time is the square of L. Spaces that move along are given by maps.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub(super) struct Arguments {
    /// Where mass starts: a picture, a .npy density, or gaussian:X,Y,S with its centre and width in
    /// the unit box (as many coordinates as the box has axes)
    #[arg(value_name = "START", required_unless_present = "example")]
    start: Option<String>,
    /// Where it ends
    #[arg(value_name = "END", required_unless_present = "example")]
    end: Option<String>,
    /// Cells along the axes of space, then steps of time [default: those of the first file, and 32
    /// steps; 64x64x32 for examples]
    #[arg(long, value_name = "HxWxT", value_parser = parse_grid)]
    grid: Option<Sides>,
    /// A space that moves along: the map to it, sampled at the centres of the cells, of shape
    /// (cells..., d). Give one for every space
    #[arg(long, value_name = "FILE.npy")]
    map: Vec<PathBuf>,
    /// How much moving in that space counts; one for every map [default: 1]
    #[arg(long, value_name = "WEIGHT", allow_negative_numbers = true)]
    beta: Vec<f64>,
    /// How spaces are tied: particles move in all at once (monge), or densities alone (shared)
    /// [default: monge; for examples that of the paper]
    #[arg(long, value_enum, value_name = "HOW")]
    form: Option<FormOption>,
    /// Let mass be made and lost, at so much times the squared rate of growth
    #[arg(long, value_name = "KAPPA", allow_negative_numbers = true)]
    kappa: Option<f64>,
    /// An example of the paper: 6.1a, 6.1b, 6.2a, 6.2b, 6.3b, 6.4a or 6.4b
    #[arg(long, value_name = "NAME", conflicts_with_all = ["start", "end", "map"])]
    example: Option<String>,
    /// First step of the dual variable; it grows to 1 from there
    #[arg(long, value_name = "STEP", default_value_t = Control::default().sigma,
          allow_negative_numbers = true)]
    sigma: f64,
    /// Over-relaxation: 1 for the paper's iteration, less than 2
    #[arg(long, value_name = "FACTOR", default_value_t = Control::default().relaxation,
          allow_negative_numbers = true)]
    relaxation: f64,
    /// Write the motion as an animation: .gif, or .png or .apng for animated PNG
    #[arg(long, value_name = "FILE", required_unless_present_any = ["picture", "npz", "json"])]
    out: Option<PathBuf>,
    /// Write up to 9 frames side by side
    #[arg(long, value_name = "FILE.png")]
    picture: Option<PathBuf>,
    /// Write `rho`, the density at the nodes of time, (T + 1, cells...), of mean 1; and the momenta
    /// `m_F_A` of field F along axis A, on the faces of the cells; with --kappa the `source`
    #[arg(long, value_name = "FILE.npz")]
    npz: Option<PathBuf>,
    /// Which pixels of pictures carry mass
    #[arg(long, value_enum, value_name = "WHICH", default_value = "light")]
    mass: MassOption,
    /// Pixels along each side of a cell
    #[arg(long, value_name = "NUMBER", default_value_t = 4,
          value_parser = clap::value_parser!(u32).range(1..))]
    enlarge: u32,
    #[command(flatten)]
    common: Common,
}

/// `--grid`: cells and steps.
#[derive(Clone, Debug)]
struct Sides {
    cells: Vec<usize>,
    steps: usize,
}

/// `--form`, in the words of clap and of JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum FormOption {
    /// Particles move in all spaces at once
    Monge,
    /// Spaces share the density, and each moves it as cheaply as it can
    Shared,
}

impl From<FormOption> for Form {
    fn from(option: FormOption) -> Self {
        match option {
            FormOption::Monge => Self::Monge,
            FormOption::Shared => Self::Shared,
        }
    }
}

/// The JSON of a run.
#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    results: &'a DynamicResults,
    #[serde(skip_serializing_if = "Option::is_none")]
    example: Option<&'a str>,
    form: FormOption,
    grid: Vec<usize>,
    betas: Vec<f64>,
    /// The mean position at every node of time, space by space.
    mean_paths: Vec<Vec<Vec<f64>>>,
    record: RunRecord,
}

pub(super) fn run(arguments: &Arguments) -> Result<Status> {
    for (option, path, endings) in [
        ("--out", &arguments.out, &["gif", "png", "apng"][..]),
        ("--picture", &arguments.picture, &["png"]),
        ("--npz", &arguments.npz, &["npz"]),
    ] {
        path.iter().try_for_each(|path| outputs::check_ending(option, path, endings))?;
    }
    let files = [&arguments.out, &arguments.picture, &arguments.npz];
    let files = files.into_iter().flatten().map(PathBuf::as_path);
    let mut session = Session::begin(&arguments.common, None, files)?;
    let (problem, form) = arguments.problem()?;
    problem.validate()?;
    let control = arguments.control();
    control.validate()?;
    session.lap("read");

    let engine = session.open_device()?;
    let mut watch = session.watch_residuals();
    let solution = solve(&problem, &control, &engine, &mut watch)?;
    drop(watch);
    session.lap("solve");
    let results = DynamicResults::from(&solution);
    session.summarise_dynamic(&results, control.tolerance);
    arguments.write(&solution)?;
    let paths = (0..results.costs.len()).map(|space| solution.mean_path(&problem, space));
    session.finish(&engine, &results, |record| Report {
        results: &results,
        example: arguments.example.as_deref(),
        form,
        grid: [problem.domain().cells(), &[problem.domain().steps()]].concat(),
        betas: problem.betas(),
        mean_paths: paths.map(|path| rows(&path)).collect(),
        record,
    })
}

fn rows(path: &Array2<f64>) -> Vec<Vec<f64>> {
    path.outer_iter().map(|row| row.to_vec()).collect()
}

impl Arguments {
    fn control(&self) -> Control {
        let defaults = Control::default();
        Control {
            tolerance: self.common.tolerance.unwrap_or(defaults.tolerance),
            max_iterations: self.common.iterations().unwrap_or(defaults.max_iterations),
            sigma: self.sigma,
            largest_sigma: defaults.largest_sigma.max(self.sigma),
            relaxation: self.relaxation,
            ..defaults
        }
    }

    /// What is asked for, and the form that it is asked for in.
    fn problem(&self) -> Result<(Problem, FormOption)> {
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

    fn write(&self, solution: &Solution) -> Result<()> {
        let style = Style::new(Colormap::Magma)
            .upscale(Upscale::Factor(self.enlarge))
            .scale(Scale::Quantile(0.999));
        // Rounding and what is left to converge may be a little below nothing.
        let frames: Vec<ArrayD<f64>> =
            solution.density.outer_iter().map(|frame| frame.mapv(|rho| rho.max(0.0))).collect();
        if let Some(path) = &self.out {
            animation::save(path, &frames, &style, Playback::there_and_back(SECONDS_PER_FRAME))?;
        }
        if let Some(path) = &self.picture {
            let count = frames.len().min(PICTURE_FRAMES);
            let chosen: Vec<ArrayD<f64>> = (0..count)
                .map(|frame| frames[frame * (frames.len() - 1) / (count - 1)].clone())
                .collect();
            write_png(path, &strip(&chosen, &style)?)?;
        }
        if let Some(path) = &self.npz {
            let mut arrays = vec![("rho".to_owned(), solution.density.clone())];
            for (field, momenta) in solution.momenta.iter().enumerate() {
                for (axis, momentum) in momenta.iter().enumerate() {
                    arrays.push((format!("m_{field}_{axis}"), momentum.clone()));
                }
            }
            arrays.extend(solution.source.clone().map(|source| ("source".to_owned(), source)));
            npz::write(path, &arrays)?;
        }
        Ok(())
    }
}

/// A density as it was asked for.
enum Source {
    Gaussian { centre: Vec<f64>, width: f64 },
    File(Input),
}

impl Source {
    fn read(text: &str, mass: MassOption) -> Result<Self> {
        let Some(numbers) = text.strip_prefix("gaussian:") else {
            return Ok(Self::File(Input::read(Path::new(text), mass.into())?));
        };
        let parsed: Option<Vec<f64>> =
            numbers.split(',').map(|number| number.trim().parse().ok()).collect();
        match parsed.as_deref() {
            Some([centre @ .., width]) if !centre.is_empty() && *width > 0.0 => {
                Ok(Self::Gaussian { centre: centre.to_vec(), width: *width })
            }
            _ => Err(Error::parameter(
                "a density",
                format!("{text} is not a centre and a positive width"),
                "give gaussian:X,S on a line, gaussian:X,Y,S on a square",
            )),
        }
    }

    /// The cells of a file.
    fn cells(&self) -> Option<Vec<usize>> {
        match self {
            Self::Gaussian { .. } => None,
            Self::File(input) => Some(input.values.shape().to_vec()),
        }
    }

    /// On these cells. Pictures and Gaussians have mean 1; arrays keep their mass.
    fn on(self, domain: &Domain) -> Result<ArrayD<f64>> {
        let (density, has_unit) = match self {
            Self::File(input) => {
                let shape = input.values.shape();
                if shape != domain.cells() {
                    let expected = format!("{:?} cells, as --grid has them", domain.cells());
                    return Err(Error::shape(input.name(), expected, format!("{shape:?}")));
                }
                (input.density()?.weights().clone().into_dyn(), !input.is_picture)
            }
            Self::Gaussian { centre, width } => {
                if centre.len() != domain.dimension() {
                    let expected = format!("{} coordinates and a width", domain.dimension());
                    return Err(Error::shape("gaussian", expected, centre.len().to_string()));
                }
                let density = domain.density(|x| {
                    let parts = x.iter().zip(&centre).map(|(x, c)| (x - c) * (x - c));
                    (-parts.sum::<f64>() / (2.0 * width * width)).exp()
                });
                (density, false)
            }
        };
        let cells: Vec<usize> = domain.cells().to_vec();
        let density = density.into_shape_with_order(cells).expect("as many values as cells");
        let mean = density.mean().unwrap_or(0.0);
        Ok(if has_unit || mean == 0.0 { density } else { density / mean })
    }
}

/// `64x64x32`: the last number is that of the steps of time.
fn parse_grid(text: &str) -> std::result::Result<Sides, String> {
    let numbers: Option<Vec<usize>> =
        text.split(['x', 'X']).map(|side| side.trim().parse().ok()).collect();
    match numbers.as_deref() {
        Some([cells @ .., steps]) if !cells.is_empty() => {
            Ok(Sides { cells: cells.to_vec(), steps: *steps })
        }
        _ => Err("not cells and steps of time, like 64x64x32".to_owned()),
    }
}
