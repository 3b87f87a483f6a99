//! Densities from pictures.

use std::io::{BufRead, Seek};
use std::path::Path;

use ::image::{DynamicImage, ImageDecoder, ImageError, ImageReader, Limits};
use ndarray::Array2;

use crate::error::{Error, Result, bytes};

/// No picture wider or higher than this is decoded.
const LONGEST_SIDE: u32 = 1 << 16;

/// No picture that needs more memory than this is decoded.
const MOST_MEMORY: u64 = 4 << 30;

/// What a pixel takes beside the decoded picture: four channels of 16 bits, and its mass.
const BYTES_PER_PIXEL: u64 = 16;

/// Pixels that one byte of a file can stand for: the most is one bit for a block of 8 x 8 in a JPEG,
/// and for 8 pixels in a deflated PNG, which shrinks to a thousandth.
const STRONGEST_COMPRESSION: u64 = 8 * 1032;

/// Which pixels of a picture carry mass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mass {
    /// Bright pixels: mass is luma times opacity.
    #[default]
    Light,
    /// Dark pixels, as in ink on paper: mass is one minus luma, times opacity.
    Dark,
    /// Opaque pixels, whatever their colour.
    Alpha,
}

/// Reads a picture as a density: rows from top to bottom, values in `[0, 1]`, not normalised.
///
/// PNG, JPEG, BMP and PNM pictures of 8 or 16 bits are read, turned the way their orientation tag
/// says. Luma is that of Rec. 709 on the stored values: gamma is not undone. The shape is
/// `[height, width]`.
///
/// # Errors
///
/// [`Error::File`] when the file is missing, a folder, not a picture of these formats, damaged,
/// too large, or without pixels; and for [`Mass::Alpha`] when it has no alpha channel.
///
/// # Examples
///
/// ```
/// use gaspard::io::image::{Mass, read_density};
///
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("dots.png");
/// image::GrayImage::from_raw(3, 1, vec![0, 51, 255]).unwrap().save(&path).unwrap();
/// let density = read_density(&path, Mass::Light)?;
/// assert_eq!(density, ndarray::array![[0.0, 0.2, 1.0]]);
/// # Ok::<(), gaspard::Error>(())
/// ```
pub fn read_density(path: impl AsRef<Path>, mass: Mass) -> Result<Array2<f64>> {
    read_density_from(&path, super::open(path.as_ref())?, mass)
}

/// [`read_density`] from bytes that are not in a file of their own; errors call them `name`.
///
/// # Errors
///
/// As [`read_density`].
pub fn read_density_from(
    name: impl AsRef<Path>,
    input: impl BufRead + Seek,
    mass: Mass,
) -> Result<Array2<f64>> {
    let path = name.as_ref();
    let picture = decode(path, input)?;
    let color = picture.color();
    if mass == Mass::Alpha && !color.has_alpha() {
        return Err(Error::file(path, "has no alpha channel; ask for light or dark mass instead"));
    }
    // Eight bits widen to sixteen exactly (255 * 257 = 65535), so one path serves both.
    let pixels = picture.into_rgba16();
    let (width, height) = (pixels.width() as usize, pixels.height() as usize);
    if width == 0 || height == 0 {
        return Err(Error::file(path, "has no pixels"));
    }
    let values = pixels.pixels().map(|pixel| pixel_mass(pixel.0, mass)).collect();
    Array2::from_shape_vec((height, width), values).map_err(|error| Error::file(path, error))
}

fn decode(path: &Path, mut input: impl BufRead + Seek) -> Result<DynamicImage> {
    let length = super::length_left(path, &mut input)?;
    let fail = |error: ImageError| Error::file(path, decode_problem(&error));
    let mut limits = Limits::default();
    limits.max_image_width = Some(LONGEST_SIDE);
    limits.max_image_height = Some(LONGEST_SIDE);
    limits.max_alloc = Some(MOST_MEMORY);
    let mut reader =
        ImageReader::new(input).with_guessed_format().map_err(|error| Error::file(path, error))?;
    reader.limits(limits.clone());
    let mut decoder = reader.into_decoder().map_err(fail)?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    let needed = decoder.total_bytes().saturating_add(pixels.saturating_mul(BYTES_PER_PIXEL));
    limits.reserve(needed).map_err(fail)?;
    if pixels / STRONGEST_COMPRESSION > length {
        return Err(Error::file(path, format!("damaged: {length} bytes claim {pixels} pixels")));
    }
    decoder.set_limits(limits).map_err(fail)?;
    let orientation = decoder.orientation().map_err(fail)?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(fail)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

fn decode_problem(error: &ImageError) -> String {
    match error {
        ImageError::Unsupported(_) => {
            format!("not a picture that can be read ({error}); save it as PNG, JPEG, BMP or PNM")
        }
        ImageError::Limits(_) => format!(
            "too large: at most {LONGEST_SIDE} pixels a side and {} decoded; make it smaller",
            bytes(MOST_MEMORY)
        ),
        _ => format!("damaged or not a picture: {error}"),
    }
}

/// The mass in `[0, 1]` of a pixel of red, green, blue and alpha.
fn pixel_mass(pixel: [u16; 4], mass: Mass) -> f64 {
    let [red, green, blue, alpha] = pixel.map(|value| f64::from(value) / 65535.0);
    // Rec. 709's weights 0.2126, 0.7152, 0.0722, arranged so that grey stays exactly grey:
    // rounding would put a speck of mass on every pixel of white paper.
    let luma = red + 0.7152 * (green - red) + 0.0722 * (blue - red);
    match mass {
        Mass::Light => luma.clamp(0.0, 1.0) * alpha,
        Mass::Dark => (1.0 - luma).clamp(0.0, 1.0) * alpha,
        Mass::Alpha => alpha,
    }
}
