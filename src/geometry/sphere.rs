//! Supports on the unit sphere, for great-circle costs.

use std::f64::consts::PI;

use ndarray::{Array1, Array2, ArrayView1};

use super::Support;
use crate::error::{Error, Result};

/// Points by latitude and longitude, in degrees.
///
/// # Errors
/// [`Error::Shape`] where the lengths differ, [`Error::Data`] for angles that are not finite or
/// latitudes beyond the poles.
pub fn points(latitude: ArrayView1<'_, f64>, longitude: ArrayView1<'_, f64>) -> Result<Support> {
    if latitude.len() != longitude.len() {
        return Err(Error::shape(
            "the longitudes",
            latitude.len().to_string(),
            longitude.len().to_string(),
        ));
    }
    let wrong = |value: &f64| !value.is_finite();
    let beyond = |value: &f64| value.abs() > 90.0 + 1e-9;
    if latitude.iter().any(|value| wrong(value) || beyond(value)) || longitude.iter().any(wrong) {
        return Err(Error::data(
            "the points on the sphere",
            "an angle is not finite or a latitude is beyond a pole",
            "give latitudes from -90 to 90 and longitudes in degrees",
        ));
    }
    Ok(Support::Sphere(Array2::from_shape_fn((latitude.len(), 3), |(point, axis)| {
        let (latitude, longitude) = (latitude[point].to_radians(), longitude[point].to_radians());
        unit_vector(latitude, longitude)[axis]
    })))
}

/// Refuses rows that are no unit vectors in space.
pub(super) fn check_on_sphere(what: &str, points: &Array2<f64>) -> Result<()> {
    /// What rounding to f32 leaves, and more.
    const SLACK: f64 = 1e-6;
    let remedy = "use sphere::points for latitudes and longitudes, or scale rows to length 1";
    if points.ncols() != 3 {
        let found = format!("{} columns", points.ncols());
        return Err(Error::data(
            what,
            format!("great circles take three, and it has {found}"),
            remedy,
        ));
    }
    let length = |row: ArrayView1<'_, f64>| row.dot(&row).sqrt();
    match points.rows().into_iter().map(length).find(|length| (length - 1.0).abs() > SLACK) {
        None => Ok(()),
        Some(length) => {
            Err(Error::data(what, format!("great circles, and a row of length {length}"), remedy))
        }
    }
}

/// A grid of `rows` latitudes from north to south and `columns` longitudes, at cell centres, with
/// the area of each cell as a fraction of the sphere's: multiply a field by it to get its mass.
///
/// ```
/// let (support, areas) = gaspard::geometry::sphere::grid(18, 36)?;
/// assert_eq!((support.len(), areas.len()), (648, 648));
/// assert!((areas.sum() - 1.0).abs() < 1e-12);
/// // Cells near a pole are smaller than those at the equator.
/// assert!(areas[0] < areas[9 * 36]);
/// # Ok::<(), gaspard::Error>(())
/// ```
///
/// # Errors
/// [`Error::Data`] for an empty grid.
pub fn grid(rows: usize, columns: usize) -> Result<(Support, Array1<f64>)> {
    if rows == 0 || columns == 0 {
        return Err(Error::data(
            "the grid on the sphere",
            format!("it has {rows} x {columns} cells"),
            "give at least one latitude and one longitude",
        ));
    }
    let edge = |row: usize| PI * (0.5 - row as f64 / rows as f64);
    let latitude = |row: usize| 0.5 * (edge(row) + edge(row + 1));
    let longitude = |column: usize| 2.0 * PI * (column as f64 + 0.5) / columns as f64;
    let vectors = Array2::from_shape_fn((rows * columns, 3), |(cell, axis)| {
        unit_vector(latitude(cell / columns), longitude(cell % columns))[axis]
    });
    let areas = Array1::from_shape_fn(rows * columns, |cell| {
        let row = cell / columns;
        (edge(row).sin() - edge(row + 1).sin()) / (2.0 * columns as f64)
    });
    Ok((Support::Sphere(vectors), areas))
}

fn unit_vector(latitude: f64, longitude: f64) -> [f64; 3] {
    [latitude.cos() * longitude.cos(), latitude.cos() * longitude.sin(), latitude.sin()]
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::geometry::{Cost, Geometry};

    #[test]
    fn cells_cover_the_sphere() {
        let (support, areas) = grid(7, 11).unwrap();
        assert_eq!(support.len(), 77);
        assert!((areas.sum() - 1.0).abs() < 1e-14);
    }

    #[test]
    fn a_quarter_circle_is_half_pi() {
        let poles = points(array![90.0, 0.0].view(), array![0.0, 45.0].view()).unwrap();
        let geometry = Geometry::between(&poles, &poles, Cost::GreatCircle(1.0)).unwrap();
        assert!((geometry.cost(0, 1) - PI / 2.0).abs() < 1e-15);
        assert!(geometry.cost(0, 0) == 0.0);
    }
}
