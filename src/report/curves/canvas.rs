//! Axes, curves and a legend, by `plotters`.

use std::ops::Range;

use image::RgbImage;
use plotters::element::{Circle, DashedPathElement, PathElement};
use plotters::prelude::*;

use super::{Chart, Curve, Look};
use crate::error::{Error, Result};
use crate::report::letters::{self, FONT};

/// Colours that differ also for the colour-blind (Okabe and Ito), in the order of the curves.
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(120, 94, 240),
];
const GREY: RGBColor = RGBColor(110, 110, 110);
const FAINT: RGBColor = RGBColor(232, 232, 232);

/// Heights of letters, in pixels.
const TITLE: u32 = 20;
const LETTERS: u32 = 15;
/// Pixels that names and numbers of an axis take.
const BELOW: u32 = 44;
const LEFT: u32 = 68;
const STROKE: u32 = 2;
const RADIUS: u32 = 3;
const DASH: u32 = 7;
const GAP: u32 = 5;

pub(super) fn draw(chart: &Chart, across: Range<f64>, up: Range<f64>) -> Result<RgbImage> {
    let fail = |reason: String| Error::data("the chart", reason, "please report this");
    letters::load()?;
    let (width, height) = chart.size;
    let mut pixels = vec![0; 3 * width as usize * height as usize];
    paint(chart, across, up, &mut pixels).map_err(|error| fail(error.to_string()))?;
    RgbImage::from_raw(width, height, pixels).ok_or_else(|| fail("it has no pixels".into()))
}

fn paint(
    chart: &Chart,
    across: Range<f64>,
    up: Range<f64>,
    pixels: &mut [u8],
) -> std::result::Result<(), Box<dyn std::error::Error>> {
    let area = BitMapBackend::with_buffer(pixels, chart.size).into_drawing_area();
    area.fill(&WHITE)?;
    let mut builder = ChartBuilder::on(&area);
    builder.margin(14).x_label_area_size(BELOW).y_label_area_size(LEFT);
    if let Some(title) = &chart.title {
        builder.caption(title, (FONT, TITLE));
    }
    let corner = emptiest_corner(chart, &across, &up);
    let mut axes = builder.build_cartesian_2d(across, up)?;
    axes.configure_mesh()
        .x_desc(&chart.across)
        .y_desc(&chart.up)
        .label_style((FONT, LETTERS))
        .light_line_style(TRANSPARENT)
        .bold_line_style(FAINT)
        .draw()?;
    let mut colours = COLOURS.iter().cycle();
    for Curve { name, look, points } in &chart.curves {
        let colour = match look {
            Look::Dashes => GREY,
            Look::Line | Look::Dots => *colours.next().unwrap_or(&GREY),
        };
        let stroke = colour.stroke_width(STROKE);
        for run in points.split(|(x, y)| !(x.is_finite() && y.is_finite())) {
            let spots = run.iter().copied();
            match look {
                // One by one: where segments are joined, a sharp turn becomes a long spike.
                Look::Line => axes.draw_series(
                    run.windows(2).map(|segment| PathElement::new(segment.to_vec(), stroke)),
                )?,
                Look::Dashes => {
                    axes.draw_series(DashedLineSeries::new(spots, DASH, GAP, stroke))?
                }
                Look::Dots => {
                    axes.draw_series(spots.map(|spot| Circle::new(spot, RADIUS, colour.filled())))?
                }
            };
        }
        // An empty series, so that a curve in several runs has one entry in the legend.
        let entry = axes.draw_series(std::iter::empty::<PathElement<(f64, f64)>>())?;
        let look = *look;
        entry.label(name).legend(move |(x, y)| match look {
            Look::Dots => Circle::new((x + 10, y), RADIUS, colour.filled()).into_dyn(),
            Look::Line => PathElement::new(vec![(x, y), (x + 20, y)], stroke).into_dyn(),
            Look::Dashes => {
                DashedPathElement::new([(x, y), (x + 20, y)], DASH, GAP, stroke).into_dyn()
            }
        });
    }
    axes.configure_series_labels()
        .position(corner)
        .label_font((FONT, LETTERS))
        .background_style(WHITE.mix(0.85))
        .border_style(FAINT)
        .draw()?;
    drop(axes);
    area.present()?;
    Ok(())
}

/// Where the legend hides the fewest points, by quarters of the area.
fn emptiest_corner(chart: &Chart, across: &Range<f64>, up: &Range<f64>) -> SeriesLabelPosition {
    let mut counts = [0_usize; 4];
    for &(x, y) in chart.curves.iter().flat_map(|curve| &curve.points) {
        if x.is_finite() && y.is_finite() {
            let left = x < 0.5 * across.start + 0.5 * across.end;
            let low = y < 0.5 * up.start + 0.5 * up.end;
            counts[2 * usize::from(low) + usize::from(left)] += 1;
        }
    }
    match (0..4).min_by_key(|&corner| counts[corner]) {
        Some(1) => SeriesLabelPosition::UpperLeft,
        Some(2) => SeriesLabelPosition::LowerRight,
        Some(3) => SeriesLabelPosition::LowerLeft,
        _ => SeriesLabelPosition::UpperRight,
    }
}
