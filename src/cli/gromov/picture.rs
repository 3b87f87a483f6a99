//! Pictures of a matching: what goes where, in colours.

use std::path::Path;

use gaspard::gromov::{Coloured, GridSpace, Problem, Solution, carry_colours};
use gaspard::report::mosaic::mosaic;
use gaspard::report::picture::write_png;
use gaspard::{Error, Result};
use ndarray::{Array1, Array2, Array3, ArrayView2};

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

/// Draws one space coloured by place, and every other one in the colours that the plans bring:
/// colour(y) = sum_x P(x, y) colour(x) / P(y), edge after edge. Where points have labels, all are
/// in the colours of their labels.
pub(super) fn write(
    path: &Path,
    problem: &Problem,
    grids: &[Option<&GridSpace>],
    first: usize,
    best: &Solution,
) -> Result<()> {
    let labels = |node: usize| problem.nodes[node].space.labels.as_ref();
    let mut colours: Vec<Option<Array2<f64>>> =
        (0..grids.len()).map(|node| labels(node).map(|labels| by_label(labels))).collect();
    if colours[first].is_none() {
        colours[first] = grids[first].map(|grid| by_place(grid.shape, &grid.cells));
    }
    // As many rounds as there are edges reach every node of the tree.
    for _ in &problem.edges {
        for (edge, plan) in problem.edges.iter().zip(&best.plans) {
            let brought = match (&colours[edge.rows], &colours[edge.cols]) {
                (Some(from), None) => (edge.cols, carry(plan.view(), from)?),
                (None, Some(from)) => (edge.rows, carry(plan.t(), from)?),
                _ => continue,
            };
            colours[brought.0] = Some(brought.1);
        }
    }
    let pictures = grids.iter().zip(&colours).zip(&best.marginals);
    let pictures: Vec<_> = pictures
        .filter_map(|((grid, colours), marginal)| Some(draw((*grid)?, colours.as_ref()?, marginal)))
        .collect();
    write_png(path, &mosaic(&pictures)?)
}

/// The mean colour of every cell that carries enough mass; cells may hold several points.
pub(super) fn draw(grid: &GridSpace, colours: &Array2<f64>, marginal: &Array1<f64>) -> Array3<f64> {
    let [rows, columns] = grid.shape;
    let mut sums = Array2::<f64>::zeros((rows * columns, 3));
    let mut masses = vec![0.0; rows * columns];
    for ((&cell, colour), &mass) in grid.cells.iter().zip(colours.rows()).zip(marginal) {
        sums.row_mut(cell).scaled_add(mass, &colour);
        masses[cell] += mass;
    }
    let heaviest = masses.iter().copied().fold(0.0, f64::max);
    Array3::from_shape_fn((rows, columns, 3), |(row, column, k)| {
        let cell = row * columns + column;
        let shown = masses[cell] > FAINTEST * heaviest;
        if shown { sums[[cell, k]] / masses[cell] } else { 0.0 }
    })
}

/// Colours that tell labels apart, red and blue first.
pub(super) fn by_label(labels: &[usize]) -> Array2<f64> {
    const PALETTE: [[f64; 3]; 8] = [
        [0.90, 0.20, 0.20],
        [0.25, 0.45, 0.95],
        [0.25, 0.75, 0.35],
        [0.95, 0.80, 0.20],
        [0.70, 0.35, 0.85],
        [0.20, 0.80, 0.85],
        [0.95, 0.55, 0.15],
        [0.75, 0.75, 0.75],
    ];
    Array2::from_shape_fn((labels.len(), 3), |(point, k)| PALETTE[labels[point] % 8][k])
}

/// The colours that a plan carries from its rows to its columns.
pub(super) fn carry(plan: ArrayView2<'_, f64>, colours: &Array2<f64>) -> Result<Array2<f64>> {
    carry_colours(&[Coloured { plan, colours: colours.view(), weight: 1.0 }], 0.0)
}

/// Colours that tell places apart: hue by direction from the centre, pale in the middle.
pub(super) fn by_place(shape: [usize; 2], cells: &[usize]) -> Array2<f64> {
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
