//! Distances between cells of a grid that are never stored: products by Fourier transforms.
//!
//! The distance matrix D of n cells takes n² numbers and its product with n columns 2 n³ flops.
//! Where D depends on offsets only, a product is a convolution of every column, laid out as an
//! image: O(log n) flops a number, and a matrix of the size of the grid instead of D.
//!
//! * [`Structure::Radial`]: a picture in the plane, D = k(|dy|, |dx|). Images are padded with zeros
//!   to at least twice their sides less one, transformed along both axes and multiplied by the
//!   transform of k. The rows of the padding are never stored: columns are padded, transformed and
//!   transformed back in the memory of a workgroup (or of a core).
//! * [`Structure::Circular`]: a grid of latitudes and longitudes, D = k(row, row', steps around).
//!   Rows are circles: transformed along them, D is one real symmetric matrix (rows, rows) a
//!   frequency. Where the number of longitudes has prime factors beyond 5, they are padded like a
//!   picture's.
//!
//! k is real and even, so its transform is real; two real columns travel as the real and the
//! imaginary part of one image and come back apart. Rounding errors of the one are seen in the
//! other: relative to the larger of the two, about the roundoff times the logarithm of the size.
//!
//! Points may be any cells of the grid, in any order: the others are zero on the way in and dropped
//! on the way out. A matrix larger than a device's binding is walked in bands of rows of the grid,
//! which needs points in the order of their cells.

pub(crate) mod images;
mod kernels;
#[cfg(test)]
mod properties;
pub(crate) mod raster;
pub(crate) mod rows;
mod sizes;

pub(crate) use sizes::{GridSizes, Room, Structure, Workspace};

use super::fourier_convolve::fourier_convolve;
use super::fourier_gather::fourier_gather;
use super::fourier_scatter::fourier_scatter;
use super::frequency_product::frequency_product;
use super::matrix_product::Place;
use crate::engine::{Array, Backend, Engine};
use crate::error::{Error, Result};
use crate::kernels::check_length;
use crate::kernels::transform::Transform;
use images::{Columns, Order, Spectra};
use raster::Raster;
use rows::most_numbers;

/// The distances between some cells of a grid.
pub(crate) struct GridDistances {
    sizes: GridSizes,
    raster: Raster,
    along_rows: Transform,
    between_rows: BetweenRows,
}

/// How the transformed rows of an image act on each other, for the distances and their squares.
enum BetweenRows {
    Convolution { along_columns: Transform, kernels: [Array; 2] },
    Matrices { kernels: [Array; 2] },
}

/// Which matrix is multiplied: the index of its kernel.
#[derive(Clone, Copy)]
enum Entries {
    Distances = 0,
    Squares = 1,
}

impl GridDistances {
    /// D_ij = distance(|dy|, |dx|) between cells i and j of a grid of `shape`, rows and columns.
    /// `cells` are those that are points, by their places in row-major order; `None`: all.
    ///
    /// # Errors
    /// [`Error::Data`] for cells that are not of the grid, twice the same, or none, and for grids
    /// that are too large for a device; [`Error::Limit`] where there is not the memory.
    pub(crate) fn radial(
        engine: &Engine,
        shape: [usize; 2],
        cells: Option<&[usize]>,
        distance: impl Fn(usize, usize) -> f64 + Sync,
    ) -> Result<Self> {
        let sizes = GridSizes::new(Structure::Radial, shape, cells)?;
        let grid = [sizes.window.rows.len(), sizes.window.cols.len()];
        let padded = [sizes.height, sizes.length];
        let along_columns = Transform::new(engine, sizes.height)?;
        let plain = kernels::convolution(grid, padded, &distance);
        let squares = kernels::convolution(grid, padded, |dy, dx| distance(dy, dx).powi(2));
        let kernels = [engine.upload("kernel", &plain)?, engine.upload("kernel", &squares)?];
        let between_rows = BetweenRows::Convolution { along_columns, kernels };
        Self::new(engine, shape, cells, sizes, between_rows)
    }

    /// D_ij = distance(a, b, steps) between cells i and j in rows a <= b of a grid of `shape`, rows
    /// and cells around, with the fewer steps of the two ways around. The rest is as for
    /// [`GridDistances::radial`].
    ///
    /// # Errors
    /// As [`GridDistances::radial`].
    pub(crate) fn circular(
        engine: &Engine,
        shape: [usize; 2],
        cells: Option<&[usize]>,
        distance: impl Fn(usize, usize, usize) -> f64 + Sync,
    ) -> Result<Self> {
        let sizes = GridSizes::new(Structure::Circular, shape, cells)?;
        let (rows, skipped) = (sizes.window.rows.len(), sizes.window.rows.start);
        let distance = |a: usize, b: usize, steps: usize| distance(a + skipped, b + skipped, steps);
        let squares = |a: usize, b: usize, steps: usize| distance(a, b, steps).powi(2);
        let plain = kernels::frequencies(rows, shape[1], sizes.length, distance);
        let squares = kernels::frequencies(rows, shape[1], sizes.length, squares);
        let kernels = [engine.upload("kernels", &plain)?, engine.upload("kernels", &squares)?];
        Self::new(engine, shape, cells, sizes, BetweenRows::Matrices { kernels })
    }

