//! `gaspard barycenter`: the average of densities, and the way from one to the next.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use gaspard::io::npy;
use gaspard::report::animation::{self, Playback};
use gaspard::report::picture::{Scale, Style, Upscale, save_png, strip, write_png};
use gaspard::report::record::{Results, RunRecord};
use gaspard::{
    Barycenter, BarycenterSolution, Cost, Engine, Error, Geometry, Grid, Measure, Result, Support,
};
use ndarray::{ArrayD, Axis, stack};
use serde::Serialize;

use super::given::Given;
use super::gromov::barycenter::GromovOptions;
use super::gromov::{self, ENTROPIC_OPTIONS, LABEL_OPTIONS, SpaceOptions};
use super::inputs::{self, Input};
use super::options::{Annealing, Colours, Common, MassOption};
use super::outputs;
use super::session::Session;
use super::status::Status;
use super::watch::Watch;

const EXAMPLE: &str = "\
Examples:
  gaspard barycenter heart.png star.png --weights 0.3,0.7 --debiased --out mean.png
      Writes mean.png: 30 % heart, 70 % star.

  gaspard barycenter heart.png star.png ring.png --frames 21 --out way.png
      Writes way.png (the barycenter with equal weights), way_strip.png (21 frames side by side,
      from the heart over the star to the ring) and way.gif (the same, moving).

  gaspard barycenter heart.png star.png --metric gromov --side 32 --points 200 --out mean.npz --picture all.png
      Writes mean.npz: the distances between 200 free points that are nearest to those of both
      shapes, and points in the plane that nearly have them, which all.png shows.";

/// The entropic strength of Wasserstein barycenters that are not told one.
const EPSILON: f64 = 1e-3;
/// Seconds that a frame of an animation stays.
const SECONDS_PER_FRAME: f64 = 0.1;

/// Average pictures or densities in the Wasserstein sense
///
/// Finds the density nu on the support that minimises the sum over inputs of weight times the
/// entropic cost of moving the input onto nu. Inputs count with mass 1. Costs are squared
/// distances; each input fills the unit box: its longest side is 1.
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = EXAMPLE,
    mut_arg("max_iterations", |arg| arg.help(
        "Stop after so many sweeps over all potentials, converged or not [default: 10000]. For \
         gromov and fused: plans [default: 300], and with --points rounds [default: 200]"
    )),
    mut_arg("tolerance", |arg| arg.help(
        "Stop when the marginals are off by at most this: L1, for a mass of 1; 0 to use all \
         iterations [default: 1e-6 on the CPU; on a GPU 1e-5, or where rounding to f32 keeps it \
         from falling further]. For gromov and fused, when the plan changes by at most this: L1, \
         for a mass of 1, where 2 is everything [default: 1e-3 on the CPU, 1e-2 on a GPU]; with \
         --points, when the distances change by at most this, relatively [default: 1e-5, with --epsilon as without --points]"
    ))
)]
pub(super) struct Arguments {
    /// Pictures, or .npy densities of 1 to 3 axes
    #[arg(required = true, value_name = "INPUT")]
    pub(super) inputs: Vec<PathBuf>,
    /// What is averaged: where mass lies (wasserstein), or shapes by the distances within them,
    /// wherever they lie and however they are turned (gromov), also with labels (fused)
    #[arg(long, value_enum, value_name = "WHICH", default_value = "wasserstein")]
    pub(super) metric: Metric,
    /// How much each input counts: numbers that sum to 1; frames take weights of their own [default:
    /// equal]
    #[arg(long, value_name = "W,W,...", value_delimiter = ',', allow_hyphen_values = true)]
    weights: Option<Vec<f64>>,
    /// Cells of the barycenter: rows and columns, for other densities one number an axis [default:
    /// those of the first input]
    #[arg(long, value_name = "HxW", value_parser = parse_support)]
    pub(super) support: Option<Grid>,
    /// So many free points of equal mass in place of cells (gromov, fused): known by nothing but
    /// the distances to each other that are best. Inputs keep their mass
    #[arg(long, value_name = "NUMBER", conflicts_with = "support",
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(super) points: Option<u32>,
    /// Entropic strength. For wasserstein in units of the squared side of the box: a point is
    /// blurred to a Gaussian of variance epsilon / 2, unless --debiased [default: 1e-3]. Else in
    /// squared distances [default: 1e-3 of the square of the mean distance; with --points 0, which
    /// is for exact plans, by conditional gradient on the CPU]
    #[arg(long, alias = "reg", value_name = "NUMBER", allow_negative_numbers = true)]
    pub(super) epsilon: Option<f64>,
    /// Take the entropic blur out
    #[arg(long)]
    debiased: bool,
    /// Write the barycenter as a picture: one pixel a cell for 2 axes, bars for 1, slices for 3.
    /// With --points: the distances as FILE.npy; or as FILE.npz distances, masses, places (points
    /// in the plane that nearly have these distances) and with labels label_shares
    #[arg(short, long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
    /// Write the barycenter as an array on its support, summing to 1
    #[arg(long, value_name = "FILE.npy")]
    pub(super) npy: Option<PathBuf>,
    /// Also interpolate in so many frames, from the first input over all others to the last: with
    /// --out NAME.png, a strip NAME_strip.png and an animation NAME.gif
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(2..=100_000))]
    pub(super) frames: Option<u64>,
    /// Write the animation here instead: .gif, or .png or .apng for animated PNG
    #[arg(long, value_name = "FILE", requires = "frames")]
    animation: Option<PathBuf>,
    /// Write the frames as one array, the frames along its first axis, each summing to 1
    #[arg(long, value_name = "FILE.npy", requires = "frames")]
    pub(super) frames_npy: Option<PathBuf>,
    /// Colours of pictures [default: grey, or paper with --mass dark]
    #[arg(long, value_enum, value_name = "NAME")]
    colours: Option<Colours>,
    /// Pixels along each side of a cell
    #[arg(long, value_name = "NUMBER", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..))]
    enlarge: u32,
    #[command(flatten)]
    pub(super) spaces: SpaceOptions,
    #[command(flatten)]
    pub(super) gromov: GromovOptions,
    #[command(flatten)]
    pub(super) common: Common,
}

