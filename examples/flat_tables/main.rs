//! The experiments of Schmidt and Düll, "Computing the distance between unbalanced distributions:
//! the flat metric" (2025): the paper's numbers next to ours, by all methods.
//!
//!     cargo run --release --example flat_tables -- [--seed N] [--full] [--device D] [--out DIR]
//!         EXPERIMENT ...
//!
//! EXPERIMENT is `fig6` (equal masses over the radius), `table1` (relative errors over the mass
//! ratio), `table2` (arbitrary support), `cells` (tables 3 and 6), `adaptation` (table 4), `images`
//! (pictures like those of DOTmark), `options` (table 5 and figure 11), `tutorials`, or `all`. Data
//! are made anew from a seed (0). `--full` has the sizes of the paper, which take hours on a CPU.
//! Each experiment leaves its numbers in DIR (flat_tables) as JSON, and its pictures as PNG.

mod adaptation;
mod cells;
mod data;
mod fig6;
mod images;
mod methods;
mod options;
mod pair;
mod sheet;
mod table1;
mod table2;
mod tutorials;

use std::path::PathBuf;

use gaspard::{Engine, Error, Result, Selector};
use sheet::Sheet;

/// How much is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Size {
    /// To see that all runs, in seconds.
    Tiny,
    /// Minutes on a few cores.
    Small,
    /// That of the paper.
    Full,
}

impl Size {
    fn pick<T>(self, tiny: T, small: T, full: T) -> T {
        match self {
            Self::Tiny => tiny,
            Self::Small => small,
            Self::Full => full,
        }
    }
}

/// What every experiment gets.
struct Context {
    engine: Engine,
    size: Size,
    seed: u64,
}

struct Options {
    size: Size,
    seed: u64,
    device: String,
    out: PathBuf,
    experiments: Vec<String>,
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

fn main() -> Result<()> {
    let options = parsed(std::env::args().skip(1))?;
    let engine = match options.device.as_str() {
        "auto" => Engine::auto(),
        "cpu" => Engine::cpu(),
        "gpu" => Engine::gpu(Selector::Best)?,
        name => Engine::gpu(Selector::Name(name.to_owned()))?,
    };
    println!("on {}", engine.description());
    let context = Context { engine, size: options.size, seed: options.seed };
    run(&options, &context)
}

fn run(options: &Options, context: &Context) -> Result<()> {
    std::fs::create_dir_all(&options.out)
        .map_err(|error| Error::file(&options.out, format!("cannot be made: {error}")))?;
    for (name, experiment) in ALL {
        if options.experiments.iter().any(|wanted| wanted == name || wanted == "all") {
            let mut sheet = Sheet::new(name, &options.out, context);
            experiment(context, &mut sheet)?;
            sheet.finish()?;
        }
    }
    Ok(())
}

fn parsed(mut arguments: impl Iterator<Item = String>) -> Result<Options> {
    let mut options = Options {
        size: Size::Small,
        seed: 0,
        device: "auto".into(),
        out: PathBuf::from("flat_tables"),
        experiments: Vec::new(),
    };
    let wrong = |problem: String| {
        let names: Vec<_> = ALL.iter().map(|(name, _)| *name).collect();
        Error::parameter("the options", problem, format!("give some of all, {}", names.join(", ")))
    };
    while let Some(argument) = arguments.next() {
        let mut value =
            || arguments.next().ok_or_else(|| wrong(format!("{argument} has no value")));
        match argument.as_str() {
            "--full" => options.size = Size::Full,
            "--seed" => {
                let text = value()?;
                let problem = |_| Error::parameter("--seed", format!("is {text}"), "give a number");
                options.seed = text.parse().map_err(problem)?;
            }
            "--device" => options.device = value()?,
            "--out" => options.out = value()?.into(),
            name if name == "all" || ALL.iter().any(|(known, _)| *known == name) => {
                options.experiments.push(argument);
            }
            _ => return Err(wrong(format!("there is no {argument}"))),
        }
    }
    if options.experiments.is_empty() {
        return Err(wrong("there is no experiment".into()));
    }
    Ok(options)
}

#[test]
fn experiments_run_at_their_smallest_size() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("tables");
    let options = Options { out: out.clone(), ..parsed(["all".to_owned()].into_iter()).unwrap() };
    let context = Context { engine: Engine::cpu(), size: Size::Tiny, seed: 1 };
    run(&options, &context).unwrap();
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
        let words = words.iter().map(|word| (*word).to_owned());
        parsed(words).map(|_| ()).unwrap_err().to_string()
    };
    assert!(fails(&[]).contains("fig6"));
    assert!(fails(&["fig7"]).contains("there is no fig7"));
    assert!(fails(&["fig6", "--seed", "x"]).contains("--seed: is x"));
}
