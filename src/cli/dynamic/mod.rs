//! `gaspard dynamic`: the cheapest motion of one density into another, over several spaces.

mod law;
pub(super) mod map;
mod problem;
pub(super) mod source;
pub(super) mod spec;
mod write;

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::ValueEnum;
use gaspard::dynamic::paper::Example;
use gaspard::dynamic::{Checkpoint, Control, Form, Keeper, Method, Problem, Solution};
use gaspard::io::npz;
use gaspard::report::dynamic::DynamicResults;
use gaspard::report::record::RunRecord;
use gaspard::{Error, Result};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::given::Given;
use super::options::{Colours, Common, Iterating, MassOption};
use super::session::Session;
use super::status::Status;
use super::{described, interrupt, outputs};

const EXAMPLE: &str = "\
Examples:
  gaspard dynamic gaussian:0.2,0.2,0.08 gaussian:0.8,0.8,0.08 --grid 64x64x32 \\
      --map hills:0.5,0.5,0.12 --beta 1 --out way.gif --picture way.png
      Moves a bump across the square, around a hill in its middle, and shows it as an animation and
      as frames side by side.

  gaspard dynamic --example 6.2a --beta 1 --grid 32x32x32 --json -
      The paper's example 6.2a: costs in both spaces, residuals and trace as JSON.";

/// Steps of time that are taken where none are asked for.
const STEPS: usize = 32;

