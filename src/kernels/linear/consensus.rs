//! Where the messages of several measures meet on one support: the centre of a barycenter.

use bytemuck::{Pod, Zeroable};

use crate::engine::{Array, Backend, Engine, Shader, shader};
use crate::error::Result;
use crate::kernels::launch::launch_each;
use crate::kernels::vector::{NEARLY_NOTHING, NOTHING};
use crate::kernels::{check_length, index};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    length: u32,
    members: u32,
    fresh: u32,
    relaxation: f32,
}

pub(crate) static SHADER: Shader = shader!(
    "linear/consensus",
    Params,
    [Read, Read, Write, Write],
    &[&[("ADD", 1), ("SPREAD", 0)], &[("ADD", 0), ("SPREAD", 1)], &[("ADD", 1), ("SPREAD", 1)]]
);

/// Which halves of the kernel run, for messages that come in several groups.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Step {
    /// mean += sum_k weight_k message_k.
    pub add: bool,
    /// The mean starts from zero.
    pub fresh: bool,
    /// bias_k <- bias_k + relaxation (mean - message_k - bias_k).
    pub spread: bool,
    /// 1 for none.
    pub relaxation: f64,
}

/// Adds weighted messages to a mean, and spreads the mean back as biases. `messages` and `bias`
/// hold one array of the support's length for each member.
pub(crate) fn consensus(
    engine: &Engine,
    step: Step,
    weights: &Array,
    messages: &Array,
    mean: &mut Array,
    bias: &mut Array,
) -> Result<()> {
    let (members, length) = (weights.len(), mean.len());
    check_length("the messages", messages.len(), members * length)?;
    check_length("the biases", bias.len(), members * length)?;
    let Backend::Gpu(gpu) = engine.backend() else {
        let (weights, messages) = (weights.host()?, messages.host()?);
        let (mean, bias) = (mean.host_mut()?, bias.host_mut()?);
        engine.run_twin(SHADER.name, || twin(step, weights, messages, mean, bias));
        return Ok(());
    };
    launch_each(
        engine,
        gpu,
        &SHADER,
        &[("ADD", u32::from(step.add)), ("SPREAD", u32::from(step.spread))],
        &[weights, messages, mean, bias],
        &Params {
            length: index("a support", length)?,
            members: members as u32,
            fresh: u32::from(step.fresh),
            relaxation: step.relaxation as f32,
        },
        (length, (length * members) as f64),
    )
}

fn twin(step: Step, weights: &[f64], messages: &[f64], mean: &mut [f64], bias: &mut [f64]) {
    let length = mean.len();
    if step.add {
        for (i, mean) in mean.iter_mut().enumerate() {
            let start = if step.fresh { 0.0 } else { *mean };
            let heard =
                weights.iter().enumerate().map(|(k, weight)| weight * messages[k * length + i]);
            *mean = heard.fold(start, |sum, term| sum + term).max(NOTHING);
        }
    }
    if step.spread {
        for (place, (bias, &message)) in bias.iter_mut().zip(messages).enumerate() {
            let meeting = mean[place % length];
            let reachable = meeting > NEARLY_NOTHING && message > NEARLY_NOTHING;
            let goal = if reachable { meeting - message } else { NOTHING };
            let jump = goal < NEARLY_NOTHING || *bias < NEARLY_NOTHING;
            *bias = if jump { goal } else { *bias + step.relaxation * (goal - *bias) };
        }
    }
}
