//! `gaspard tree`: transport between many measures at once.

pub(super) mod spec;

use std::path::{Path, PathBuf};

use gaspard::io::npz;
use gaspard::linear::tree::{self, TreeSolution};
use gaspard::report::picture::{Style, strip, write_png};
use gaspard::report::record::{Results, RunRecord};
use gaspard::{Engine, Error, Result};
use ndarray::ArrayD;
use serde::Serialize;

use super::options::{Annealing, Colours, Common, MARGINALS, ReferenceOption, SWEEPS};
use super::session::Session;
use super::status::Status;
use super::{described, outputs};
use spec::Problem;

const EXAMPLE: &str = r#"Examples:
  gaspard tree chain.json --out chain.npz --couple 0,2

  where chain.json says, with paths relative to it:
    {"reference": "weights",
     "epsilon": 0.01,
     "nodes": [{"weights": "a.npy", "points": "x.npy"},
               {"size": 50, "points": "y.npy", "law": "free"},
               {"weights": [0.5, 0.5], "grid": [2, 1], "law": "kl:1"}],
     "edges": [{"rows": 0, "cols": 1, "cost": "sqeuclidean"},
               {"rows": 1, "cols": 2, "cost": "C.npy", "weight": 2.0}]}

  reference  weights (default), uniform or counting: what the entropy is relative to
  epsilon    entropic strength in units of the cost; --epsilon goes before it
  weights    .npy with 1 to 3 axes (2 or 3: a density, which brings its grid), or a list; without
             them every point weighs 1/n
  size       number of points, where neither weights nor places say it
  points     places of the points, .npy (N x d)
  grid       places at the cell centres of a grid of 1 to 3 axes; the longest side is 1
  law        fixed (default with weights), free (default without), kl:RHO, tv:RHO, range:LO,HI
  cost       .npy (rows x cols), or between the places sqeuclidean, euclidean, power:P, or
             great-circle:P (places as latitude and longitude in degrees)
  weight     how much the edge counts, 1 if not given"#;

/// Transport between many measures at once, along the edges of a tree
///
/// Minimises over couplings P of all nodes the sum over edges of weight <C, P_e> (linear) + epsilon
/// KL(P | reference) (entropic) + the penalties of the nodes' laws (marginal_terms); all in units
/// of mass times cost. The file names nodes, laws, edges and costs.
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = EXAMPLE,
    mut_arg("max_iterations", |arg| arg.help(SWEEPS)),
    mut_arg("tolerance", |arg| arg.help(MARGINALS))
)]
pub(super) struct Arguments {
    /// The problem, in JSON; see the example below
    spec: PathBuf,
    /// Entropic strength, in units of the cost [default: the file's, else 1 % of the edges' mean
    /// weighted cost]
    #[arg(long, alias = "reg", value_name = "NUMBER", allow_negative_numbers = true)]
    epsilon: Option<f64>,
    /// Write marginal_0, potential_0, ... for all nodes
    #[arg(short, long, value_name = "FILE.npz")]
    out: Option<PathBuf>,
    /// Also write the edges' couplings plan_0, ... (rows x cols)
    #[arg(long, requires = "out")]
    plans: bool,
    /// Also write coupling_I_J, the joint marginal of two nodes (0 is the first); may be repeated
    #[arg(long, value_name = "I,J", requires = "out", value_parser = parse_pair)]
    couple: Vec<(usize, usize)>,
    /// Draw the marginals of the nodes that lie on grids, side by side
    #[arg(long, value_name = "FILE.png")]
    picture: Option<PathBuf>,
    /// Colours of the picture [default: grey]
    #[arg(long, value_enum, value_name = "NAME", requires = "picture")]
    colours: Option<Colours>,
    #[command(flatten)]
    annealing: Annealing,
    #[command(flatten)]
    common: Common,
}

/// The JSON of a run.
#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    results: &'a Results,
    reference: ReferenceOption,
    sizes: Vec<usize>,
    laws: Vec<String>,
    costs: &'a [String],
    record: RunRecord,
}

pub(super) fn run(arguments: &Arguments) -> Result<Status> {
    for (option, path, ending) in
        [("--out", &arguments.out, "npz"), ("--picture", &arguments.picture, "png")]
    {
        path.iter().try_for_each(|path| outputs::check_ending(option, path, &[ending]))?;
    }
    let files = [&arguments.out, &arguments.picture].into_iter().flatten().map(PathBuf::as_path);
    arguments.annealing.control(arguments.epsilon.unwrap_or(1.0)).validate()?;
    let inputs = described::files(&arguments.spec);
    let inputs = inputs.iter().map(PathBuf::as_path);
    let mut session = Session::begin(&arguments.common, inputs, files)?;
    let mut problem = Problem::read(&arguments.spec, &session.host())?;
    problem.tree.settle_masses();
    problem.tree.validate()?;
    check_matrices(arguments, &problem, &session.host())?;
    if arguments.picture.is_some() {
        check_picture(arguments, &problem)?;
    }
    let epsilon =
        arguments.epsilon.or(problem.epsilon).unwrap_or_else(|| default_epsilon(&problem));
    let control = arguments.annealing.control(epsilon);
    control.validate()?;
    let (nodes, edges) = (problem.tree.nodes.len(), problem.tree.edges.len());
    session.note(&format!("a tree of {nodes} nodes and {edges} edges, epsilon {epsilon:.3e}"));
    session.lap("read");

    let engine = session.open_device()?;
    session.check_epsilon(
        &engine,
        epsilon,
        problem.tree.edges.iter().map(|edge| &*edge.geometry),
    )?;
    let mut watch = session.watch("marginal error");
    let solution = problem.tree.solve_with(&control, &engine, &mut watch)?;
    drop(watch);
    let results = Results::from(&solution);
    session.lap("solve");
    session.summarise(&results, "iterations");

    if let Some(path) = &arguments.out {
        write_arrays(path, arguments, &solution)?;
    }
    if let Some(path) = &arguments.picture {
        draw(path, arguments, &problem, &solution)?;
    }
    session.finish(&engine, &results, |record| Report {
        results: &results,
        reference: problem.reference,
        sizes: problem.tree.nodes.iter().map(|node| node.weights.len()).collect(),
        laws: problem.tree.nodes.iter().map(|node| node.law.to_string()).collect(),
        costs: &problem.costs,
        record,
    })
}

