//! Spaces that are the cells of a grid: pictures in the plane, fields on the sphere.

use std::f64::consts::PI;

use ndarray::{Array1, Array2, ArrayView2};

use super::Space;
use super::problem::{Layout, Surface};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::geometry::{Cost, Geometry, Support, sphere};

/// A space whose points are cells of a grid: those that carry mass, or all of them.
///
/// ```
/// use gaspard::gromov::GridSpace;
/// use ndarray::array;
///
/// // Two of the four pixels carry mass; they are on the diagonal.
/// let picture = array![[1.0, 0.0], [0.0, 3.0]];
/// let grid = GridSpace::plane(picture.view())?;
/// assert_eq!((grid.cells.as_slice(), grid.space.distance(0, 1)), (&[0, 3][..], 1.0));
/// assert_eq!(grid.draw(&grid.space.weights)?, picture / 4.0);
/// # Ok::<(), gaspard::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct GridSpace {
    /// The space, cell after cell in row-major order.
    pub space: Space,
    /// Rows and columns of the grid.
    pub shape: [usize; 2],
    /// The cell of every point.
    pub cells: Vec<usize>,
}

impl GridSpace {
    /// The cells of a picture that carry mass, which is scaled to 1, with the Euclidean distances
    /// between their centres divided by the diagonal ((h-1, w-1)).
    ///
    /// # Errors
    /// [`Error::Data`] for a picture without mass, or with values that are negative or not finite.
    pub fn plane(density: ArrayView2<'_, f64>) -> Result<Self> {
        let (rows, columns) = density.dim();
        let distances = |cells: &[usize]| plane_distances([rows, columns], cells, Cost::Euclidean);
        Self::carrying(density, Surface::Plane, distances)
    }

    /// All cells of a grid in the plane, as [`GridSpace::plane`] measures them, with equal weights:
    /// a support for barycenters.
    ///
    /// # Errors
    /// [`Error::Data`] for a grid without cells, [`Error::Limit`] for one that does not fit.
    pub fn whole_plane(shape: [usize; 2]) -> Result<Self> {
        require_room(shape)?;
        Self::whole(shape, Surface::Plane, |cells| plane_distances(shape, cells, Cost::Euclidean))
    }

    /// The cells of a field on the sphere that carry mass: rows from north to south, columns along
    /// the longitudes, values per area. Distances are those along great circles, divided by half
    /// the circumference; the mass is scaled to 1.
    ///
    /// # Errors
    /// As [`GridSpace::plane`].
    pub fn sphere(field: ArrayView2<'_, f64>) -> Result<Self> {
        let (rows, columns) = field.dim();
        let (support, areas) = sphere::grid(rows, columns)?;
        let areas = areas.into_shape_with_order((rows, columns)).expect("one a cell");
        let distances = |cells: &[usize]| sphere_distances(&support, cells);
        Self::carrying((&field * &areas).view(), Surface::Sphere, distances)
    }

    /// All cells of a grid on the sphere with equal weights: a support for barycenters.
    ///
    /// # Errors
    /// [`Error::Data`] for a grid without cells, [`Error::Limit`] for one that does not fit.
    pub fn whole_sphere(shape: [usize; 2]) -> Result<Self> {
        require_room(shape)?;
        let (support, _) = sphere::grid(shape[0], shape[1])?;
        Self::whole(shape, Surface::Sphere, |cells| sphere_distances(&support, cells))
    }

    /// The same cells of the plane, measured by another function of the distance, which still is 1
    /// along the diagonal. Squared distances are the cheapest: nothing of the size of a plan is
    /// ever stored for them.
    ///
    /// # Errors
    /// [`Error::Parameter`] on the sphere, and for costs of spheres.
    pub fn measured_by(mut self, cost: Cost) -> Result<Self> {
        let cost = cost.simplified();
        let layout = self.space.layout.as_mut().filter(|layout| layout.surface == Surface::Plane);
        let (Some(layout), false) = (layout, matches!(cost, Cost::GreatCircle(_))) else {
            return Err(Error::parameter(
                "the distance",
                format!("{cost} is not one of this space"),
                "on the sphere distances are great circles, in the plane sqeuclidean, euclidean \
                 or power:P",
            ));
        };
        layout.cost = cost;
        let (geometry, unit) = plane_distances(self.shape, &layout.cells, cost)?;
        self.space.distances = geometry.into();
        self.space.unit = unit;
        Ok(self)
    }

