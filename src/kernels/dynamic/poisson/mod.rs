//! The Poisson equation on a grid in space and time, by cosine transforms.
//!
//! On cell centres with no flow through the borders, the cosine transform along every axis makes
//! the Laplacian diagonal. Axes of space are transformed one after another; along time, one pass
//! transforms, divides by the eigenvalues and transforms back.

#[cfg(test)]
mod properties;
mod spectrum;

pub(crate) use spectrum::Spectrum;

use super::SpaceTime;
use super::cosine::{Axis, Cosines, Direction};
use super::cosine_product::{CosineMatrix, cosine_product};
use super::cosine_solve::cosine_solve;
use super::cosine_transform::cosine_transform;
use super::spectral_divide::spectral_divide;
use crate::engine::{Array, Engine};
use crate::error::Result;
use crate::kernels::check_length;

/// Solves (Lx + w_i Lt + shift) p_i = d_i for fields on a grid, where Lx and Lt are minus the
/// Laplacians in space and in time, w_0 is the number of fields, and all other w_i are zero.
pub(crate) struct Poisson {
    /// Axes of space of more than one cell, the last one first.
    space: Vec<Transform>,
    time: Transform,
    spectrum: Spectrum,
    /// Where products go; empty without any.
    spare: Array,
}

/// The cosine transform along an axis.
struct Transform {
    axis: Axis,
    route: Route,
}

enum Route {
    Fourier(Cosines),
    Product { forward: CosineMatrix, inverse: CosineMatrix },
}

impl Poisson {
    /// `rates` are cells per unit along every axis, time first; `shift` is at least 0.
    ///
    /// # Errors
    /// [`crate::Error::Limit`] where there is not the memory.
    pub(crate) fn new(
        engine: &Engine,
        grid: &SpaceTime,
        rates: &[f64],
        fields: usize,
        shift: f64,
    ) -> Result<Self> {
        check_length("the rates", rates.len(), 1 + grid.space.len())?;
        let bytes = Self::bytes(engine, grid, fields);
        engine.require("the Poisson equation", bytes, "use a coarser grid")?;
        let (time, space) = axes(grid, fields);
        let time = Transform::new(engine, time)?;
        let space: Vec<Transform> =
            space.map(|axis| Transform::new(engine, axis)).collect::<Result<_>>()?;
        let in_place = space.iter().chain([&time]).all(Transform::is_in_place);
        Ok(Self {
            spectrum: Spectrum::new(engine, grid, rates, fields, shift)?,
            spare: engine.zeros("transforms", if in_place { 0 } else { fields * grid.cells() })?,
            time,
            space,
        })
    }

    /// Bytes of all that it holds.
    pub(crate) fn bytes(engine: &Engine, grid: &SpaceTime, fields: usize) -> u64 {
        let (time, space) = axes(grid, fields);
        let mut bytes = Spectrum::bytes(engine, grid);
        let mut in_place = true;
        for Axis { length, .. } in space.chain([time]) {
            let fourier = Cosines::covers(engine, length);
            in_place &= fourier;
            bytes += match fourier {
                true => Cosines::bytes(engine, length),
                false => 2 * CosineMatrix::bytes(engine, length),
            };
        }
        let spare = if in_place { 0 } else { fields * grid.cells() };
        bytes + spare as u64 * engine.bytes_per_number()
    }

    /// In place: from d, (fields, time, space), to p. Modes on which the operator is zero become
    /// zero; there are some without a shift, and d should not have them.
    ///
    /// # Errors
    /// Faults of the device.
    pub(crate) fn solve(&mut self, engine: &Engine, values: &mut Array) -> Result<()> {
        let mut pair = Pair { here: values, there: &mut self.spare };
        for transform in &self.space {
            transform.run(engine, Direction::Forward, &mut pair)?;
        }
        match &self.time.route {
            Route::Fourier(cosines) => cosine_solve(engine, cosines, &self.spectrum, pair.here)?,
            Route::Product { .. } => {
                self.time.run(engine, Direction::Forward, &mut pair)?;
                spectral_divide(engine, &self.spectrum, pair.here)?;
                self.time.run(engine, Direction::Inverse, &mut pair)?;
            }
        }
        for transform in self.space.iter().rev() {
            transform.run(engine, Direction::Inverse, &mut pair)?;
        }
        // Every product was followed by another one on its way back: what is here is `values`.
        Ok(())
    }
}

/// The axis of time, and those of space that have something to transform, the last one first.
fn axes(grid: &SpaceTime, fields: usize) -> (Axis, impl Iterator<Item = Axis>) {
    let lengths = grid.lengths();
    let axis = move |place: usize| Axis {
        outer: fields * lengths[..place].iter().product::<usize>(),
        length: lengths[place],
        inner: lengths[place + 1..].iter().product(),
    };
    let time = axis(0);
    let space = (1..=grid.space.len()).rev().map(axis).filter(|axis| axis.length > 1);
    (time, space)
}

/// The array that holds the fields, and room for them.
struct Pair<'a> {
    here: &'a mut Array,
    there: &'a mut Array,
}

impl Transform {
    fn new(engine: &Engine, axis: Axis) -> Result<Self> {
        let matrix = |direction| CosineMatrix::new(engine, axis.length, direction);
        let route = if Cosines::covers(engine, axis.length) {
            Route::Fourier(Cosines::new(engine, axis.length)?)
        } else {
            let (forward, inverse) = (matrix(Direction::Forward)?, matrix(Direction::Inverse)?);
            Route::Product { forward, inverse }
        };
        Ok(Self { axis, route })
    }

    fn is_in_place(&self) -> bool {
        matches!(self.route, Route::Fourier(_))
    }

    fn run(&self, engine: &Engine, direction: Direction, pair: &mut Pair<'_>) -> Result<()> {
        let matrix = match (&self.route, direction) {
            (Route::Fourier(cosines), _) => {
                return cosine_transform(engine, cosines, self.axis, direction, pair.here);
            }
            (Route::Product { forward, .. }, Direction::Forward) => forward,
            (Route::Product { inverse, .. }, Direction::Inverse) => inverse,
        };
        cosine_product(engine, matrix, self.axis, pair.here, pair.there)?;
        std::mem::swap(&mut pair.here, &mut pair.there);
        Ok(())
    }
}
