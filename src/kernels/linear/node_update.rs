//! The potential of a node from the belief that reaches it, under its marginal law.

use bytemuck::{Pod, Zeroable};

use crate::engine::{Array, Backend, Engine, Shader, Table, shader};
use crate::error::Result;
use crate::kernels::launch::launch_each;
use crate::kernels::vector::{NEARLY_NOTHING, NOTHING};
use crate::kernels::{check_length, index};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    count: u32,
    law: u32,
    first: f32,
    second: f32,
    relaxation: f32,
}

pub(crate) static SHADER: Shader =
    shader!("linear/node_update", Params, [Read, Read, Read, Read, Read, Write, Write], &[&[]]);

/// What a law asks of a potential g = f / epsilon, given the ratio log(mu / q) of what there should be
/// to what all others make.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum ScaledLaw {
    /// All of the ratio.
    Fixed,
    /// This share of the ratio.
    Share(f64),
    /// The ratio, but no further from 0 than this.
    Bounded(f64),
    /// What brings the marginal between mu times the first factor and mu times the second, which are
    /// given by their logarithms.
    Between(f64, f64),
    /// Nothing.
    Free,
}

impl ScaledLaw {
    /// How shaders know it.
    pub(super) fn code(self) -> (u32, f32, f32) {
        match self {
            Self::Fixed => (0, 0.0, 0.0),
            Self::Share(share) => (1, share as f32, 0.0),
            Self::Bounded(bound) => (2, bound as f32, 0.0),
            Self::Between(low, high) => (3, low as f32, high as f32),
            Self::Free => (4, 0.0, 0.0),
        }
    }

    /// The potential whose marginal exp(g + log reference + belief) the law asks for.
    pub(crate) fn potential(self, log_weight: f64, log_reference: f64, belief: f64) -> f64 {
        let unreachable = belief < NEARLY_NOTHING || log_reference < NEARLY_NOTHING;
        if self == Self::Free || unreachable {
            return 0.0;
        }
        let ratio = log_weight - (log_reference + belief);
        match self {
            Self::Bounded(bound) => ratio.clamp(-bound, bound),
            _ if log_weight < NEARLY_NOTHING => NOTHING,
            Self::Share(share) => share * ratio,
            Self::Between(low, high) => 0.0_f64.max(ratio + low).min(ratio + high),
            Self::Fixed | Self::Free => ratio,
        }
    }
}

/// The arrays of one node of a batch, point by point.
pub(crate) struct NodeArrays {
    /// log mu.
    pub log_weight: Array,
    /// log of the reference measure.
    pub log_reference: Array,
    /// g = f / epsilon.
    pub potential: Array,
    /// w = g + log reference: where the node's own messages start.
    pub bias: Array,
    /// The problem that each point belongs to.
    pub problem: Table,
}

/// g <- g + relaxation (g* - g), w <- g + log reference, for the problems that are running; g* is
/// the exact block update of the law.
pub(crate) fn node_update(
    engine: &Engine,
    node: &mut NodeArrays,
    belief: &Array,
    law: ScaledLaw,
    relaxation: f64,
    running: &Array,
) -> Result<()> {
    let count = node.potential.len();
    check_length("the belief", belief.len(), count)?;
    let (code, first, second) = law.code();
    match engine.backend() {
        Backend::Cpu => {
            let (weight, reference) = (node.log_weight.host()?, node.log_reference.host()?);
            let (problem, belief, running) =
                (node.problem.host()?, belief.host()?, running.host()?);
            let (potential, bias) = (node.potential.host_mut()?, node.bias.host_mut()?);
            engine.run_twin(SHADER.name, || {
                for i in 0..count {
                    if running[problem[i] as usize] == 0.0 {
                        continue;
                    }
                    let goal = law.potential(weight[i], reference[i], belief[i]);
                    let step = relaxation * (goal - potential[i]);
                    let jump = potential[i] < NEARLY_NOTHING || goal < NEARLY_NOTHING;
                    potential[i] = if jump { goal } else { potential[i] + step };
                    bias[i] = (potential[i] + reference[i]).max(NOTHING);
                }
            });
            Ok(())
        }
        Backend::Gpu(gpu) => launch_each(
            engine,
            gpu,
            &SHADER,
            &[],
            &[
                &node.log_weight,
                &node.log_reference,
                belief,
                &node.problem,
                running,
                &node.potential,
                &node.bias,
            ],
            &Params {
                count: index("a node", count)?,
                law: code,
                first,
                second,
                relaxation: relaxation as f32,
            },
            (count, count as f64),
        ),
    }
}