/// `--metric`, in the words of clap and of JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Metric {
    /// Wasserstein: mass moves to where it is needed
    #[default]
    Wasserstein,
    /// Gromov-Wasserstein: shapes are matched by their distances
    Gromov,
    /// Fused Gromov-Wasserstein: by their distances and labels
    Fused,
}

/// The JSON of a run.
#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    results: &'a Results,
    inputs: Vec<String>,
    weights: Vec<f64>,
    support: &'a [usize],
    debiased: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    frames: Vec<Results>,
    record: RunRecord,
}

impl Arguments {
    /// Where the strip and the animation go.
    pub(super) fn frame_files(&self) -> (Option<PathBuf>, Option<PathBuf>) {
        let Some(out) = self.out.as_ref().filter(|_| self.frames.is_some()) else {
            return (None, self.animation.clone());
        };
        let mut name = out.file_stem().unwrap_or_default().to_owned();
        name.push("_strip.png");
        let animation = self.animation.clone().unwrap_or_else(|| out.with_extension("gif"));
        (Some(out.with_file_name(name)), Some(animation))
    }

    pub(super) fn weights(&self) -> Vec<f64> {
        let equal = || vec![1.0 / self.inputs.len() as f64; self.inputs.len()];
        self.weights.clone().unwrap_or_else(equal)
    }

    fn style(&self) -> Style {
        let natural = match self.spaces.mass {
            MassOption::Dark => Colours::Paper,
            MassOption::Light | MassOption::Alpha => Colours::Grey,
        };
        let colours = self.colours.unwrap_or(natural);
        Style::new(colours.into()).upscale(Upscale::Factor(self.enlarge))
    }

    /// Refuses what only spaces have, and numbers outside their domain.
    fn check_wasserstein(&self, given: &Given) -> Result<()> {
        let remedy = "add --metric gromov or --metric fused, or leave it out";
        let spaces =
            ["space", "as", "distance", "law", "rho", "picture", "coupling", "points", "side"];
        let others = ["reference", "seeds", "support-labels"];
        let entropic = ENTROPIC_OPTIONS.into_iter().filter(|option| *option != "annealing");
        let odd: Vec<_> =
            spaces.into_iter().chain(others).chain(LABEL_OPTIONS).chain(entropic).collect();
        given.refuse_unless(&odd, "Wasserstein barycenters", remedy)?;
        self.annealing().control(self.epsilon.unwrap_or(EPSILON)).validate()
    }

    /// How entropy comes down, with every metric.
    fn annealing(&self) -> &Annealing {
        &self.gromov.starts.annealing
    }

