//! Kernels of the linear core: softmins, node updates, couplings applied without being stored.

pub(crate) mod consensus;
pub(crate) mod coupling_columns;
pub(crate) mod coupling_points;
pub(crate) mod coupling_rows;
pub(crate) mod debias;
pub(crate) mod join_partials;
pub(crate) mod node_residual;
pub(crate) mod node_update;
pub(crate) mod segment_sum;
pub(crate) mod softmin_axis;
pub(crate) mod softmin_columns;
pub(crate) mod softmin_points;
pub(crate) mod softmin_rows;
pub(crate) mod sum_messages;
