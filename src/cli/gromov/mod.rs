//! `gaspard gromov`: spaces matched by their distances.

pub(super) mod barycenter;
mod cloud;
pub(super) mod free_support;
mod picture;
mod spaces;
pub(super) mod spec;

use std::path::PathBuf;

use clap::ValueEnum;
use gaspard::gromov::{Control, Problem, Solution, Start, Update};
use gaspard::io::{npy, npz};
use gaspard::report::gromov::GromovResults;
use gaspard::report::record::RunRecord;
use gaspard::{Engine, Error, Result};
use ndarray::ArrayD;
use serde::Serialize;

use super::given::Given;
use super::options::{Annealing, As, CHANGES, Common, PLANS, ReferenceOption};
use super::session::Session;
use super::status::Status;
use super::{described, outputs};
use spaces::{NamedSpace, kinds_of};
pub(super) use spaces::{SpaceOptions, Surface};

const EXAMPLE: &str = r#"Examples:
  gaspard gromov heart.png star.png --side 32 --distance sqeuclidean --seeds 4 --picture matched.png
      Matches the shapes by their distances alone, best of four starts, and draws which part of
      the star each part of the heart goes to.

  gaspard gromov --distances A.npy B.npy --coupling plan.npy --json -
      The same for two matrices of distances.

  gaspard gromov a.png b.png c.png --rho 0.01 --out plans.npz --plans
      Three frames in a chain, each free to lose and gain mass.

  gaspard gromov --tree problem.json --out plans.npz
  where problem.json says, with paths relative to it:
    {"epsilon": 2e-4, "reference": "counting",
     "nodes": [{"image": "a.png"}, {"grid": [32, 32], "law": "free"},
               {"points": "x.npy", "weights": "w.npy", "law": "kl:0.01", "labels": "l.npy"},
               {"distances": "D.npy"}],
     "edges": [{"rows": 0, "cols": 1, "weight": 0.5}, {"rows": 2, "cols": 1}, {"rows": 3, "cols": 1}],
     "alpha": 0.5, "label_costs": "costs.npy"}"#;

/// Match spaces by the distances within them (Gromov-Wasserstein)
///
/// Two inputs are matched with each other, more in a chain, one with the next; --tree has any tree
/// of spaces. Finds the plan P that minimises the sum over edges of weight times |D(x, x') - D(y,
/// y')|² P P (transport) + epsilon KL(P x P | reference) (regularisation) + the penalties of the
/// laws (marginal). For two inputs transport is the square of the Gromov-Wasserstein distance.
/// Pictures are measured by their diagonal: distances between pixel centres go up to 1.
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = EXAMPLE,
    mut_arg("max_iterations", |arg| arg.help(PLANS)),
    mut_arg("tolerance", |arg| arg.help(CHANGES))
)]
pub(super) struct Arguments {
    /// Pictures, .npy densities, or .npy points (N x d); with --distances, weights
    #[arg(value_name = "INPUT", required_unless_present_any = ["distances", "tree"],
          conflicts_with = "tree")]
    inputs: Vec<PathBuf>,
    /// Matrices of distances, one for each space, in place of places
    #[arg(long, value_name = "FILE.npy", num_args = 1.., conflicts_with = "tree")]
    distances: Vec<PathBuf>,
    /// The problem in JSON: any tree of spaces; see the example below
    #[arg(long, value_name = "SPEC.json")]
    tree: Option<PathBuf>,
    /// Entropic strength, in squared distances [default: 1e-3 of the square of the mean distance]
    #[arg(long, alias = "reg", value_name = "NUMBER", allow_negative_numbers = true)]
    epsilon: Option<f64>,
    /// What the entropy is relative to; uniform or weights where no law fixes the mass, which
    /// counting rewards on fine grids
    #[arg(long, value_enum, value_name = "WHICH", default_value = "counting")]
    reference: ReferenceOption,
    #[command(flatten)]
    starts: StartOptions,
    #[command(flatten)]
    pub(super) spaces: SpaceOptions,
    /// Write marginal_0, potential_0, ... for all spaces
    #[arg(short, long, value_name = "FILE.npz")]
    out: Option<PathBuf>,
    /// Also write the plans of the edges, plan_0, ...
    #[arg(long, requires = "out")]
    plans: bool,
    /// Write the plan of the first edge
    #[arg(long, value_name = "FILE.npy")]
    coupling: Option<PathBuf>,
    /// Draw pictures side by side: the first coloured by place, the others by where their mass
    /// comes from; with labels, in the colours of the labels
    #[arg(long, value_name = "FILE.png")]
    picture: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

