//! All ways to the flat metric, behind one function.

use gaspard::Result;
use gaspard::flat::neural::{Epoch, Trained, Training, calibrated};
use gaspard::flat::{Cloud, Sinkhorn, exact};

use crate::common::{Context, Sheet, Size, mean};
use crate::pair::{Pair, normalised};

/// How near the bounds of entropic transport are to be, relative to the distance.
const TOLERANCE: f64 = 1e-3;

/// The names of columns that experiments look at.
pub const PAPER: &str = "paper mode";
pub const CALIBRATED: &str = "calibrated";
pub const TIGHT: &str = "tight";
/// The value of the network itself, before its c-transform.
pub const LEARNED: &str = "tight, learned";

/// Distances below this are left out of means of what networks of the tight kind learned.
const HARDLY: f64 = 0.1;

/// How networks of both kinds are trained.
#[derive(Clone, Debug)]
pub struct Setup {
    pub paper: Training,
    pub tight: Training,
}

impl Setup {
    /// What the paper's table 1 comes out with.
    pub fn new(size: Size) -> Self {
        Self {
            paper: Training::paper().epochs(size.pick(60, 2000, 3000)),
            tight: Training::tight().epochs(size.pick(30, 800, 1500)),
        }
    }
}

/// Normalised estimates of all pairs, one way.
pub struct Column {
    pub name: &'static str,
    pub values: Vec<f64>,
    /// The training of each pair, where there is one.
    pub curves: Vec<Vec<Epoch>>,
}

impl Column {
    fn new(name: &'static str, values: Vec<f64>) -> Self {
        Self { name, values, curves: Vec::new() }
    }

    /// Their relative errors.
    pub fn errors(&self, pairs: &[Pair]) -> Vec<f64> {
        errors(&self.values, pairs)
    }
}

/// Relative errors.
pub fn errors(values: &[f64], pairs: &[Pair]) -> Vec<f64> {
    values.iter().zip(pairs).map(|(value, pair)| value / pair.truth - 1.0).collect()
}

/// All estimates of these pairs. The simplex is one where it is not what the truth is from.
pub fn columns(pairs: &[Pair], setup: &Setup, context: &Context) -> Result<Vec<Column>> {
    let mut columns = Vec::new();
    if pairs.iter().all(Pair::has_closed_form) {
        let value = |pair: &Pair| normalised(&exact(&pair.a, &pair.b, &mut || false)?.distance);
        let values = pairs.iter().map(value).collect::<Result<_>>()?;
        columns.push(Column::new("simplex", values));
    }
    let brackets = Sinkhorn::new().tolerance(TOLERANCE).solve_batch(
        &clouds(pairs),
        &context.engine,
        &mut (),
    )?;
    let values = brackets.iter().map(|bracket| normalised(&bracket.distance));
    columns.push(Column::new("sinkhorn", values.collect::<Result<_>>()?));
    let tight = train(pairs, &setup.tight, context)?;
    columns.push(trained(TIGHT, &tight)?);
    let learned = tight.iter().zip(pairs).map(|(tight, pair)| tight.learned / pair.least());
    columns.push(Column::new(LEARNED, learned.collect()));
    let paper = trained(PAPER, &train(pairs, &setup.paper, context)?)?;
    let dimension = pairs.first().map_or(0, |pair| pair.a.points().ncols());
    let corrected = paper.values.iter().zip(pairs);
    let corrected = corrected.map(|(value, pair)| calibrated(*value, dimension, pair.ratio()));
    let corrected = Column::new(CALIBRATED, corrected.collect());
    columns.extend([paper, corrected]);
    Ok(columns)
}

/// One network for each pair.
pub fn train(pairs: &[Pair], training: &Training, context: &Context) -> Result<Vec<Trained>> {
    training.clone().seed(context.seed).solve_batch(&clouds(pairs), &context.engine, &mut ())
}

fn clouds(pairs: &[Pair]) -> Vec<(&Cloud, &Cloud)> {
    pairs.iter().map(|pair| (&pair.a, &pair.b)).collect()
}

fn trained(name: &'static str, all: &[Trained]) -> Result<Column> {
    let values = all.iter().map(|trained| normalised(&trained.distance)).collect::<Result<_>>()?;
    let curves = all.iter().map(|trained| trained.curve.clone()).collect();
    Ok(Column { name, values, curves })
}

/// The mean of relative errors, without distances that are hardly there: networks see no difference
/// between points that are a hundredth apart.
pub fn mean_error(values: &[f64], pairs: &[Pair]) -> f64 {
    let all = errors(values, pairs).into_iter().zip(pairs);
    mean(&all.filter(|(_, pair)| pair.truth > HARDLY).map(|(error, _)| error).collect::<Vec<_>>())
}

/// Checks what has to be right whatever the data, as long as the truth is a closed form.
pub fn check(sheet: &mut Sheet, label: &str, columns: &[Column], pairs: &[Pair]) {
    for column in columns {
        let errors = column.errors(pairs);
        let worst = errors.iter().fold(0.0, |worst: f64, error| worst.max(error.abs()));
        let name = column.name;
        match name {
            "simplex" => sheet.check(format!("{label}: worst error, {name}"), worst, 0.0..=1e-9),
            "sinkhorn" => {
                sheet.check(format!("{label}: worst error, {name}"), worst, 0.0..=TOLERANCE);
            }
            // The transform of nearly the right potential is the right one, or as near.
            TIGHT => sheet.check(format!("{label}: worst error, {name}"), worst, 0.0..=1e-3),
            LEARNED => {
                let what = format!("{label}: mean error, {name}");
                sheet.check(what, mean_error(&column.values, pairs), -0.01..=1e-6);
            }
            _ => {}
        }
    }
}