    /// All files that are read.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        let labels = self.spaces.labels.iter().chain(&self.spaces.label_costs);
        let labels = labels.chain(&self.gromov.support_labels);
        self.inputs.iter().chain(labels).map(PathBuf::as_path)
    }

    /// Refuses pictures of this barycenter that would be too large.
    pub(super) fn check_pictures(&self, shape: &[usize]) -> Result<()> {
        let count = self.frames.map_or(1, |frames| frames as usize);
        let (strip, animation) = self.frame_files();
        let strip = if strip.is_some() { count } else { 1 };
        match self.out.is_some() || animation.is_some() {
            true => self.style().check_size(shape, strip),
            false => Ok(()),
        }
    }

    fn check_endings(&self) -> Result<()> {
        let out = if self.points.is_some() { &["npy", "npz"][..] } else { &["png"] };
        for (option, path, endings) in [
            ("--out", &self.out, out),
            ("--npy", &self.npy, &["npy"]),
            ("--animation", &self.animation, &["gif", "png", "apng"]),
            ("--frames-npy", &self.frames_npy, &["npy"]),
            ("--coupling", &self.gromov.coupling, &["npy"]),
            ("--picture", &self.gromov.picture, &["png"]),
        ] {
            path.iter().try_for_each(|path| outputs::check_ending(option, path, endings))?;
        }
        Ok(())
    }
}

pub(super) fn run(arguments: &Arguments, given: &Given) -> Result<Status> {
    arguments.check_endings()?;
    if arguments.metric != Metric::Wasserstein {
        if arguments.debiased {
            let problem = "only Wasserstein barycenters can be debiased".to_owned();
            return Err(Error::parameter("--debiased", problem, "leave it out"));
        }
        return match arguments.points {
            Some(points) => gromov::free_support::run(arguments, given, points as usize),
            None => gromov::barycenter::run(arguments, given),
        };
    }
    arguments.check_wasserstein(given)?;
    let epsilon = arguments.epsilon.unwrap_or(EPSILON);
    let (strip_file, animation_file) = arguments.frame_files();
    let files =
        [&arguments.out, &arguments.npy, &arguments.frames_npy, &strip_file, &animation_file];
    let files = files.into_iter().flatten().map(PathBuf::as_path);
    let mut session = Session::begin(&arguments.common, arguments.files(), files)?;
    let measures = read(arguments, &session)?;
    let grid = support(arguments, &measures)?;
    inputs::require_room(&session.host(), "the support", grid.shape())?;
    arguments.check_pictures(grid.shape())?;
    let weights = arguments.weights();
    let problem = Barycenter::of(&measures.iter().collect::<Vec<_>>())
        .weights(&weights)
        .support(Support::Grid(grid.clone()))
        .debiased(arguments.debiased)
        .control(arguments.annealing().control(epsilon));
    problem.validate()?;
    session.lap("read");

    let engine = session.open_device()?;
    check_epsilon(epsilon, &measures, &grid, &session, &engine)?;
    let mut watch = session.watch("marginal error");
    let mean = problem.solve_with(&engine, &mut watch)?;
    let frames = match arguments.frames {
        Some(count) if !mean.outcome.interrupted => {
            frames(&problem, count as usize, &engine, &mut watch, &session)?
        }
        _ => Vec::new(),
    };
    drop(watch);
    session.lap("solve");
    let frame_results: Vec<_> = frames.iter().map(Results::from).collect();
    let mut results = Results::from(&mean);
    results.outcome =
        frames.iter().fold(mean.outcome.clone(), |all, frame| all.and(&frame.outcome));
    session.summarise(&results, "iterations");

    let density = |solution: &BarycenterSolution| on_grid(solution, &grid);
    write_mean(arguments, &density(&mean)?)?;
    let frames = frames.iter().map(density).collect::<Result<Vec<_>>>()?;
    if !frames.is_empty() {
        let files = (strip_file.as_deref(), animation_file.as_deref());
        write_frames(arguments, files, &frames)?;
    }
    session.finish(&engine, &results, |record| Report {
        results: &results,
        inputs: arguments.inputs.iter().map(|path| path.display().to_string()).collect(),
        weights,
        support: grid.shape(),
        debiased: arguments.debiased,
        frames: frame_results,
        record,
    })
}

