//! `gaspard transport`: move one measure onto another.

mod problem;
mod solve;

use std::path::{Path, PathBuf};

use gaspard::io::{npy, npz};
use gaspard::report::picture::{Scale, Style, save_png};
use gaspard::report::record::{Results, RunRecord};
use gaspard::{Cost, Law, Result};
use serde::Serialize;

use super::given::Given;
use super::options::{
    Annealing, As, Colours, Common, MARGINALS, MassOption, ReferenceOption, SWEEPS,
};
use super::outputs;
use super::session::Session;
use super::status::Status;
use problem::Problem;
use solve::Found;

const EXAMPLE: &str = "\
Examples:
  gaspard transport heart.png star.png --epsilon 1e-3 --json -
      Two pictures, each of mass 1 on a box whose longest side is 1; costs are squared distances.

  gaspard transport x.npy y.npy --law-a kl:0.5 --law-b kl:0.5 --coupling plan.npy
      Two point clouds, the marginals free to differ from the weights at a price.

  gaspard transport --cost-matrix C.npy --weights-a a.npy --weights-b b.npy --exact
      The optimal plan itself, for costs of one's own.";

/// Move one measure onto another at least cost
///
/// Minimises over couplings P >= 0 the sum of P C (linear) + epsilon KL(P | reference) (entropic) +
/// the penalties of the laws (marginal_terms), with C = |x-y|^2 in full unless told otherwise.
/// `value`, the total, and all terms are in units of mass times cost. The potentials f and g are in
/// units of the cost; with the default reference P = a b exp((f + g - C) / epsilon).
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = EXAMPLE,
    mut_arg("max_iterations", |arg| arg.help(SWEEPS)),
    mut_arg("tolerance", |arg| arg.help(MARGINALS))
)]
pub(super) struct Arguments {
    /// The first measure: a picture, or .npy points (N x d) or density (1 to 3 axes); with
    /// --cost-matrix, .npy weights
    #[arg(required_unless_present = "cost_matrix", requires = "b")]
    a: Option<PathBuf>,
    /// The second measure
    #[arg(required_unless_present = "cost_matrix")]
    b: Option<PathBuf>,
    /// How to read .npy arrays. auto: two axes are points if a value is negative, if there are at
    /// most 16 columns, or if only the rows of A and B differ in number; other arrays are densities
    #[arg(long = "as", value_enum, value_name = "KIND", default_value = "auto")]
    read_as: As,
    /// Which pixels of a picture carry mass
    #[arg(long, value_enum, value_name = "WHICH", default_value = "light")]
    mass: MassOption,
    /// Scale both measures to mass 1; pictures always are
    #[arg(long, alias = "normalize")]
    normalise: bool,
    /// Weights of the points of A: .npy with one axis [default: 1/N each]
    #[arg(long, value_name = "FILE.npy")]
    weights_a: Option<PathBuf>,
    /// Weights of the points of B
    #[arg(long, value_name = "FILE.npy")]
    weights_b: Option<PathBuf>,
    /// Cost of moving a unit of mass: sqeuclidean |x-y|^2, euclidean |x-y|, power:P |x-y|^P, or
    /// great-circle:P (the angle in radians to the power P, for points given as latitude and
    /// longitude in degrees). Densities live in the unit box: the longest side is 1
    #[arg(long, value_name = "COST", default_value = "sqeuclidean")]
    cost: Cost,
    /// Costs of one's own, .npy (N x M); A and B are then weights and may be left out
    #[arg(long, value_name = "FILE.npy", conflicts_with_all = ["cost", "read_as", "divergence"])]
    cost_matrix: Option<PathBuf>,
    /// Entropic strength, in units of the cost [default: 1 % of the mean cost]
    #[arg(long, alias = "reg", value_name = "NUMBER", allow_negative_numbers = true)]
    epsilon: Option<f64>,
    /// What is asked of the first marginal: fixed, kl:RHO, tv:RHO (RHO in units of the cost),
    /// range:LO,HI (factors of the weights), free
    #[arg(long, value_name = "LAW", default_value = "fixed")]
    law_a: Law,
    /// What is asked of the second marginal
    #[arg(long, value_name = "LAW", default_value = "fixed")]
    law_b: Law,
    /// What the entropy is relative to
    #[arg(long, value_enum, value_name = "MEASURE", default_value = "weights")]
    reference: ReferenceOption,
    /// The debiased Sinkhorn divergence: `value` is zero where the measures are equal. Three solves
    #[arg(long)]
    divergence: bool,
    /// No entropy: the exact plan by network simplex on the CPU, for small problems. `epsilon` is
    /// then 0 and `iterations` counts pivots
    #[arg(long, conflicts_with = "divergence")]
    exact: bool,
    /// Write everything about the points: weights a and b, potentials f and g, marginals p and q
    #[arg(short, long, value_name = "FILE.npz")]
    out: Option<PathBuf>,
    /// Write the potentials f and g
    #[arg(long, value_name = "FILE.npz")]
    potentials: Option<PathBuf>,
    /// Write the coupling, dense (N x M)
    #[arg(long, value_name = "FILE.npy")]
    coupling: Option<PathBuf>,
    /// Draw the coupling, points of A down and those of B to the right: dark where much goes
    #[arg(long, value_name = "FILE.png")]
    picture: Option<PathBuf>,
    /// Colours of the picture [default: ink]
    #[arg(long, value_enum, value_name = "NAME", requires = "picture")]
    colours: Option<Colours>,
    #[command(flatten)]
    annealing: Annealing,
    #[command(flatten)]
    common: Common,
}

