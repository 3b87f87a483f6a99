//! Kernels of dynamic transport: fields on a grid in space and time.

pub(crate) mod cosine;
pub(crate) mod cosine_product;
pub(crate) mod cosine_solve;
pub(crate) mod cosine_transform;
pub(crate) mod poisson;
pub(crate) mod spectral_divide;

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
