//! All ways to the flat metric, behind one function.

use gaspard::Result;
use gaspard::flat::neural::{Epoch, Trained, Training, calibrated};
use gaspard::flat::{Cloud, exact};

use crate::pair::{Pair, normalised};
use crate::sheet::{Sheet, mean};
use crate::{Context, Size};

/// The names of columns that experiments look at.
pub const PAPER: &str = "paper";
pub const CALIBRATED: &str = "paper, calibrated";
pub const TIGHT: &str = "tight";
/// The value of the network itself, before its c-transform.
pub const LEARNED: &str = "tight, learned";

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
    /// The training of the first pair, where there is one.
    pub curve: Vec<Epoch>,
}

impl Column {
    fn new(name: &'static str, values: Vec<f64>) -> Self {
        Self { name, values, curve: Vec::new() }
    }

    /// Their relative errors.
    pub fn errors(&self, pairs: &[Pair]) -> Vec<f64> {
        let pairs = self.values.iter().zip(pairs);
        pairs.map(|(value, pair)| value / pair.truth - 1.0).collect()
    }
}

/// All estimates of these pairs. The simplex is one where it is not what the truth is from.
pub fn columns(pairs: &[Pair], setup: &Setup, context: &Context) -> Result<Vec<Column>> {
    let clouds: Vec<(&Cloud, &Cloud)> = pairs.iter().map(|pair| (&pair.a, &pair.b)).collect();
    let mut columns = Vec::new();
    if pairs.iter().all(Pair::has_closed_form) {
        let value = |(a, b): &(&Cloud, &Cloud)| normalised(&exact(a, b, &mut || false)?.distance);
        let values = clouds.iter().map(value).collect::<Result<_>>()?;
        columns.push(Column::new("simplex", values));
    }
    let train = |training: &Training| {
        training.clone().seed(context.seed).solve_batch(&clouds, &context.engine, &mut ())
    };
    let tight = train(&setup.tight)?;
    columns.push(trained(TIGHT, &tight)?);
    let learned = tight.iter().zip(pairs).map(|(tight, pair)| tight.learned / pair.least());
    columns.push(Column::new(LEARNED, learned.collect()));
    let paper = trained(PAPER, &train(&setup.paper)?)?;
    let dimension = pairs.first().map_or(0, |pair| pair.a.points().ncols());
    let corrected = paper.values.iter().zip(pairs);
    let corrected = corrected.map(|(value, pair)| calibrated(*value, dimension, pair.ratio()));
    let corrected = Column::new(CALIBRATED, corrected.collect());
    columns.extend([paper, corrected]);
    Ok(columns)
}

fn trained(name: &'static str, all: &[Trained]) -> Result<Column> {
    let values = all.iter().map(|trained| normalised(&trained.distance)).collect::<Result<_>>()?;
    let curve = all.first().map_or(Vec::new(), |trained| trained.curve.clone());
    Ok(Column { name, values, curve })
}

/// Checks what has to be right whatever the data, as long as the truth is a closed form.
pub fn check(sheet: &mut Sheet, label: &str, columns: &[Column], pairs: &[Pair]) {
    for column in columns {
        let errors = column.errors(pairs);
        let worst = errors.iter().fold(0.0, |worst: f64, error| worst.max(error.abs()));
        let name = column.name;
        match name {
            "simplex" => sheet.check(format!("{label}: worst error, {name}"), worst, 0.0..=1e-9),
            // Transforms of any potential solve the case of one point.
            TIGHT => sheet.check(format!("{label}: worst error, {name}"), worst, 0.0..=1e-9),
            LEARNED => {
                let what = format!("{label}: mean error, {name}");
                sheet.check(what, mean(&errors), -0.01..=1e-6);
            }
            _ => {}
        }
    }
}
