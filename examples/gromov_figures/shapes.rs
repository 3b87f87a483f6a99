//! Barycenters of shapes.

use gaspard::Result;
use gaspard::gromov::{Barycenter, GridSpace};

use crate::common::{Sheet, Size};
use crate::inputs::{densities, pair_of_shapes, spaces};
use crate::{EPSILON, Inputs, report, save};

/// Barycenters of spade and heart, or of two shapes of our own, on finer and finer grids.
pub fn shapes(inputs: &Inputs<'_>, sheet: &mut Sheet) -> Result<()> {
    let finest = inputs.side(32, 50);
    let shapes = pair_of_shapes(inputs, finest)?;
    let sides = match inputs.context.size {
        Size::Full => vec![12, 25, 40, finest],
        _ => vec![finest * 3 / 8, finest * 3 / 4, finest],
    };
    let (mut pictures, mut losses) = (Vec::new(), Vec::new());
    for side in sides {
        let support = GridSpace::whole_plane([side; 2])?;
        let barycenter = Barycenter::of(&[&shapes[0], &shapes[1]], &support.space);
        let control = inputs.control(EPSILON / 2.0, 1e-2);
        let solution = barycenter.solve(&control, &inputs.context.engine)?;
        report(sheet, &format!("shapes, {side} x {side}"), &solution);
        losses.push(solution.terms.transport());
        // Densities, so that grids of all sizes share one scale.
        let density = support.draw(Barycenter::weights_of(&solution))? * (side * side) as f64;
        pictures.push(density);
    }
    let finer = losses[losses.len() - 1] / losses[0];
    sheet.check("shapes: loss on the finest grid beside the coarsest", finer, 0.0..=1.0);
    save(inputs, "shapes.png", &pictures)
}

/// Barycenters of two to five hearts, or shapes of our own.
pub fn hearts(inputs: &Inputs<'_>, sheet: &mut Sheet) -> Result<()> {
    let paper = ["heart_0", "heart_1", "heart_2", "heart_3", "heart_4"];
    let own = ["heart", "clover", "star", "crescent", "ring"];
    let side = inputs.side(32, 50);
    let shapes = spaces(inputs, side, &paper, &own)?;
    let support = GridSpace::whole_plane([side; 2])?;
    let mut pictures = Vec::new();
    for count in 2..=shapes.len() {
        let spaces: Vec<_> = shapes[..count].iter().collect();
        let control = inputs.control(EPSILON / count as f64, 2e-2);
        let barycenter = Barycenter::of(&spaces, &support.space);
        let solution = barycenter.solve(&control, &inputs.context.engine)?;
        let name = format!("hearts, {count} of them");
        report(sheet, &name, &solution);
        sheet
            .expect(format!("{name}: no cycle, but a plan that stays"), solution.outcome.converged);
        pictures.push(support.draw(Barycenter::weights_of(&solution))?);
    }
    save(inputs, "hearts.png", &pictures)
}

/// From Pangea to today on the sphere.
pub fn earth(inputs: &Inputs<'_>, sheet: &mut Sheet) -> Result<()> {
    let side = inputs.side(32, 80);
    let maps = densities(inputs, side, &["earth_0", "earth_1"], &[])?;
    let maps = maps.iter().map(|density| GridSpace::sphere(density.view()));
    let maps = maps.collect::<Result<Vec<_>>>()?;
    let support = GridSpace::whole_sphere([side; 2])?;
    let barycenter = Barycenter::of(&[&maps[0].space, &maps[1].space], &support.space);
    let control = inputs.control(1.6e-4, 2e-2);
    let frames = barycenter.solve_frames(6, &control, &inputs.context.engine, &mut ())?;
    let mut pictures = Vec::new();
    for (frame, solution) in frames.iter().enumerate() {
        report(sheet, &format!("earth, {:.1} of the way", frame as f64 / 5.0), solution);
        pictures.push(support.draw(Barycenter::weights_of(solution))?);
    }
    let loss = |frame: usize| frames[frame].terms.transport();
    let ends = loss(0).max(loss(5)) / (1..5).map(loss).fold(f64::INFINITY, f64::min);
    sheet.check("earth: loss at the ends beside the least between", ends, 0.0..=0.2);
    save(inputs, "earth.png", &pictures)
}
