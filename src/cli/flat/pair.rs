//! One distance.

use std::path::Path;
use std::time::Instant;

use gaspard::flat::neural::{Epoch, TestFunction, Training, calibrated};
use gaspard::flat::{Cloud, Distance, Method, Sinkhorn, exact, extended};
use gaspard::io::npz;
use gaspard::report::record::RunRecord;
use gaspard::{Engine, Error, Result};
use ndarray::{Array1, Array2};
use serde::Serialize;

use super::{Arguments, clouds, pictures};
use crate::cli::session::Session;
use crate::cli::status::{Status, Summary};
use crate::cli::{interrupt, outputs};

/// A distance in JSON.
#[derive(Serialize)]
struct Found {
    #[serde(flatten)]
    distance: Distance,
    /// upper - lower.
    gap: f64,
    /// Of a value that is a mean over epochs.
    std: Option<f64>,
    /// The integral of a learned function.
    learned: Option<f64>,
    /// The normalised value of `paper` without its expected error, which was fitted to the paper's
    /// table 1.
    calibrated: Option<f64>,
    method: &'static str,
    /// The least entropic strength of sinkhorn, a distance; none of other methods.
    epsilon: Option<f64>,
    /// Pivots, iterations or epochs.
    iterations: u64,
    seconds: f64,
    converged: bool,
    interrupted: bool,
}

#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    found: &'a Found,
    record: RunRecord,
}

impl Summary for Found {
    fn status(&self) -> Status {
        Status::new(self.interrupted, self.converged)
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
struct Outcome {
    found: Found,
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
    let begin = Instant::now();
    let mut outcome = match &chosen.method {
        Method::Exact => exactly(&a, &b)?,
        Method::Sinkhorn(sinkhorn) => entropic(&a, &b, *sinkhorn, &engine, &session)?,
        Method::Neural(training) => learned(&a, &b, training, &engine, &session)?,
    };
    outcome.found.method = chosen.name;
    outcome.found.seconds = begin.elapsed().as_secs_f64();
    if chosen.name == "paper"
        && let Some(normalised) = outcome.found.distance.normalised
    {
        let ratio = b.mass() / a.mass();
        outcome.found.calibrated = Some(calibrated(normalised, dimension, ratio));
    }
    session.lap("solve");
    let found = &outcome.found;
    let [value, lower, upper] =
        [found.distance.value, found.distance.lower, found.distance.upper].map(outputs::rounded);
    let name = chosen.name;
    let line = format!("{value}, between {lower} and {upper}, by {name} in {:.2} s", found.seconds);
    match (found.interrupted, found.converged) {
        (true, _) => session.warn(&format!("interrupted: {line}")),
        (false, false) => session.warn(&format!(
            "not converged: {line}: allow more --max-iterations, or a larger --tolerance"
        )),
        (false, true) => session.note(&line),
    }
    if let Some(path) = out {
        write_function(path, &outcome)?;
    }
    if let Some(path) = train_curve {
        pictures::curve(path, &outcome.curve)?;
    }
    if let Some(path) = field {
        pictures::field(path, &a, &b, |points| outcome.field.evaluate(&b, points))?;
    }
    session.finish(&engine, found, |record| Report { found, record })
}

fn found(distance: Distance, iterations: u64) -> Found {
    Found {
        distance,
        gap: distance.upper - distance.lower,
        std: None,
        learned: None,
        calibrated: None,
        method: "",
        epsilon: None,
        iterations,
        seconds: 0.0,
        converged: true,
        interrupted: false,
    }
}

fn exactly(a: &Cloud, b: &Cloud) -> Result<Outcome> {
    let solution = exact(a, b, &mut interrupt::requested)?;
    let interrupted = interrupt::requested();
    Ok(Outcome {
        found: Found {
            interrupted,
            converged: !interrupted,
            ..found(solution.distance, solution.pivots)
        },
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
) -> Result<Outcome> {
    let mut watch = session.watch_bounds();
    let bracket = sinkhorn.solve_batch(&[(a, b)], engine, &mut watch)?;
    let bracket = bracket.into_iter().next().expect("one pair, one result");
    Ok(Outcome {
        found: Found {
            epsilon: Some(bracket.epsilon),
            converged: bracket.converged,
            interrupted: bracket.interrupted,
            ..found(bracket.distance, bracket.iterations as u64)
        },
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
) -> Result<Outcome> {
    let mut watch = session.watch_epochs();
    let trained = training.solve_batch(&[(a, b)], engine, &mut watch)?;
    // None is missing: a training that is stopped at once has its first network.
    let trained = trained.into_iter().next().expect("one pair, one result");
    let [f_a, f_b] = [a, b].map(|cloud| trained.function.evaluate(cloud.points()));
    Ok(Outcome {
        found: Found {
            std: trained.std,
            learned: Some(trained.learned),
            converged: !trained.interrupted,
            interrupted: trained.interrupted,
            ..found(trained.distance, trained.curve.len() as u64)
        },
        f_a: f_a?.to_vec(),
        f_b: f_b?.to_vec(),
        plan: None,
        field: Field::Network(trained.function),
        curve: trained.curve,
    })
}

fn write_function(path: &Path, outcome: &Outcome) -> Result<()> {
    let line = |values: &[f64]| Array1::from(values.to_vec()).into_dyn();
    let mut arrays = vec![("f_a", line(&outcome.f_a)), ("f_b", line(&outcome.f_b))];
    if let Some(plan) = &outcome.plan {
        let entries = plan.iter().map(|&(i, j, mass)| [f64::from(i), f64::from(j), mass]);
        let entries: Vec<[f64; 3]> = entries.collect();
        arrays.push(("plan", Array2::from(entries).into_dyn()));
    }
    npz::write(path, &arrays)
}
