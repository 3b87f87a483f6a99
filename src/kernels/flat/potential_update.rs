//! The block update of a bounded potential, with an over-relaxation of every problem's own.

use bytemuck::{Pod, Zeroable};

use crate::engine::{Array, Backend, Engine, Launch, Shader, Table, shader};
use crate::error::Result;
use crate::kernels::check_length;
use crate::kernels::vector::NOTHING;

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    problems: u32,
    epsilon: f32,
    boldest: f32,
}

pub(crate) static SHADER: Shader =
    shader!("flat/potential_update", Params, [Read, Read, Read, Read, Write, Write, Write], &[&[]]);

/// Numbers in the pace of a problem: steps so far, or [`PLAIN`]; the largest change of the last step;
/// and the steps in a row by which it grew.
pub(crate) const PACE: usize = 3;
/// Steps in a row that may change more than the one before.
const PATIENCE: f64 = 20.0;
/// Stands for the number of steps once patience is over: over-relaxation is given up.
const PLAIN: f64 = -1.0;

/// The potentials of one side of a batch, point by point.
pub(crate) struct Potentials {
    /// First point of each problem, and the end of the last.
    pub offsets: Table,
    /// log of the masses.
    pub log_weight: Array,
    /// phi, from -1 to 1.
    pub potential: Array,
    /// log weight + phi / epsilon: where messages to the other side start.
    pub bias: Array,
    /// Problem by problem, see [`PACE`].
    pub pace: Array,
}

/// phi <- clamp(phi + omega (-epsilon message - phi), -1, 1) for the problems that are running, the
/// bias of it, and the pace of the next step. Step k, from 0, is
/// over-relaxed by omega = 1 + k / (k + 2), but by no more than `boldest`: as the momentum of
/// Nesterov's method grows, which asks for no rate of convergence to be known.
pub(crate) fn potential_update(
    engine: &Engine,
    side: &mut Potentials,
    message: &Array,
    epsilon: f64,
    boldest: f64,
    running: &Array,
) -> Result<()> {
    let problems = side.offsets.len() - 1;
    let count = side.potential.len();
    check_length("the message", message.len(), count)?;
    check_length("the log weights", side.log_weight.len(), count)?;
    check_length("the bias", side.bias.len(), count)?;
    check_length("the pace", side.pace.len(), PACE * problems)?;
    check_length("what is running", running.len(), problems)?;
    match engine.backend() {
        Backend::Cpu => {
            let (offsets, message) = (side.offsets.host()?, message.host()?);
            let (weight, running) = (side.log_weight.host()?, running.host()?);
            let (potential, bias) = (side.potential.host_mut()?, side.bias.host_mut()?);
            let pace = side.pace.host_mut()?;
            engine.run_twin(SHADER.name, || {
                for (problem, pace) in pace.chunks_mut(PACE).enumerate() {
                    if running[problem] == 0.0 {
                        continue;
                    }
                    let steps = pace[0];
                    let bold = (1.0 + steps / (steps + 2.0)).min(boldest);
                    let omega = if steps == PLAIN { 1.0 } else { bold };
                    let mut change = 0.0_f64;
                    for i in offsets[problem] as usize..offsets[problem + 1] as usize {
                        let old = potential[i];
                        let step = omega * (-epsilon * message[i] - old);
                        potential[i] = (old + step).clamp(-1.0, 1.0);
                        change = change.max((potential[i] - old).abs());
                        bias[i] = (weight[i] + potential[i] / epsilon).max(NOTHING);
                    }
                    let grown = if change > pace[1] { pace[2] + 1.0 } else { 0.0 };
                    let plain = steps == PLAIN || grown >= PATIENCE;
                    let steps = if plain { PLAIN } else { steps + 1.0 };
                    pace.copy_from_slice(&[steps, change, grown]);
                }
            });
            Ok(())
        }
        Backend::Gpu(gpu) => engine.launch(
            gpu,
            &Launch {
                shader: &SHADER,
                constants: &[],
                bindings: &[
                    side.offsets.buffer()?.into(),
                    message.buffer()?.into(),
                    side.log_weight.buffer()?.into(),
                    running.buffer()?.into(),
                    side.potential.buffer()?.into(),
                    side.bias.buffer()?.into(),
                    side.pace.buffer()?.into(),
                ],
                immediates: bytemuck::bytes_of(&Params {
                    problems: problems as u32,
                    epsilon: epsilon as f32,
                    boldest: boldest as f32,
                }),
                workgroups: problems as u64,
                work: count as f64,
            },
        ),
    }
}