    /// Values of the points at their cells, and zero elsewhere.
    ///
    /// # Errors
    /// [`Error::Shape`] where there is not one value a point.
    pub fn draw(&self, values: &Array1<f64>) -> Result<Array2<f64>> {
        if values.len() != self.cells.len() {
            let expected = format!("{}, one a point", self.cells.len());
            return Err(Error::shape("the values to draw", expected, values.len().to_string()));
        }
        let mut drawn = Array1::zeros(self.shape[0] * self.shape[1]);
        for (&cell, &value) in self.cells.iter().zip(values) {
            drawn[cell] += value;
        }
        Ok(drawn.into_shape_with_order(self.shape).expect("rows times columns"))
    }

    /// The same cells once for every label, label after label: the full product of cells and
    /// labels (paper section 6). Weights are shared out evenly.
    pub fn times_labels(self, labels: usize) -> Self {
        let Self { space, shape, cells } = self;
        let points = cells.len();
        let weights = space.weights.iter().map(|weight| weight / labels as f64);
        let weights: Vec<f64> = weights.collect();
        Self {
            space: Space {
                distances: space.distances,
                unit: space.unit,
                copies: labels,
                weights: weights.repeat(labels).into(),
                labels: Some((0..labels * points).map(|place| place / points).collect()),
                layout: space.layout,
            },
            shape,
            cells: cells.repeat(labels),
        }
    }

    fn carrying(
        density: ArrayView2<'_, f64>,
        surface: Surface,
        distances: impl Fn(&[usize]) -> Result<(Geometry, f64)>,
    ) -> Result<Self> {
        let (rows, columns) = density.dim();
        if let Some(wrong) = density.iter().find(|value| !(value.is_finite() && **value >= 0.0)) {
            let problem = format!("one of its values is {wrong}");
            return Err(Error::data("the density", problem, "mass is finite and not negative"));
        }
        let (cells, weights): (Vec<usize>, Vec<f64>) =
            density.iter().copied().enumerate().filter(|(_, value)| *value > 0.0).unzip();
        if cells.is_empty() {
            let remedy = "at least one cell must carry some";
            return Err(Error::data("the density", "it has no mass", remedy));
        }
        let weights = Array1::from(weights);
        let mass = weights.sum();
        let (geometry, unit) = distances(&cells)?;
        let space = Space::new(geometry, weights / mass)?.in_units_of(unit)?;
        Ok(Self::laid_out(space, surface, [rows, columns], cells))
    }

    fn whole(
        shape: [usize; 2],
        surface: Surface,
        distances: impl Fn(&[usize]) -> Result<(Geometry, f64)>,
    ) -> Result<Self> {
        let count = shape[0] * shape[1];
        let cells: Vec<usize> = (0..count).collect();
        let (geometry, unit) = distances(&cells)?;
        let weights = Array1::from_elem(count, 1.0 / count.max(1) as f64);
        let space = Space::new(geometry, weights)?.in_units_of(unit)?;
        Ok(Self::laid_out(space, surface, shape, cells))
    }

    fn laid_out(space: Space, surface: Surface, shape: [usize; 2], cells: Vec<usize>) -> Self {
        let cost = match surface {
            Surface::Plane => Cost::Euclidean,
            Surface::Sphere => Cost::GreatCircle(1.0),
        };
        let layout = Some(Layout { surface, cost, shape, cells: cells.clone() });
        Self { space: Space { layout, ..space }, shape, cells }
    }
}