impl Arguments {
    fn inputs(&self) -> impl Iterator<Item = &Path> {
        let measures = [&self.a, &self.b, &self.weights_a, &self.weights_b, &self.cost_matrix];
        measures.into_iter().flatten().map(PathBuf::as_path)
    }

    fn outputs(&self) -> impl Iterator<Item = &Path> {
        let arrays = [&self.out, &self.potentials, &self.coupling, &self.picture];
        arrays.into_iter().flatten().map(PathBuf::as_path)
    }

    /// True where the coupling is asked for, entry by entry.
    fn wants_coupling(&self) -> bool {
        self.coupling.is_some() || self.picture.is_some()
    }

    fn check(&self, given: &Given) -> Result<()> {
        for (option, path, ending) in [
            ("--out", &self.out, "npz"),
            ("--potentials", &self.potentials, "npz"),
            ("--coupling", &self.coupling, "npy"),
            ("--picture", &self.picture, "png"),
        ] {
            path.iter().try_for_each(|path| outputs::check_ending(option, path, &[ending]))?;
        }
        if self.exact {
            let iterating = ["epsilon", "reference", "max-iterations", "tolerance", "annealing"];
            given.refuse(&iterating, "--exact")?;
            given.refuse(&["profile"], "--exact, which runs no kernels")?;
            self.common.device.expect_cpu("exact transport");
            return solve::check_exact(self.law_a, self.law_b);
        }
        self.annealing.control(self.epsilon.unwrap_or(1.0)).validate()
    }
}

pub(super) fn run(arguments: &Arguments, given: &Given) -> Result<Status> {
    arguments.check(given)?;
    let mut session = Session::begin(&arguments.common, arguments.inputs(), arguments.outputs())?;
    let problem = Problem::read(arguments, &session)?;
    let (n, m) = (problem.a.weights().len(), problem.b.weights().len());
    if arguments.picture.is_some() {
        arguments.style().check_size(&[n, m], 1)?;
    }
    if arguments.wants_coupling() {
        let remedy = "leave --coupling and --picture out, or use fewer points";
        problem.require_dense("the coupling", &session.host(), remedy)?;
    }
    session.lap("read");

    let engine = if arguments.exact {
        session.note("device: CPU (f64), which exact transport always runs on");
        session.host()
    } else {
        session.open_device()?
    };
    let found = if arguments.exact {
        solve::exact(&problem, arguments, &engine)?
    } else {
        solve::entropic(&problem, arguments, &session, &engine)?
    };
    session.lap("solve");
    session.summarise(&found.results, if arguments.exact { "pivots" } else { "iterations" });

    write_files(arguments, &problem, &found)?;
    session.finish(&engine, &found.results, |record| Report {
        results: &found.results,
        method: if arguments.exact { "exact" } else { "sinkhorn" },
        cost: problem.cost_name(),
        reference: (!arguments.exact).then_some(arguments.reference),
        laws: [arguments.law_a, arguments.law_b].map(|law| law.to_string()),
        n,
        m,
        divergence: found.divergence.as_ref(),
        record,
    })
}

impl Arguments {
    /// How the coupling is drawn: thin mass shows on white paper.
    fn style(&self) -> Style {
        let colours = self.colours.unwrap_or(Colours::Ink);
        Style::new(colours.into()).scale(Scale::Quantile(0.999)).gamma(0.6)
    }
}

fn write_files(arguments: &Arguments, problem: &Problem, found: &Found) -> Result<()> {
    let (f, g) = (found.f.view().into_dyn(), found.g.view().into_dyn());
    if let Some(path) = &arguments.out {
        let arrays = [
            ("a", problem.a.weights().view().into_dyn()),
            ("b", problem.b.weights().view().into_dyn()),
            ("f", f.clone()),
            ("g", g.clone()),
            ("p", found.p.view().into_dyn()),
            ("q", found.q.view().into_dyn()),
        ];
        npz::write(path, &arrays)?;
    }
    if let Some(path) = &arguments.potentials {
        npz::write(path, &[("f", f), ("g", g)])?;
    }
    if let (Some(path), Some(coupling)) = (&arguments.coupling, &found.coupling) {
        npy::write(path, coupling.view().into_dyn())?;
    }
    if let (Some(path), Some(coupling)) = (&arguments.picture, &found.coupling) {
        save_png(path, coupling.view(), &arguments.style())?;
    }
    Ok(())
}

/// The JSON of a run.
#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    results: &'a Results,
    method: &'static str,
    cost: String,
    reference: Option<ReferenceOption>,
    laws: [String; 2],
    n: usize,
    m: usize,
    #[serde(flatten)]
    divergence: Option<&'a Parts>,
    record: RunRecord,
}

/// The objectives that a divergence is made of.
#[derive(Clone, Copy, Debug, Serialize)]
struct Parts {
    between: f64,
    self_a: f64,
    self_b: f64,
}
