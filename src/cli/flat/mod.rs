//! `gaspard flat`: the flat metric between measures of unequal mass.

pub(super) mod clouds;
pub(super) mod matrix;
mod method;
mod pair;
mod pairwise;
mod pictures;

use std::path::PathBuf;

use gaspard::Result;

use super::given::Given;
use super::options::{Colours, Common, Iterating, MassOption};
use super::status::Status;
use method::MethodArguments;

const EXAMPLE: &str = "\
Examples:
  gaspard flat x.npy y.npy --json -
      The distance of two point clouds, each point of mass 1.

  gaspard flat x.npy y.npy --method tight --train-curve curve.png --field f.png
      A network learns the test function; pictures of how, and of what it learned.

  gaspard flat --pairwise clouds/ --out distances.npy --picture heat.png
      All distances of the clouds in a folder. Stopped and called again, it goes on.";

/// The distance of measures whose masses differ
///
/// The largest difference of the integrals of a function that is bounded by 1 and 1-Lipschitz:
/// moving a unit of mass by r costs r, making or losing it costs 1. Nothing is scaled to mass 1;
/// `normalised` is the value over the smaller mass.
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = EXAMPLE,
    mut_arg("max_iterations", |arg| arg.help(
        "Stop sinkhorn after so many iterations, converged or not [default: 4000]"
    )),
    mut_arg("tolerance", |arg| arg.help(
        "Stop sinkhorn when its bounds are so near to each other: (upper - lower) / (upper + lower) \
         [default: 0.01]"
    ))
)]
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
    /// Write the matrix of normalised distances; pairs that it has already are kept. Of a pair: the
    /// test function at the points, f_a and f_b, and of exact the plan (point, point, mass)
    #[arg(short, long, value_name = "FILE.npy|FILE.npz")]
    out: Option<PathBuf>,
    /// Draw the matrix
    #[arg(long, value_name = "FILE.png", requires = "pairwise")]
    picture: Option<PathBuf>,
    /// Colours of the picture [default: magma]
    #[arg(long, value_enum, value_name = "NAME", requires = "picture")]
    colours: Option<Colours>,
    /// Train (i, j) and (j, i) by themselves, with networks of their own: their difference tells how
    /// uncertain distances are. With tight and paper
    #[arg(long, requires = "pairwise")]
    both_ways: bool,
    /// Draw what a network measured from epoch to epoch, or write it: value, penalty, lambda
    #[arg(long, value_name = "FILE.png|FILE.npy", conflicts_with = "pairwise")]
    train_curve: Option<PathBuf>,
    /// Draw the test function, for points in the plane
    #[arg(long, value_name = "FILE.png", conflicts_with = "pairwise")]
    field: Option<PathBuf>,
    /// Multiply all lengths by this first: nothing moves further than 2, and the pixels of a picture lie
    /// in a box whose longest side is 1
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, allow_negative_numbers = true)]
    scale: f64,
    #[command(flatten)]
    method: MethodArguments,
    /// Which pixels of a picture carry mass
    #[arg(long, value_enum, value_name = "WHICH", default_value = "light")]
    mass: MassOption,
    #[command(flatten)]
    iterating: Iterating,
    #[command(flatten)]
    common: Common,
}

pub(super) fn run(arguments: &Arguments, given: &Given) -> Result<Status> {
    arguments.method.check(&arguments.iterating, &arguments.common, given)?;
    match (&arguments.pairwise, &arguments.out, &arguments.a, &arguments.b) {
        (Some(source), Some(out), ..) => pairwise::run(arguments, source, out),
        (_, _, Some(a), Some(b)) => pair::run(arguments, a, b),
        _ => unreachable!("clap asks for a pair or for many"),
    }
}
