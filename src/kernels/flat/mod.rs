//! Kernels of the flat metric.

pub(crate) mod network;
#[cfg(test)]
mod properties;
pub(crate) mod train;
