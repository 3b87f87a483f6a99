//! What the fuzz targets reach: everything that reads what somebody else wrote. See `fuzz/README.md`.

use std::path::Path;
use std::sync::OnceLock;

use clap::Parser;
use gaspard::dynamic::Domain;
use gaspard::{Cost, Engine, EngineOptions, Law};

use super::flat::matrix::{Matrix, Measure, Origin};
use super::options::{MassOption, ReferenceOption};
use super::{
    Cli, Command, barycenter, device, dynamic, flat, gromov, options, separate, simulate, tree,
};

/// What descriptions may ask for.
const MEMORY: &str = "64MiB";

fn host() -> Engine {
    let memory_limit = options::parse_bytes(MEMORY).ok();
    Engine::cpu_with(&EngineOptions { memory_limit, ..EngineOptions::default() })
}

/// An option's value, in every grammar that there is.
pub fn words(text: &str) {
    options::parse_bytes(text).ok();
    barycenter::parse_support(text).ok();
    tree::parse_pair(text).ok();
    dynamic::parse_grid(text).ok();
    dynamic::parse_bins(text).ok();
    let law = text.parse::<Law>();
    law.map(|law| assert_eq!(law.to_string().parse::<Law>().ok(), Some(law))).ok();
    let cost = text.parse::<Cost>();
    cost.map(|cost| assert_eq!(cost.to_string().parse::<Cost>().ok(), Some(cost))).ok();
    text.parse::<device::Choice>().ok();
    text.parse::<separate::search::NoiseOption>().ok();
    text.parse::<separate::search::StartOption>().ok();
    if let Ok(table) = text.parse::<simulate::Table>() {
        table.rows("--delays", 2, 1, true).ok();
    }
    static DOMAIN: OnceLock<Domain> = OnceLock::new();
    let domain = DOMAIN.get_or_init(|| Domain::new(&[4, 4], 4).expect("it is small"));
    // Without a colon it would be the name of a file.
    if ["example:", "scale:", "hills:"].iter().any(|start| text.starts_with(start)) {
        dynamic::map::read(text, Path::new(""), domain).ok();
    }
    if text.starts_with("gaussian:")
        && let Ok(source) = dynamic::source::Source::read(text, MassOption::Light)
    {
        source.on(domain, false).ok();
    }
}

/// The file that describes a tree.
pub fn tree(path: &Path) {
    if let Ok(mut problem) = tree::spec::Problem::read(path, &host()) {
        problem.tree.settle_masses();
        problem.tree.validate().ok();
    }
}

/// The file that describes a tree of spaces.
pub fn spaces(path: &Path) {
    static ARGUMENTS: OnceLock<gromov::Arguments> = OnceLock::new();
    let arguments = ARGUMENTS.get_or_init(|| match parsed(&["gromov", "--tree", "x"]) {
        Command::Gromov(arguments) => *arguments,
        _ => unreachable!(),
    });
    let read = gromov::spec::read(path, ReferenceOption::Weights, &arguments.spaces, &host());
    if let Ok(described) = read {
        described.problem.validate().ok();
    }
}

/// The file that describes a motion.
pub fn motion(path: &Path) {
    static ARGUMENTS: OnceLock<dynamic::Arguments> = OnceLock::new();
    let arguments = ARGUMENTS.get_or_init(|| {
        match parsed(&["dynamic", "--spec", "x", "--json", "-", "--memory-limit", MEMORY]) {
            Command::Dynamic(arguments) => *arguments,
            _ => unreachable!(),
        }
    });
    if let Ok((problem, _)) = dynamic::spec::read(path, arguments) {
        problem.validate().ok();
    }
}

/// What lies beside a matrix of distances, which is there.
pub fn sidecar(matrix: &Path) {
    let measure = |file: &str| Measure { file: file.into(), points: 2, mass: 1.0, checksum: 7 };
    let measures = vec![measure("a.npy"), measure("b.npy")];
    let origin = Origin { method: "exact".into(), settings: "Exact".into(), measures };
    Matrix::open(matrix, origin).ok();
}

/// A list of files.
pub fn list(path: &Path) {
    flat::clouds::named(path).ok();
}

fn parsed(words: &[&str]) -> Command {
    Cli::parse_from([&["gaspard"], words].concat()).command
}
