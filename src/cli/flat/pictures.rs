//! Pictures of a training and of a test function.

use std::path::Path;

use gaspard::flat::Cloud;
use gaspard::flat::neural::Epoch;
use gaspard::io::npy;
use gaspard::report::curves::Chart;
use gaspard::report::picture::{Colormap, Scale, Style, save_png};
use gaspard::{Error, Result};
use ndarray::{Array1, Array2, Axis};

/// Pixels along the longer side of a field.
const SIDE: usize = 400;
/// What is drawn around the points, as a part of the longer side.
const MARGIN: f64 = 0.15;

/// What a network measured from epoch to epoch: as a chart, or as an array (epochs, 3).
pub(super) fn curve(path: &Path, curve: &[Epoch]) -> Result<()> {
    if path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("npy")) {
        let rows = curve.iter().map(|epoch| [epoch.value, epoch.penalty, epoch.lambda]);
        let rows: Vec<[f64; 3]> = rows.collect();
        return npy::write(path, Array2::from(rows).view().into_dyn());
    }
    if curve.is_empty() {
        let problem = "training was stopped before its first epoch";
        return Err(Error::data("the curve", problem, "let it go on for longer"));
    }
    let points = |of: fn(&Epoch) -> f64| {
        curve.iter().enumerate().map(move |(epoch, found)| (epoch as f64, of(found)))
    };
    Chart::new("epoch", "distance").curve("value", points(|epoch| epoch.value)).save_png(path)
}

/// The test function around the points, dark where it is -1 and light where it is 1.
pub(super) fn field(
    path: &Path,
    a: &Cloud,
    b: &Cloud,
    evaluate: impl FnOnce(&Array2<f64>) -> Result<Array1<f64>>,
) -> Result<()> {
    let bound = |start: f64, better: fn(f64, f64) -> f64| {
        let of = |cloud: &Cloud| cloud.points().fold_axis(Axis(0), start, |x, y| better(*x, *y));
        let (of_a, of_b) = (of(a), of(b));
        [better(of_a[0], of_b[0]), better(of_a[1], of_b[1])]
    };
    let (low, high) = (bound(f64::INFINITY, f64::min), bound(f64::NEG_INFINITY, f64::max));
    let sides = [high[0] - low[0], high[1] - low[1]];
    let longest = sides[0].max(sides[1]).max(1e-9);
    let step = longest * (1.0 + 2.0 * MARGIN) / SIDE as f64;
    let count = |side: f64| ((side + 2.0 * MARGIN * longest) / step).round().max(1.0) as usize;
    let (width, height) = (count(sides[0]), count(sides[1]));
    let place = |index: usize, axis: usize, low: f64| {
        let pixel = if axis == 0 { index % width } else { height - 1 - index / width };
        low - MARGIN * longest + (pixel as f64 + 0.5) * step
    };
    let points =
        Array2::from_shape_fn((width * height, 2), |(index, axis)| place(index, axis, low[axis]));
    let values = evaluate(&points)?.mapv(|f| 0.5 * (f + 1.0));
    let values = values.into_shape_with_order((height, width)).expect("one for each pixel");
    let style = Style::new(Colormap::Magma).scale(Scale::Max(1.0));
    save_png(path, values.view(), &style)
}
