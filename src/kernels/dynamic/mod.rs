//! Kernels of dynamic transport: fields that are staggered on a grid in space and time.
//!
//! Every component of the unknown has as many entries as the grid has cells: entry j of the axis
//! that it is staggered along is the face below cell j. The lowest face of the box is entry 0, the
//! highest is known and not stored (Papadakis, Peyré and Oudet 2014).

pub(crate) mod cosine;
pub(crate) mod cosine_product;
pub(crate) mod cosine_solve;
pub(crate) mod cosine_transform;
pub(crate) mod divergence;
pub(crate) mod dual;
pub(crate) mod frame_logs;
pub(crate) mod frame_update;
pub(crate) mod law_product;
pub(crate) mod lines;
mod paraboloid;
pub(crate) mod poisson;
pub(crate) mod primal;
pub(crate) mod primal_dual;
#[cfg(test)]
mod properties;
pub(crate) mod residuals;
pub(crate) mod shift;
pub(crate) mod spectral_divide;

use bytemuck::{Pod, Zeroable};

use crate::error::Result;
use crate::kernels::index;

/// The cells of a grid in space and time; arrays have time first and the last space axis last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SpaceTime {
    /// Cells along time.
    pub time: usize,
    /// Cells along 1 to 3 axes of space.
    pub space: Vec<usize>,
}

impl SpaceTime {
    pub(crate) fn cells(&self) -> usize {
        self.time * self.places()
    }

    /// Cells in space.
    pub(crate) fn places(&self) -> usize {
        self.space.iter().product()
    }

    /// Lengths of the axes, time first.
    pub(crate) fn lengths(&self) -> Vec<usize> {
        [self.time].into_iter().chain(self.space.iter().copied()).collect()
    }
}

/// The components of an unknown and how they lie: the momenta of every field, axis by axis, then
/// the density that all fields share, then the source where there is one. Axis 0 is time.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Layout {
    pub grid: SpaceTime,
    /// Cells per unit along every axis, time first.
    pub rates: Vec<f64>,
    /// Momenta that share one density.
    pub fields: usize,
    /// True where mass may be made and lost.
    pub source: bool,
}

impl Layout {
    /// Axes of space.
    pub(crate) fn dimension(&self) -> usize {
        self.grid.space.len()
    }

    pub(crate) fn components(&self) -> usize {
        self.fields * self.dimension() + 1 + usize::from(self.source)
    }

    /// Entries of all components.
    pub(crate) fn numbers(&self) -> usize {
        self.components() * self.grid.cells()
    }

    /// The component of a field's momentum along an axis of space, which are counted from 1.
    pub(crate) fn momentum(&self, field: usize, axis: usize) -> usize {
        field * self.dimension() + axis - 1
    }

    pub(crate) fn density(&self) -> usize {
        self.fields * self.dimension()
    }

    /// The components that are staggered, each with its axis.
    pub(crate) fn staggered(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        let momenta = (0..self.fields).flat_map(move |field| {
            (1..=self.dimension()).map(move |axis| (self.momentum(field, axis), axis))
        });
        momenta.chain([(self.density(), 0)])
    }

    /// The components of an array, each for itself.
    pub(crate) fn split<'a>(&self, all: &'a [f64]) -> Vec<&'a [f64]> {
        all.chunks(self.grid.cells()).collect()
    }

    /// The component of the source.
    pub(crate) fn source_component(&self) -> Option<usize> {
        self.source.then_some(self.density() + 1)
    }

    /// From a cell to the next one along an axis.
    pub(crate) fn stride(&self, axis: usize) -> usize {
        match axis {
            0 => self.grid.places(),
            _ => self.grid.space[axis..].iter().product(),
        }
    }

    /// Numbers per place of the metric that [`dual::dual`] takes.
    pub(crate) fn metric_numbers(&self) -> usize {
        let dimension = self.dimension();
        let turn = if dimension > 1 { dimension * dimension } else { 0 };
        self.fields * (dimension + turn)
    }

    /// What shaders are told of the grid.
    pub(crate) fn shape(&self) -> Result<Shape> {
        let side = |axis: usize| self.grid.space.get(axis).copied().unwrap_or(1);
        let rate = |axis: usize| self.rates.get(axis).copied().unwrap_or(0.0) as f32;
        // All that shaders count with.
        index("the grid", self.numbers())?;
        Ok(Shape {
            time: index("the grid", self.grid.time)?,
            sides: [0, 1, 2].map(|axis| side(axis) as u32),
            rates: [0, 1, 2, 3].map(rate),
        })
    }

    /// The parameters of a step, with all numbers but the grid to be filled in.
    fn params(&self) -> Result<Params> {
        Ok(Params { shape: self.shape()?, ..Params::zeroed() })
    }

    /// The constants that shaders are made for.
    pub(crate) fn constants(&self) -> [(&'static str, u32); 4] {
        [
            ("AXES", self.dimension() as u32),
            ("FIELDS", self.fields as u32),
            ("SOURCE", u32::from(self.source)),
            ("TURNED", u32::from(self.dimension() > 1)),
        ]
    }

    /// The same for shaders that may take a force.
    fn forced_constants(&self, forced: bool) -> [(&'static str, u32); 5] {
        let [axes, fields, source, turned] = self.constants();
        [axes, fields, source, turned, ("FORCED", u32::from(forced))]
    }
}

/// The grid in the parameters of a shader: unused axes have one cell.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub(crate) struct Shape {
    time: u32,
    sides: [u32; 3],
    rates: [f32; 4],
}

/// The parameters of the steps of an iteration: each has those that it needs, and zero for the others.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    shape: Shape,
    tau: f32,
    sigma: f32,
    relaxation: f32,
    extrapolation: f32,
    reaction: f32,
}

/// Layouts that every kernel is compiled for in the tests, with more constants: one list of them
/// for each time that all layouts are to be gone through.
macro_rules! variants {
    ($([$($extra:expr),*]),*) => {
        &[
            $(
                &[("AXES", 1), ("FIELDS", 1), ("SOURCE", 0), ("TURNED", 0) $(, $extra)*],
                &[("AXES", 2), ("FIELDS", 1), ("SOURCE", 0), ("TURNED", 1) $(, $extra)*],
                &[("AXES", 3), ("FIELDS", 1), ("SOURCE", 0), ("TURNED", 1) $(, $extra)*],
                &[("AXES", 1), ("FIELDS", 1), ("SOURCE", 1), ("TURNED", 0) $(, $extra)*],
                &[("AXES", 2), ("FIELDS", 1), ("SOURCE", 1), ("TURNED", 1) $(, $extra)*],
                &[("AXES", 3), ("FIELDS", 1), ("SOURCE", 1), ("TURNED", 1) $(, $extra)*],
                &[("AXES", 1), ("FIELDS", 2), ("SOURCE", 0), ("TURNED", 0) $(, $extra)*],
                &[("AXES", 2), ("FIELDS", 2), ("SOURCE", 0), ("TURNED", 1) $(, $extra)*],
                &[("AXES", 3), ("FIELDS", 3), ("SOURCE", 0), ("TURNED", 1) $(, $extra)*],
            )*
        ]
    };
}
pub(crate) use variants;
