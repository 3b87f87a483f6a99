//! Pictures of free points beside those of grids.

use std::path::Path;

use gaspard::Result;
use gaspard::gromov::FreeSupportSolution;
use gaspard::report::mosaic::mosaic;
use gaspard::report::picture::write_png;
use ndarray::{Array2, Array3};

use super::picture::{by_label, by_place, carry, draw};
use super::spaces::NamedSpace;

/// Pixels along the longer side of every picture, about.
const SIDE: usize = 192;
/// The part of the picture that is left free around the points.
const MARGIN: f64 = 0.05;

/// Draws the inputs that are pictures, and the points of the barycenter where they may lie in the
/// plane. Colours are those of labels; without any, those of places in the first input, which
/// plans bring to the barycenter and from there to the others.
pub(super) fn write(
    path: &Path,
    inputs: &[NamedSpace],
    found: &FreeSupportSolution,
    places: &Array2<f64>,
    label_shares: Option<&Array2<f64>>,
) -> Result<()> {
    let center = match (label_shares, &inputs[0].grid) {
        (Some(shares), _) => {
            let kinds: Vec<usize> = (0..shares.ncols()).collect();
            shares.dot(&by_label(&kinds))
        }
        (None, Some(grid)) => carry(found.plans[0].view(), &by_place(grid.shape, &grid.cells))?,
        (None, None) => by_place([1, 1], &vec![0; places.nrows()]),
    };
    let mut pictures = vec![dots(places, &center)];
    for (index, (named, plan)) in inputs.iter().zip(&found.plans).enumerate() {
        let Some(grid) = &named.grid else { continue };
        let colours = match &named.space.labels {
            Some(labels) => by_label(labels),
            None if index == 0 => by_place(grid.shape, &grid.cells),
            None => carry(plan.t(), &center)?,
        };
        pictures.push(enlarged(&draw(grid, &colours, &named.space.weights)));
    }
    write_png(path, &mosaic(&pictures)?)
}

/// A square picture of points, as discs that cover about half of where they lie.
fn dots(places: &Array2<f64>, colours: &Array2<f64>) -> Array3<f64> {
    let range = |axis: usize| {
        let column = places.column(axis);
        let ends = (f64::INFINITY, f64::NEG_INFINITY);
        column.iter().fold(ends, |(low, high), &x| (low.min(x), high.max(x)))
    };
    let (x, y) = (range(0), range(1));
    let extent = (x.1 - x.0).max(y.1 - y.0).max(f64::MIN_POSITIVE);
    let side = SIDE as f64;
    let scale = side * (1.0 - 2.0 * MARGIN) / extent;
    let at =
        |place: f64, (low, high): (f64, f64)| 0.5 * side + scale * (place - 0.5 * (low + high));
    let radius = (0.3 * side / (places.nrows() as f64).sqrt()).clamp(1.0, 0.05 * side);
    let mut picture = Array3::zeros((SIDE, SIDE, 3));
    for (place, colour) in places.rows().into_iter().zip(colours.rows()) {
        let (column, row) = (at(place[0], x), at(place[1], y));
        let reach = |middle: f64| {
            let low = (middle - radius).floor().max(0.0) as usize;
            low..((middle + radius).ceil().max(0.0) as usize).min(SIDE)
        };
        for (i, j) in reach(row).flat_map(|i| reach(column).map(move |j| (i, j))) {
            let (down, right) = (i as f64 + 0.5 - row, j as f64 + 0.5 - column);
            if down.hypot(right) <= radius {
                (0..3).for_each(|k| picture[[i, j, k]] = colour[k]);
            }
        }
    }
    picture
}

/// The same picture about as large as one of dots.
fn enlarged(picture: &Array3<f64>) -> Array3<f64> {
    let (rows, columns, channels) = picture.dim();
    let factor = (SIDE / rows.max(columns)).max(1);
    Array3::from_shape_fn((rows * factor, columns * factor, channels), |(i, j, k)| {
        picture[[i / factor, j / factor, k]]
    })
}
