//! Kernels of the flat metric: potentials between -1 and 1, plans that reach up to a distance of 2,
//! and networks.

pub(crate) mod network;
pub(crate) mod plan_rows;
pub(crate) mod potential_update;
#[cfg(test)]
mod properties;
pub(crate) mod train;

/// No unit of mass moves further: losing it here and making it there costs as much.
pub(crate) const FURTHEST: f64 = 2.0;
