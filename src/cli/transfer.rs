//! `gaspard transfer`: where mass goes from frame to frame.

use std::path::{Path, PathBuf};

use gaspard::gromov::{GridSpace, Problem, Solution, Transfer, propagate};
use gaspard::io::npz;
use gaspard::report::gromov::GromovResults;
use gaspard::report::picture::{Scale, Style, strip, write_png};
use gaspard::report::record::RunRecord;
use gaspard::{Error, Result};
use ndarray::{Array1, Array2, ArrayD, Axis, Ix2};
use serde::Serialize;

use super::given::Given;
use super::gromov::{
    LABEL_OPTIONS, Solved, SpaceOptions, StartOptions, Surface, default_epsilon, solve,
};
use super::inputs::Input;
use super::options::{CHANGES, Colours, Common, MassOption, PLANS, ReferenceOption};
use super::outputs;
use super::session::Session;
use super::status::Status;

const EXAMPLE: &str = "\
Examples:
  gaspard transfer t0.png t1.png t2.png --rho 1e-3 --epsilon 2e-4 --propagate --picture way.png
      Matches each frame with the next by its distances, and follows the mass of the first.

  gaspard transfer frames.npy --rho 1e-3 --propagate clean0.npy --truth clean.npy --json -
      Frames along the first axis of one array; follows a part of the first frame's mass, and
      says how far it ends from the truth.";

/// Transfer operators from frame to frame (Gromov-Wasserstein)
///
/// Matches a chain of frames by the distances within them, however they move and turn, and makes of
/// every plan P the operator K = (diag(r + damping)^-1 P)^T, r = P 1, which takes mass on one frame to
/// mass on the next. Frames count with mass 1.
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = EXAMPLE,
    mut_arg("max_iterations", |arg| arg.help(PLANS)),
    mut_arg("tolerance", |arg| arg.help(CHANGES))
)]
pub(super) struct Arguments {
    /// Pictures or .npy densities of two axes, in order; or one .npy of three axes, the frames
    /// along the first
    #[arg(required = true, value_name = "FRAME")]
    frames: Vec<PathBuf>,
    /// Entropic strength, in squared distances [default: 1e-3 of the square of the mean distance]
    #[arg(long, alias = "reg", value_name = "NUMBER", allow_negative_numbers = true)]
    epsilon: Option<f64>,
    /// What the entropy is relative to
    #[arg(long, value_enum, value_name = "WHICH", default_value = "counting")]
    reference: ReferenceOption,
    /// Damps points that carry almost no mass of the plan: added to its row sums, in units of the
    /// largest
    #[arg(
        long,
        alias = "kappa",
        value_name = "NUMBER",
        default_value_t = 0.0,
        allow_negative_numbers = true
    )]
    damping: f64,
    /// Follow this mass on the first frame, an array of its shape; the frame's own, scaled to mass
    /// 1, without a file
    #[arg(long, value_name = "FILE.npy", num_args = 0..=1)]
    propagate: Option<Option<PathBuf>>,
    /// What should come out, one array a frame or one of three axes: reports the relative L1 error.
    /// Scaled to mass 1 where the frame's own mass is followed
    #[arg(long, value_name = "FILE.npy", num_args = 1.., requires = "propagate")]
    truth: Vec<PathBuf>,
    /// Write operator_0, ... (points of the next frame x points of this one), cells_0, ... (the
    /// cell of every point), and with --propagate mass_0, ... on the frames' grids
    #[arg(short, long, value_name = "FILE.npz")]
    out: Option<PathBuf>,
    /// Draw the mass that is followed, frame after frame
    #[arg(long, value_name = "FILE.png", requires = "propagate")]
    picture: Option<PathBuf>,
    /// Colours of the picture [default: magma]
    #[arg(long, value_enum, value_name = "NAME", requires = "picture")]
    colours: Option<Colours>,
    #[command(flatten)]
    starts: StartOptions,
    #[command(flatten)]
    spaces: SpaceOptions,
    #[command(flatten)]
    common: Common,
}

/// The JSON of a run.
#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    results: &'a GromovResults,
    frames: usize,
    sizes: Vec<usize>,
    laws: Vec<String>,
    kappa: f64,
    /// The mass that is followed, frame after frame.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    masses: Vec<f64>,
    /// |v - truth| / |truth| in L1, frame after frame.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<f64>,
    record: RunRecord,
}

