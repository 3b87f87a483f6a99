//! `gaspard barycenter --metric gromov|fused`: the average of spaces on a grid.

use std::path::{Path, PathBuf};

use gaspard::gromov::{Barycenter, Control, GridSpace, Solution};
use gaspard::io::npy;
use gaspard::report::gromov::GromovResults;
use gaspard::report::record::RunRecord;
use gaspard::{Engine, Error, Result};
use ndarray::{Array2, ArrayD};
use serde::Serialize;

use super::default_epsilon;
use super::spaces::{NamedSpace, Surface, kinds_of};
use super::{StartOptions, picture};
use crate::cli::barycenter::{Arguments, Metric, write_frames, write_mean};
use crate::cli::given::Given;
use crate::cli::inputs::{self, Input};
use crate::cli::options::{As, MassOption, ReferenceOption};
use crate::cli::outputs;
use crate::cli::session::Session;
use crate::cli::status::Status;

/// What only spaces have.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Spaces")]
pub(in crate::cli) struct GromovOptions {
    #[command(flatten)]
    pub starts: StartOptions,
    /// The labels of the support's cells [default: every cell once with every label]
    #[arg(long, value_name = "FILE.npy", requires = "labels")]
    pub support_labels: Option<PathBuf>,
    /// What the entropy is relative to
    #[arg(long, value_enum, value_name = "WHICH", default_value = "counting")]
    pub reference: ReferenceOption,
    /// Draw inputs and barycenter side by side: the first input coloured by place, all else by
    /// where its mass comes from; with labels, in the colours of the labels
    #[arg(long, value_name = "FILE.png")]
    pub picture: Option<PathBuf>,
    /// Write the plans, points of an input in rows, those of the barycenter in columns: NAME_0.npy
    /// for the first input, NAME_1.npy, ...
    #[arg(long, value_name = "NAME.npy")]
    pub coupling: Option<PathBuf>,
}

impl GromovOptions {
    /// Where the plans go, one file for each input; none where they are not asked for.
    pub(super) fn coupling_files(&self, inputs: usize) -> Vec<PathBuf> {
        self.coupling.as_ref().map_or(Vec::new(), |path| outputs::numbered(path, inputs))
    }
}

/// The JSON of a run.
#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    results: &'a GromovResults,
    metric: Metric,
    inputs: Vec<String>,
    weights: Vec<f64>,
    support: [usize; 2],
    laws: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    frames: Vec<GromovResults>,
    record: RunRecord,
}

/// Inputs and support.
struct Spaces {
    inputs: Vec<NamedSpace>,
    support: GridSpace,
}

pub(in crate::cli) fn run(arguments: &Arguments, given: &Given) -> Result<Status> {
    let options = &arguments.gromov;
    if arguments.metric == Metric::Gromov {
        given.refuse_unless(
            &["alpha"],
            "--metric gromov",
            "use --metric fused, or leave it out",
        )?;
    }
    options.starts.control(&arguments.common, arguments.epsilon.unwrap_or(1.0)).validate()?;
    let (strip_file, animation_file) = arguments.frame_files();
    let couplings = options.coupling_files(arguments.inputs.len());
    let files = [
        &arguments.out,
        &arguments.npy,
        &arguments.frames_npy,
        &strip_file,
        &animation_file,
        &options.picture,
    ];
    let files = files.into_iter().flatten().chain(&couplings).map(PathBuf::as_path);
    let mut session = Session::begin(&arguments.common, arguments.files(), files)?;
    let spaces = read(arguments, &session)?;
    arguments.check_pictures(&spaces.support.shape)?;
    let problem = problem(arguments, &spaces, &session.host())?;
    problem.validate()?;
    let epsilon = arguments.epsilon.map_or_else(|| default_epsilon(problem.problem()), Ok)?;
    let control = Control {
        plans: options.picture.is_some() || options.coupling.is_some(),
        ..options.starts.control(&arguments.common, epsilon)
    };
    control.validate()?;
    if arguments.frames.is_some() && spaces.inputs.len() != 2 {
        let problem = format!("there are {} inputs", spaces.inputs.len());
        let remedy = "the way between spaces takes two";
        return Err(Error::parameter("--frames", problem, remedy));
    }
    session.note(&format!("epsilon {epsilon:.3e}"));
    session.lap("read");

    let engine = session.open_device()?;
    let mut watch = session.watch("change of the plan");
    let solutions = problem.solve_seeds(&control, &engine, &mut watch)?;
    let mut results = GromovResults::of(&solutions).expect("every start leads to a plan");
    let mut frames = Vec::new();
    if let Some(count) = arguments.frames.filter(|_| !results.outcome.interrupted) {
        session.note(&format!("{count} frames"));
        frames = problem.solve_frames(count as usize, &control, &engine, &mut watch)?;
    }
    drop(watch);
    session.lap("solve");
    let frame_results: Vec<_> =
        frames.iter().filter_map(|frame| GromovResults::of(std::slice::from_ref(frame))).collect();
    results.outcome = frames.iter().fold(results.outcome, |all, frame| all.and(&frame.outcome));
    // A frame that was stopped before its first plan is missing.
    results.outcome.interrupted |=
        arguments.frames.is_some_and(|count| frames.len() < count as usize);
    session.summarise_gromov(&results);

    let density = |solution: &Solution| -> Result<ArrayD<f64>> {
        let drawn = spaces.support.draw(Barycenter::weights_of(solution))?;
        let mass = drawn.sum();
        Ok((drawn / mass).into_dyn())
    };
    write_mean(arguments, &density(&solutions[0])?)?;
    if !frames.is_empty() {
        let drawn = frames.iter().map(density).collect::<Result<Vec<_>>>()?;
        write_frames(arguments, (strip_file.as_deref(), animation_file.as_deref()), &drawn)?;
    }
    if let Some(path) = &options.picture {
        draw(path, &problem, &spaces, &solutions[0])?;
    }
    write_couplings(&couplings, &solutions[0].plans)?;
    session.finish(&engine, &results, |record| Report {
        results: &results,
        metric: arguments.metric,
        inputs: spaces.inputs.iter().map(|named| named.name.clone()).collect(),
        weights: arguments.weights(),
        support: spaces.support.shape,
        laws: problem.problem().nodes[1..].iter().map(|node| node.law.to_string()).collect(),
        frames: frame_results,
        record,
    })
}

