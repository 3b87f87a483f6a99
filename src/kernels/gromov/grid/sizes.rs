//! What the distances between cells of a grid take, known before anything is made.

use super::raster::{Raster, Window};
use crate::engine::{Array, Backend, Engine};
use crate::error::Result;
use crate::kernels::gromov::frequency_product::distinct_frequencies;
use crate::kernels::transform::{Transform, is_smooth, smooth_length};

/// Bytes of the transforms of a panel of images: many workgroups on a device, and yet little enough
/// for the caches of large ones; on the CPU likewise.
const DEVICE_PANEL: u64 = 32 << 20;
const HOST_PANEL: u64 = 16 << 20;

/// What the distances between the cells of a grid depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Structure {
    /// Steps down and steps across.
    Radial,
    /// Both rows, and steps around.
    Circular,
}

/// The sizes of the distances between some cells of a grid.
#[derive(Clone, Debug)]
pub(crate) struct GridSizes {
    pub(super) structure: Structure,
    pub(super) window: Window,
    /// Of the transforms along the rows.
    pub(super) length: usize,
    /// Of the transforms along the columns, where there are any.
    pub(super) height: usize,
}

/// Numbers of a [`Workspace`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Room {
    spectra: usize,
    products: usize,
}

/// Room for the transforms of a panel of images, which all products can share.
pub(crate) struct Workspace {
    pub(super) spectra: Array,
    pub(super) products: Array,
}

impl GridSizes {
    /// `cells` are those of a grid of `shape`, rows and columns, that are points, by their places
    /// in row-major order; `None`: all.
    ///
    /// # Errors
    /// [`crate::Error::Data`] for no cells, cells outside the grid, or two points in one.
    pub(crate) fn new(
        structure: Structure,
        shape: [usize; 2],
        cells: Option<&[usize]>,
    ) -> Result<Self> {
        let mut window = Window::around(shape, cells)?;
        let padded = |side: usize| smooth_length(2 * side - 1);
        let (length, height) = match structure {
            Structure::Radial => (padded(window.cols.len()), padded(window.rows.len())),
            Structure::Circular => {
                window.cols = 0..shape[1];
                let length = if is_smooth(shape[1]) { shape[1] } else { padded(shape[1]) };
                (length, 0)
            }
        };
        Ok(Self { structure, window, length, height })
    }

    /// Bytes of the distances.
    pub(crate) fn bytes(&self, engine: &Engine) -> u64 {
        let rows = self.window.rows.len();
        let (kernel, along_columns) = match self.structure {
            Structure::Radial => (self.height * self.length, Transform::bytes(engine, self.height)),
            Structure::Circular => (distinct_frequencies(self.length) * rows * rows, 0),
        };
        let kernels = 2 * kernel as u64 * engine.bytes_per_number();
        let along_rows = Transform::bytes(engine, self.length);
        Raster::bytes(&self.window) + kernels + along_rows + along_columns
    }

    /// The room for products with matrices of so many columns (or rows); with less they are taken
    /// in smaller panels.
    pub(crate) fn room(&self, engine: &Engine, columns: usize) -> Room {
        let budget = match engine.backend() {
            Backend::Cpu => HOST_PANEL,
            Backend::Gpu(gpu) => DEVICE_PANEL.min(gpu.max_binding_bytes()),
        };
        let fitting = (budget / engine.bytes_per_number()) as usize / self.image();
        let spectra = fitting.min(columns.div_ceil(2)).max(1) * self.image();
        match self.structure {
            Structure::Radial => Room { spectra, products: 0 },
            Structure::Circular => Room { spectra, products: spectra },
        }
    }

    /// The work of a product with one column, in multiply-adds of a product with a stored matrix
    /// that take as long: measured on a CPU, where a number of a transform costs 20 for every
    /// halving of its length.
    pub(crate) fn work(&self) -> f64 {
        const A_NUMBER: f64 = 20.0;
        let (rows, length) = (self.window.rows.len() as f64, self.length as f64);
        match self.structure {
            Structure::Radial => {
                let padded = self.height as f64 * length;
                A_NUMBER * padded * padded.log2().max(1.0)
            }
            Structure::Circular => rows * length * (A_NUMBER * length.log2().max(1.0) + rows),
        }
    }

    /// Numbers of the transforms of one image.
    pub(super) fn image(&self) -> usize {
        2 * self.window.rows.len() * self.length
    }
}

impl Room {
    /// Room for either.
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            spectra: self.spectra.max(other.spectra),
            products: self.products.max(other.products),
        }
    }

    /// Bytes of the workspace.
    pub(crate) fn bytes(self, engine: &Engine) -> u64 {
        (self.spectra + self.products) as u64 * engine.bytes_per_number()
    }
}

impl Workspace {
    /// # Errors
    /// [`crate::Error::Limit`] where there is not the memory.
    pub(crate) fn new(engine: &Engine, room: Room) -> Result<Self> {
        Ok(Self {
            spectra: engine.zeros("images", room.spectra)?,
            products: engine.zeros("products of images", room.products)?,
        })
    }
}
