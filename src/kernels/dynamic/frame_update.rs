//! A half step of Sinkhorn for all pairs of frames.

use bytemuck::{Pod, Zeroable};

use crate::engine::{Array, Backend, Engine, Shader, shader};
use crate::error::Result;
use crate::kernels::launch::launch_each;
use crate::kernels::{check_length, index};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    first: u32,
    count: u32,
    relaxation: f32,
}

pub(crate) static SHADER: Shader =
    shader!("dynamic/frame_update", Params, [Read, Read, Write], &[&[]]);

/// f_i <- f_i + relaxation (log a_i - message_i - f_i), with log a from `first` on; all in units of
/// epsilon. A relaxation of 1/2 makes the update of a frame with itself converge.
pub(crate) fn frame_update(
    engine: &Engine,
    logs: &Array,
    first: usize,
    messages: &Array,
    relaxation: f64,
    potentials: &mut Array,
) -> Result<()> {
    let count = potentials.len();
    check_length("the messages", messages.len(), count)?;
    check_length("the logarithms", logs.len().min(first + count), first + count)?;
    let Backend::Gpu(gpu) = engine.backend() else {
        let (logs, messages) = (&logs.host()?[first..first + count], messages.host()?);
        let potentials = potentials.host_mut()?;
        engine.run_twin(SHADER.name, || {
            for (f, (log, message)) in potentials.iter_mut().zip(logs.iter().zip(messages)) {
                *f += relaxation * (log - message - *f);
            }
        });
        return Ok(());
    };
    launch_each(
        engine,
        gpu,
        &SHADER,
        &[],
        &[logs, messages, potentials],
        &Params {
            first: index("the logarithms", first)?,
            count: index("the potentials", count)?,
            relaxation: relaxation as f32,
        },
        (count, count as f64),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::properties::engines;

    #[test]
    fn a_step_goes_a_part_of_the_way() {
        for engine in engines() {
            let numbers = |count: usize, scale: f64| -> Vec<f64> {
                (0..count).map(|i| scale * (i % 7) as f64 - 1.0).collect()
            };
            for count in [1, 256, 500] {
                let (logs, messages) = (numbers(count + 4, 0.5), numbers(count, 0.25));
                let before = numbers(count, -2.0);
                let up = |values: &[f64]| engine.upload("values", values).unwrap();
                let mut potentials = up(&before);
                let (logs_up, messages_up) = (up(&logs), up(&messages));
                frame_update(&engine, &logs_up, 4, &messages_up, 0.5, &mut potentials).unwrap();
                let found = engine.download(&potentials).unwrap();
                for i in 0..count {
                    // Powers of two: exact in f32 too.
                    assert_eq!(found[i], 0.5 * (before[i] + logs[4 + i] - messages[i]));
                }
            }
        }
    }
}
