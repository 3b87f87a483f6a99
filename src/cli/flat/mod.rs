//! `gaspard flat`: the flat metric between measures of unequal mass.

mod clouds;
mod pairwise;

use std::path::PathBuf;
use std::time::Instant;

use clap::ValueEnum;
use gaspard::Result;
use gaspard::flat::{Distance, exact};
use gaspard::report::record::RunRecord;
use serde::Serialize;

use super::options::{Common, MassOption};
use super::session::Session;
use super::status::{Status, Summary};
use super::{interrupt, outputs};

const EXAMPLE: &str = "\
Example:
  gaspard flat x.npy y.npy --json -
      The distance of two point clouds, each point of mass 1.

  gaspard flat --pairwise clouds/ --out distances.npy --picture heat.png
      All distances of the clouds in a folder. Stopped and called again, it goes on.";

/// The distance of measures whose masses differ
///
/// The largest difference of the integrals of a function that is bounded by 1 and 1-Lipschitz:
/// moving a unit of mass by r costs r, making or losing it costs 1. Nothing is scaled to mass 1.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub(super) struct Arguments {
    /// The first measure: .npy points (N x d), or a picture, whose pixels have their brightness as
    /// mass and lie in the unit box
    #[arg(required_unless_present = "pairwise", requires = "b")]
    a: Option<PathBuf>,
    /// The second measure
    b: Option<PathBuf>,
    /// Masses of the points of A: .npy with one axis [default: 1 each]
    #[arg(long, value_name = "FILE.npy")]
    weights_a: Option<PathBuf>,
    /// Masses of the points of B
    #[arg(long, value_name = "FILE.npy")]
    weights_b: Option<PathBuf>,
    /// All distances between the measures in a folder, or named in a text file, one a line;
    /// NAME.weights.npy beside NAME.npy has masses
    #[arg(long, value_name = "DIR|LIST", conflicts_with_all = ["a", "b", "weights_a", "weights_b"],
          requires = "out")]
    pairwise: Option<PathBuf>,
    /// Write the matrix of normalised distances; pairs that it has already are kept
    #[arg(long, value_name = "FILE.npy", requires = "pairwise")]
    out: Option<PathBuf>,
    /// Draw the matrix
    #[arg(long, value_name = "FILE.png", requires = "pairwise")]
    picture: Option<PathBuf>,
    /// How it is computed
    #[arg(long, value_enum, value_name = "HOW", default_value = "auto")]
    method: MethodOption,
    /// Which pixels of a picture carry mass
    #[arg(long, value_enum, value_name = "WHICH", default_value = "light")]
    mass: MassOption,
    #[command(flatten)]
    common: Common,
}

/// `--method`, in the words of clap and of JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum MethodOption {
    /// The best there is for the size
    Auto,
    /// Network simplex on the CPU, in f64
    Exact,
}

/// A distance in JSON.
#[derive(Serialize)]
struct Found {
    #[serde(flatten)]
    distance: Distance,
    /// Of methods that are random; the simplex is not.
    std: Option<f64>,
    method: &'static str,
    seconds: f64,
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
        if self.interrupted { Status::Interrupted } else { Status::Done }
    }

    fn numbers(&self) -> Vec<(&'static str, f64)> {
        let Distance { value, normalised, lower, upper } = self.distance;
        let normalised = normalised.map(|normalised| ("normalised", normalised));
        [("value", value)]
            .into_iter()
            .chain(normalised)
            .chain([("lower", lower), ("upper", upper)])
            .collect()
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<Status> {
    match (&arguments.pairwise, &arguments.out, &arguments.a, &arguments.b) {
        (Some(source), Some(out), ..) => pairwise::run(arguments, source, out),
        (_, _, Some(a), Some(b)) => arguments.pair(a, b),
        _ => unreachable!("clap asks for a pair or for many"),
    }
}

impl Arguments {
    fn pair(&self, a: &std::path::Path, b: &std::path::Path) -> Result<Status> {
        let mut session = Session::begin(&self.common, None, [])?;
        let a = clouds::read(a, self.weights_a.as_deref(), self.mass)?;
        let b = clouds::read(b, self.weights_b.as_deref(), self.mass)?;
        session.lap("read");
        let begin = Instant::now();
        let solution = exact(&a, &b, &mut interrupt::requested)?;
        let found = Found {
            distance: solution.distance,
            std: None,
            method: "exact",
            seconds: begin.elapsed().as_secs_f64(),
            interrupted: interrupt::requested(),
        };
        session.lap("solve");
        let Distance { value, lower, upper, .. } = found.distance;
        let [value, lower, upper] = [value, lower, upper].map(outputs::rounded);
        let line = format!("{value}, between {lower} and {upper}, in {:.2} s", found.seconds);
        session.note(&line);
        let host = session.host();
        session.finish(&host, &found, |record| Report { found: &found, record })
    }
}