/// Distances of cell centres, and that along the diagonal to measure them by.
fn plane_distances(
    [rows, columns]: [usize; 2],
    cells: &[usize],
    cost: Cost,
) -> Result<(Geometry, f64)> {
    let points = Array2::from_shape_fn((cells.len(), 2), |(point, axis)| {
        let cell = cells[point];
        if axis == 0 { (cell / columns) as f64 } else { (cell % columns) as f64 }
    });
    let diagonal = (rows as f64 - 1.0).hypot(columns as f64 - 1.0);
    // A single cell has no diagonal, and no distances to measure.
    let unit = if diagonal > 0.0 { cost.of_square(diagonal * diagonal) } else { 1.0 };
    Ok((Geometry::points(points.clone(), points, cost)?, unit))
}

fn sphere_distances(support: &Support, cells: &[usize]) -> Result<(Geometry, f64)> {
    let Support::Sphere(vectors) = support else {
        return Err(Error::data("the support", "it is not on the sphere", "use sphere::grid"));
    };
    let chosen = vectors.select(ndarray::Axis(0), cells);
    Ok((Geometry::points(chosen.clone(), chosen, Cost::GreatCircle(1.0))?, PI))
}

/// Refuses a grid whose points and weights the host has no room for.
fn require_room(shape: [usize; 2]) -> Result<()> {
    /// Numbers of a cell: its place, its weight, and what is made of them.
    const NUMBERS: u64 = 8;
    let cells = shape.iter().fold(1_u64, |cells, side| cells.saturating_mul(*side as u64));
    let bytes = cells.saturating_mul(8 * NUMBERS);
    Engine::cpu().require("the cells of the grid", bytes, "use a coarser grid")
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn pictures_are_measured_by_their_diagonal() {
        let picture = GridSpace::plane(array![[0.0, 2.0, 0.0], [6.0, 0.0, 0.0]].view()).unwrap();
        assert_eq!(picture.cells, [1, 3]);
        assert_eq!(picture.space.weights, array![0.25, 0.75]);
        let distance = 2.0_f64.sqrt() / 5.0_f64.sqrt();
        assert!((picture.space.distance(0, 1) - distance).abs() < 1e-15);
        let drawn = picture.draw(&array![1.0, 5.0]).unwrap();
        assert_eq!(drawn, array![[0.0, 1.0, 0.0], [5.0, 0.0, 0.0]]);
    }

    #[test]
    fn squares_of_distances_are_those_of_the_diagonal() {
        let grid = GridSpace::whole_plane([3, 4]).unwrap();
        let squared = grid.clone().measured_by(Cost::SquaredEuclidean).unwrap();
        for (i, j) in [(0, 11), (2, 5)] {
            let distance = grid.space.distance(i, j);
            assert!((squared.space.distance(i, j) - distance * distance).abs() < 1e-15);
        }
        assert!(grid.measured_by(Cost::GreatCircle(1.0)).is_err());
        let sphere = GridSpace::whole_sphere([3, 4]).unwrap();
        assert!(sphere.measured_by(Cost::Euclidean).is_err());
    }

    #[test]
    fn half_the_world_is_one() {
        let mut field = Array2::zeros((1, 4));
        field[[0, 0]] = 1.0;
        field[[0, 2]] = 1.0;
        let field = GridSpace::sphere(field.view()).unwrap();
        assert!((field.space.distance(0, 1) - 1.0).abs() < 1e-15);
    }

    #[test]
    fn products_with_labels_repeat_the_distances() {
        let product = GridSpace::whole_plane([2, 2]).unwrap().times_labels(3);
        let space = &product.space;
        assert_eq!(space.len(), 12);
        assert_eq!(space.distance(1, 4 + 2), space.distance(1, 2));
        assert_eq!(space.labels.as_ref().unwrap()[4..8], [1; 4]);
        assert!((space.weights.sum() - 1.0).abs() < 1e-15);
    }

    #[test]
    fn pictures_without_mass_are_refused() {
        assert!(GridSpace::plane(Array2::zeros((2, 2)).view()).is_err());
        assert!(GridSpace::plane(array![[f64::NAN]].view()).is_err());
        assert!(GridSpace::whole_plane([0, 3]).is_err());
    }
}