/// The inputs, with labels where these count.
pub(super) fn read_inputs(arguments: &Arguments, session: &Session) -> Result<Vec<NamedSpace>> {
    let options = &arguments.spaces;
    let fused = arguments.metric == Metric::Fused;
    if fused == options.labels.is_empty() {
        return Err(Error::parameter(
            "--labels",
            if fused { "--metric fused has none" } else { "--metric gromov has no use for them" },
            "give one file for each input with --metric fused",
        ));
    }
    let labels = options.read_labels(arguments.inputs.len())?;
    (arguments.inputs.iter().enumerate())
        .map(|(index, path)| {
            let labels = labels.as_ref().map(|labels| &labels[index]);
            let named = NamedSpace::read(path, labels, options, As::Density)?;
            let (name, points) = (&named.name, named.space.len());
            session.note(&format!("{name}: a space of {points} points"));
            Ok(named)
        })
        .collect()
}

fn read(arguments: &Arguments, session: &Session) -> Result<Spaces> {
    let options = &arguments.spaces;
    let inputs = read_inputs(arguments, session)?;
    let shape = support_shape(arguments, &inputs)?;
    inputs::require_room(&session.host(), "the support", &shape)?;
    let support = match options.space {
        Surface::Plane => GridSpace::whole_plane(shape)?.measured_by(options.distance)?,
        Surface::Sphere => GridSpace::whole_sphere(shape)?,
    };
    let support = match (&arguments.gromov.support_labels, arguments.metric == Metric::Fused) {
        (None, false) => support,
        (None, true) => {
            let kinds = kinds_of(inputs.iter().map(|named| &named.space));
            support.times_labels(kinds)
        }
        (Some(path), _) => {
            let labels = Input::read(path, MassOption::default().into())?.values;
            let named = NamedSpace::of_grid("the support", support, Some(&labels))?;
            let NamedSpace { space, grid, .. } = named;
            let grid = grid.expect("made of a grid");
            GridSpace { space, ..grid }
        }
    };
    Ok(Spaces { inputs, support })
}

/// Rows and columns: those asked for, or those of the first picture.
fn support_shape(arguments: &Arguments, inputs: &[NamedSpace]) -> Result<[usize; 2]> {
    match &arguments.support {
        Some(grid) => grid.shape().try_into().map_err(|_| {
            let problem = format!("it has {} axes", grid.dimension());
            Error::parameter("--support", problem, "give rows and columns, as in 64x64")
        }),
        None => inputs[0].grid.as_ref().map(|grid| grid.shape).ok_or_else(|| {
            let problem = "the first input is not a picture".to_owned();
            Error::parameter("--support", problem, "give rows and columns, as in 64x64")
        }),
    }
}

fn problem(arguments: &Arguments, spaces: &Spaces, host: &Engine) -> Result<Barycenter> {
    let inputs: Vec<_> = spaces.inputs.iter().map(|named| &named.space).collect();
    let mut problem = Barycenter::of(&inputs, &spaces.support.space)
        .weights(&arguments.weights())
        .laws(&arguments.spaces.laws(inputs.len())?)
        .reference(arguments.gromov.reference.into());
    if arguments.metric == Metric::Fused {
        let kinds = kinds_of(inputs.iter().copied().chain([&spaces.support.space]));
        problem = problem.fused(arguments.spaces.fused(kinds, host)?);
    }
    Ok(problem)
}

/// One plan a file.
pub(super) fn write_couplings(files: &[PathBuf], plans: &[Array2<f64>]) -> Result<()> {
    let mut pairs = files.iter().zip(plans);
    pairs.try_for_each(|(path, plan)| npy::write(path, plan.view().into_dyn()))
}

fn draw(path: &Path, problem: &Barycenter, spaces: &Spaces, best: &Solution) -> Result<()> {
    let mut grids = vec![Some(&spaces.support)];
    grids.extend(spaces.inputs.iter().map(|named| named.grid.as_ref()));
    picture::write(path, problem.problem(), &grids, 1, best)
}
