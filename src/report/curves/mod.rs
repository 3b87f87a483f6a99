//! Curves over two axes with their names: what a training went through, errors over a parameter.
//!
//! Drawn by `plotters`, with letters of DejaVu Sans, which is part of the program: no fonts of the
//! system are needed, and pictures are the same everywhere.

mod canvas;
mod range;

use std::path::Path;

use image::RgbImage;

use super::picture::write_png;
use crate::error::{Error, Result};

/// Curves, and what their axes are called.
///
/// ```
/// use gaspard::report::curves::Chart;
///
/// let points = |f: fn(f64) -> f64| (0..50).map(move |k| 0.1 * k as f64).map(move |x| (x, f(x)));
/// let picture = Chart::new("radius", "distance")
///     .dashed("exact", points(|r| r.min(2.0)))
///     .curve("estimate", points(|r| 1.05 * r.min(2.0)))
///     .render()?;
/// assert_eq!(picture.dimensions(), (800, 500));
/// # Ok::<(), gaspard::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    title: Option<String>,
    across: String,
    up: String,
    size: (u32, u32),
    curves: Vec<Curve>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq)]
struct Curve {
    name: String,
    look: Look,
    points: Vec<(f64, f64)>,
}

/// How points are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    Line,
    Dashes,
    Dots,
}

impl Chart {
    /// An empty chart of 800 x 500 pixels; the names are those of the horizontal axis and of the
    /// vertical one.
    pub fn new(across: impl Into<String>, up: impl Into<String>) -> Self {
        let (across, up) = (across.into(), up.into());
        Self { title: None, across, up, size: (800, 500), curves: Vec::new() }
    }

    /// What is written above it.
    pub fn title(self, title: impl Into<String>) -> Self {
        Self { title: Some(title.into()), ..self }
    }

    /// Its width and height in pixels, between 160 and 8192.
    pub fn size(self, width: u32, height: u32) -> Self {
        Self { size: (width, height), ..self }
    }

    /// Adds a curve through points, in the order in which they come. It has a gap where a number is
    /// not finite.
    pub fn curve(
        self,
        name: impl Into<String>,
        points: impl IntoIterator<Item = (f64, f64)>,
    ) -> Self {
        self.with(name, Look::Line, points)
    }

    /// Adds a dashed curve in grey, for what others are held against.
    pub fn dashed(
        self,
        name: impl Into<String>,
        points: impl IntoIterator<Item = (f64, f64)>,
    ) -> Self {
        self.with(name, Look::Dashes, points)
    }

    /// Adds dots.
    pub fn dots(
        self,
        name: impl Into<String>,
        points: impl IntoIterator<Item = (f64, f64)>,
    ) -> Self {
        self.with(name, Look::Dots, points)
    }

    fn with(
        mut self,
        name: impl Into<String>,
        look: Look,
        points: impl IntoIterator<Item = (f64, f64)>,
    ) -> Self {
        self.curves.push(Curve { name: name.into(), look, points: points.into_iter().collect() });
        self
    }

    /// Draws it.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a size out of bounds, [`Error::Data`] where no point is finite.
    pub fn render(&self) -> Result<RgbImage> {
        let (width, height) = self.size;
        if [width, height].iter().any(|side| !(160..=8192).contains(side)) {
            let problem = format!("is {width} x {height} pixels");
            return Err(Error::parameter("the chart", problem, "give sides between 160 and 8192"));
        }
        let points = || self.curves.iter().flat_map(|curve| &curve.points);
        let finite = || points().filter(|(x, y)| x.is_finite() && y.is_finite());
        let across = range::around(finite().map(|point| point.0));
        let up = range::around(finite().map(|point| point.1));
        let (Some(across), Some(up)) = (across, up) else {
            return Err(Error::data("the chart", "it has no points", "give curves with points"));
        };
        canvas::draw(self, across, up)
    }

    /// Draws it into a PNG file, whole or not at all.
    ///
    /// # Errors
    /// Those of [`Chart::render`], and [`Error::File`] when the file cannot be written.
    pub fn save_png(&self, path: impl AsRef<Path>) -> Result<()> {
        write_png(path, &self.render()?)
    }
}
