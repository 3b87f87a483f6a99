//! Pictures of densities: bars for one axis, pixels for two, slices side by side for three.
//!
//! A density is first drawn in 256 levels and then coloured, so that pictures and palette-based
//! animations show exactly the same colours.

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

/// The level of the lines between slices and frames: faint, but off the background.
const GAP_LEVEL: u8 = 40;
/// Pixels between the frames of a strip.
const STRIP_GAP: usize = 8;

/// The level of bars: well off the background in every colormap.
const BAR_LEVEL: f64 = 180.0;
/// Longer densities than this share a bar between neighbours, which shows their maximum.
const MOST_BARS: usize = 1024;
/// The width that bars fill by default, the height of their picture, and of the tallest of them.
const BARS_WIDTH: usize = 512;
const BARS_HEIGHT: u32 = 256;
const TALLEST_BAR: f64 = 240.0;

/// Automatic enlargement brings the shorter side to this, unless that takes the longer one past
/// its own bound.
const SHORTER_SIDE: usize = 256;
const LONGER_SIDE: usize = 4096;

/// Volumes with more slices than this show as many of them, evenly spaced.
const MOST_SLICES: usize = 64;

/// No picture with more pixels than this is drawn.
const MOST_PIXELS: usize = 1 << 28;

/// The colours that mass is drawn in, from none to most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Colormap {
    /// Black to white.
    Grey,
    /// White to black.
    Paper,
    /// White paper to dark blue ink.
    Ink,
    /// Black over purple and orange to pale yellow, perceptually uniform.
    #[default]
    Magma,
    /// Purple over green to yellow, perceptually uniform.
    Viridis,
}

impl Colormap {
    /// The 256 colours, red, green and blue, from no mass to most.
    ///
    /// # Examples
    ///
    /// ```
    /// use gaspard::report::picture::Colormap;
    ///
    /// assert_eq!(Colormap::Grey.palette()[51], [51, 51, 51]);
    /// assert_eq!(Colormap::Ink.palette()[0], [255, 255, 255]);
    /// ```
    pub fn palette(self) -> [[u8; 3]; 256] {
        let anchors = self.anchors();
        std::array::from_fn(|level| {
            let position = level as f64 / 255.0 * (anchors.len() - 1) as f64;
            let left = (position as usize).min(anchors.len() - 2);
            let weight = position - left as f64;
            std::array::from_fn(|channel| {
                let [from, to] = [left, left + 1].map(|anchor| f64::from(anchors[anchor][channel]));
                (from + weight * (to - from)).round() as u8
            })
        })
    }

    /// Colours at even distances; of Magma and Viridis, every sixteenth of matplotlib's tables.
    fn anchors(self) -> &'static [[u8; 3]] {
        match self {
            Self::Grey => &[[0, 0, 0], [255, 255, 255]],
            Self::Paper => &[[255, 255, 255], [0, 0, 0]],
            Self::Ink => {
                &[[255, 255, 255], [196, 206, 224], [118, 136, 170], [52, 66, 104], [12, 16, 36]]
            }
            Self::Magma => &[
                [0, 0, 4],
                [10, 8, 34],
                [29, 17, 71],
                [54, 16, 107],
                [81, 18, 124],
                [106, 28, 129],
                [131, 38, 129],
                [156, 46, 127],
                [183, 55, 121],
                [207, 64, 112],
                [229, 80, 100],
                [244, 105, 92],
                [251, 135, 97],
                [254, 165, 113],
                [254, 194, 135],
                [253, 224, 161],
                [252, 253, 191],
            ],
            Self::Viridis => &[
                [68, 1, 84],
                [72, 24, 106],
                [71, 45, 123],
                [66, 64, 134],
                [59, 82, 139],
                [51, 99, 141],
                [44, 114, 142],
                [38, 130, 142],
                [33, 145, 140],
                [31, 159, 136],
                [39, 173, 129],
                [61, 188, 116],
                [92, 200, 99],
                [129, 211, 77],
                [170, 220, 50],
                [213, 226, 26],
                [253, 231, 37],
            ],
        }
    }
}

/// Which mass gets the last colour of the colormap; whatever is above it gets that too.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Scale {
    /// The largest of each density: every frame uses all colours.
    #[default]
    Own,
    /// The largest of all densities drawn together: frames can be compared.
    Shared,
    /// This much, a positive number.
    Max(f64),
    /// This quantile, in `(0, 1]`, of all densities drawn together: 0.999 keeps a few peaks from
    /// hiding the rest.
    Quantile(f64),
}

/// How many pixels one value of a density becomes, along each side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Upscale {
    /// As many as bring the shorter side to 256 pixels or a little more.
    #[default]
    Automatic,
    /// This many, at least one.
    Factor(u32),
}

/// How densities are drawn.
///
/// # Examples
///
/// ```
/// use gaspard::report::picture::{Colormap, Style};
///
/// let style = Style { colormap: Colormap::Ink, gamma: 0.5, ..Style::default() };
/// assert_eq!(style, Style::new(Colormap::Ink).gamma(0.5));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Style {
    /// The colours.
    pub colormap: Colormap,
    /// Which mass gets the last of them.
    pub scale: Scale,
    /// The size of a value in pixels.
    pub upscale: Upscale,
    /// The relative mass is raised to this power before it is coloured (bars keep their height):
    /// below one, faint mass shows better.
    pub gamma: f64,
}