pub(super) fn run(arguments: &Arguments, given: &Given) -> Result<Status> {
    for (option, path, ending) in
        [("--out", &arguments.out, "npz"), ("--picture", &arguments.picture, "png")]
    {
        path.iter().try_for_each(|path| outputs::check_ending(option, path, &[ending]))?;
    }
    if !(arguments.damping >= 0.0 && arguments.damping.is_finite()) {
        let problem = format!("{} is not a number from 0 up", arguments.damping);
        return Err(Error::parameter("--damping", problem, "give for example 1e-3, or 0"));
    }
    let files = [&arguments.out, &arguments.picture].into_iter().flatten().map(PathBuf::as_path);
    arguments.check(given)?;
    let mut session = Session::begin(&arguments.common, arguments.inputs(), files)?;
    let frames = read_frames(arguments, &session)?;
    let followed = arguments
        .propagate
        .as_ref()
        .map(|file| followed_mass(file.as_deref(), &frames[0]))
        .transpose()?;
    let mut truth = read_arrays(&arguments.truth, MassOption::default())?;
    if !truth.is_empty() && truth.len() != frames.len() {
        let problem = format!("{} arrays for {} frames", truth.len(), frames.len());
        return Err(Error::parameter("--truth", problem, "give one for each frame"));
    }
    for (frame, truth) in frames.iter().zip(&truth) {
        if truth.shape() != frame.shape {
            let (expected, found) = (format!("{:?}", frame.shape), format!("{:?}", truth.shape()));
            return Err(Error::shape("an array of --truth", expected, found));
        }
    }
    match &arguments.propagate {
        // A frame counts with mass 1, and so does what should come of it.
        Some(None) => truth.iter_mut().for_each(|truth| {
            let mass = truth.sum();
            *truth /= if mass > 0.0 { mass } else { 1.0 };
        }),
        _ => check_masses(followed.as_ref(), &truth, &session),
    }
    let problem = chain(arguments, &frames)?;
    problem.validate()?;
    let epsilon = arguments.epsilon.map_or_else(|| default_epsilon(&problem), Ok)?;
    let control = arguments.starts.control(&arguments.common, epsilon);
    control.validate()?;
    session.note(&format!("{} frames, epsilon {epsilon:.3e}", frames.len()));
    session.lap("read");

    let Solved { engine, results, best } = solve(&problem, &control, &mut session)?;
    let operators = operators(arguments, &best)?;
    let way = match followed {
        Some(mass) => propagate(&operators, mass)?,
        None => Vec::new(),
    };
    let drawn = way.iter().zip(&frames).map(|(mass, frame)| frame.draw(mass));
    let drawn = drawn.collect::<Result<Vec<_>>>()?;
    let errors = drawn.iter().zip(&truth).map(|(found, truth)| relative_error(found, truth));
    let errors: Vec<f64> = errors.collect();
    for (frame, error) in errors.iter().enumerate() {
        session.note(&format!("frame {frame}: off the truth by {error:.3} of its mass"));
    }
    write(arguments, &frames, &operators, &drawn)?;
    session.finish(&engine, &results, |record| Report {
        results: &results,
        frames: frames.len(),
        sizes: frames.iter().map(|frame| frame.cells.len()).collect(),
        laws: problem.nodes.iter().map(|node| node.law.to_string()).collect(),
        kappa: arguments.damping,
        masses: way.iter().map(|mass| mass.sum()).collect(),
        errors,
        record,
    })
}

impl Arguments {
    /// Refuses options that frames have no use for, and numbers outside their domain.
    fn check(&self, given: &Given) -> Result<()> {
        given.refuse(&LABEL_OPTIONS, "transfer, whose frames have no labels")?;
        given.refuse(&["as"], "transfer, which reads arrays as densities")?;
        given.refuse(&["side"], "transfer, whose frames keep their cells")?;
        if self.spaces.space == Surface::Sphere {
            given.refuse(&["distance"], "--space sphere")?;
        }
        self.starts.control(&self.common, self.epsilon.unwrap_or(1.0)).validate()
    }

    /// All files that are read.
    fn inputs(&self) -> impl Iterator<Item = &Path> {
        let followed = self.propagate.iter().flatten();
        self.frames.iter().chain(&self.truth).chain(followed).map(PathBuf::as_path)
    }
}

/// Warns where the mass that is followed and that of the truth differ: the error has that in it.
fn check_masses(followed: Option<&Array1<f64>>, truth: &[Array2<f64>], session: &Session) {
    const MUCH: f64 = 0.01;
    let (Some(followed), Some(truth)) = (followed, truth.first()) else { return };
    let (followed, truth) = (followed.sum(), truth.sum());
    if (followed - truth).abs() > MUCH * truth.abs() {
        let [followed, truth] = [followed, truth].map(outputs::rounded);
        session.warn(&format!(
            "the mass to follow is {followed}, that of the truth {truth}: errors have the difference \
             in them; scale one of them"
        ));
    }
}

