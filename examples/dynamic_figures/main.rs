//! The examples of Cang and Zhao, "Synchronized optimal transport for joint modeling of dynamics across
//! multiple spaces" (2025): figures 6.1 to 6.4, with numbers for what they show.
//!
//!     cargo run --release --example dynamic_figures -- [OPTIONS] [EXAMPLE ...]
//!
//! The paper has no tables, and its parameters are lost: `cases` has those of our own, and what a
//! prototype in numpy that shares no code with gaspard found for them.

mod cases;
mod claims;
#[path = "../common/mod.rs"]
#[allow(dead_code, unused_imports, reason = "other experiments use more of it")]
mod common;
mod solves;

use std::collections::BTreeMap;

use cases::{CASES, Case};
use clap::Parser;
use clap::builder::PossibleValuesParser;
use common::{Common, Context, Sheet, Size, Store, head};
use gaspard::Result;
use gaspard::dynamic::paper::Example;
use solves::{Key, Numbers};

/// Figures 6.1 to 6.4 of Cang and Zhao's "Synchronized optimal transport for joint modeling of dynamics
/// across multiple spaces", with numbers for what they show
///
/// Every example is solved for growing weights of its other space, and in all forms that apply. Frames
/// side by side, animations and curves of particles are drawn. Solves are kept when they are done:
/// stopped and called again, the command goes on. --full takes 64x64x32 cells and steps.
#[derive(Debug, Parser)]
struct Options {
    /// What is made; all where none is named
    #[arg(value_name = "EXAMPLE", value_parser = PossibleValuesParser::new(names()))]
    examples: Vec<String>,
    #[command(flatten)]
    common: Common,
}

/// Of all examples.
fn names() -> impl Iterator<Item = &'static str> {
    CASES.iter().map(|case| case.example)
}

fn main() -> Result<()> {
    let options = Options::parse();
    run(&options.examples, &options.common.context()?)
}

fn run(examples: &[String], context: &Context) -> Result<()> {
    let store = Store::open(&context.out.join("solves.jsonl"))?;
    for case in &CASES {
        if examples.is_empty() || examples.iter().any(|wanted| wanted == case.example) {
            make(case, &store, context)?;
        }
    }
    Ok(())
}

/// One example, by all its weights and forms.
fn make(case: &Case, store: &Store<Key, Numbers>, context: &Context) -> Result<()> {
    let example = Example::named(case.example)?;
    let mut sheet = Sheet::new(example.name, context);
    sheet.keep("claim", example.claim);
    let mut found = Vec::new();
    for row in case.rows {
        let key = Key::new(case, row, context);
        let numbers = match store.get(&key) {
            Some(numbers) => numbers,
            None => {
                let numbers = solves::solve(example, &key, row.form, context)?;
                let end = if numbers["converged"] > 0.0 { "" } else { ", not converged" };
                println!("  {key}: {:.0} iterations{end}", numbers["iterations"]);
                store.keep(key, numbers.clone())?;
                numbers
            }
        };
        found.push(numbers);
    }
    let [cells, steps] = case.grid(context.size);
    let title = format!("{}, {cells}x{cells}x{steps}: {}", example.name, example.claim);
    table(&title, case, &found, &mut sheet);
    if context.size == Size::Small {
        claims::near(case, &found, &mut sheet);
    }
    if context.size != Size::Tiny {
        claims::hold(case, &found, &mut sheet);
    }
    sheet.finish()
}

/// Ours, and in brackets the prototype's at its own grid.
fn table(title: &str, case: &Case, found: &[Numbers], sheet: &mut Sheet) {
    let of_the_iteration = ["iterations", "converged", "seconds"];
    let names: Vec<&String> =
        found[0].keys().filter(|name| !of_the_iteration.contains(&name.as_str())).collect();
    let rows: Vec<Vec<String>> = case
        .rows
        .iter()
        .zip(found)
        .map(|(row, numbers)| {
            let prototype: BTreeMap<&str, f64> = row.prototype.iter().copied().collect();
            let cells = names.iter().map(|name| {
                let ours = numbers.get(*name).map_or(String::new(), |ours| format!("{ours:.4}"));
                match prototype.get(name.as_str()) {
                    Some(theirs) => format!("{ours} ({theirs:.4})"),
                    None => ours,
                }
            });
            head(&format!("{:?}, beta {}", row.form, row.beta).to_lowercase(), cells)
        })
        .collect();
    sheet.table(title, &head("", names.iter().map(|name| name.replace('_', " "))), &rows);
}

#[test]
fn all_examples_are_made_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (engine, size) = (gaspard::Engine::cpu(), Size::Tiny);
    let context = Context { engine, size, seed: 0, out: folder.path().to_owned() };
    run(&[], &context).unwrap();
    let solves = || std::fs::read_to_string(context.out.join("solves.jsonl")).unwrap();
    let first = solves();
    let rows: usize = CASES.iter().map(|case| case.rows.len()).sum();
    assert_eq!(first.lines().count(), rows);
    // What is there is not computed again.
    run(&[], &context).unwrap();
    assert_eq!(solves(), first);
    for name in ["6.1a.json", "6.1a_monge_10.png", "6.1a_monge_10.gif", "6.1a_monge_10_paths.png"] {
        assert!(context.out.join(name).metadata().unwrap().len() > 100, "{name}");
    }
    assert!(Options::try_parse_from(["dynamic_figures", "6.5"]).is_err());
}
