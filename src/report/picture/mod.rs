//! Pictures of densities: bars for one axis, pixels for two, slices side by side for three.
//!
//! A density is first drawn in 256 levels and then coloured, so that pictures and palette-based
//! animations show exactly the same colours.

mod colormap;
mod style;

use std::io;
use std::path::Path;

use image::codecs::png::PngEncoder;
use image::imageops::replace;
use image::{GrayImage, Luma, Rgb, RgbImage};
use ndarray::{
    Array, ArrayView, ArrayView1, ArrayView2, ArrayView3, ArrayViewD, Axis, Dimension, Ix1, Ix2,
    Ix3,
};

use crate::error::{Error, Result};

pub use colormap::Colormap;
use style::MOST_BARS;
pub use style::{Scale, Style, Upscale};

/// The level of the lines between slices and frames: faint, but off the background.
const GAP_LEVEL: u8 = 40;
/// Pixels between the frames of a strip.
const STRIP_GAP: usize = 8;

/// The level of bars: well off the background in every colormap.
const BAR_LEVEL: f64 = 180.0;
/// The height of a picture of bars, and of the tallest of them.
const BARS_HEIGHT: u32 = 256;
const TALLEST_BAR: f64 = 240.0;

/// Volumes with more slices than this show as many of them, evenly spaced.
const MOST_SLICES: usize = 64;

/// No picture with more pixels than this is drawn.
const MOST_PIXELS: usize = 1 << 28;

/// Draws a density.
///
/// One axis gives bars, two give pixels (first axis down, second to the right), three give the
/// slices along the first axis, in reading order, at most 64 of them. Negative values and NaN are
/// drawn as no mass.
///
/// # Errors
///
/// [`Error::Parameter`] when the style is outside its domain, [`Error::Shape`] when the density has
/// no values, no axis, or more than three, [`Error::Data`] when the picture would be too large.
///
/// # Examples
///
/// ```
/// use gaspard::report::picture::{Colormap, Style, Upscale, render};
/// use ndarray::array;
///
/// let style = Style::new(Colormap::Grey).upscale(Upscale::Factor(2));
/// let picture = render(array![[0.0, 2.0, 4.0]].view(), &style)?;
/// assert_eq!(picture.dimensions(), (6, 2));
/// assert_eq!(picture.get_pixel(2, 1).0, [128, 128, 128]);
/// # Ok::<(), gaspard::Error>(())
/// ```
pub fn render<D: Dimension>(density: ArrayView<'_, f64, D>, style: &Style) -> Result<RgbImage> {
    let levels = draw_all(&[density.into_dyn()], style)?;
    Ok(paint(&levels[0], style.colormap))
}

/// Draws a density into a PNG file, whole or not at all.
///
/// ```
/// use gaspard::report::picture::{Colormap, Style, save_png};
/// use ndarray::array;
///
/// let folder = tempfile::tempdir().expect("a folder");
/// let path = folder.path().join("density.png");
/// save_png(&path, array![[0.0, 1.0], [2.0, 3.0]].view(), &Style::new(Colormap::Viridis))?;
/// assert!(path.exists());
/// # Ok::<(), gaspard::Error>(())
/// ```
///
/// # Errors
///
/// Those of [`render`], and [`Error::File`] when the file cannot be written.
pub fn save_png<D: Dimension>(
    path: impl AsRef<Path>,
    density: ArrayView<'_, f64, D>,
    style: &Style,
) -> Result<()> {
    write_png(path, &render(density, style)?)
}

/// Draws densities side by side, centred on a common line.
///
/// # Errors
///
/// Those of [`render`], and [`Error::Shape`] when there are no densities.
///
/// # Examples
///
/// ```
/// use gaspard::report::picture::{Scale, Style, strip};
/// use ndarray::Array2;
///
/// let frames = [Array2::ones([64, 64]), Array2::zeros([64, 64])];
/// let picture = strip(&frames, &Style::default().scale(Scale::Shared))?;
/// assert_eq!(picture.dimensions(), (256 + 8 + 256, 256));
/// # Ok::<(), gaspard::Error>(())
/// ```
pub fn strip<D: Dimension>(frames: &[Array<f64, D>], style: &Style) -> Result<RgbImage> {
    let views: Vec<_> = frames.iter().map(|frame| frame.view().into_dyn()).collect();
    let parts = draw_all(&views, style)?;
    let width: usize = parts.iter().map(|part| part.width() as usize + STRIP_GAP).sum();
    let height = parts.iter().map(GrayImage::height).max().unwrap_or(0);
    let (width, height) = size(width - STRIP_GAP, height as usize)?;
    let mut levels = GrayImage::from_pixel(width, height, Luma([GAP_LEVEL]));
    let mut left = 0;
    for part in &parts {
        replace(&mut levels, part, left, i64::from((height - part.height()) / 2));
        left += i64::from(part.width()) + STRIP_GAP as i64;
    }
    Ok(paint(&levels, style.colormap))
}

/// Writes a picture as a PNG file, whole or not at all.
///
/// # Errors
///
/// [`Error::File`] when the file cannot be written.
pub fn write_png(path: impl AsRef<Path>, picture: &RgbImage) -> Result<()> {
    crate::io::atomic_write(path, |out| {
        picture.write_with_encoder(PngEncoder::new(out)).map_err(io::Error::other)
    })
}