/// Where the iteration starts, and how it goes along.
#[derive(Clone, Copy, Debug, clap::Args)]
#[command(next_help_heading = "Iteration")]
pub(super) struct StartOptions {
    #[command(flatten)]
    pub(super) annealing: Annealing,
    /// Where to start from
    #[arg(long, value_enum, value_name = "WHICH", default_value = "random")]
    init: InitOption,
    /// Random starts solved at once, from --seed on; the best counts
    #[arg(long, value_name = "NUMBER", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    seeds: u32,
    /// From one plan to the next
    #[arg(long, value_enum, value_name = "WHICH", default_value = "safeguarded")]
    update: UpdateOption,
    /// Sweeps over the tree for each plan, at most; between two spaces with fixed marginals doubled up
    /// to 640 where they run out and the objective rises, but for --update plain
    #[arg(long, value_name = "NUMBER", default_value_t = 40,
          value_parser = clap::value_parser!(u32).range(1..))]
    inner_iterations: u32,
    /// The marginal error that linearised problems are solved to in the end: L1, for a mass of 1
    #[arg(long, value_name = "ERROR", default_value_t = 1e-6, allow_negative_numbers = true)]
    inner_tolerance: f64,
    /// In the end, halve epsilon so many times and solve again from there
    #[arg(long, value_name = "NUMBER", default_value_t = 0,
          value_parser = clap::value_parser!(u32).range(0..=30))]
    refine: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum InitOption {
    /// Random plans
    Random,
    /// The product of the weights
    Product,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum UpdateOption {
    /// The best step towards the next plan: the objective never rises
    Safeguarded,
    /// The whole step, as published; may go to and fro between two plans
    Plain,
}

impl StartOptions {
    /// The control of a solve at this epsilon.
    pub(super) fn control(&self, common: &Common, epsilon: f64) -> Control {
        Control {
            start: match self.init {
                InitOption::Random => Start::Random,
                InitOption::Product => Start::Product,
            },
            update: match self.update {
                UpdateOption::Safeguarded => Update::Safeguarded,
                UpdateOption::Plain => Update::Plain,
            },
            seeds: self.seeds as usize,
            inner_iterations: self.inner_iterations as usize,
            inner_tolerance: self.inner_tolerance,
            refinements: self.refine as usize,
            ..self.annealing.gromov_control(epsilon, common.seed)
        }
    }
}

/// The options of [`StartOptions`] that only entropic plans have.
pub(super) const ENTROPIC_OPTIONS: [&str; 6] =
    ["init", "update", "inner-iterations", "inner-tolerance", "refine", "annealing"];
/// The options that only labels have.
pub(super) const LABEL_OPTIONS: [&str; 3] = ["labels", "label-costs", "alpha"];

/// The JSON of a run.
#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    results: &'a GromovResults,
    reference: ReferenceOption,
    sizes: Vec<usize>,
    laws: Vec<String>,
    record: RunRecord,
}

/// What the arguments describe.
pub(super) struct Described {
    pub problem: Problem,
    reference: ReferenceOption,
    epsilon: Option<f64>,
    spaces: Vec<NamedSpace>,
}

pub(super) fn run(arguments: &Arguments, given: &Given) -> Result<Status> {
    for (option, path, endings) in [
        ("--out", &arguments.out, &["npz"][..]),
        ("--coupling", &arguments.coupling, &["npy"]),
        ("--picture", &arguments.picture, &["png"]),
    ] {
        path.iter().try_for_each(|path| outputs::check_ending(option, path, endings))?;
    }
    let files = [&arguments.out, &arguments.coupling, &arguments.picture];
    let files = files.into_iter().flatten().map(PathBuf::as_path);
    arguments.check(given)?;
    let inputs = arguments.files();
    let inputs = inputs.iter().map(PathBuf::as_path);
    let mut session = Session::begin(&arguments.common, inputs, files)?;
    let described = describe(arguments, &session)?;
    let Described { problem, spaces, .. } = &described;
    problem.validate()?;
    if problem.fused.is_none() {
        given.refuse_unless(
            &["alpha"],
            "spaces without labels",
            "give --labels, or leave it out",
        )?;
    }
    if arguments.picture.is_some() {
        picture::check(problem, spaces)?;
    }
    let given = arguments.epsilon.or(described.epsilon);
    let epsilon = given.map_or_else(|| default_epsilon(problem), Ok)?;
    let control = Control {
        plans: arguments.plans || arguments.coupling.is_some() || arguments.picture.is_some(),
        ..arguments.starts.control(&arguments.common, epsilon)
    };
    control.validate()?;
    session.note(&format!("{} spaces, epsilon {epsilon:.3e}", problem.nodes.len()));
    session.lap("read");

    let Solved { engine, results, best } = solve(problem, &control, &mut session)?;
    write(arguments, &described, &best)?;
    session.finish(&engine, &results, |record| Report {
        results: &results,
        reference: described.reference,
        sizes: problem.nodes.iter().map(|node| node.space.len()).collect(),
        laws: problem.nodes.iter().map(|node| node.law.to_string()).collect(),
        record,
    })
}

/// What was found from all starts.
pub(super) struct Solved {
    pub engine: Engine,
    pub results: GromovResults,
    pub best: Solution,
}

