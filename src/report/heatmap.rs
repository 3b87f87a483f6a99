//! A function of two variables in colours, over axes with names and numbers.

use std::ops::Range;
use std::path::Path;

use image::{Rgb, RgbImage};
use ndarray::Array2;
use plotters::prelude::*;

use super::letters::{self, FONT};
use super::picture::{Colormap, write_png};
use crate::error::{Error, Result};

/// Heights of letters, in pixels.
const TITLE: u32 = 20;
const LETTERS: u32 = 15;
/// Pixels that names and numbers of an axis take.
const BELOW: u32 = 44;
const LEFT: u32 = 76;
/// Half the side of a mark.
const MARK: i32 = 6;

/// Values on an even grid.
///
/// ```
/// use gaspard::report::heatmap::Heatmap;
/// use ndarray::Array2;
/// let values = Array2::from_shape_fn((40, 60), |(y, x)| (0.2 * x as f64).sin() * y as f64);
/// let picture = Heatmap::new(("seconds", 0.0..2.0), ("hertz", 0.0..4000.0), values)
///     .mark(1.0, 1000.0)
///     .render()?;
/// assert_eq!(picture.dimensions(), (800, 500));
/// # Ok::<(), gaspard::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Heatmap {
    title: Option<String>,
    across: (String, Range<f64>),
    up: (String, Range<f64>),
    values: Array2<f64>,
    colours: Option<Range<f64>>,
    marks: Vec<(f64, f64)>,
}

impl Heatmap {
    /// Values (up, across), the first row lowest, which fill these ranges; each axis has a name.
    pub fn new(
        across: (impl Into<String>, Range<f64>),
        up: (impl Into<String>, Range<f64>),
        values: Array2<f64>,
    ) -> Self {
        Self {
            title: None,
            across: (across.0.into(), across.1),
            up: (up.0.into(), up.1),
            values,
            colours: None,
            marks: Vec::new(),
        }
    }

    /// What is written above it.
    pub fn title(self, title: impl Into<String>) -> Self {
        Self { title: Some(title.into()), ..self }
    }

    /// The values that get the first and the last colour; the least and the largest by default.
    pub fn colours(self, range: Range<f64>) -> Self {
        Self { colours: Some(range), ..self }
    }

    /// Adds a cross.
    pub fn mark(mut self, across: f64, up: f64) -> Self {
        self.marks.push((across, up));
        self
    }

    /// Draws it, 800 x 500 pixels.
    ///
    /// # Errors
    /// [`Error::Data`] for no values, and for axes that go nowhere.
    pub fn render(&self) -> Result<RgbImage> {
        const SIZE: (u32, u32) = (800, 500);
        let fail = |problem: &str| Error::data("the picture", problem, "give a grid of values");
        if self.values.is_empty() {
            return Err(fail("it has no values"));
        }
        for (name, range) in [&self.across, &self.up] {
            if !(range.start < range.end && range.start.is_finite() && range.end.is_finite()) {
                return Err(fail(&format!("the axis {name} goes from {range:?}")));
            }
        }
        letters::load()?;
        let mut pixels = vec![0; 3 * SIZE.0 as usize * SIZE.1 as usize];
        let area = self.axes(SIZE, &mut pixels).map_err(|error| fail(&error.to_string()))?;
        let mut picture =
            RgbImage::from_raw(SIZE.0, SIZE.1, pixels).ok_or_else(|| fail("it has no pixels"))?;
        self.fill(&mut picture, &area);
        self.cross(&mut picture, &area);
        Ok(picture)
    }

    /// Draws it into a PNG file, whole or not at all.
    ///
    /// # Errors
    /// Those of [`Heatmap::render`], and [`Error::File`] when the file cannot be written.
    pub fn save_png(&self, path: impl AsRef<Path>) -> Result<()> {
        write_png(path, &self.render()?)
    }

