//! One distance.

use std::path::Path;

use gaspard::flat::neural::{Epoch, TestFunction, Training, calibrated};
use gaspard::flat::{Cloud, Distance, Method, Sinkhorn, exact, extended};
use gaspard::io::npz;
use gaspard::report::flat::FlatResults;
use gaspard::report::record::RunRecord;
use gaspard::{Engine, Error, Result};
use ndarray::{Array1, Array2};
use serde::Serialize;

use super::{Arguments, clouds, pictures};
use crate::cli::session::Session;
use crate::cli::status::{Status, Summary};
use crate::cli::{interrupt, outputs};

#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    results: &'a FlatResults,
    method: &'static str,
    record: RunRecord,
}

impl Summary for FlatResults {
    fn status(&self) -> Status {
        Status::of(&self.outcome)
    }

    fn numbers(&self) -> Vec<(&'static str, f64)> {
        let Distance { value, normalised, lower, upper } = self.distance;
        let named = |name, value: Option<f64>| value.map(|value| (name, value));
        [("value", value)]
            .into_iter()
            .chain(named("normalised", normalised))
            .chain([("lower", lower), ("upper", upper)])
            .chain(named("std", self.std))
            .chain(named("calibrated", self.calibrated))
            .collect()
    }
}

/// The test function that a method found, wherever it is asked for.
enum Field {
    Points(Vec<f64>),
    Network(TestFunction),
}

impl Field {
    fn evaluate(&self, b: &Cloud, points: &Array2<f64>) -> Result<Array1<f64>> {
        match self {
            Self::Points(f_b) => extended(b, f_b, points),
            Self::Network(function) => function.evaluate(points),
        }
    }
}

/// All that a method found.
struct Found {
    results: FlatResults,
    f_a: Vec<f64>,
    f_b: Vec<f64>,
    plan: Option<Vec<(u32, u32, f64)>>,
    field: Field,
    curve: Vec<Epoch>,
}

pub(super) fn run(arguments: &Arguments, a: &Path, b: &Path) -> Result<Status> {
    let Arguments { out, train_curve, field, common, method, scale, .. } = arguments;
    for (option, file, endings) in [
        ("--out", out, &["npz"][..]),
        ("--train-curve", train_curve, &["png", "npy"]),
        ("--field", field, &["png"]),
    ] {
        if let Some(file) = file {
            outputs::check_ending(option, file, endings)?;
        }
    }
    if train_curve.is_some() && !method.is_neural() {
        let remedy = "add --method tight or --method paper";
        return Err(Error::parameter("--train-curve", "no network is trained", remedy));
    }
    let files = [out, train_curve, field].into_iter().flatten().map(std::path::PathBuf::as_path);
    let weights = [&arguments.weights_a, &arguments.weights_b].into_iter().flatten();
    let inputs = [a, b].into_iter().chain(weights.map(std::path::PathBuf::as_path));
    let mut session = Session::begin(common, inputs, files)?;
    let a = clouds::read(a, arguments.weights_a.as_deref(), arguments.mass, *scale)?;
    let b = clouds::read(b, arguments.weights_b.as_deref(), arguments.mass, *scale)?;
    let dimension = a.points().ncols();
    if field.is_some() && dimension != 2 {
        let problem = format!("points have {dimension} coordinates");
        return Err(Error::parameter("--field", problem, "it draws test functions in the plane"));
    }
    session.lap("read");
    let engine = method.open_engine(&session)?;
    let points = (a.weights().len(), b.weights().len());
    let chosen = method.choose(None, points, &arguments.iterating, common.seed, &engine)?;
    let mut found = match &chosen.method {
        Method::Exact => exactly(&a, &b)?,
        Method::Sinkhorn(sinkhorn) => entropic(&a, &b, *sinkhorn, &engine, &session)?,
        Method::Neural(training) => learned(&a, &b, training, &engine, &session)?,
    };
    if chosen.name == "paper"
        && let Some(normalised) = found.results.distance.normalised
    {
        let ratio = b.mass() / a.mass();
        found.results.calibrated = Some(calibrated(normalised, dimension, ratio));
    }
    session.lap("solve");
    let results = &found.results;
    let Distance { value, lower, upper, .. } = results.distance;
    let [value, lower, upper] = [value, lower, upper].map(outputs::rounded);
    let (name, seconds) = (chosen.name, results.outcome.seconds);
    let line = format!("{value}, between {lower} and {upper}, by {name} in {seconds:.2} s");
    match results.status() {
        Status::Interrupted => session.warn(&format!("interrupted: {line}")),
        Status::NotConverged => session.warn(&format!(
            "not converged: {line}: allow more --max-iterations, or a larger --tolerance"
        )),
        Status::Done => session.note(&line),
    }
    if let Some(path) = out {
        write_function(path, &found)?;
    }
    if let Some(path) = train_curve {
        pictures::curve(path, &found.curve)?;
    }
    if let Some(path) = field {
        pictures::field(path, &a, &b, |points| found.field.evaluate(&b, points))?;
    }
    session.finish(&engine, results, |record| Report { results, method: name, record })
}

fn exactly(a: &Cloud, b: &Cloud) -> Result<Found> {
    let solution = exact(a, b, &mut interrupt::requested)?;
    Ok(Found {
        results: FlatResults::from(&solution),
        field: Field::Points(solution.f_b.clone()),
        f_a: solution.f_a,
        f_b: solution.f_b,
        plan: Some(solution.plan),
        curve: Vec::new(),
    })
}

fn entropic(
    a: &Cloud,
    b: &Cloud,
    sinkhorn: Sinkhorn,
    engine: &Engine,
    session: &Session<'_>,
) -> Result<Found> {
    let mut watch = session.watch("bounds off by");
    let bracket = sinkhorn.solve_with(a, b, engine, &mut watch)?;
    Ok(Found {
        results: FlatResults::from(&bracket),
        field: Field::Points(bracket.f_b.clone()),
        f_a: bracket.f_a,
        f_b: bracket.f_b,
        plan: None,
        curve: Vec::new(),
    })
}

fn learned(
    a: &Cloud,
    b: &Cloud,
    training: &Training,
    engine: &Engine,
    session: &Session<'_>,
) -> Result<Found> {
    let mut watch = session.watch("epochs left");
    let trained = training.solve_with(a, b, engine, &mut watch)?;
    let [f_a, f_b] = [a, b].map(|cloud| trained.function.evaluate(cloud.points()));
    Ok(Found {
        results: FlatResults::from(&trained),
        f_a: f_a?.to_vec(),
        f_b: f_b?.to_vec(),
        plan: None,
        field: Field::Network(trained.function),
        curve: trained.curve,
    })
}

fn write_function(path: &Path, found: &Found) -> Result<()> {
    let line = |values: &[f64]| Array1::from(values.to_vec()).into_dyn();
    let mut arrays = vec![("f_a", line(&found.f_a)), ("f_b", line(&found.f_b))];
    if let Some(plan) = &found.plan {
        let entries = plan.iter().map(|&(i, j, mass)| [f64::from(i), f64::from(j), mass]);
        let entries: Vec<[f64; 3]> = entries.collect();
        arrays.push(("plan", Array2::from(entries).into_dyn()));
    }
    npz::write(path, &arrays)
}
