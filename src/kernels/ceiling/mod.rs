//! What a device can do at most: the ceilings that `gaspard bench` measures kernels against.

pub(crate) mod copy;
pub(crate) mod exponential;
pub(crate) mod multiply_add;
