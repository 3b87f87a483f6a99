//! The experiments of Beier, Beinert and Steidl, "Multi-marginal Gromov-Wasserstein Transport and
//! Barycenters" (2023), as far as the data at hand allow: each draws its picture and prints a line.
//!
//!     cargo run --release --example gromov_figures -- [--data DIR] [--out DIR] [--side N] [FIGURE ...]
//!
//! FIGURE is `shapes` (figures 1 to 3), `hearts` (4 and 5), `earth` (6), `digits` (7 and 8), `camels`
//! (9) or `particles` (10 and 11); all of them without. DIR holds the inputs of the paper as arrays
//! (spade.npy, heart_0.npy, ...); without it, `shapes` and `hearts` take the shapes shipped here, and
//! the others are left out. Pictures are scaled down to N x N cells at most (32); the paper has 50.

use std::path::{Path, PathBuf};

use gaspard::gromov::{
    Barycenter, Control, Fused, GridSpace, Problem, Solution, Transfer, propagate, solve,
};
use gaspard::io::image::{Mass, read_density};
use gaspard::io::npy;
use gaspard::linear::tree::Reference;
use gaspard::report::picture::{Colormap, Scale, Style, strip, write_png};
use gaspard::{Engine, Error, Law, Result};
use ndarray::{Array1, Array2, Array3, Axis, Ix2, Ix3, array};

/// The epsilon of the paper's code for edges of weight 1; weights that sum to 1 take half of it for
/// two inputs.
const EPSILON: f64 = 1.5e-4;

struct Options {
    data: Option<PathBuf>,
    out: PathBuf,
    side: usize,
    figures: Vec<String>,
}

fn main() -> Result<()> {
    let options = options()?;
    let engine = Engine::auto();
    println!("on {}", engine.description());
    std::fs::create_dir_all(&options.out)
        .map_err(|error| Error::file(&options.out, format!("cannot be made: {error}")))?;
    type Figure = fn(&Options, &Engine) -> Result<()>;
    let all: [(&str, Figure); 6] = [
        ("shapes", shapes),
        ("hearts", hearts),
        ("earth", earth),
        ("digits", digits),
        ("camels", camels),
        ("particles", particles),
    ];
    for (name, draw) in all {
        let wanted = options.figures.is_empty() || options.figures.iter().any(|one| one == name);
        let own = ["shapes", "hearts"].contains(&name);
        if wanted && (own || options.data.is_some()) {
            draw(&options, &engine)?;
        }
    }
    Ok(())
}

fn options() -> Result<Options> {
    let mut options =
        Options { data: None, out: PathBuf::from("figures"), side: 32, figures: Vec::new() };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || {
            let problem = format!("{argument} has no value");
            arguments.next().ok_or_else(|| Error::parameter("the options", problem, "give one"))
        };
        match argument.as_str() {
            "--data" => options.data = Some(value()?.into()),
            "--out" => options.out = value()?.into(),
            "--side" => {
                let text = value()?;
                let problem =
                    || Error::parameter("--side", format!("{text} is no number"), "give cells");
                options.side = text.parse().map_err(|_| problem())?;
            }
            _ => options.figures.push(argument),
        }
    }
    Ok(options)
}

/// Barycenters of spade and heart, or of two shapes of our own, on finer and finer grids.
fn shapes(options: &Options, engine: &Engine) -> Result<()> {
    let inputs = densities(options, &["spade", "heart"], &["star", "heart"])?;
    let inputs = inputs.iter().map(|density| GridSpace::plane(density.view()));
    let inputs = inputs.collect::<Result<Vec<_>>>()?;
    let mut pictures = Vec::new();
    for side in [12, options.side * 3 / 4, options.side] {
        let support = GridSpace::whole_plane([side; 2])?;
        let spaces: Vec<_> = inputs.iter().map(|input| &input.space).collect();
        let barycenter = Barycenter::of(&spaces, &support.space);
        let control = Control { tolerance: Some(1e-2), ..Control::new(EPSILON / 2.0) };
        let solution = barycenter.solve(&control, engine, &mut ())?.swap_remove(0);
        report(&format!("shapes, {side} x {side}"), &solution);
        // Densities, so that grids of all sizes share one scale.
        let density = support.draw(Barycenter::weights_of(&solution))? * (side * side) as f64;
        pictures.push(density);
    }
    save(options, "shapes.png", &pictures)
}

