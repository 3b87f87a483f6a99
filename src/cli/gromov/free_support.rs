//! `gaspard barycenter --metric gromov|fused --points N`: the average of spaces on free points.

use std::path::PathBuf;

use gaspard::gromov::{Coloured, FreeSupport, FreeSupportSolution, Plans, carry_colours, embed};
use gaspard::io::{npy, npz};
use gaspard::report::gromov::GromovResults;
use gaspard::report::record::RunRecord;
use gaspard::{Cost, Engine, Error, Result};
use ndarray::{Array2, ArrayD, Axis, concatenate};
use serde::Serialize;

use super::barycenter::{read_inputs, write_couplings};
use super::spaces::{NamedSpace, kinds_of};
use super::{ENTROPIC_OPTIONS, cloud};
use crate::cli::barycenter::{Arguments, Metric};
use crate::cli::given::Given;
use crate::cli::session::Session;
use crate::cli::status::Status;

/// Squared distances of labels may miss those of points by this much, relatively.
const NOT_EUCLIDEAN: f64 = 1e-9;

/// The JSON of a run.
#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    results: &'a GromovResults,
    metric: Metric,
    inputs: Vec<String>,
    weights: Vec<f64>,
    points: usize,
    method: &'static str,
    record: RunRecord,
}

pub(in crate::cli) fn run(arguments: &Arguments, given: &Given, points: usize) -> Result<Status> {
    check(arguments, given)?;
    let epsilon = arguments.epsilon.filter(|epsilon| *epsilon != 0.0);
    let couplings = arguments.gromov.coupling_files(arguments.inputs.len());
    let files = [&arguments.out, &arguments.gromov.picture];
    let files = files.into_iter().flatten().chain(&couplings).map(PathBuf::as_path);
    let mut session = Session::begin(&arguments.common, arguments.files(), files)?;
    let inputs = read_inputs(arguments, &session)?;
    let problem = problem(arguments, points, epsilon, &inputs, &session.host())?;
    session.lap("read");

    let engine = match epsilon {
        Some(_) => session.open_device()?,
        None => {
            session.note("device: CPU (f64), which exact plans always run on");
            session.host()
        }
    };
    let mut watch = session.watch("change of the barycenter");
    let starts = arguments.gromov.starts.seeds as usize;
    let solutions = problem.solve_seeds(starts, &engine, &mut watch)?;
    drop(watch);
    session.lap("solve");
    let epsilon = epsilon.unwrap_or(0.0);
    let results = GromovResults::of_free_support(&solutions, epsilon);
    let results = results.expect("every start leads to a barycenter");
    let (method, steps) =
        if epsilon == 0.0 { ("exact", "exact plans") } else { ("sinkhorn", "sweeps") };
    session.summarise_rounds(&results, ["rounds", steps, "barycenter"]);
    write(arguments, &inputs, &solutions[0], &couplings)?;
    session.finish(&engine, &results, |record| Report {
        results: &results,
        metric: arguments.metric,
        inputs: inputs.iter().map(|named| named.name.clone()).collect(),
        weights: arguments.weights(),
        points,
        method,
        record,
    })
}

/// Refuses what only grids have, or only entropic plans, and numbers outside their domain.
fn check(arguments: &Arguments, given: &Given) -> Result<()> {
    let of_grids =
        ["frames", "npy", "law", "rho", "support-labels", "reference", "colours", "enlarge"];
    let remedy = "leave it out, or give --support in place of --points";
    given.refuse_unless(&of_grids, "--points", remedy)?;
    if arguments.metric == Metric::Gromov {
        given.refuse_unless(
            &["alpha"],
            "--metric gromov",
            "use --metric fused, or leave it out",
        )?;
    }
    match arguments.epsilon {
        None | Some(0.0) => {
            let remedy = "give a positive --epsilon, or leave it out";
            given.refuse_unless(&ENTROPIC_OPTIONS, "exact plans", remedy)?;
            arguments.common.device.expect_cpu("a barycenter of exact plans");
            Ok(())
        }
        Some(epsilon) => arguments.gromov.starts.control(&arguments.common, epsilon).validate(),
    }
}

