//! The correction that takes the entropic blur out of a barycenter.

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
}

pub(crate) static SHADER: Shader = shader!("linear/debias", Params, [Read, Read, Write], &[&[]]);

/// c <- (c + mean - blurred) / 2, in logarithms; `blurred` is log K c. Where one of them is
/// [`NOTHING`], so is c.
pub(crate) fn debias(
    engine: &Engine,
    mean: &Array,
    blurred: &Array,
    correction: &mut Array,
) -> Result<()> {
    let length = correction.len();
    check_length("the mean", mean.len(), length)?;
    check_length("the blurred correction", blurred.len(), length)?;
    match engine.backend() {
        Backend::Cpu => {
            let (mean, blurred) = (mean.host()?, blurred.host()?);
            let correction = correction.host_mut()?;
            engine.run_twin(SHADER.name, || {
                for ((c, mean), blurred) in correction.iter_mut().zip(mean).zip(blurred) {
                    let there = c.min(*mean).min(*blurred) > NEARLY_NOTHING;
                    *c = if there { 0.5 * (*c + mean - blurred) } else { NOTHING };
                }
            });
            Ok(())
        }
        Backend::Gpu(gpu) => launch_each(
            engine,
            gpu,
            &SHADER,
            &[],
            &[mean, blurred, correction],
            &Params { length: index("a support", length)? },
            (length, length as f64),
        ),
    }
}