/// Barycenters of two to five hearts, or shapes of our own.
fn hearts(options: &Options, engine: &Engine) -> Result<()> {
    let paper = ["heart_0", "heart_1", "heart_2", "heart_3", "heart_4"];
    let own = ["heart", "clover", "star", "crescent", "ring"];
    let inputs = densities(options, &paper, &own)?;
    let inputs = inputs.iter().map(|density| GridSpace::plane(density.view()));
    let inputs = inputs.collect::<Result<Vec<_>>>()?;
    let support = GridSpace::whole_plane([options.side; 2])?;
    let mut pictures = Vec::new();
    for count in 2..=inputs.len() {
        let spaces: Vec<_> = inputs[..count].iter().map(|input| &input.space).collect();
        let control = Control { tolerance: Some(2e-2), ..Control::new(EPSILON / count as f64) };
        let barycenter = Barycenter::of(&spaces, &support.space);
        let solution = barycenter.solve(&control, engine, &mut ())?.swap_remove(0);
        report(&format!("hearts, {count} of them"), &solution);
        pictures.push(support.draw(Barycenter::weights_of(&solution))?);
    }
    save(options, "hearts.png", &pictures)
}

/// From Pangea to today on the sphere.
fn earth(options: &Options, engine: &Engine) -> Result<()> {
    let inputs = densities(options, &["earth_0", "earth_1"], &[])?;
    let inputs = inputs.iter().map(|density| GridSpace::sphere(density.view()));
    let inputs = inputs.collect::<Result<Vec<_>>>()?;
    let support = GridSpace::whole_sphere([options.side; 2])?;
    let barycenter = Barycenter::of(&[&inputs[0].space, &inputs[1].space], &support.space);
    let control = Control { tolerance: Some(2e-2), ..Control::new(1.6e-4) };
    let frames = barycenter.solve_frames(6, &control, engine, &mut ())?;
    let mut pictures = Vec::new();
    for (frame, solution) in frames.iter().enumerate() {
        report(&format!("earth, {:.1} of the way", frame as f64 / 5.0), solution);
        pictures.push(support.draw(Barycenter::weights_of(solution))?);
    }
    save(options, "earth.png", &pictures)
}

/// Barycenters of two pictures of two digits, with and without labels, balanced and not.
fn digits(options: &Options, engine: &Engine) -> Result<()> {
    let mut pictures = Vec::new();
    for number in ["98", "81"] {
        let name = |index: usize| format!("digits{number}_{index}");
        let inputs = labelled_pictures(options, [&name(0), &name(1)])?;
        let support = GridSpace::whole_plane(inputs[0].shape)?;
        let columns = support.shape[1];
        let halves = support.cells.iter().map(|cell| usize::from(cell % columns < columns / 2));
        let labels = halves.collect();
        let support = GridSpace { space: support.space.clone().labelled(labels), ..support };
        let label_costs = array![[0.0, 1.0], [1.0, 0.0]];
        labelled_barycenters(number, engine, &inputs, &support, &label_costs, 2e-4, &mut pictures)?;
    }
    save(options, "digits.png", &pictures)
}

/// Barycenters of camels with the labels of their parts.
fn camels(options: &Options, engine: &Engine) -> Result<()> {
    let inputs = labelled_pictures(options, ["camel_0", "camel_1"])?;
    let label_costs = array![
        [0.0, 0.25, 1.0, 0.25],
        [0.25, 0.0, 0.25, 1.0],
        [1.0, 0.25, 0.0, 0.25],
        [0.25, 1.0, 0.25, 0.0]
    ];
    let support = GridSpace::whole_plane([options.side; 2])?.times_labels(4);
    let mut pictures = Vec::new();
    labelled_barycenters("camels", engine, &inputs, &support, &label_costs, 7e-5, &mut pictures)?;
    save(options, "camels.png", &pictures)
}

/// GW, unbalanced GW, fused GW and both.
fn labelled_barycenters(
    name: &str,
    engine: &Engine,
    inputs: &[GridSpace],
    support: &GridSpace,
    label_costs: &Array2<f64>,
    epsilon: f64,
    pictures: &mut Vec<Array2<f64>>,
) -> Result<()> {
    let spaces: Vec<_> = inputs.iter().map(|input| &input.space).collect();
    for (law, alpha, kind) in [
        (Law::Fixed, 1.0, "GW"),
        (Law::Kl { rho: 0.01 }, 1.0, "unbalanced GW"),
        (Law::Fixed, 0.5, "fused GW"),
        (Law::Kl { rho: 0.01 }, 0.5, "unbalanced fused GW"),
    ] {
        // On the counting measure, entropy rewards mass where nothing fixes it.
        let barycenter = Barycenter::of(&spaces, &support.space)
            .laws(&[law, law])
            .reference(Reference::Uniform)
            .fused(Fused { alpha, label_costs: label_costs.clone() });
        let control = Control { tolerance: Some(2e-2), ..Control::new(epsilon) };
        let solution = barycenter.solve(&control, engine, &mut ())?.swap_remove(0);
        report(&format!("{name}, {kind}"), &solution);
        pictures.push(support.draw(Barycenter::weights_of(&solution))?);
    }
    Ok(())
}