/// Move one density into another at the least kinetic cost, in this space and others
///
/// Space is the unit box, time runs from 0 to 1, densities have mean 1. The cost of moving a unit
/// of mass by L in a unit of time is the square of L. Spaces that move along are given by maps.
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = EXAMPLE,
    mut_arg("max_iterations", |arg| arg.help(
        "Stop after so many iterations, converged or not [default: 2000; with coupled spaces 4000]"
    )),
    mut_arg("tolerance", |arg| arg.help(
        "Stop when both relative residuals, consistency and stationarity, are at most this; 0 to \
         use all iterations [default: 1e-3; in the Kantorovich form 1e-2]"
    ))
)]
pub(super) struct Arguments {
    /// Where mass starts: a picture, a .npy density, or gaussian:X,Y,S with its centre and width in
    /// the unit box (as many coordinates as the box has axes)
    #[arg(value_name = "START", required_unless_present_any = ["example", "spec"])]
    start: Option<String>,
    /// Where it ends
    #[arg(value_name = "END", required_unless_present_any = ["example", "spec"])]
    end: Option<String>,
    /// Cells along the axes of space, then steps of time; densities on other cells are resampled,
    /// with their mass kept [default: those of the first file, and 32 steps; 64x64x32 for examples]
    #[arg(long, value_name = "HxWxT", value_parser = parse_grid)]
    grid: Option<Sides>,
    /// A space that moves along: the map to it, sampled at the centres of the cells, of shape
    /// (cells..., d); or hills:X,Y,S[,H][;...], heights of hills with their centres, widths and
    /// heights; scale:F, the same space on another scale; example:6.2a, that of an example. Give
    /// one for every space
    #[arg(long, value_name = "FILE.npy|MAP")]
    map: Vec<String>,
    /// A space that the density alone follows to, by a joint law of cells and points: a matrix
    /// (cells, points) as .npy, or in compressed rows as .npz (scipy.sparse.save_npz). Give one
    /// for every space, after those with maps
    #[arg(long, value_name = "FILE", requires = "points")]
    law: Vec<PathBuf>,
    /// The points that a law leads to, (points, d) or (points,); one for every law
    #[arg(long, value_name = "FILE.npy", requires = "law")]
    points: Vec<PathBuf>,
    /// How much moving in that space counts; one for every map, then for every law [default: 1]
    #[arg(long, value_name = "WEIGHT", allow_negative_numbers = true)]
    beta: Vec<f64>,
    /// How spaces with maps are tied: particles move in all at once (monge); densities alone, each
    /// space with its own momentum on the same grid (shared) or on bins of its own (coupled), or
    /// by static transport from frame to frame (kantorovich), as laws are [default: monge; for
    /// examples that of the paper]
    #[arg(long, value_enum, value_name = "HOW")]
    form: Option<FormOption>,
    /// Bins along every axis of a space that is coupled or of the Kantorovich form, around all
    /// values of its map: 32, or 24x24, or `points` for the mapped cells themselves [default: 32,
    /// 24x24, 12x12x12]
    #[arg(long, value_name = "HxW|points", value_parser = parse_bins)]
    bins: Option<BinsOption>,
    /// Steps of time from a frame to the next, in the Kantorovich form; divides them all
    #[arg(long, value_name = "STEPS", default_value_t = 1)]
    stride: usize,
    /// Entropic strength of transport between frames, in squared lengths of the space that they lie
    /// in [default: twice the square of the distance of neighbouring points]
    #[arg(long, alias = "reg", value_name = "EPSILON", allow_negative_numbers = true)]
    epsilon: Option<f64>,
    /// Share of the mass of every frame that is spread evenly: a smaller one is more exact, and
    /// needs smaller steps [default: 1e-2]
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true)]
    floor: Option<f64>,
    /// Also the cost of frames by exact transport, in the end: `exact_costs` in the JSON
    #[arg(long)]
    exact: bool,
    /// Densities, grid and spaces from a file: {"start": ..., "end": ..., "grid": [64, 64, 32],
    /// "kappa": ..., "spaces": [{"form": ..., "beta": ..., "map": FILE, or "law": FILE and "points":
    /// FILE, "bins": [...], "low": [...], "high": [...], "stride": ..., "epsilon": ..., "floor":
    /// ..., "sweeps": ...}]}; files are looked for beside it, and what is left out is as asked for
    /// here
    #[arg(long, value_name = "FILE.json", conflicts_with_all = ["example", "map", "law", "beta"])]
    spec: Option<PathBuf>,
    /// Let mass be made and lost, at so much times the squared rate of growth
    #[arg(long, value_name = "KAPPA", allow_negative_numbers = true)]
    kappa: Option<f64>,
    /// An example of the paper: 6.1a, 6.1b, 6.2a, 6.2b, 6.3a, 6.3b, 6.4a or 6.4b
    #[arg(long, value_name = "NAME", conflicts_with_all = ["start", "end", "map", "law"])]
    example: Option<String>,
    /// The iteration: over-relaxed (relaxed), that of the paper (chambolle-pock), or for the
    /// Kantorovich form yan, condat-vu or pdfp [default: relaxed; yan for the Kantorovich form]
    #[arg(long, value_enum, value_name = "METHOD")]
    solver: Option<SolverOption>,
    /// First step of the state in the Kantorovich form, for densities of mean 1; it is halved where
    /// that does not converge [default: 0.005 over the weights]
    #[arg(long, value_name = "STEP", allow_negative_numbers = true)]
    tau: Option<f64>,
    /// Iterations with particles in all spaces, before those of the Kantorovich form
    #[arg(long, value_name = "NUMBER", default_value_t = Control::default().warm_iterations)]
    warm_iterations: usize,
    /// First step of the dual variable, for densities of mean 1, without a unit; it grows to 1 from
    /// there [default: 0.1; 0.3 with coupled
    /// spaces]
    #[arg(long, value_name = "STEP", allow_negative_numbers = true)]
    sigma: Option<f64>,
    /// Over-relaxation: 1 for the paper's iteration, less than 2
    #[arg(long, value_name = "FACTOR", default_value_t = Control::default().relaxation,
          allow_negative_numbers = true)]
    relaxation: f64,
    /// Write the motion as an animation: .gif, or .png or .apng for animated PNG
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write up to 9 frames side by side
    #[arg(long, value_name = "FILE.png")]
    picture: Option<PathBuf>,
    /// Write the curves of particles over the density, a panel for every space with a map: over
    /// time on a line, else over all that passes; curves run from dark to bright
    #[arg(long, value_name = "FILE.png")]
    paths: Option<PathBuf>,
    /// Particles whose curves are drawn, from the start density with --seed
    #[arg(long, value_name = "NUMBER", default_value_t = 100, requires = "paths",
          value_parser = clap::value_parser!(u32).range(1..))]
    particles: u32,
    /// Write `rho`, the density at the nodes of time, (T + 1, cells...), of mean 1; the momenta
    /// `m_S_A` of space S along axis A on the faces of the cells, 0 being the primary space, where a
    /// space has its own; `rho_S` on the bins of coupled ones; with --kappa the `source`; with
    /// --paths the `particles`, (T + 1, particles, axes)
    #[arg(long, value_name = "FILE.npz")]
    npz: Option<PathBuf>,
    /// Keep all that is needed to go on, in the end and every now and then: .npz
    #[arg(long, value_name = "FILE.npz")]
    checkpoint: Option<PathBuf>,
    /// Go on from a checkpoint of the same problem, as if it had never been stopped
    #[arg(long, value_name = "FILE.npz")]
    resume: Option<PathBuf>,
    /// Seconds from a checkpoint to the next
    #[arg(long, value_name = "SECONDS", default_value_t = Control::default().checkpoint_seconds)]
    checkpoint_seconds: f64,
    /// Which pixels of pictures carry mass
    #[arg(long, value_enum, value_name = "WHICH", default_value = "light")]
    mass: MassOption,
    /// Scale .npy densities to mean 1; pictures always are
    #[arg(long, alias = "normalize")]
    normalise: bool,
    /// Colours of the animation and of the picture [default: magma]
    #[arg(long, value_enum, value_name = "NAME")]
    colours: Option<Colours>,
    /// Pixels along each side of a cell
    #[arg(long, value_name = "NUMBER", default_value_t = 4,
          value_parser = clap::value_parser!(u32).range(1..))]
    enlarge: u32,
    #[command(flatten)]
    iterating: Iterating,
    #[command(flatten)]
    common: Common,
}

