//! Regular grids of one to three dimensions.

use ndarray::Array2;

use crate::error::{Error, Result};

/// A regular grid of cells: its points are the cell centres, the last axis running fastest.
///
/// ```
/// use gaspard::Grid;
/// let grid = Grid::unit(&[2, 4])?; // longest side 1: cells of side 1/4
/// assert_eq!(grid.axis(1), [0.125, 0.375, 0.625, 0.875]);
/// assert_eq!(grid.len(), 8);
/// # Ok::<(), gaspard::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    shape: Vec<usize>,
    spacing: f64,
}

impl Grid {
    /// A grid with cubic cells whose longest side is 1, in the middle of the unit box.
    ///
    /// # Errors
    /// [`Error::Data`] for no axes, more than three, or an empty one.
    pub fn unit(shape: &[usize]) -> Result<Self> {
        let longest = shape.iter().copied().max().unwrap_or(0).max(1);
        Self::with_spacing(shape, 1.0 / longest as f64)
    }

    /// A grid with cubic cells of this side, centred on (1/2, ..., 1/2).
    ///
    /// # Errors
    /// As [`Grid::unit`], and [`Error::Parameter`] for a spacing that is not positive.
    pub fn with_spacing(shape: &[usize], spacing: f64) -> Result<Self> {
        if shape.is_empty() || shape.len() > 3 || shape.contains(&0) {
            return Err(Error::data(
                "the grid",
                format!("its shape is {shape:?}"),
                "grids have one to three axes, each at least one cell long",
            ));
        }
        if !(spacing > 0.0 && spacing.is_finite()) {
            return Err(Error::parameter(
                "the spacing",
                format!("{spacing} is not a positive number"),
                "give the side of a cell",
            ));
        }
        Ok(Self { shape: shape.to_vec(), spacing })
    }

    /// Cells along each axis.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Side of a cell.
    pub fn spacing(&self) -> f64 {
        self.spacing
    }

    /// Number of axes.
    pub fn dimension(&self) -> usize {
        self.shape.len()
    }

    /// Number of cells.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Grids are never empty.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Cell centres along one axis.
    pub fn axis(&self, axis: usize) -> Vec<f64> {
        let cells = self.shape[axis];
        let first = 0.5 - 0.5 * (cells as f64 - 1.0) * self.spacing;
        (0..cells).map(|cell| first + cell as f64 * self.spacing).collect()
    }

    /// All cell centres (cells, axes), the last axis running fastest.
    pub fn points(&self) -> Array2<f64> {
        let axes: Vec<_> = (0..self.dimension()).map(|axis| self.axis(axis)).collect();
        Array2::from_shape_fn((self.len(), self.dimension()), |(mut cell, axis)| {
            for later in (axis + 1..self.dimension()).rev() {
                cell /= self.shape[later];
            }
            axes[axis][cell % self.shape[axis]]
        })
    }
}