    fn new(
        engine: &Engine,
        shape: [usize; 2],
        cells: Option<&[usize]>,
        sizes: GridSizes,
        between_rows: BetweenRows,
    ) -> Result<Self> {
        Ok(Self {
            raster: Raster::new(engine, shape, cells, &sizes.window)?,
            along_rows: Transform::new(engine, sizes.length)?,
            between_rows,
            sizes,
        })
    }

    /// How many points.
    pub(crate) fn len(&self) -> usize {
        self.raster.points()
    }

    /// out = D M for M (points, k).
    pub(crate) fn times(
        &self,
        engine: &Engine,
        workspace: &mut Workspace,
        (m, m_place): (&Array, Place),
        (out, out_place): (&mut Array, Place),
    ) -> Result<()> {
        let (m_columns, out_columns) = (Columns::of(m_place), Columns::of(out_place));
        self.product(engine, workspace, Entries::Distances, (m, m_columns), (out, out_columns))
    }

    /// out = M D for M (k, points).
    pub(crate) fn times_from_right(
        &self,
        engine: &Engine,
        workspace: &mut Workspace,
        (m, m_place): (&Array, Place),
        (out, out_place): (&mut Array, Place),
    ) -> Result<()> {
        let (m_rows, out_rows) = (Columns::rows_of(m_place), Columns::rows_of(out_place));
        self.product(engine, workspace, Entries::Distances, (m, m_rows), (out, out_rows))
    }

    /// out_bi = sum_j D_ij² v_bj for vectors that lie one after another.
    pub(crate) fn squared(
        &self,
        engine: &Engine,
        workspace: &mut Workspace,
        v: &Array,
        out: &mut Array,
    ) -> Result<()> {
        let points = self.len();
        check_length("the sums", out.len(), v.len())?;
        check_length("the vectors", v.len(), v.len() / points * points)?;
        let rows = Columns::rows_of(Place::new(0, v.len() / points, points));
        self.product(engine, workspace, Entries::Squares, (v, rows), (out, rows))
    }

    fn product(
        &self,
        engine: &Engine,
        workspace: &mut Workspace,
        entries: Entries,
        (m, m_columns): (&Array, Columns),
        (out, out_columns): (&mut Array, Columns),
    ) -> Result<()> {
        m_columns.check("the factor", m)?;
        out_columns.check("the product", out)?;
        let sizes = [m_columns, out_columns].map(|columns| (columns.points, columns.count));
        if sizes != [(self.len(), m_columns.count); 2] {
            return Err(Error::shape(
                "the product with distances",
                format!("{} points, as many columns on both sides", self.len()),
                format!("(points, columns) {:?} and {:?}", sizes[0], sizes[1]),
            ));
        }
        let at_once = 2 * self.images_at_once(engine, workspace, m_columns)?;
        for first in (0..m_columns.count).step_by(at_once) {
            let panel = first..m_columns.count.min(first + at_once);
            let (m_part, out_part) = (m_columns.part(panel.clone()), out_columns.part(panel));
            self.panel(engine, workspace, entries, (m, m_part), (out, out_part))?;
        }
        Ok(())
    }

    /// Images that the workspace holds, and whose columns, where those are rows, a binding holds.
    fn images_at_once(
        &self,
        engine: &Engine,
        workspace: &Workspace,
        columns: Columns,
    ) -> Result<usize> {
        let image = self.sizes.image();
        let (room, what) = match self.between_rows {
            BetweenRows::Convolution { .. } => (workspace.spectra.len(), "the workspace"),
            BetweenRows::Matrices { .. } => {
                (workspace.spectra.len().min(workspace.products.len()), "either workspace")
            }
        };
        if room < image {
            return Err(Error::shape(what, format!("at least {image} numbers"), room.to_string()));
        }
        Ok(match engine.backend() {
            Backend::Gpu(gpu) if columns.point_stride == 1 => {
                (room / image).min(most_numbers(gpu) / (2 * columns.column_stride)).max(1)
            }
            _ => room / image,
        })
    }

    fn panel(
        &self,
        engine: &Engine,
        workspace: &mut Workspace,
        entries: Entries,
        m: (&Array, Columns),
        out: (&mut Array, Columns),
    ) -> Result<()> {
        let Workspace { spectra: values, products } = workspace;
        let spectra = Spectra {
            images: m.1.count.div_ceil(2),
            rows: self.raster.rows(),
            length: self.along_rows.length(),
            order: match self.between_rows {
                BetweenRows::Convolution { .. } => Order::ByImage,
                BetweenRows::Matrices { .. } => Order::ByFrequency,
            },
        };
        fourier_gather(engine, &self.raster, &self.along_rows, m, (&mut *values, spectra))?;
        let transformed = match &self.between_rows {
            BetweenRows::Convolution { along_columns, kernels } => {
                let kernel = &kernels[entries as usize];
                fourier_convolve(engine, along_columns, kernel, (&mut *values, spectra))?;
                &*values
            }
            BetweenRows::Matrices { kernels } => {
                let kernels = &kernels[entries as usize];
                frequency_product(engine, kernels, (&*values, spectra), &mut *products)?;
                &*products
            }
        };
        fourier_scatter(engine, &self.raster, &self.along_rows, (transformed, spectra), out)
    }
}
