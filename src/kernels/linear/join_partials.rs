//! Joins the partial log-sum-exps of several tiles.

use bytemuck::{Pod, Zeroable};

use crate::engine::{Array, Backend, Engine, Launch, Shader, shader};
use crate::error::Result;
use crate::kernels::groups_of_256;
use crate::kernels::vector::LogSum;

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    outputs: u32,
    slots: u32,
}

pub(crate) static SHADER: Shader = shader!("linear/join_partials", Params, [Read, Write], &[&[]]);

/// out_i = log of the sum over slots of the partials (peak, sum) at 2 (slot outputs + i).
pub(crate) fn join_partials(
    engine: &Engine,
    partials: &Array,
    slots: u32,
    out: &mut Array,
) -> Result<()> {
    let outputs = out.len();
    match engine.backend() {
        Backend::Cpu => {
            let partials = partials.host()?;
            let out = out.host_mut()?;
            engine.run_twin(SHADER.name, || twin(partials, slots as usize, out));
            Ok(())
        }
        Backend::Gpu(gpu) => engine.launch(
            gpu,
            &Launch {
                shader: &SHADER,
                constants: &[],
                bindings: &[partials.buffer()?.into(), out.buffer()?.into()],
                immediates: bytemuck::bytes_of(&Params { outputs: outputs as u32, slots }),
                workgroups: groups_of_256(outputs),
                work: outputs as f64 * f64::from(slots),
            },
        ),
    }
}

fn twin(partials: &[f64], slots: usize, out: &mut [f64]) {
    let outputs = out.len();
    for (i, out) in out.iter_mut().enumerate() {
        let pairs = (0..slots).map(|slot| 2 * (slot * outputs + i));
        *out = pairs
            .map(|place| LogSum { peak: partials[place], sum: partials[place + 1] })
            .fold(LogSum::EMPTY, LogSum::join::<false>)
            .logarithm::<false>();
    }
}
