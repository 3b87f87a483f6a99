//! `gaspard dynamic`: the cheapest motion of one density into another, over several spaces.

mod problem;
mod source;
mod write;

use std::path::PathBuf;

use clap::ValueEnum;
use gaspard::Result;
use gaspard::dynamic::{Control, Form, solve};
use gaspard::report::dynamic::DynamicResults;
use gaspard::report::record::RunRecord;
use ndarray::Array2;
use serde::Serialize;

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
