//! The experiments of Schmidt and Düll, "Computing the distance between unbalanced distributions:
//! the flat metric" (2025): the paper's numbers next to ours, by all methods.
//!
//!     cargo run --release --example flat_tables -- [OPTIONS] [EXPERIMENT ...]
//!
//! Data are made anew from a seed. `--full` takes hours on a CPU.

mod adaptation;
mod cells;
#[path = "../common/mod.rs"]
#[allow(dead_code, unused_imports, reason = "other experiments use more of it")]
mod common;
mod data;
mod fig6;
mod images;
mod methods;
mod options;
mod pair;
mod table1;
mod table2;
mod tutorials;

use clap::Parser;
use clap::builder::PossibleValuesParser;
use common::{Common, Context, Sheet};
use gaspard::Result;

/// The tables and figures of Schmidt and Düll's "Computing the distance between unbalanced
/// distributions: the flat metric", theirs and ours by all methods
///
/// Experiments: fig6 (equal masses over the radius), table1 (relative errors over the mass ratio),
/// table2 (arbitrary support), cells (tables 3 and 6), adaptation (table 4), images (pictures like
/// those of DOTmark), options (table 5 and figure 11), tutorials.
#[derive(Debug, Parser)]
struct Options {
    /// What is made; all where none is named
    #[arg(value_name = "EXPERIMENT", value_parser = PossibleValuesParser::new(names()))]
    experiments: Vec<String>,
    #[command(flatten)]
    common: Common,
}

type Experiment = fn(&Context, &mut Sheet) -> Result<()>;
const ALL: [(&str, Experiment); 8] = [
    ("fig6", fig6::run),
    ("table1", table1::run),
    ("table2", table2::run),
    ("cells", cells::run),
    ("adaptation", adaptation::run),
    ("images", images::run),
    ("options", options::run),
    ("tutorials", tutorials::run),
];

/// Of all experiments, and one for all of them.
fn names() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|(name, _)| *name).chain(["all"])
}

fn main() -> Result<()> {
    let options = Options::parse();
    run(&options.experiments, &options.common.context()?)
}

fn run(experiments: &[String], context: &Context) -> Result<()> {
    let all = experiments.is_empty() || experiments.iter().any(|wanted| wanted == "all");
    for (name, experiment) in ALL {
        if all || experiments.iter().any(|wanted| wanted == name) {
            let mut sheet = Sheet::new(name, context);
            experiment(context, &mut sheet)?;
            sheet.finish()?;
        }
    }
    Ok(())
}

#[test]
fn experiments_run_at_their_smallest_size() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_owned();
    let (engine, size) = (gaspard::Engine::cpu(), common::Size::Tiny);
    run(&[], &Context { engine, size, seed: 1, out: out.clone() }).unwrap();
    for (name, _) in ALL {
        let text = std::fs::read_to_string(out.join(format!("{name}.json"))).unwrap();
        let sheet: serde_json::Value = serde_json::from_str(&text).unwrap();
        // What is exact has to be so at any size.
        let checks = sheet["checks"].as_array().unwrap();
        let exact =
            |check: &&serde_json::Value| check["what"].as_str().unwrap().contains("simplex");
        assert!(checks.iter().filter(exact).all(|check| check["pass"] == true), "{text}");
    }
    for picture in ["fig6_d2.png", "cells_0.png", "images.png"] {
        assert!(out.join(picture).metadata().unwrap().len() > 100, "{picture}");
    }
}

#[test]
fn options_say_what_they_want() {
    let fails = |words: &[&str]| {
        let words = ["flat_tables"].iter().chain(words);
        Options::try_parse_from(words).unwrap_err().to_string()
    };
    assert!(fails(&["fig7"]).contains("table1, table2"), "{}", fails(&["fig7"]));
    assert!(fails(&["fig6", "--seed", "x"]).contains("--seed"));
}
