//! Columns of numbers at the points of a grid, the images made of pairs of them, and how the
//! transforms of those lie.

use std::ops::Range;

use ndarray::{ArrayView2, ArrayView3, ArrayViewMut2, ArrayViewMut3, ShapeBuilder};

use crate::engine::Array;
use crate::error::{Error, Result};
use crate::kernels::gromov::matrix_product::Place;

/// Columns in a flat array, one number a point: the columns of M in D M, its rows in M D.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Columns {
    pub first: usize,
    pub points: usize,
    pub count: usize,
    pub point_stride: usize,
    pub column_stride: usize,
}

impl Columns {
    /// The columns of a matrix (points, count).
    pub(crate) fn of(Place { first, rows, cols }: Place) -> Self {
        Self { first, points: rows, count: cols, point_stride: cols, column_stride: 1 }
    }

    /// The rows of a matrix (count, points).
    pub(crate) fn rows_of(Place { first, rows, cols }: Place) -> Self {
        Self { first, points: cols, count: rows, point_stride: 1, column_stride: cols }
    }

    /// Some of them.
    pub(crate) fn part(self, columns: Range<usize>) -> Self {
        let first = self.first + columns.start * self.column_stride;
        Self { first, count: columns.len(), ..self }
    }

    /// The first place, and how many from there on, that hold the numbers of these points.
    pub(crate) fn span(self, points: &Range<usize>) -> (usize, usize) {
        let last = (points.len() - 1) * self.point_stride + (self.count - 1) * self.column_stride;
        (self.first + points.start * self.point_stride, last + 1)
    }

    /// How many points a window with room for so many numbers holds.
    pub(crate) fn points_within(self, numbers: usize) -> usize {
        let spare = numbers.saturating_sub((self.count - 1) * self.column_stride + 1);
        1 + spare / self.point_stride
    }

    pub(crate) fn check(self, what: &str, array: &Array) -> Result<()> {
        let end = self.first + self.points * self.count;
        if end <= array.len() {
            return Ok(());
        }
        Err(Error::shape(what, format!("at least {end} numbers"), array.len().to_string()))
    }

    /// (points, count)
    pub(crate) fn view(self, values: &[f64]) -> ArrayView2<'_, f64> {
        let (first, count) = self.span(&(0..self.points));
        ArrayView2::from_shape(self.strided(), &values[first..][..count]).expect("as long as that")
    }

    /// (points, count)
    pub(crate) fn view_mut(self, values: &mut [f64]) -> ArrayViewMut2<'_, f64> {
        let (first, count) = self.span(&(0..self.points));
        ArrayViewMut2::from_shape(self.strided(), &mut values[first..][..count])
            .expect("as long as that")
    }

    fn strided(self) -> ndarray::StrideShape<ndarray::Ix2> {
        (self.points, self.count).strides((self.point_stride, self.column_stride))
    }
}

/// The transforms of a panel of images along their rows: complex numbers by image, row and
/// frequency.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spectra {
    pub images: usize,
    pub rows: usize,
    pub length: usize,
    pub order: Order,
}

/// Which index runs slowest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// (images, rows, length)
    ByImage,
    /// (length, rows, images)
    ByFrequency,
}

impl Spectra {
    /// Complex numbers from image to image, row to row and frequency to frequency.
    pub(crate) fn strides(self) -> [usize; 3] {
        match self.order {
            Order::ByImage => [self.rows * self.length, self.length, 1],
            Order::ByFrequency => [1, self.images, self.rows * self.images],
        }
    }

    /// Numbers, two for a complex one.
    pub(crate) fn numbers(self) -> usize {
        2 * self.images * self.rows * self.length
    }

    /// (images, rows, length)
    pub(crate) fn view(self, values: &[f64]) -> ArrayView3<'_, [f64; 2]> {
        let values = bytemuck::cast_slice(&values[..self.numbers()]);
        ArrayView3::from_shape(self.strided(), values).expect("as long as that")
    }

    /// (images, rows, length)
    pub(crate) fn view_mut(self, values: &mut [f64]) -> ArrayViewMut3<'_, [f64; 2]> {
        let values = bytemuck::cast_slice_mut(&mut values[..self.numbers()]);
        ArrayViewMut3::from_shape(self.strided(), values).expect("as long as that")
    }

    fn strided(self) -> ndarray::StrideShape<ndarray::Ix3> {
        let [image, row, frequency] = self.strides();
        (self.images, self.rows, self.length).strides((image, row, frequency))
    }
}
