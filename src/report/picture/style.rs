//! How densities become pictures: what is brightest, how large a value is.

use ndarray::ArrayViewD;

use super::{BARS_HEIGHT, Colormap, STRIP_GAP, size, slice_grid, undrawable};
use crate::error::{Error, Result};

/// Longer densities than this share a bar between neighbours, which shows their maximum.
pub(super) const MOST_BARS: usize = 1024;
/// The width that bars fill by default.
const BARS_WIDTH: usize = 512;
/// Automatic enlargement brings the shorter side to this, unless that takes the longer one past
/// its own bound.
const SHORTER_SIDE: usize = 256;
const LONGER_SIDE: usize = 4096;

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
    /// Those of [`strip`](super::strip).
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
    pub(super) fn pitch(&self, length: usize) -> (usize, usize) {
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

    pub(in crate::report) fn check(&self) -> Result<()> {
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
    pub(in crate::report) fn tops(&self, densities: &[ArrayViewD<'_, f64>]) -> Vec<f64> {
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
    pub(super) fn factor(&self, width: usize, height: usize) -> usize {
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
