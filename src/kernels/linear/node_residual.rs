//! How far the marginals of a node are from where its law wants them.

use bytemuck::{Pod, Zeroable};

use super::node_update::{NodeArrays, ScaledLaw};
use super::segment_sum::segment_sum;
use crate::engine::{Array, Backend, Engine, Launch, Shader, Table, shader};
use crate::error::Result;
use crate::kernels::check_length;
use crate::kernels::vector::NOTHING;

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    first_chunk: u32,
    chunks: u32,
    law: u32,
    first: f32,
    second: f32,
}

pub(crate) static SHADER: Shader =
    shader!("linear/node_residual", Params, [Read, Read, Read, Read, Read, Write], &[&[]]);

/// Points that a workgroup takes.
const CHUNK: usize = 2048;

/// The plan: chunks of each problem's points, and their partial sums.
pub(crate) struct NodeResidual {
    chunks: Table,
    /// Chunks of each problem, as offsets.
    offsets: Table,
    partials: Array,
}

impl NodeResidual {
    /// For a node whose points lie problem by problem between `offsets`.
    pub(crate) fn new(engine: &Engine, offsets: &[usize]) -> Result<Self> {
        let mut chunks = Vec::new();
        let mut chunk_offsets = vec![0];
        for bounds in offsets.windows(2) {
            for begin in (bounds[0]..bounds[1]).step_by(CHUNK) {
                chunks.push(begin as u32);
                chunks.push((begin + CHUNK).min(bounds[1]) as u32);
            }
            chunk_offsets.push(chunks.len() as u32 / 2);
        }
        Ok(Self {
            chunks: engine.table("chunks", &chunks)?,
            offsets: engine.table("chunk offsets", &chunk_offsets)?,
            partials: engine.zeros("partial residuals", chunks.len() / 2)?,
        })
    }

    /// out_b += sum over the points of problem b of |exp(w + belief) - exp(w* + belief)|, where w
    /// is the node's bias and w* what its law asks for; for a fixed law the L1 error of the
    /// marginal.
    pub(crate) fn launch(
        &mut self,
        engine: &Engine,
        node: &NodeArrays,
        belief: &Array,
        law: ScaledLaw,
        out: &mut Array,
    ) -> Result<()> {
        check_length("the belief", belief.len(), node.bias.len())?;
        let chunks = self.chunks.len() / 2;
        let (code, first, second) = law.code();
        match engine.backend() {
            Backend::Cpu => {
                let bounds = self.chunks.host()?;
                let (weight, reference) = (node.log_weight.host()?, node.log_reference.host()?);
                let (bias, belief) = (node.bias.host()?, belief.host()?);
                let partials = self.partials.host_mut()?;
                engine.run_twin(SHADER.name, || {
                    for (partial, bounds) in partials.iter_mut().zip(bounds.chunks(2)) {
                        *partial = (bounds[0] as usize..bounds[1] as usize)
                            .map(|i| {
                                let goal = law.potential(weight[i], reference[i], belief[i]);
                                let now = (bias[i] + belief[i]).max(NOTHING).exp();
                                let wanted = (goal + reference[i] + belief[i]).max(NOTHING).exp();
                                (now - wanted).abs()
                            })
                            .sum();
                    }
                });
            }
            Backend::Gpu(gpu) => engine.launch(
                gpu,
                &Launch {
                    shader: &SHADER,
                    constants: &[],
                    bindings: &[
                        self.chunks.buffer()?.into(),
                        node.log_weight.buffer()?.into(),
                        node.log_reference.buffer()?.into(),
                        belief.buffer()?.into(),
                        node.bias.buffer()?.into(),
                        self.partials.buffer()?.into(),
                    ],
                    immediates: bytemuck::bytes_of(&Params {
                        first_chunk: 0,
                        chunks: chunks as u32,
                        law: code,
                        first,
                        second,
                    }),
                    workgroups: chunks as u64,
                    work: node.bias.len() as f64,
                },
            )?,
        }
        segment_sum(engine, &self.offsets, &self.partials, true, out)
    }
}