/// `--grid`: cells and steps.
#[derive(Clone, Debug)]
pub(super) struct Sides {
    cells: Vec<usize>,
    steps: usize,
}

/// `--form`, in the words of clap and of JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum FormOption {
    /// Particles move in all spaces at once
    Monge,
    /// Spaces share the density, and each moves it as cheaply as it can
    Shared,
    /// The density follows to a grid of the other space, which moves it as cheaply as it can
    Coupled,
    /// The density follows to frames of the other space, between which transport is static
    Kantorovich,
}

impl From<FormOption> for Form {
    fn from(option: FormOption) -> Self {
        match option {
            FormOption::Monge => Self::Monge,
            FormOption::Shared => Self::Shared,
            FormOption::Coupled => Self::Coupled,
            FormOption::Kantorovich => Self::Kantorovich,
        }
    }
}

impl From<Form> for FormOption {
    fn from(form: Form) -> Self {
        match form {
            Form::Monge => Self::Monge,
            Form::Shared => Self::Shared,
            Form::Coupled => Self::Coupled,
            Form::Kantorovich => Self::Kantorovich,
        }
    }
}

/// `--solver`, in the words of clap and of JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
enum SolverOption {
    /// Over-relaxed Chambolle-Pock
    Relaxed,
    /// Plain Chambolle-Pock, as in the paper
    ChambollePock,
    /// Condat and Vu: one gradient, taken before the step
    CondatVu,
    /// Primal-dual fixed point: two projections
    Pdfp,
    /// Yan: corrected by the change of the gradient
    Yan,
}

impl From<Method> for SolverOption {
    fn from(method: Method) -> Self {
        match method {
            Method::Relaxed => Self::Relaxed,
            Method::CondatVu => Self::CondatVu,
            Method::Pdfp => Self::Pdfp,
            Method::Yan => Self::Yan,
        }
    }
}

/// `--bins`.
#[derive(Clone, Debug)]
pub(super) enum BinsOption {
    /// The cells, where the map takes them.
    Points,
    Counts(Vec<usize>),
}

/// The JSON of a run.
#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    results: &'a DynamicResults,
    #[serde(skip_serializing_if = "Option::is_none")]
    example: Option<&'a str>,
    /// What the example shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    claim: Option<Claim>,
    form: FormOption,
    solver: SolverOption,
    grid: Vec<usize>,
    betas: Vec<f64>,
    /// Of every space but the primary one: the cost by exact transport from frame to frame.
    #[serde(skip_serializing_if = "Option::is_none")]
    exact_costs: Option<Vec<Option<f64>>>,
    /// The mass at every node of time, beside that of a density of mean 1.
    masses: Vec<f64>,
    /// The mean position at every node of time, space by space.
    mean_paths: Vec<Vec<Vec<f64>>>,
    record: RunRecord,
}

