//! All ways to the flat metric, behind one function.

use gaspard::Result;
use gaspard::flat::exact;

use crate::pair::{Pair, normalised};
use crate::sheet::{Sheet, mean};
use crate::{Context, Size};

/// How long networks are trained, and at which rate.
#[derive(Clone, Copy, Debug)]
pub struct Training {
    pub epochs: usize,
    pub rate: f64,
}

/// How networks of both kinds are trained.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    pub paper: Training,
    pub tight: Training,
}

impl Setup {
    /// What the paper's table 1 comes out with.
    pub fn new(size: Size) -> Self {
        Self {
            paper: Training { epochs: size.pick(60, 2000, 3000), rate: 1e-2 },
            tight: Training { epochs: size.pick(30, 800, 1500), rate: 1e-2 },
        }
    }
}

/// Normalised estimates of all pairs, one way.
pub struct Column {
    pub name: &'static str,
    pub values: Vec<f64>,
}

impl Column {
    /// Their relative errors.
    pub fn errors(&self, pairs: &[Pair]) -> Vec<f64> {
        let pairs = self.values.iter().zip(pairs);
        pairs.map(|(value, pair)| value / pair.truth - 1.0).collect()
    }
}

/// All estimates of these pairs. The simplex is one where it is not what the truth is from.
pub fn columns(pairs: &[Pair], _setup: &Setup, _context: &Context) -> Result<Vec<Column>> {
    let mut columns = Vec::new();
    if pairs.iter().all(Pair::has_closed_form) {
        let value = |pair: &Pair| normalised(&exact(&pair.a, &pair.b, &mut || false)?.distance);
        let values = pairs.iter().map(value).collect::<Result<_>>()?;
        columns.push(Column { name: "simplex", values });
    }
    Ok(columns)
}

/// Checks what has to be right whatever the data, as long as the truth is a closed form.
pub fn check(sheet: &mut Sheet, label: &str, columns: &[Column], pairs: &[Pair]) {
    for column in columns {
        let errors = column.errors(pairs);
        let worst = errors.iter().fold(0.0, |worst: f64, error| worst.max(error.abs()));
        match column.name {
            "simplex" => sheet.check(format!("{label}: worst error, simplex"), worst, 0.0..=1e-9),
            "sinkhorn" => sheet.check(format!("{label}: worst error, sinkhorn"), worst, 0.0..=1e-4),
            "tight" => {
                sheet.check(format!("{label}: mean error, tight"), mean(&errors), -0.01..=0.01);
            }
            _ => {}
        }
    }
}
