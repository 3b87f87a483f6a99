//! White paper, and what is drawn on it with smooth edges.

use image::{Rgb, RgbImage};
use tiny_skia::{Color, FillRule, Paint, Path, PathBuilder, Pixmap, Stroke, Transform};

use crate::error::{Error, Result};

/// A place on the paper, in pixels to the right and downwards.
pub(super) type Spot = [f32; 2];

/// Paper to draw on.
pub(super) struct Canvas {
    pixels: Pixmap,
}

impl Canvas {
    /// White paper of so many pixels.
    pub fn new(width: u32, height: u32) -> Result<Self> {
        let Some(mut pixels) = Pixmap::new(width, height) else {
            let problem = format!("would have {width} x {height} pixels");
            return Err(Error::data("the picture", problem, "draw fewer spaces"));
        };
        pixels.fill(Color::WHITE);
        Ok(Self { pixels })
    }

    /// Puts a picture there.
    pub fn picture(&mut self, [left, top]: [u32; 2], picture: &RgbImage) {
        let (width, height) = (self.pixels.width(), self.pixels.height());
        let data = self.pixels.data_mut();
        for (x, y, Rgb(colour)) in picture.enumerate_pixels() {
            let (x, y) = (x + left, y + top);
            if x < width && y < height {
                let at = 4 * (y as usize * width as usize + x as usize);
                data[at..at + 3].copy_from_slice(colour);
            }
        }
    }

    /// Draws straight lines, all of them in one go, so that none is darker where they cross.
    pub fn lines(
        &mut self,
        lines: impl IntoIterator<Item = [Spot; 2]>,
        colour: [u8; 3],
        opacity: f32,
        width: f32,
    ) {
        let mut builder = PathBuilder::new();
        for [[x, y], [u, v]] in lines {
            // What does not move has no line.
            if (x - u).abs() + (y - v).abs() > 1e-3 {
                builder.move_to(x, y);
                builder.line_to(u, v);
            }
        }
        let stroke = Stroke { width, ..Stroke::default() };
        if let Some(path) = builder.finish() {
            let paint = paint(colour, opacity);
            self.pixels.stroke_path(&path, &paint, &stroke, Transform::identity(), None);
        }
    }

    /// Draws dots, all of them in one go.
    pub fn dots(
        &mut self,
        centres: impl IntoIterator<Item = Spot>,
        colour: [u8; 3],
        opacity: f32,
        radius: f32,
    ) {
        let mut builder = PathBuilder::new();
        for [x, y] in centres {
            builder.push_circle(x, y, radius);
        }
        if let Some(path) = builder.finish() {
            self.fill(&path, colour, opacity);
        }
    }

    fn fill(&mut self, path: &Path, colour: [u8; 3], opacity: f32) {
        let paint = paint(colour, opacity);
        self.pixels.fill_path(path, &paint, FillRule::Winding, Transform::identity(), None);
    }

    /// The picture; nothing shines through the paper.
    pub fn finished(&self) -> RgbImage {
        let width = self.pixels.width() as usize;
        let data = self.pixels.data();
        RgbImage::from_fn(self.pixels.width(), self.pixels.height(), |x, y| {
            let at = 4 * (y as usize * width + x as usize);
            Rgb([data[at], data[at + 1], data[at + 2]])
        })
    }
}

fn paint([red, green, blue]: [u8; 3], opacity: f32) -> Paint<'static> {
    let mut paint = Paint { anti_alias: true, ..Paint::default() };
    let alpha = (opacity.clamp(0.0, 1.0) * 255.0).round() as u8;
    paint.set_color_rgba8(red, green, blue, alpha);
    paint
}
