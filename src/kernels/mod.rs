//! Kernels: each a WGSL shader with the launch and the f64 twin in the file of the same name.
//!
//! A kernel file holds the parameter block, the launch, which checks shapes and runs on the engine
//! that holds the arrays, and the CPU twin, written from the formula. Work lists ("tiles") and
//! scratch are made once, in a plan; nothing is allocated in a loop.

pub(crate) mod absorbed;
pub(crate) mod audio;
pub(crate) mod ceiling;
pub(crate) mod dynamic;
pub(crate) mod flat;
pub(crate) mod gromov;
mod launch;
pub mod linear;
pub(crate) mod panels;
pub(crate) mod point_costs;
pub(crate) mod product;
#[cfg(test)]
pub(crate) mod properties;
pub(crate) mod tiles;
pub(crate) mod transform;
pub(crate) mod vector;

pub use tiles::Blocks;
pub use vector::{NEARLY_NOTHING, NOTHING};

use crate::engine::Shader;

/// Multiply-adds that take a device as long as one exponential.
pub(crate) const MULTIPLY_ADDS_PER_EXPONENTIAL: f64 = 8.0;

/// Every shader, for validation and for `gaspard check`.
pub(crate) const SHADERS: &[&Shader] = &[
    &audio::band_sinkhorn::SHADER,
    &audio::lag_profile::SHADER,
    &audio::star_sinkhorn::SHADER,
    &ceiling::copy::SHADER,
    &ceiling::exponential::SHADER,
    &ceiling::multiply_add::SHADER,
    &dynamic::cosine_product::SHADER,
    &dynamic::cosine_solve::SHADER,
    &dynamic::cosine_transform::SHADER,
    &dynamic::spectral_divide::SHADER,
    &dynamic::divergence::SHADER,
    &dynamic::dual::SHADER,
    &dynamic::frame_logs::SHADER,
    &dynamic::frame_update::SHADER,
    &dynamic::law_product::SHADER,
    &dynamic::primal::SHADER,
    &dynamic::primal_dual::SHADER,
    &dynamic::residuals::SHADER,
    &dynamic::shift::SHADER,
    &flat::plan_rows::SHADER,
    &flat::potential_update::SHADER,
    &flat::train::SHADER,
    &gromov::blend::SHADER,
    &gromov::coupling_dense::SHADER,
    &gromov::fold_columns::SHADER,
    &gromov::fourier_convolve::SHADER,
    &gromov::fourier_gather::SHADER,
    &gromov::fourier_scatter::SHADER,
    &gromov::frequency_product::SHADER,
    &gromov::linearised_cost::SHADER,
    &gromov::matrix_product::SHADER,
    &gromov::squared_sums::SHADER,
    &linear::consensus::SHADER,
    &linear::coupling_columns::SHADER,
    &linear::coupling_points::SHADER,
    &linear::coupling_rows::SHADER,
    &linear::debias::SHADER,
    &linear::join_partials::SHADER,
    &linear::node_residual::SHADER,
    &linear::node_update::SHADER,
    &linear::segment_sum::SHADER,
    &linear::softmin_axis::SHADER,
    &linear::softmin_columns::SHADER,
    &linear::softmin_points::SHADER,
    &linear::softmin_rows::SHADER,
    &linear::sum_messages::SHADER,
];

/// Every variant of every shader, expanded: (name, constants, WGSL).
#[doc(hidden)]
pub fn expanded_shaders() -> Vec<(String, String, String)> {
    let mut expanded = Vec::new();
    for shader in SHADERS {
        for constants in shader.variants {
            expanded.push((
                shader.name.to_owned(),
                format!("{constants:?}"),
                crate::engine::gpu::expand(shader.source, constants),
            ));
        }
    }
    expanded
}

/// The shape error of a kernel's argument.
pub(crate) fn check_length(what: &str, found: usize, expected: usize) -> crate::Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(crate::Error::shape(what, format!("{expected} numbers"), found.to_string()))
}

/// Narrows a size to the device's 32-bit indices.
pub(crate) fn index(what: &str, size: usize) -> crate::Result<u32> {
    u32::try_from(size).map_err(|_| crate::Error::Limit {
        what: what.to_owned(),
        needed: size as u64,
        available: u64::from(u32::MAX),
        remedy: "devices count in 32 bits; use fewer points, or --device cpu".to_owned(),
    })
}
