//! Kernels of multi-marginal Gromov-Wasserstein: products with distance matrices, and what turns
//! them into the costs of the linearised problem.

pub(crate) mod blend;
pub(crate) mod coupling_dense;
pub(crate) mod fold_columns;
pub(crate) mod fourier_convolve;
pub(crate) mod fourier_gather;
pub(crate) mod fourier_scatter;
pub(crate) mod frequency_product;
pub(crate) mod grid;
pub(crate) mod linearised_cost;
pub(crate) mod matrix_product;
#[cfg(test)]
pub(super) mod properties;
pub(crate) mod squared_sums;

use bytemuck::NoUninit;

use crate::engine::gpu::{Binding, Gpu};
use crate::engine::{Backend, Engine, Shader};
use crate::error::Result;
use crate::kernels::linear::softmin_rows::row_panels;
use crate::kernels::panels::{Panel, Panels};
use crate::kernels::tiles::Blocks;

/// The plan of the kernels that walk stored matrices row by row: which workgroup takes which rows.
pub(crate) struct RowPlan {
    pub blocks: Blocks,
    panels: Option<Panels>,
}

impl RowPlan {
    pub(crate) fn new(engine: &Engine, blocks: &Blocks) -> Result<Self> {
        let panels = match engine.backend() {
            Backend::Cpu => None,
            Backend::Gpu(gpu) => Some(row_panels(engine, gpu, blocks)?),
        };
        Ok(Self { blocks: blocks.clone(), panels })
    }

    /// Launches a kernel over all rows: `bindings` of a panel follow those of the tiles, and
    /// `params` makes the parameters from the first tile and their number.
    fn launch<'a, P: NoUninit>(
        &'a self,
        engine: &Engine,
        gpu: &Gpu,
        shader: &'static Shader,
        constants: &[(&'static str, u32)],
        bindings: impl Fn(&Panel) -> Result<Vec<Binding<'a>>>,
        params: impl Fn(u32, u32) -> P,
    ) -> Result<()> {
        let panels = self.panels.as_ref().expect("made for a GPU");
        panels.launch(engine, gpu, (shader, constants), bindings, params)
    }
}