impl Default for Style {
    fn default() -> Self {
        Self::new(Colormap::default())
    }
}

impl Style {
    /// These colours, each density on its own scale, enlarged automatically, gamma one.
    pub fn new(colormap: Colormap) -> Self {
        Self { colormap, scale: Scale::default(), upscale: Upscale::default(), gamma: 1.0 }
    }

    /// Sets which mass gets the last colour.
    pub fn scale(self, scale: Scale) -> Self {
        Self { scale, ..self }
    }

    /// Sets the size of a value in pixels.
    pub fn upscale(self, upscale: Upscale) -> Self {
        Self { upscale, ..self }
    }

    /// Sets the power that relative mass is raised to.
    pub fn gamma(self, gamma: f64) -> Self {
        Self { gamma, ..self }
    }

    /// Refuses a picture of so many densities of this shape side by side that would be too large,
    /// before there is anything to draw.
    ///
    /// # Errors
    ///
    /// Those of [`strip`].
    ///
    /// # Examples
    ///
    /// ```
    /// use gaspard::report::picture::{Style, Upscale};
    ///
    /// let style = Style::default().upscale(Upscale::Factor(1000));
    /// assert!(style.check_size(&[16, 16], 1).is_ok());
    /// assert!(style.check_size(&[64, 64], 9).is_err());
    /// ```
    pub fn check_size(&self, shape: &[usize], count: usize) -> Result<()> {
        self.check()?;
        if shape.contains(&0) {
            return Err(undrawable(shape));
        }
        let (width, height) = match *shape {
            [length] => (self.pitch(length).1, BARS_HEIGHT as usize),
            [height, width] => self.enlarged(width, height),
            [depth, height, width] => {
                let (_, width, height) = slice_grid(depth, height, width);
                self.enlarged(width, height)
            }
            _ => return Err(undrawable(shape)),
        };
        let across = width.saturating_add(STRIP_GAP).saturating_mul(count) - STRIP_GAP;
        size(across, height).map(|_| ())
    }

    /// The pixels of a bar, and those of all bars of a density of so many values.
    fn pitch(&self, length: usize) -> (usize, usize) {
        let bars = length.div_ceil(length.div_ceil(MOST_BARS));
        let pitch = match self.upscale {
            Upscale::Automatic => (BARS_WIDTH / bars).max(1),
            Upscale::Factor(factor) => factor as usize,
        };
        (pitch, bars.saturating_mul(pitch))
    }

    /// The pixels of so many values.
    fn enlarged(&self, width: usize, height: usize) -> (usize, usize) {
        let factor = self.factor(width, height);
        (width.saturating_mul(factor), height.saturating_mul(factor))
    }

    pub(super) fn check(&self) -> Result<()> {
        if !(self.gamma > 0.0 && self.gamma.is_finite()) {
            return Err(Error::parameter("gamma", format!("is {}", self.gamma), "use 1 or 0.5"));
        }
        if self.upscale == Upscale::Factor(0) {
            return Err(Error::parameter("upscale", "is 0", "use 1 for one pixel per value"));
        }
        let (domain, given) = match self.scale {
            Scale::Max(max) if !(max > 0.0 && max.is_finite()) => ("a positive number", max),
            Scale::Quantile(q) if !(q > 0.0 && q <= 1.0) => ("above 0 and at most 1", q),
            _ => return Ok(()),
        };
        Err(Error::parameter("scale", format!("is {given}"), format!("it must be {domain}")))
    }

    /// For each density, the mass that gets the last colour.
    pub(super) fn tops(&self, densities: &[ArrayViewD<'_, f64>]) -> Vec<f64> {
        let own = densities.iter().map(|density| density.iter().copied().fold(0.0, larger));
        match self.scale {
            Scale::Own => own.collect(),
            Scale::Shared => vec![own.fold(0.0, larger); densities.len()],
            Scale::Max(max) => vec![max; densities.len()],
            Scale::Quantile(share) => {
                let values = densities.iter().flatten().copied();
                let mut values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
                let index = (share * values.len().saturating_sub(1) as f64).ceil() as usize;
                let quantile = match values.len() {
                    0 => 0.0,
                    _ => *values.select_nth_unstable_by(index, f64::total_cmp).1,
                };
                // Where nearly everything is empty, the quantile is too: show the rest after all.
                let top = if quantile > 0.0 { quantile } else { own.fold(0.0, larger) };
                vec![top; densities.len()]
            }
        }
    }

    /// The size of a value in pixels, for a density of `width` by `height` values.
    fn factor(&self, width: usize, height: usize) -> usize {
        match self.upscale {
            Upscale::Factor(factor) => factor as usize,
            Upscale::Automatic => {
                let wanted = SHORTER_SIDE.div_ceil(width.min(height));
                wanted.min(LONGER_SIDE / width.max(height)).max(1)
            }
        }
    }
}

/// The larger of a maximum so far and a value, unless that is infinite or not a number.
fn larger(max: f64, value: f64) -> f64 {
    if value.is_finite() { max.max(value) } else { max }
}

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