fn problem(
    arguments: &Arguments,
    points: usize,
    epsilon: Option<f64>,
    inputs: &[NamedSpace],
    host: &Engine,
) -> Result<FreeSupport> {
    let Arguments { common, gromov, .. } = arguments;
    let spaces = inputs.iter().map(|named| named.space.clone()).collect();
    let mut problem = FreeSupport::of(spaces, points).weights(&arguments.weights());
    problem = problem.seed(common.seed);
    let iterating = gromov.starts.annealing.iterating;
    if let Some(tolerance) = iterating.tolerance {
        problem = problem.tolerance(tolerance);
    }
    if let Some(rounds) = iterating.iterations() {
        problem = problem.max_iterations(rounds);
    }
    if let Some(epsilon) = epsilon {
        // Starts are those of barycenters, and iterations are rounds.
        let control = gromov.starts.control(common, epsilon);
        let defaults = gaspard::gromov::Control::new(epsilon);
        let control = gaspard::gromov::Control {
            seeds: 1,
            max_iterations: defaults.max_iterations,
            ..control
        };
        problem = problem.plans(Plans::Entropic(control));
    }
    if arguments.metric == Metric::Fused {
        let kinds = kinds_of(inputs.iter().map(|named| &named.space));
        let fused = arguments.spaces.fused(kinds, host)?;
        let places = places_of_labels(&fused.label_costs, kinds)?;
        let features = inputs.iter().map(|named| places.select(Axis(0), labels_of(named)));
        problem = problem.features(features.collect(), fused.alpha);
    }
    Ok(problem)
}

fn labels_of(named: &NamedSpace) -> &[usize] {
    named.space.labels.as_deref().unwrap_or_default()
}

/// Points whose squared distances are the costs of labels: free points have mixtures of labels,
/// which are places between them.
fn places_of_labels(costs: &Array2<f64>, kinds: usize) -> Result<Array2<f64>> {
    if costs.nrows() < kinds {
        let found = format!("{} x {}", costs.nrows(), costs.ncols());
        return Err(Error::shape("the label costs", format!("{kinds} rows, one a label"), found));
    }
    let places = embed(costs, costs.nrows())?;
    let apart = |i: usize, j: usize| {
        let step = &places.row(i) - &places.row(j);
        step.dot(&step)
    };
    let largest = costs.iter().copied().fold(0.0, f64::max);
    let off = |((i, j), cost): ((usize, usize), &f64)| (apart(i, j) - cost).abs();
    if costs.indexed_iter().map(off).any(|error| error > NOT_EUCLIDEAN * largest) {
        return Err(Error::data(
            "the label costs",
            "no points have these squared distances, so that labels cannot be mixed",
            "give squared distances of points, or --support in place of --points",
        ));
    }
    Ok(places)
}

fn write(
    arguments: &Arguments,
    inputs: &[NamedSpace],
    best: &FreeSupportSolution,
    couplings: &[PathBuf],
) -> Result<()> {
    let distances = best.distances.view().into_dyn();
    let is_archive = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "npz");
    let archive = arguments.out.as_ref().filter(|path| is_archive(path));
    let shares = label_shares(arguments, inputs, best)?;
    if let Some(path) = arguments.out.as_ref().filter(|path| !is_archive(path)) {
        npy::write(path, distances)?;
    }
    if archive.is_some() || arguments.gromov.picture.is_some() {
        let places = in_the_plane(&best.distances, arguments.spaces.distance)?;
        if let Some(path) = archive {
            let mut arrays: Vec<(&str, ArrayD<f64>)> = vec![
                ("distances", best.distances.clone().into_dyn()),
                ("masses", best.masses.clone().into_dyn()),
                ("places", places.clone().into_dyn()),
            ];
            arrays.extend(shares.clone().map(|shares| ("label_shares", shares.into_dyn())));
            npz::write(path, &arrays)?;
        }
        if let Some(path) = &arguments.gromov.picture {
            cloud::write(path, inputs, best, &places, shares.as_ref())?;
        }
    }
    write_couplings(couplings, &best.plans)
}

/// How much of each label every point of the barycenter has, where there are labels.
fn label_shares(
    arguments: &Arguments,
    inputs: &[NamedSpace],
    best: &FreeSupportSolution,
) -> Result<Option<Array2<f64>>> {
    if arguments.metric != Metric::Fused {
        return Ok(None);
    }
    let kinds = kinds_of(inputs.iter().map(|named| &named.space));
    let pure: Vec<_> = inputs
        .iter()
        .map(|named| {
            let labels = labels_of(named);
            let has = |(point, kind)| f64::from(u8::from(labels[point] == kind));
            Array2::from_shape_fn((labels.len(), kinds), has)
        })
        .collect();
    let coloured: Vec<_> = (best.plans.iter().zip(&pure).zip(arguments.weights()))
        .map(|((plan, pure), weight)| Coloured { plan: plan.view(), colours: pure.view(), weight })
        .collect();
    carry_colours(&coloured, 0.0).map(Some)
}

/// Points in the plane that nearly have these distances.
fn in_the_plane(distances: &Array2<f64>, distance: Cost) -> Result<Array2<f64>> {
    let exponent = 2.0 / distance.power();
    let squared = distances.mapv(|distance| distance.powf(exponent));
    let dimensions = distances.nrows().min(2);
    let places = embed(&squared, dimensions)?;
    let missing = Array2::zeros((places.nrows(), 2 - dimensions));
    concatenate(Axis(1), &[places.view(), missing.view()])
        .map_err(|error| Error::shape("the places", "two columns", error.to_string()))
}
