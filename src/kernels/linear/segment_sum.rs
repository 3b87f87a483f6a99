//! Sums over stretches of an array, compensated and in a fixed order.

use bytemuck::{Pod, Zeroable};

use crate::engine::{Array, Backend, Engine, Launch, Shader, Table, shader};
use crate::error::Result;
use crate::kernels::check_length;
use crate::numeric::compensated_sum;

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    segments: u32,
    accumulate: u32,
}

pub(crate) static SHADER: Shader =
    shader!("linear/segment_sum", Params, [Read, Read, Write], &[&[]]);

/// out_s = sum of `values` from offsets_s to offsets_{s+1}; with `accumulate`, added to out_s.
pub(crate) fn segment_sum(
    engine: &Engine,
    offsets: &Table,
    values: &Array,
    accumulate: bool,
    out: &mut Array,
) -> Result<()> {
    let segments = offsets.len() - 1;
    check_length("the sums", out.len(), segments)?;
    match engine.backend() {
        Backend::Cpu => {
            let (offsets, values) = (offsets.host()?, values.host()?);
            let out = out.host_mut()?;
            engine.run_twin(SHADER.name, || {
                for (out, bounds) in out.iter_mut().zip(offsets.windows(2)) {
                    let sum = compensated_sum(
                        values[bounds[0] as usize..bounds[1] as usize].iter().copied(),
                    );
                    *out = if accumulate { *out + sum } else { sum };
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
                    offsets.buffer()?.into(),
                    values.buffer()?.into(),
                    out.buffer()?.into(),
                ],
                immediates: bytemuck::bytes_of(&Params {
                    segments: segments as u32,
                    accumulate: u32::from(accumulate),
                }),
                workgroups: segments as u64,
                work: values.len() as f64,
            },
        ),
    }
}