/// Follows particles through five frames with noise.
fn particles(options: &Options, engine: &Engine) -> Result<()> {
    let read = |name: &str| -> Result<Array3<f64>> {
        let path = file(options, name);
        let values = npy::read(&path)?;
        values.into_dimensionality::<Ix3>().map_err(|error| Error::file(&path, error))
    };
    let (clean, noise) = (read("particles_clean")?, read("particles_noise")?);
    let mut problem = Problem { reference: Reference::Uniform, ..Problem::default() };
    let mut frames = Vec::new();
    for (clean, noise) in clean.axis_iter(Axis(0)).zip(noise.axis_iter(Axis(0))) {
        let frame = GridSpace::plane((&clean + &noise).view())?;
        problem.node(frame.space.clone(), Law::Kl { rho: 1e-3 });
        frames.push(frame);
    }
    for next in 1..frames.len() {
        problem.edge(next - 1, next, 1.0);
    }
    let control = Control { tolerance: Some(1e-2), ..Control::new(2e-4) };
    let solution = solve(&problem, &control, engine, &mut ())?.swap_remove(0);
    report("particles", &solution);
    let operators = solution.plans.iter().map(|plan| Transfer::new(plan, 0.0));
    let first = clean.index_axis(Axis(0), 0);
    let flat: Vec<f64> = first.iter().copied().collect();
    let mass: Array1<f64> = frames[0].cells.iter().map(|&cell| flat[cell]).collect();
    let way = propagate(&operators.collect::<Result<Vec<_>>>()?, mass)?;
    let mut pictures = Vec::new();
    for ((frame, mass), truth) in frames.iter().zip(&way).zip(clean.axis_iter(Axis(0))) {
        let drawn = frame.draw(mass)?;
        let error = (&drawn - &truth).mapv(f64::abs).sum() / truth.sum();
        println!("  off the clean particles by {error:.3} of their mass");
        pictures.push(drawn);
    }
    save(options, "particles.png", &pictures)
}

fn file(options: &Options, name: &str) -> PathBuf {
    options.data.as_deref().unwrap_or(Path::new("")).join(format!("{name}.npy"))
}

fn read_picture(path: &Path) -> Result<Array2<f64>> {
    npy::read(path)?.into_dimensionality::<Ix2>().map_err(|error| Error::file(path, error))
}

/// The paper's inputs, or else our own shapes, at the size that is wanted.
fn densities(options: &Options, paper: &[&str], own: &[&str]) -> Result<Vec<Array2<f64>>> {
    let all: Vec<Array2<f64>> = if options.data.is_some() {
        paper.iter().map(|name| read_picture(&file(options, name))).collect::<Result<_>>()?
    } else {
        let shape = |name: &&str| {
            let path = format!("{}/examples/shapes/{name}.png", env!("CARGO_MANIFEST_DIR"));
            read_density(path, Mass::Light)
        };
        own.iter().map(shape).collect::<Result<_>>()?
    };
    Ok(all.iter().map(|density| resized(density, options.side)).collect())
}

/// Pictures with the labels of their pixels, as they are.
fn labelled_pictures(options: &Options, names: [&str; 2]) -> Result<Vec<GridSpace>> {
    let read = |name: &str| -> Result<GridSpace> {
        let picture = GridSpace::plane(read_picture(&file(options, name))?.view())?;
        let labels = read_picture(&file(options, &format!("{name}_labels")))?;
        let flat: Vec<f64> = labels.iter().copied().collect();
        let labels = picture.cells.iter().map(|&cell| flat[cell] as usize).collect();
        Ok(GridSpace { space: picture.space.clone().labelled(labels), ..picture })
    };
    names.into_iter().map(read).collect()
}

/// The mass of a density on a grid of so many cells a side, or as it is if that is larger.
fn resized(density: &Array2<f64>, side: usize) -> Array2<f64> {
    let (rows, columns) = density.dim();
    if rows.max(columns) <= side {
        return density.clone();
    }
    let mut small = Array2::zeros((side, side));
    let fine = 4 * side;
    for i in 0..fine {
        for j in 0..fine {
            small[[i / 4, j / 4]] += density[[i * rows / fine, j * columns / fine]];
        }
    }
    small
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