/// 1 % of the mean cost of an edge, with its weight.
fn default_epsilon(problem: &Problem) -> f64 {
    let tree = &problem.tree;
    let mean_cost = |edge: &tree::Edge| {
        let weights = |node: usize| tree.nodes[node].weights.to_vec();
        edge.weight * edge.geometry.mean_cost(&weights(edge.rows), &weights(edge.cols))
    };
    let mean = tree.edges.iter().map(mean_cost).sum::<f64>() / tree.edges.len() as f64;
    if mean > 0.0 { 0.01 * mean } else { 1.0 }
}

/// Refuses couplings of nodes that do not exist, and matrices for which there is no room.
fn check_matrices(arguments: &Arguments, problem: &Problem, host: &Engine) -> Result<()> {
    let nodes = &problem.tree.nodes;
    let bytes = |i: usize, j: usize| {
        8_u64
            .saturating_mul(nodes[i].weights.len() as u64)
            .saturating_mul(nodes[j].weights.len() as u64)
    };
    let mut needed = 0_u64;
    for &(i, j) in &arguments.couple {
        if i == j || i.max(j) >= nodes.len() {
            return Err(Error::parameter(
                "--couple",
                format!("{i},{j} are not two different nodes"),
                format!("nodes go from 0 to {}", nodes.len() - 1),
            ));
        }
        needed = needed.saturating_add(bytes(i, j));
    }
    if arguments.plans {
        let plans = problem.tree.edges.iter().map(|edge| bytes(edge.rows, edge.cols));
        needed = plans.fold(needed, u64::saturating_add);
    }
    host.require("the couplings to write", needed, "leave out --plans or a --couple")
}

fn write_arrays(path: &Path, arguments: &Arguments, solution: &TreeSolution) -> Result<()> {
    let mut arrays: Vec<(String, ArrayD<f64>)> = Vec::new();
    let nodes = solution.marginals.iter().zip(&solution.potentials).enumerate();
    for (index, (marginal, potential)) in nodes {
        arrays.push((format!("marginal_{index}"), marginal.clone().into_dyn()));
        arrays.push((format!("potential_{index}"), potential.clone().into_dyn()));
    }
    if arguments.plans {
        for index in 0..solution.tree.edges.len() {
            arrays.push((format!("plan_{index}"), solution.edge_plan(index)?.into_dyn()));
        }
    }
    for (position, &(i, j)) in arguments.couple.iter().enumerate() {
        // An archive holds one array of a name, however often it was asked for.
        if !arguments.couple[..position].contains(&(i, j)) {
            arrays.push((format!("coupling_{i}_{j}"), solution.coupling(i, j)?.into_dyn()));
        }
    }
    npz::write(path, &arrays)
}

fn style(arguments: &Arguments) -> Style {
    Style::new(arguments.colours.unwrap_or(Colours::Grey).into())
}

/// Refuses pictures of nodes without cells, and those that would be too large.
fn check_picture(arguments: &Arguments, problem: &Problem) -> Result<()> {
    let count = problem.grids.iter().flatten().count();
    if count == 0 {
        let problem = "no node lies on a grid";
        return Err(Error::parameter("--picture", problem, "give nodes a grid, or leave it out"));
    }
    let mut grids = problem.grids.iter().flatten();
    grids.try_for_each(|grid| style(arguments).check_size(grid, count))
}

fn draw(
    path: &Path,
    arguments: &Arguments,
    problem: &Problem,
    solution: &TreeSolution,
) -> Result<()> {
    let nodes = problem.grids.iter().zip(&solution.marginals);
    let densities = nodes.filter_map(|(grid, marginal)| {
        ArrayD::from_shape_vec(grid.clone()?, marginal.to_vec()).ok()
    });
    write_png(path, &strip(&densities.collect::<Vec<_>>(), &style(arguments))?)
}

pub(super) fn parse_pair(text: &str) -> std::result::Result<(usize, usize), String> {
    let pair = text
        .split_once(',')
        .and_then(|(i, j)| Some((i.trim().parse().ok()?, j.trim().parse().ok()?)));
    pair.ok_or_else(|| "not two nodes, like 0,2".to_owned())
}