    /// Draws the axes; the pixels between them.
    fn axes(
        &self,
        size: (u32, u32),
        pixels: &mut [u8],
    ) -> std::result::Result<(Range<i32>, Range<i32>), Box<dyn std::error::Error>> {
        let area = BitMapBackend::with_buffer(pixels, size).into_drawing_area();
        area.fill(&WHITE)?;
        let mut builder = ChartBuilder::on(&area);
        builder.margin(14).x_label_area_size(BELOW).y_label_area_size(LEFT);
        if let Some(title) = &self.title {
            builder.caption(title, (FONT, TITLE));
        }
        let mut axes = builder.build_cartesian_2d(self.across.1.clone(), self.up.1.clone())?;
        axes.configure_mesh()
            .disable_mesh()
            .x_desc(&self.across.0)
            .y_desc(&self.up.0)
            .label_style((FONT, LETTERS))
            .draw()?;
        let inside = axes.plotting_area().get_pixel_range();
        drop(axes);
        area.present()?;
        Ok(inside)
    }

    fn fill(&self, picture: &mut RgbImage, (across, up): &(Range<i32>, Range<i32>)) {
        let (rows, columns) = self.values.dim();
        let finite = self.values.iter().copied().filter(|value| value.is_finite());
        let Range { start, end } = self.colours.clone().unwrap_or_else(|| {
            finite.fold(f64::INFINITY..f64::NEG_INFINITY, |range, value| {
                range.start.min(value)..range.end.max(value)
            })
        });
        let palette = Colormap::Magma.palette();
        let cell = |pixel: i32, range: &Range<i32>, cells: usize| {
            let share = (f64::from(pixel - range.start) + 0.5) / f64::from(range.len() as u32);
            ((share * cells as f64) as usize).min(cells - 1)
        };
        for y in up.clone() {
            let row = rows - 1 - cell(y, up, rows);
            for x in across.clone() {
                let value = self.values[[row, cell(x, across, columns)]];
                let level = 255.0 * (value - start) / (end - start);
                // Where a value is none, or all are the same, the cast gives the first colour.
                let colour = palette[usize::from(level.clamp(0.0, 255.0) as u8)];
                picture.put_pixel(x as u32, y as u32, Rgb(colour));
            }
        }
    }

    fn cross(&self, picture: &mut RgbImage, (across, up): &(Range<i32>, Range<i32>)) {
        let place = |value: f64, axis: &Range<f64>, pixels: &Range<i32>| {
            let share = (value - axis.start) / (axis.end - axis.start);
            pixels.start + (share * f64::from(pixels.len() as u32)) as i32
        };
        for (x, y) in &self.marks {
            let x = place(*x, &self.across.1, across);
            let y = up.start + up.end - 1 - place(*y, &self.up.1, up);
            for step in -MARK..=MARK {
                for (x, y) in [(x + step, y), (x, y + step), (x + step, y + 1), (x + 1, y + step)] {
                    if across.contains(&x) && up.contains(&y) {
                        picture.put_pixel(x as u32, y as u32, Rgb([90, 220, 255]));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn the_first_row_is_lowest_and_marks_are_where_they_belong() {
        let picture =
            Heatmap::new(("x", 0.0..2.0), ("y", 0.0..2.0), array![[0.0, 0.0], [0.0, 1.0]])
                .mark(0.5, 0.5)
                .render()
                .unwrap();
        let palette = Colormap::Magma.palette();
        // Corners of the area between the axes, well inside.
        assert_eq!(picture.get_pixel(770, 30).0, palette[255]);
        assert_eq!(picture.get_pixel(110, 30).0, palette[0]);
        assert_eq!(picture.get_pixel(770, 420).0, palette[0]);
        let marked: Vec<_> =
            picture.enumerate_pixels().filter(|p| p.2.0 == [90, 220, 255]).collect();
        assert!(!marked.is_empty() && marked.iter().all(|(x, y, _)| *x < 400 && *y > 220));
    }

    #[test]
    fn what_cannot_be_drawn_is_refused() {
        let map = |across, values| Heatmap::new(("x", across), ("y", 0.0..1.0), values).render();
        assert!(map(0.0..1.0, Array2::zeros((0, 3))).is_err());
        assert!(map(1.0..1.0, Array2::zeros((2, 3))).is_err());
        assert!(map(0.0..1.0, Array2::from_elem((2, 3), f64::NAN)).is_ok());
    }
}
