//! The experiments of Beier, Beinert and Steidl, "Multi-marginal Gromov-Wasserstein Transport and
//! Barycenters" (2023), as far as the data at hand allow: each draws its picture and prints its losses.
//!
//!     cargo run --release --example gromov_figures -- [OPTIONS] [FIGURE ...]

#[path = "../common/mod.rs"]
#[allow(dead_code, unused_imports, reason = "other experiments use more of it")]
mod common;
mod inputs;
mod labels;
mod particles;
mod shapes;
mod supports;

use std::path::PathBuf;

use clap::Parser;
use clap::builder::PossibleValuesParser;
use common::{Common, Context, Sheet};
use gaspard::Result;
use gaspard::gromov::{Control, Solution};
use gaspard::report::picture::{Colormap, Scale, Style, strip, write_png};
use ndarray::Array2;
use serde_json::json;

/// The epsilon of the paper's code for edges of weight 1; weights that sum to 1 take half of it for
/// two inputs.
const EPSILON: f64 = 1.5e-4;

/// The figures of Beier, Beinert and Steidl's "Multi-marginal Gromov-Wasserstein Transport and
/// Barycenters"
///
/// Figures: shapes (1 to 3), hearts (4 and 5), supports (the comparison with free points in 2 and 3, as
/// a table), earth (6), digits (7 and 8), camels (9), particles (10 and 11). Without --data the first
/// three take the shapes shipped here, and the others, which take longer, are left out. --full takes hours
/// on a CPU.
#[derive(Debug, Parser)]
struct Options {
    /// What is made; all that can be had where none is named
    #[arg(value_name = "FIGURE", value_parser = PossibleValuesParser::new(names()))]
    figures: Vec<String>,
    /// Where the inputs of the paper are, as arrays: spade.npy, heart_0.npy, ...
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Cells a side that pictures are scaled down to, and that barycenters have at most [default: 32,
    /// 16 for supports; with --full 50, 25 for supports, 64 for camels, 80 for the earth]
    #[arg(long, value_name = "CELLS", value_parser = clap::value_parser!(u32).range(4..))]
    side: Option<u32>,
    /// Random starts of supports, of which the best counts
    #[arg(long, value_name = "NUMBER", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..))]
    seeds: u32,
    #[command(flatten)]
    common: Common,
}

/// What a figure gets.
struct Inputs<'a> {
    options: &'a Options,
    context: &'a Context,
}

impl Inputs<'_> {
    /// Cells a side: those that were asked for, a few, or those of the paper.
    fn side(&self, few: usize, paper: usize) -> usize {
        self.options.side.map_or(self.context.size.pick(6, few, paper), |side| side as usize)
    }

    /// The control of a solve with this epsilon and tolerance.
    fn control(&self, epsilon: f64, tolerance: f64) -> Control {
        let seed = self.context.seed;
        Control { tolerance: Some(tolerance), seed, ..Control::new(epsilon) }
    }
}

type Figure = fn(&Inputs<'_>, &mut Sheet) -> Result<()>;
/// Name, function, and whether there are shapes of our own for it.
const ALL: [(&str, Figure, bool); 7] = [
    ("shapes", shapes::shapes, true),
    ("hearts", shapes::hearts, true),
    ("supports", supports::supports, true),
    ("earth", shapes::earth, false),
    ("digits", labels::digits, false),
    ("camels", labels::camels, false),
    ("particles", particles::particles, false),
];

fn names() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|(name, ..)| *name)
}

fn main() -> Result<()> {
    let options = Options::parse();
    draw(&options, &options.common.context()?)
}

/// Draws the figures that are wanted and can be had.
fn draw(options: &Options, context: &Context) -> Result<()> {
    for (name, figure, own) in ALL {
        let wanted = options.figures.is_empty() || options.figures.iter().any(|one| one == name);
        match (wanted, own || options.data.is_some()) {
            (true, true) => {
                let mut sheet = Sheet::new(name, context);
                figure(&Inputs { options, context }, &mut sheet)?;
                sheet.finish()?;
            }
            (true, false) => println!("\n=== {name} needs the inputs of the paper: --data DIR"),
            (false, _) => {}
        }
    }
    Ok(())
}

/// Prints and keeps what came out.
fn report(sheet: &mut Sheet, name: &str, solution: &Solution) {
    let transport = solution.terms.transport();
    println!(
        "  {name}: transport {transport:.4e}, mass {:.3}, {} plans in {:.1} s{}",
        solution.mass,
        solution.outcome.iterations,
        solution.outcome.seconds,
        if solution.outcome.converged { "" } else { ", not converged" }
    );
    let values = json!({
        "transport": transport, "mass": solution.mass, "plans": solution.outcome.iterations,
        "seconds": solution.outcome.seconds, "converged": solution.outcome.converged,
    });
    sheet.keep(name, values);
}

/// Draws pictures side by side.
fn save(inputs: &Inputs<'_>, name: &str, pictures: &[Array2<f64>]) -> Result<()> {
    let style = Style::new(Colormap::Magma).scale(Scale::Quantile(0.995));
    let path = inputs.context.out.join(name);
    write_png(&path, &strip(pictures, &style)?)?;
    println!("  wrote {}", path.display());
    Ok(())
}

#[test]
fn figures_of_our_own_shapes_are_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let (engine, size) = (gaspard::Engine::cpu(), common::Size::Tiny);
    let context = Context { engine, size, seed: 0, out: folder.path().to_owned() };
    draw(&Options::parse_from(["gromov_figures"]), &context).unwrap();
    for name in ["shapes", "hearts", "supports"] {
        for ending in ["png", "json"] {
            let file = context.out.join(format!("{name}.{ending}"));
            assert!(file.metadata().unwrap().len() > 100, "{}", file.display());
        }
    }
    assert!(Options::try_parse_from(["gromov_figures", "moons"]).is_err());
}
