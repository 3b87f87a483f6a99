//! Animations of densities as GIF or animated PNG, which loop forever.
//!
//! Both formats hold 256 colours, exactly those of the colormap, so no colour is approximated.

use std::borrow::Cow;
use std::io::{self, Write};
use std::path::Path;

use image::GrayImage;
use ndarray::{Array, Dimension};

use super::picture::{Style, draw_all};
use crate::error::{Error, Result};

/// Both formats count time in 16 bits, animated PNG in milliseconds.
const LONGEST_FRAME: f64 = 60.0;

/// Viewers replace shorter delays than this, in hundredths of a second, by a much longer one.
const SHORTEST_GIF_DELAY: f64 = 2.0;

/// How an animation runs; a number alone is seconds per frame, forwards.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Playback {
    /// How long each frame stays, above 0 and at most 60. GIF rounds to hundredths of a second and
    /// cannot go below two of them.
    pub seconds_per_frame: f64,
    /// Whether it runs backwards after it has run forwards, instead of jumping to the start.
    pub there_and_back: bool,
}

impl Playback {
    /// Forwards, then from the start again.
    pub fn forwards(seconds_per_frame: f64) -> Self {
        Self { seconds_per_frame, there_and_back: false }
    }

    /// Forwards, then backwards, and so on.
    pub fn there_and_back(seconds_per_frame: f64) -> Self {
        Self { seconds_per_frame, there_and_back: true }
    }
}

impl From<f64> for Playback {
    fn from(seconds_per_frame: f64) -> Self {
        Self::forwards(seconds_per_frame)
    }
}

/// Draws densities of one shape as an animation, whole or not at all.
///
/// The ending of `path` picks the format: `.gif`, or `.png` and `.apng` for animated PNG.
///
/// # Errors
///
/// Those of [`render`](super::picture::render), [`Error::Parameter`] when the seconds per frame are
/// out of range, [`Error::Shape`] when there are no frames or their shapes differ, and
/// [`Error::File`] when the ending is another one or the file cannot be written.
///
/// # Examples
///
/// ```
/// use gaspard::report::animation::{self, Playback};
/// use gaspard::report::picture::Style;
/// use ndarray::Array2;
///
/// let folder = tempfile::tempdir().unwrap();
/// let frames: Vec<_> = (0..8).map(|at| {
///     Array2::from_shape_fn([32, 32], |(y, x)| if y / 4 == at && x / 4 == at { 1.0 } else { 0.0 })
/// }).collect();
/// animation::save(folder.path().join("walk.gif"), &frames, &Style::default(), 0.1)?;
/// let playback = Playback::there_and_back(0.04);
/// animation::save(folder.path().join("walk.png"), &frames, &Style::default(), playback)?;
/// # Ok::<(), gaspard::Error>(())
/// ```
pub fn save<D: Dimension>(
    path: impl AsRef<Path>,
    frames: &[Array<f64, D>],
    style: &Style,
    playback: impl Into<Playback>,
) -> Result<()> {
    let path = path.as_ref();
    let Playback { seconds_per_frame: seconds, there_and_back } = playback.into();
    if !(seconds > 0.0 && seconds <= LONGEST_FRAME) {
        let remedy = format!("use a number above 0, up to {LONGEST_FRAME}");
        return Err(Error::parameter("seconds per frame", format!("is {seconds}"), remedy));
    }
    let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    let write: Writer = match ending.as_str() {
        "gif" => write_gif,
        "png" | "apng" => write_apng,
        _ => return Err(Error::file(path, "must end in .gif, .png or .apng")),
    };
    if let Some(other) = frames.iter().find(|frame| frame.shape() != frames[0].shape()) {
        let [expected, found] =
            [frames[0].shape(), other.shape()].map(|shape| format!("{shape:?}"));
        return Err(Error::shape("the frames of an animation", expected, found));
    }
    let views: Vec<_> = frames.iter().map(|frame| frame.view().into_dyn()).collect();
    let levels = draw_all(&views, style)?;
    let mut order: Vec<&GrayImage> = levels.iter().collect();
    if there_and_back {
        // Without the two ends, which would otherwise stay for two frames.
        order.extend(levels.iter().skip(1).rev().skip(1));
    }
    let palette = style.colormap.palette();
    crate::io::atomic_write(path, |out| write(out, &order, palette.as_flattened(), seconds))
}

/// Writes frames of levels, which index the palette, each for so many seconds.
type Writer = fn(&mut dyn Write, &[&GrayImage], &[u8], f64) -> io::Result<()>;

fn write_gif(
    out: &mut dyn Write,
    frames: &[&GrayImage],
    palette: &[u8],
    seconds: f64,
) -> io::Result<()> {
    let [width, height] = [frames[0].width(), frames[0].height()].map(u16::try_from);
    let (Ok(width), Ok(height)) = (width, height) else {
        return Err(io::Error::other("GIF has at most 65535 pixels a side; use .png"));
    };
    let mut encoder = gif::Encoder::new(out, width, height, palette).map_err(io::Error::other)?;
    encoder.set_repeat(gif::Repeat::Infinite).map_err(io::Error::other)?;
    let delay = (seconds * 100.0).round().max(SHORTEST_GIF_DELAY) as u16;
    for frame in frames {
        let buffer = Cow::Borrowed(frame.as_raw().as_slice());
        let frame = gif::Frame { delay, width, height, buffer, ..gif::Frame::default() };
        encoder.write_frame(&frame).map_err(io::Error::other)?;
    }
    encoder.into_inner().map_err(io::Error::other)?.flush()
}

fn write_apng(
    out: &mut dyn Write,
    frames: &[&GrayImage],
    palette: &[u8],
    seconds: f64,
) -> io::Result<()> {
    let count = u32::try_from(frames.len()).map_err(io::Error::other)?;
    let mut encoder = png::Encoder::new(out, frames[0].width(), frames[0].height());
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_palette(palette);
    encoder.set_animated(count, 0)?;
    encoder.set_frame_delay((seconds * 1000.0).round().max(1.0) as u16, 1000)?;
    let mut writer = encoder.write_header()?;
    for frame in frames {
        writer.write_image_data(frame.as_raw())?;
    }
    writer.finish()?;
    Ok(())
}
