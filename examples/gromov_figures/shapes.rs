//! Barycenters of shapes.

use gaspard::gromov::{Barycenter, Control, GridSpace};
use gaspard::{Engine, Result};

use crate::inputs::{densities, pair_of_shapes, spaces};
use crate::{EPSILON, Options, report, save};

/// Barycenters of spade and heart, or of two shapes of our own, on finer and finer grids.
pub fn shapes(options: &Options, engine: &Engine) -> Result<()> {
    let inputs = pair_of_shapes(options, options.side)?;
    let mut pictures = Vec::new();
    for side in [12, options.side * 3 / 4, options.side] {
        let support = GridSpace::whole_plane([side; 2])?;
        let barycenter = Barycenter::of(&[&inputs[0], &inputs[1]], &support.space);
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
pub fn hearts(options: &Options, engine: &Engine) -> Result<()> {
    let paper = ["heart_0", "heart_1", "heart_2", "heart_3", "heart_4"];
    let own = ["heart", "clover", "star", "crescent", "ring"];
    let inputs = spaces(options, options.side, &paper, &own)?;
    let support = GridSpace::whole_plane([options.side; 2])?;
    let mut pictures = Vec::new();
    for count in 2..=inputs.len() {
        let spaces: Vec<_> = inputs[..count].iter().collect();
        let control = Control { tolerance: Some(2e-2), ..Control::new(EPSILON / count as f64) };
        let barycenter = Barycenter::of(&spaces, &support.space);
        let solution = barycenter.solve(&control, engine, &mut ())?.swap_remove(0);
        report(&format!("hearts, {count} of them"), &solution);
        pictures.push(support.draw(Barycenter::weights_of(&solution))?);
    }
    save(options, "hearts.png", &pictures)
}

/// From Pangea to today on the sphere.
pub fn earth(options: &Options, engine: &Engine) -> Result<()> {
    let inputs = densities(options, options.side, &["earth_0", "earth_1"], &[])?;
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
