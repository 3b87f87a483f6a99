//! Pictures in colours of their own, side by side.

use image::{Rgb, RgbImage};
use ndarray::Array3;

use crate::error::{Error, Result};

/// Pictures are enlarged until the shorter side of the smallest reaches about this.
const SHORTER_SIDE: usize = 192;
/// Pixels between pictures.
const GAP: u32 = 8;
/// The colour between pictures: dark grey.
const BETWEEN: Rgb<u8> = Rgb([40, 40, 40]);
/// No mosaic with more pixels than this is drawn.
const MOST_PIXELS: u64 = 1 << 28;

/// Pictures of shape (rows, columns, 3) with values from 0 to 1, side by side and enlarged by whole
/// factors.
///
/// ```
/// use gaspard::report::mosaic::mosaic;
/// use ndarray::Array3;
///
/// // Red beside black, each enlarged to 192 rows.
/// let red = Array3::from_shape_fn((4, 4, 3), |(_, _, colour)| f64::from(u8::from(colour == 0)));
/// let drawn = mosaic(&[red, Array3::zeros((4, 4, 3))])?;
/// assert_eq!(drawn.get_pixel(0, 0).0, [255, 0, 0]);
/// # Ok::<(), gaspard::Error>(())
/// ```
///
/// # Errors
/// [`Error::Data`] for no pictures, [`Error::Shape`] for some that are not of three colours,
/// [`Error::Limit`] for a mosaic that is too large.
pub fn mosaic(pictures: &[Array3<f64>]) -> Result<RgbImage> {
    for picture in pictures {
        if picture.dim().2 != 3 || picture.is_empty() {
            let found = format!("{:?}", picture.shape());
            return Err(Error::shape("a picture", "rows, columns and 3 colours", found));
        }
    }
    let shortest = pictures.iter().map(|picture| picture.dim().0.min(picture.dim().1)).min();
    let Some(shortest) = shortest else {
        return Err(Error::data("the mosaic", "it has no pictures", "give at least one"));
    };
    let factor = (SHORTER_SIDE / shortest).clamp(1, 32) as u32;
    let sides =
        |picture: &Array3<f64>| (picture.dim().0 as u32 * factor, picture.dim().1 as u32 * factor);
    let height = pictures.iter().map(|picture| sides(picture).0).max().unwrap_or(1);
    let width: u32 = pictures.iter().map(|picture| sides(picture).1 + GAP).sum::<u32>() - GAP;
    let pixels = u64::from(height) * u64::from(width);
    if pixels > MOST_PIXELS {
        return Err(Error::Limit {
            what: "the mosaic".to_owned(),
            needed: 3 * pixels,
            available: 3 * MOST_PIXELS,
            remedy: "draw fewer or smaller pictures".to_owned(),
        });
    }
    let mut drawn = RgbImage::from_pixel(width, height, BETWEEN);
    let mut left = 0;
    for picture in pictures {
        let (rows, columns) = sides(picture);
        for (row, column) in (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)))
        {
            let cell = ((row / factor) as usize, (column / factor) as usize);
            let level = |k: usize| (picture[[cell.0, cell.1, k]].clamp(0.0, 1.0) * 255.0) as u8;
            drawn.put_pixel(left + column, row, Rgb([level(0), level(1), level(2)]));
        }
        left += columns + GAP;
    }
    Ok(drawn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_stand_side_by_side() {
        let red = Array3::from_shape_fn((100, 200, 3), |(_, _, k)| if k == 0 { 1.0 } else { 0.0 });
        let drawn = mosaic(&[red.clone(), Array3::zeros((50, 100, 3))]).unwrap();
        assert_eq!(drawn.dimensions(), (3 * 200 + 8 + 3 * 100, 300));
        assert_eq!(drawn.get_pixel(599, 299), &Rgb([255, 0, 0]));
        assert_eq!(drawn.get_pixel(603, 0), &BETWEEN);
        assert_eq!(drawn.get_pixel(608, 149), &Rgb([0, 0, 0]));
        assert!(mosaic(&[]).is_err());
        assert!(mosaic(&[Array3::zeros((2, 2, 4))]).is_err());
    }
}