/// What an example shows, in words and in numbers.
#[derive(Serialize)]
struct Claim {
    text: &'static str,
    numbers: BTreeMap<&'static str, f64>,
}

impl Claim {
    fn of(example: &Example, problem: &Problem, solution: &Solution) -> Result<Self> {
        let numbers = example.measure(problem, solution)?.into_iter().collect();
        Ok(Self { text: example.claim, numbers })
    }

    /// In a line for people.
    fn line(&self) -> String {
        let numbers = self.numbers.iter();
        let numbers: Vec<String> = numbers
            .map(|(name, number)| format!("{} {number:.4}", name.replace('_', " ")))
            .collect();
        format!("{}: {}", self.text, numbers.join(", "))
    }
}

pub(super) fn run(arguments: &Arguments, given: &Given) -> Result<Status> {
    for (option, path, endings) in [
        ("--out", &arguments.out, &["gif", "png", "apng"][..]),
        ("--picture", &arguments.picture, &["png"]),
        ("--paths", &arguments.paths, &["png"]),
        ("--npz", &arguments.npz, &["npz"]),
        ("--checkpoint", &arguments.checkpoint, &["npz"]),
    ] {
        path.iter().try_for_each(|path| outputs::check_ending(option, path, endings))?;
    }
    let arrays = [&arguments.npz, &arguments.checkpoint];
    let pictures = [&arguments.out, &arguments.picture, &arguments.paths];
    let files = pictures.into_iter().chain(arrays).flatten().map(PathBuf::as_path);
    let inputs = arguments.files();
    let inputs = inputs.iter().map(PathBuf::as_path);
    let mut session = Session::begin(&arguments.common, inputs, files)?;
    let (problem, form) = arguments.problem()?;
    problem.validate()?;
    let (solver, control) = arguments.control(&problem)?;
    control.validate()?;
    arguments.check(given, &problem, solver)?;
    arguments.check_pictures(&problem)?;
    let resumed = arguments.resume.as_ref().map(npz::read).transpose()?;
    let resumed = resumed.map(Checkpoint::from_arrays);
    session.lap("read");

    let engine = session.open_device()?;
    let mut watch = session.watch("residual");
    let mut keep = |checkpoint: &Checkpoint| match &arguments.checkpoint {
        Some(path) => npz::write(path, checkpoint.arrays()),
        None => Ok(()),
    };
    let keeper = arguments.checkpoint.is_some().then_some(&mut keep as Keeper<'_>);
    let solution = problem.solve_from(resumed.as_ref(), &control, &engine, &mut watch, keeper)?;
    drop(watch);
    session.lap("solve");
    let results = DynamicResults::from(&solution);
    session.summarise_dynamic(&results);
    let example = arguments.example.as_deref().map(Example::named).transpose()?;
    let claim = example.map(|example| Claim::of(example, &problem, &solution)).transpose()?;
    claim.iter().for_each(|claim| session.note(&claim.line()));
    arguments.write(&problem, &solution)?;
    let spaces = 0..results.costs.len();
    let exact_costs = if arguments.exact {
        let spaces = spaces.clone().skip(1);
        let costs =
            spaces.map(|space| solution.exact_cost(&problem, space, &mut interrupt::requested));
        Some(costs.collect::<Result<Vec<_>>>()?)
    } else {
        None
    };
    let paths = spaces.filter_map(|space| solution.mean_path(&problem, space));
    session.finish(&engine, &results, |record| Report {
        results: &results,
        example: example.map(|example| example.name),
        claim,
        form,
        solver,
        grid: [problem.domain().cells(), &[problem.domain().steps()]].concat(),
        betas: problem.betas(),
        exact_costs,
        masses: solution
            .density
            .outer_iter()
            .map(|density| density.mean().unwrap_or(0.0))
            .collect(),
        mean_paths: paths.map(|path| rows(&path)).collect(),
        record,
    })
}

fn rows(path: &Array2<f64>) -> Vec<Vec<f64>> {
    path.outer_iter().map(|row| row.to_vec()).collect()
}

impl Arguments {
    /// Refuses options that have no meaning with this problem.
    fn check(&self, given: &Given, problem: &Problem, solver: SolverOption) -> Result<()> {
        let of_frames = ["stride", "epsilon", "floor", "tau", "warm-iterations"];
        if problem.betas().is_empty() {
            let remedy = "add a --map or a --law, or leave it out";
            given.refuse_unless(&["bins", "exact", "form"], "no space but the first", remedy)?;
            given.refuse_unless(&of_frames, "no space but the first", remedy)?;
        }
        if !problem.has_frames() {
            let remedy = "add --form kantorovich, or leave it out";
            given.refuse_unless(&of_frames, "spaces of other forms", remedy)?;
            if !problem.has_coupled() {
                let remedy = "add --form coupled or kantorovich, or leave it out";
                given.refuse_unless(&["bins"], "spaces of other forms", remedy)?;
            }
        }
        if solver != SolverOption::Relaxed {
            let remedy = "use --solver relaxed, or leave it out";
            given.refuse_unless(&["relaxation"], "this solver", remedy)?;
        }
        if self.checkpoint.is_none() {
            given.refuse(&["checkpoint-seconds"], "no --checkpoint")?;
        }
        Ok(())
    }

    /// All files that are read, but for a checkpoint that is to go on as itself.
    fn files(&self) -> Vec<PathBuf> {
        let ends = self.start.iter().chain(&self.end).chain(&self.map).map(PathBuf::from);
        let laws = self.law.iter().chain(&self.points).cloned();
        let described = self.spec.iter().flat_map(|spec| described::files(spec));
        let kept = self.checkpoint.as_ref().and_then(|path| path.canonicalize().ok());
        let resumed = self.resume.iter().filter(|path| path.canonicalize().ok() != kept).cloned();
        ends.chain(laws).chain(described).chain(resumed).collect()
    }

    /// The iteration by its name, and its control.
    fn control(&self, problem: &Problem) -> Result<(SolverOption, Control)> {
        let usual = Control::usual(problem);
        let solver = self.solver.unwrap_or_else(|| usual.method.into());
        let method = match solver {
            SolverOption::Relaxed | SolverOption::ChambollePock => Method::Relaxed,
            SolverOption::CondatVu => Method::CondatVu,
            SolverOption::Pdfp => Method::Pdfp,
            SolverOption::Yan => Method::Yan,
        };
        if problem.has_frames() && method == Method::Relaxed {
            return Err(Error::parameter(
                "--solver",
                "costs of frames have gradients, of which it knows nothing",
                "use yan, condat-vu or pdfp",
            ));
        }
        let sigma = self.sigma.unwrap_or(usual.sigma);
        let relaxation = if solver == SolverOption::Relaxed { self.relaxation } else { 1.0 };
        let control = Control {
            tolerance: self.iterating.tolerance.unwrap_or(usual.tolerance),
            max_iterations: self.iterating.iterations().unwrap_or(usual.max_iterations),
            sigma,
            largest_sigma: usual.largest_sigma.max(sigma),
            relaxation,
            method,
            tau: self.tau,
            warm_iterations: self.warm_iterations,
            checkpoint_seconds: self.checkpoint_seconds,
            ..usual
        };
        Ok((solver, control))
    }
}

/// `24x24`, or `points`.
pub(super) fn parse_bins(text: &str) -> std::result::Result<BinsOption, String> {
    if text == "points" {
        return Ok(BinsOption::Points);
    }
    let counts: Option<Vec<usize>> =
        text.split(['x', 'X']).map(|count| count.trim().parse().ok()).collect();
    let wrong = "neither bins along every axis, like 32 or 24x24, nor points".to_owned();
    counts.map(BinsOption::Counts).ok_or(wrong)
}

/// `64x64x32`: the last number is that of the steps of time.
pub(super) fn parse_grid(text: &str) -> std::result::Result<Sides, String> {
    let numbers: Option<Vec<usize>> =
        text.split(['x', 'X']).map(|side| side.trim().parse().ok()).collect();
    match numbers.as_deref() {
        Some([cells @ .., steps]) if !cells.is_empty() => {
            Ok(Sides { cells: cells.to_vec(), steps: *steps })
        }
        _ => Err("not cells and steps of time, like 64x64x32".to_owned()),
    }
}
