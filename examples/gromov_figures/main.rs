//! The experiments of Beier, Beinert and Steidl, "Multi-marginal Gromov-Wasserstein Transport and
//! Barycenters" (2023), as far as the data at hand allow: each draws its picture and prints a line.
//!
//!     cargo run --release --example gromov_figures -- [--data DIR] [--out DIR] [--side N]
//!         [--seeds N] [FIGURE ...]
//!
//! FIGURE is `shapes` (figures 1 to 3), `hearts` (4 and 5), `earth` (6), `digits` (7 and 8), `camels`
//! (9), `particles` (10 and 11), or `supports` (the comparison with free points in figures 2 and 3,
//! as a table); all of them without. DIR holds the inputs of the paper as arrays (spade.npy,
//! heart_0.npy, ...); without it, `shapes`, `hearts` and `supports` take the shapes shipped here, and
//! the others are left out. Pictures are scaled down to N x N cells at most (32); the paper has 50.
//! `supports` has grids of N x N cells and inputs of twice as many a side, and takes the best of so
//! many seeds (1).

mod inputs;
mod labels;
mod particles;
mod shapes;
mod supports;

use std::path::PathBuf;

use gaspard::gromov::Solution;
use gaspard::report::picture::{Colormap, Scale, Style, strip, write_png};
use gaspard::{Engine, Error, Result};
use ndarray::Array2;

/// The epsilon of the paper's code for edges of weight 1; weights that sum to 1 take half of it for
/// two inputs.
const EPSILON: f64 = 1.5e-4;

struct Options {
    data: Option<PathBuf>,
    out: PathBuf,
    side: usize,
    seeds: usize,
    figures: Vec<String>,
}

fn main() -> Result<()> {
    let options = options()?;
    let engine = Engine::auto();
    println!("on {}", engine.description());
    draw(&options, &engine)
}

/// Draws the figures that are wanted and can be had.
fn draw(options: &Options, engine: &Engine) -> Result<()> {
    std::fs::create_dir_all(&options.out)
        .map_err(|error| Error::file(&options.out, format!("cannot be made: {error}")))?;
    type Figure = fn(&Options, &Engine) -> Result<()>;
    // Name, function, and whether there are shapes of our own for it.
    let all: [(&str, Figure, bool); 7] = [
        ("shapes", shapes::shapes, true),
        ("hearts", shapes::hearts, true),
        ("supports", supports::supports, true),
        ("earth", shapes::earth, false),
        ("digits", labels::digits, false),
        ("camels", labels::camels, false),
        ("particles", particles::particles, false),
    ];
    for (name, figure, own) in all {
        let wanted = options.figures.is_empty() || options.figures.iter().any(|one| one == name);
        if wanted && (own || options.data.is_some()) {
            figure(options, engine)?;
        }
    }
    Ok(())
}

fn options() -> Result<Options> {
    let mut options = Options {
        data: None,
        out: PathBuf::from("figures"),
        side: 32,
        seeds: 1,
        figures: Vec::new(),
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || {
            let problem = format!("{argument} has no value");
            arguments.next().ok_or_else(|| Error::parameter("the options", problem, "give one"))
        };
        match argument.as_str() {
            "--data" => options.data = Some(value()?.into()),
            "--out" => options.out = value()?.into(),
            "--side" => options.side = number(&argument, &value()?)?,
            "--seeds" => options.seeds = number(&argument, &value()?)?,
            _ => options.figures.push(argument),
        }
    }
    Ok(options)
}

fn number(option: &str, text: &str) -> Result<usize> {
    let problem = |_| Error::parameter(option, format!("{text} is no number"), "give one");
    text.parse().map_err(problem)
}

fn report(name: &str, solution: &Solution) {
    println!(
        "{name}: transport {:.4e}, mass {:.3}, {} plans in {:.1} s{}",
        solution.terms.transport(),
        solution.mass,
        solution.iterations,
        solution.seconds,
        if solution.converged { "" } else { ", not converged" }
    );
}

fn save(options: &Options, name: &str, pictures: &[Array2<f64>]) -> Result<()> {
    let style = Style::new(Colormap::Magma).scale(Scale::Quantile(0.995));
    let path = options.out.join(name);
    write_png(&path, &strip(pictures, &style)?)?;
    println!("  wrote {}", path.display());
    Ok(())
}

#[test]
fn figures_of_our_own_shapes_are_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        data: None,
        out: folder.path().join("figures"),
        side: 6,
        seeds: 1,
        figures: Vec::new(),
    };
    draw(&options, &Engine::cpu()).unwrap();
    for name in ["shapes.png", "hearts.png", "supports.png"] {
        assert!(options.out.join(name).metadata().unwrap().len() > 100, "{name}");
    }
}