/// The inputs, each of mass 1.
fn read(arguments: &Arguments, session: &Session) -> Result<Vec<Measure>> {
    let mut measures: Vec<Measure> = Vec::with_capacity(arguments.inputs.len());
    let mut axes = None;
    for path in &arguments.inputs {
        let input = Input::read(path, arguments.spaces.mass.into())?;
        if inputs::looks_like_places(&input) {
            session.warn(&format!(
                "{}: {} numbers are taken for a density of so many cells; for points use --metric \
                 gromov, or transport",
                input.name(),
                input.sides()
            ));
        }
        let measure = input.density()?.normalised();
        let expected = *axes.get_or_insert(input.values.ndim());
        if input.values.ndim() != expected {
            return Err(Error::shape(
                input.name(),
                format!("a density of {expected} axes, as the first input has"),
                input.values.ndim().to_string(),
            ));
        }
        session.note(&format!("{}: a density on {} cells", input.name(), input.sides()));
        measures.push(measure);
    }
    Ok(measures)
}

fn support(arguments: &Arguments, measures: &[Measure]) -> Result<Grid> {
    let first = measures.first().map(Measure::support);
    let Some(Support::Grid(first)) = first else {
        return Err(Error::data("the inputs", "there are none", "give at least one density"));
    };
    match &arguments.support {
        None => Ok(first.clone()),
        Some(grid) if grid.dimension() == first.dimension() => Ok(grid.clone()),
        Some(grid) => Err(Error::parameter(
            "--support",
            format!("it has {} axes and the inputs have {}", grid.dimension(), first.dimension()),
            "give one number an axis, as in 64x64",
        )),
    }
}

fn check_epsilon(
    epsilon: f64,
    measures: &[Measure],
    grid: &Grid,
    session: &Session,
    engine: &Engine,
) -> Result<()> {
    let support = Support::Grid(grid.clone());
    let between =
        |measure: &Measure| Geometry::between(measure.support(), &support, Cost::SquaredEuclidean);
    let geometries = measures.iter().map(between).collect::<Result<Vec<_>>>()?;
    session.check_epsilon(engine, epsilon, &geometries)
}

fn frames(
    problem: &Barycenter<'_>,
    count: usize,
    engine: &Engine,
    watch: &mut Watch,
    session: &Session,
) -> Result<Vec<BarycenterSolution>> {
    session.note(&format!("{count} frames"));
    let frames = problem.solve_frames(count, engine, watch)?;
    if frames.len() < count {
        session.warn(&format!("{} of {count} frames were reached", frames.len()));
    }
    Ok(frames)
}

fn on_grid(solution: &BarycenterSolution, grid: &Grid) -> Result<ArrayD<f64>> {
    solution.weights.to_shape(grid.shape()).map(|density| density.into_owned()).map_err(|error| {
        Error::shape("the barycenter", format!("{:?}", grid.shape()), error.to_string())
    })
}

pub(super) fn write_mean(arguments: &Arguments, density: &ArrayD<f64>) -> Result<()> {
    if let Some(path) = &arguments.out {
        save_png(path, density.view(), &arguments.style())?;
    }
    if let Some(path) = &arguments.npy {
        npy::write(path, density.view())?;
    }
    Ok(())
}

pub(super) fn write_frames(
    arguments: &Arguments,
    (strip_file, animation_file): (Option<&Path>, Option<&Path>),
    frames: &[ArrayD<f64>],
) -> Result<()> {
    // For eyes: a few sharp pixels must not darken the rest. The barycenter itself stays linear.
    let style = arguments.style().scale(Scale::Quantile(0.995));
    if let Some(path) = strip_file {
        write_png(path, &strip(frames, &style)?)?;
    }
    if let Some(path) = animation_file {
        animation::save(path, frames, &style, Playback::forwards(SECONDS_PER_FRAME))?;
    }
    if let Some(path) = &arguments.frames_npy {
        let views: Vec<_> = frames.iter().map(|frame| frame.view()).collect();
        let all = stack(Axis(0), &views)
            .map_err(|error| Error::shape("the frames", "one shape", error.to_string()))?;
        npy::write(path, all.view())?;
    }
    Ok(())
}

/// `64x64`, `100`, `16x16x16`
pub(super) fn parse_support(text: &str) -> std::result::Result<Grid, String> {
    let sides: Option<Vec<usize>> =
        text.split(['x', 'X']).map(|side| side.trim().parse().ok()).collect();
    let sides = sides.ok_or("not numbers of cells, like 64x64")?;
    Grid::unit(&sides).map_err(|error| error.to_string())
}