/// Solves on the device that was asked for, and says how it went.
pub(super) fn solve(
    problem: &Problem,
    control: &Control,
    session: &mut Session<'_>,
) -> Result<Solved> {
    let engine = session.open_device()?;
    let mut watch = session.watch("change of the plan");
    let mut solutions = problem.solve_seeds(control, &engine, &mut watch)?;
    drop(watch);
    session.lap("solve");
    let results = GromovResults::of(&solutions).expect("every start leads to a plan");
    session.summarise_gromov(&results);
    Ok(Solved { engine, results, best: solutions.swap_remove(0) })
}

impl Arguments {
    /// Refuses options that have no meaning with others, and numbers outside their domain.
    fn check(&self, given: &Given) -> Result<()> {
        if self.tree.is_some() {
            let remedy = "say it in the file";
            given.refuse_unless(&["law", "rho", "labels"], "--tree", remedy)?;
        }
        if !self.distances.is_empty() {
            given.refuse(&["as", "space", "distance", "mass"], "--distances")?;
        }
        self.starts.control(&self.common, self.epsilon.unwrap_or(1.0)).validate()
    }

    /// All files that are read.
    fn files(&self) -> Vec<PathBuf> {
        let SpaceOptions { labels, label_costs, .. } = &self.spaces;
        let given = [&self.inputs, &self.distances, labels].into_iter().flatten();
        let described = self.tree.iter().flat_map(|spec| described::files(spec));
        given.chain(label_costs).cloned().chain(described).collect()
    }
}

fn describe(arguments: &Arguments, session: &Session) -> Result<Described> {
    if let Some(path) = &arguments.tree {
        return spec::read(path, arguments.reference, &arguments.spaces, &session.host());
    }
    let spaces = read_spaces(arguments, &session.host())?;
    if spaces.len() < 2 {
        let problem = "there is only one".to_owned();
        return Err(Error::parameter("the inputs", problem, "give two spaces or more"));
    }
    let mut problem = Problem { reference: arguments.reference.into(), ..Problem::default() };
    for (named, law) in spaces.iter().zip(arguments.spaces.laws(spaces.len())?) {
        let (name, points) = (&named.name, named.space.len());
        session.note(&format!("{name}: a space of {points} points, {law}"));
        problem.node(named.space.clone(), law);
    }
    for next in 1..spaces.len() {
        problem.edge(next - 1, next, 1.0);
    }
    if !arguments.spaces.labels.is_empty() {
        let kinds = kinds_of(spaces.iter().map(|named| &named.space));
        problem.fused = Some(arguments.spaces.fused(kinds, &session.host())?);
    }
    Ok(Described { problem, reference: arguments.reference, epsilon: None, spaces })
}

fn read_spaces(arguments: &Arguments, host: &Engine) -> Result<Vec<NamedSpace>> {
    let Arguments { inputs, distances, spaces: options, .. } = arguments;
    let count = inputs.len().max(distances.len());
    let labels = options.read_labels(count)?;
    let labels_of = |index: usize| labels.as_ref().map(|labels| &labels[index]);
    if distances.is_empty() {
        return (inputs.iter().enumerate())
            .map(|(index, path)| NamedSpace::read(path, labels_of(index), options, As::Auto))
            .collect();
    }
    if !inputs.is_empty() && inputs.len() != distances.len() {
        return Err(Error::parameter(
            "--distances",
            format!("{} matrices for {} inputs of weights", distances.len(), inputs.len()),
            "give one for each, or leave the inputs out for uniform weights",
        ));
    }
    let weights = |index: usize| inputs.get(index).map(PathBuf::as_path);
    (distances.iter().enumerate())
        .map(|(index, path)| {
            NamedSpace::from_distances(path, weights(index), labels_of(index), host)
        })
        .collect()
}

fn write(arguments: &Arguments, described: &Described, best: &Solution) -> Result<()> {
    if let Some(path) = &arguments.out {
        let mut arrays: Vec<(String, ArrayD<f64>)> = Vec::new();
        for (index, (marginal, potential)) in
            best.marginals.iter().zip(&best.potentials).enumerate()
        {
            arrays.push((format!("marginal_{index}"), marginal.clone().into_dyn()));
            arrays.push((format!("potential_{index}"), potential.clone().into_dyn()));
        }
        if arguments.plans {
            for (index, plan) in best.plans.iter().enumerate() {
                arrays.push((format!("plan_{index}"), plan.clone().into_dyn()));
            }
        }
        npz::write(path, &arrays)?;
    }
    if let (Some(path), Some(plan)) = (&arguments.coupling, best.plans.first()) {
        npy::write(path, plan.view().into_dyn())?;
    }
    if let Some(path) = &arguments.picture {
        let grids: Vec<_> = described.spaces.iter().map(|named| named.grid.as_ref()).collect();
        picture::write(path, &described.problem, &grids, 0, best)?;
    }
    Ok(())
}

/// A thousandth of the square of the mean distance.
pub(super) fn default_epsilon(problem: &Problem) -> Result<f64> {
    match 1e-3 * problem.scale() {
        0.0 => {
            let problem = "all distances are zero: none is small beside them";
            Err(Error::parameter("--epsilon", problem, "give one"))
        }
        epsilon => Ok(epsilon),
    }
}