fn read_frames(arguments: &Arguments, session: &Session) -> Result<Vec<GridSpace>> {
    let arrays = read_arrays(&arguments.frames, arguments.spaces.mass)?;
    if arrays.len() < 2 {
        return Err(Error::parameter("the frames", "there is only one", "give two or more"));
    }
    let frames = arrays.iter().enumerate().map(|(index, array)| {
        let frame = match arguments.spaces.space {
            Surface::Plane => GridSpace::plane(array.view())
                .and_then(|frame| frame.measured_by(arguments.spaces.distance)),
            Surface::Sphere => GridSpace::sphere(array.view()),
        };
        let frame = frame.map_err(|error| named(error, index))?;
        session.note(&format!("frame {index}: {} points", frame.cells.len()));
        Ok(frame)
    });
    frames.collect()
}

/// The error, with the number of its frame.
fn named(error: Error, frame: usize) -> Error {
    match error {
        Error::Data { problem, remedy, .. } => {
            Error::data(format!("frame {frame}"), problem, remedy)
        }
        other => other,
    }
}

/// Arrays of two axes from files, or from one file of three axes.
fn read_arrays(paths: &[PathBuf], mass: MassOption) -> Result<Vec<Array2<f64>>> {
    let mut arrays = Vec::new();
    for path in paths {
        let input = Input::read(path, mass.into())?;
        let (name, shape) = (input.name(), format!("{:?}", input.values.shape()));
        let whole = input.values;
        let parts = match whole.ndim() {
            3 if paths.len() == 1 => whole.axis_iter(Axis(0)).map(|part| part.to_owned()).collect(),
            _ => vec![whole],
        };
        for part in parts {
            arrays.push(part.into_dimensionality::<Ix2>().map_err(|_| {
                let expected = "an array of two axes, or one file of three";
                Error::shape(&name, expected, format!("shape {shape}"))
            })?);
        }
    }
    Ok(arrays)
}

/// The mass to follow, on the points of the first frame.
fn followed_mass(file: Option<&Path>, frame: &GridSpace) -> Result<Array1<f64>> {
    let Some(path) = file else { return Ok(frame.space.weights.clone()) };
    let mass = read_arrays(&[path.to_owned()], MassOption::default())?.swap_remove(0);
    if mass.shape() != frame.shape {
        let expected = format!("{:?}, the shape of the first frame", frame.shape);
        return Err(Error::shape(
            path.display().to_string(),
            expected,
            format!("{:?}", mass.shape()),
        ));
    }
    let flat: Vec<f64> = mass.iter().copied().collect();
    Ok(frame.cells.iter().map(|&cell| flat[cell]).collect())
}

fn chain(arguments: &Arguments, frames: &[GridSpace]) -> Result<Problem> {
    let mut problem = Problem { reference: arguments.reference.into(), ..Problem::default() };
    for (frame, law) in frames.iter().zip(arguments.spaces.laws(frames.len())?) {
        problem.node(frame.space.clone(), law);
    }
    for next in 1..frames.len() {
        problem.edge(next - 1, next, 1.0);
    }
    Ok(problem)
}

fn operators(arguments: &Arguments, best: &Solution) -> Result<Vec<Transfer>> {
    let operators = best.plans.iter().map(|plan| {
        let largest = plan.sum_axis(Axis(1)).iter().copied().fold(0.0, f64::max);
        Transfer::new(plan, arguments.damping * largest)
    });
    operators.collect()
}

fn relative_error(found: &Array2<f64>, truth: &Array2<f64>) -> f64 {
    let size = truth.iter().map(|value| value.abs()).sum::<f64>();
    (found - truth).iter().map(|value| value.abs()).sum::<f64>() / size.max(f64::MIN_POSITIVE)
}

fn write(
    arguments: &Arguments,
    frames: &[GridSpace],
    operators: &[Transfer],
    drawn: &[Array2<f64>],
) -> Result<()> {
    if let Some(path) = &arguments.out {
        let mut arrays: Vec<(String, ArrayD<f64>)> = Vec::new();
        for (index, operator) in operators.iter().enumerate() {
            arrays.push((format!("operator_{index}"), operator.matrix().clone().into_dyn()));
        }
        for (index, frame) in frames.iter().enumerate() {
            let cells: Array1<f64> = frame.cells.iter().map(|&cell| cell as f64).collect();
            arrays.push((format!("cells_{index}"), cells.into_dyn()));
        }
        for (index, mass) in drawn.iter().enumerate() {
            arrays.push((format!("mass_{index}"), mass.clone().into_dyn()));
        }
        npz::write(path, &arrays)?;
    }
    if let Some(path) = &arguments.picture {
        let colours = arguments.colours.unwrap_or(Colours::Magma);
        let style = Style::new(colours.into()).scale(Scale::Quantile(0.995));
        write_png(path, &strip(drawn, &style)?)?;
    }
    Ok(())
}
