//! Particles with noise.

use gaspard::gromov::{GridSpace, Problem, Transfer, propagate};
use gaspard::io::npy;
use gaspard::linear::tree::Reference;
use gaspard::{Error, Law, Result};
use ndarray::{Array1, Array3, Axis, Ix3};

use crate::common::Sheet;
use crate::inputs::file;
use crate::{Inputs, report, save};

/// Follows particles through five frames with noise.
pub fn particles(inputs: &Inputs<'_>, sheet: &mut Sheet) -> Result<()> {
    let read = |name: &str| -> Result<Array3<f64>> {
        let path = file(inputs, name);
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
    let control = inputs.control(2e-4, 1e-2);
    let solution = problem.solve(&control, &inputs.context.engine)?;
    report(sheet, "particles", &solution);
    let operators = solution.plans.iter().map(|plan| Transfer::new(plan, 0.0));
    let first = clean.index_axis(Axis(0), 0);
    let flat: Vec<f64> = first.iter().copied().collect();
    let mass: Array1<f64> = frames[0].cells.iter().map(|&cell| flat[cell]).collect();
    let way = propagate(&operators.collect::<Result<Vec<_>>>()?, mass)?;
    let mut pictures = Vec::new();
    let mut worst = 0.0;
    for ((frame, mass), truth) in frames.iter().zip(&way).zip(clean.axis_iter(Axis(0))) {
        let drawn = frame.draw(mass)?;
        let error = (&drawn - &truth).mapv(f64::abs).sum() / truth.sum();
        println!("  off the clean particles by {error:.3} of their mass");
        worst = f64::max(worst, error);
        pictures.push(drawn);
    }
    sheet.check("particles: off the clean ones by this share of their mass", worst, 0.0..=0.25);
    save(inputs, "particles.png", &pictures)
}
