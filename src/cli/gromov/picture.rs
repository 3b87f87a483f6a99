//! Pictures of a matching: what goes where, in colours.

use std::path::Path;

use gaspard::gromov::{Problem, Solution};
use gaspard::report::mosaic::mosaic;
use gaspard::report::picture::write_png;
use gaspard::{Error, Result};
use ndarray::{Array2, Array3, Axis};

use super::spaces::NamedSpace;

/// Cells with less than this part of the heaviest one's mass stay black.
const FAINTEST: f64 = 0.02;

/// Refuses what cannot be drawn.
pub(super) fn check(problem: &Problem, spaces: &[NamedSpace]) -> Result<()> {
    match spaces.iter().find(|named| named.grid.is_none()) {
        None if problem.nodes.len() == spaces.len() => Ok(()),
        found => Err(Error::parameter(
            "--picture",
            match found {
                Some(named) => format!("{} is not a picture", named.name),
                None => "the spaces are not pictures".to_owned(),
            },
            "give pictures or densities of two axes, or leave it out",
        )),
    }
}

/// Draws the first space coloured by place, and every other one in the colours that the plans
/// bring: colour(y) = sum_x P(x, y) colour(x) / P(y), edge after edge.
pub(super) fn write(
    path: &Path,
    problem: &Problem,
    spaces: &[NamedSpace],
    best: &Solution,
) -> Result<()> {
    let mut colours: Vec<Option<Array2<f64>>> = vec![None; spaces.len()];
    colours[0] = spaces[0].grid.as_ref().map(|grid| by_place(grid.shape, &grid.cells));
    // As many rounds as there are edges reach every node of the tree.
    for _ in &problem.edges {
        for (edge, plan) in problem.edges.iter().zip(&best.plans) {
            let brought = match (&colours[edge.rows], &colours[edge.cols]) {
                (Some(from), None) => (edge.cols, bring(plan.t().to_owned(), from)),
                (None, Some(from)) => (edge.rows, bring(plan.clone(), from)),
                _ => continue,
            };
            colours[brought.0] = Some(brought.1);
        }
    }
    let pictures = spaces
        .iter()
        .zip(&colours)
        .zip(&best.marginals)
        .filter_map(|((named, colours), marginal)| {
            let (grid, colours) = (named.grid.as_ref()?, colours.as_ref()?);
            let mut picture = Array3::zeros((grid.shape[0], grid.shape[1], 3));
            let heaviest = marginal.iter().copied().fold(0.0, f64::max);
            for ((&cell, colour), &mass) in grid.cells.iter().zip(colours.rows()).zip(marginal) {
                if mass > FAINTEST * heaviest {
                    let place = (cell / grid.shape[1], cell % grid.shape[1]);
                    picture.index_axis_mut(Axis(0), place.0).row_mut(place.1).assign(&colour);
                }
            }
            Some(picture)
        })
        .collect::<Vec<_>>();
    write_png(path, &mosaic(&pictures)?)
}

/// Averages of colours by the rows of a plan.
fn bring(plan: Array2<f64>, from: &Array2<f64>) -> Array2<f64> {
    let mut brought = plan.dot(from);
    for (mut colour, mass) in brought.rows_mut().into_iter().zip(plan.sum_axis(Axis(1))) {
        colour /= mass.max(f64::MIN_POSITIVE);
    }
    brought
}

/// Colours that tell places apart: hue by direction from the centre, pale in the middle.
fn by_place(shape: [usize; 2], cells: &[usize]) -> Array2<f64> {
    let count = cells.len() as f64;
    let place = |cell: usize| ((cell / shape[1]) as f64, (cell % shape[1]) as f64);
    let (row, column) = cells
        .iter()
        .map(|&cell| place(cell))
        .fold((0.0, 0.0), |sum, place| (sum.0 + place.0 / count, sum.1 + place.1 / count));
    let offset = |cell: usize| (place(cell).0 - row, place(cell).1 - column);
    let farthest =
        cells.iter().map(|&cell| offset(cell).0.hypot(offset(cell).1)).fold(1e-9, f64::max);
    Array2::from_shape_fn((cells.len(), 3), |(point, k)| {
        let (down, right) = offset(cells[point]);
        let pale = 1.0 - down.hypot(right) / farthest;
        let hue = down.atan2(right) + k as f64 * std::f64::consts::TAU / 3.0;
        let full = 0.5 + 0.5 * hue.cos();
        full + (1.0 - full) * 0.6 * pale
    })
}