/// Draws densities in 256 levels, to be coloured with the palette; never an empty list.
pub(super) fn draw_all(densities: &[ArrayViewD<'_, f64>], style: &Style) -> Result<Vec<GrayImage>> {
    style.check()?;
    if densities.is_empty() {
        return Err(Error::shape("the frames to draw", "at least one", "none"));
    }
    let tops = style.tops(densities);
    densities.iter().zip(tops).map(|(density, top)| draw(density.view(), top, style)).collect()
}

fn draw(density: ArrayViewD<'_, f64>, top: f64, style: &Style) -> Result<GrayImage> {
    let shape = density.shape().to_vec();
    let fail = || undrawable(&shape);
    if density.is_empty() {
        return Err(fail());
    }
    match density.ndim() {
        1 => bars(density.into_dimensionality::<Ix1>().map_err(|_| fail())?, top, style),
        2 => pixels(density.into_dimensionality::<Ix2>().map_err(|_| fail())?, top, style),
        3 => slices(density.into_dimensionality::<Ix3>().map_err(|_| fail())?, top, style),
        _ => Err(fail()),
    }
}

fn undrawable(shape: &[usize]) -> Error {
    Error::shape("the density to draw", "1 to 3 axes with values", format!("{shape:?}"))
}

/// The share of the top that a value reaches, in `[0, 1]`.
pub(super) fn share(value: f64, top: f64) -> f64 {
    // The first condition is false for NaN too, the second where no value is positive.
    if value > 0.0 && top > 0.0 { (value / top).min(1.0) } else { 0.0 }
}

fn bars(density: ArrayView1<'_, f64>, top: f64, style: &Style) -> Result<GrayImage> {
    let run = density.len().div_ceil(MOST_BARS);
    let shares: Vec<f64> = density
        .axis_chunks_iter(Axis(0), run)
        .map(|values| share(values.iter().copied().fold(0.0, f64::max), top))
        .collect();
    let (pitch, across) = style.pitch(density.len());
    let (width, height) = size(across, BARS_HEIGHT as usize)?;
    // Thin bars would drown in the gaps between them; they form an area instead.
    let gap = if pitch < 8 { 0 } else { 1 };
    Ok(GrayImage::from_fn(width, height, |x, y| {
        let (bar, offset) = (x as usize / pitch, x as usize % pitch);
        let from_below = f64::from(BARS_HEIGHT - 1 - y);
        let covered = (shares[bar] * TALLEST_BAR - from_below).clamp(0.0, 1.0);
        Luma([if offset < gap { 0 } else { (covered * BAR_LEVEL).round() as u8 }])
    }))
}

fn pixels(density: ArrayView2<'_, f64>, top: f64, style: &Style) -> Result<GrayImage> {
    let (height, width) = density.dim();
    size(width, height)?;
    enlarge(&levels(density, top, style), style.factor(width, height))
}

fn slices(density: ArrayView3<'_, f64>, top: f64, style: &Style) -> Result<GrayImage> {
    let (depth, height, width) = density.dim();
    let count = depth.min(MOST_SLICES);
    let (columns, all_width, all_height) = slice_grid(depth, height, width);
    let (pixel_width, pixel_height) = size(all_width, all_height)?;
    let mut all = GrayImage::from_pixel(pixel_width, pixel_height, Luma([GAP_LEVEL]));
    for cell in 0..count {
        // Centres of `count` equal runs: all slices when there are few, evenly spaced else.
        let slice = density.index_axis(Axis(0), (2 * cell + 1) * depth / (2 * count));
        let (column, row) = (cell % columns, cell / columns);
        let corner = ((column * (width + 1)) as i64, (row * (height + 1)) as i64);
        replace(&mut all, &levels(slice, top, style), corner.0, corner.1);
    }
    enlarge(&all, style.factor(all_width, all_height))
}

/// How many slices are side by side, and the pixels of all of them with the lines between.
fn slice_grid(depth: usize, height: usize, width: usize) -> (usize, usize, usize) {
    let count = depth.min(MOST_SLICES);
    let columns = (count as f64).sqrt().ceil() as usize;
    let across = |cells: usize, side: usize| (side + 1).saturating_mul(cells) - 1;
    (columns, across(columns, width), across(count.div_ceil(columns), height))
}

/// One pixel per value; the caller has checked the size.
fn levels(density: ArrayView2<'_, f64>, top: f64, style: &Style) -> GrayImage {
    let (height, width) = density.dim();
    GrayImage::from_fn(width as u32, height as u32, |x, y| {
        let share = share(density[[y as usize, x as usize]], top).powf(style.gamma);
        Luma([(share * 255.0).round() as u8])
    })
}

/// Every pixel becomes a square of `factor` by `factor`.
fn enlarge(levels: &GrayImage, factor: usize) -> Result<GrayImage> {
    let [wide, high] = [levels.width(), levels.height()].map(|side| side as usize);
    let (width, height) = size(wide.saturating_mul(factor), high.saturating_mul(factor))?;
    // A factor beyond u32 could not have passed the check of the size.
    let factor = factor as u32;
    Ok(GrayImage::from_fn(width, height, |x, y| *levels.get_pixel(x / factor, y / factor)))
}

/// The sides as the image type wants them, unless there would be too many pixels.
fn size(width: usize, height: usize) -> Result<(u32, u32)> {
    if width.saturating_mul(height) > MOST_PIXELS {
        return Err(Error::data(
            "the picture",
            format!("would have {width} x {height} pixels"),
            "enlarge it less, or draw fewer or smaller densities",
        ));
    }
    Ok((width as u32, height as u32))
}

fn paint(levels: &GrayImage, colormap: Colormap) -> RgbImage {
    let palette = colormap.palette();
    RgbImage::from_fn(levels.width(), levels.height(), |x, y| {
        Rgb(palette[usize::from(levels.get_pixel(x, y).0[0])])
    })
}
