//! Chains of exponentials: how many the device makes a second.

use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;

use crate::engine::{Array, Backend, Engine, Shader, shader};
use crate::error::Result;
use crate::kernels::index;
use crate::kernels::launch::launch_each;
use crate::kernels::vector::exp_all;

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    length: u32,
    steps: u32,
}

pub(crate) static SHADER: Shader = shader!("ceiling/exponential", Params, [Write], &[&[]]);

/// Chains of each output.
pub(crate) const CHAINS: usize = 8;
/// Outputs whose chains the CPU holds at a time: they stay in the first-level cache.
const AT_ONCE: usize = 64;

/// out_i = sum of eight chains of `steps` times x -> 2^-x, from x = i / length + k / 8.
pub(crate) fn exponential(engine: &Engine, steps: usize, out: &mut Array) -> Result<()> {
    let length = out.len();
    let Backend::Gpu(gpu) = engine.backend() else {
        let out = out.host_mut()?;
        engine.run_twin(SHADER.name, || twin(steps, out));
        return Ok(());
    };
    launch_each(
        engine,
        gpu,
        &SHADER,
        &[],
        &[out],
        &Params { length: index("the chains", length)?, steps: index("the steps", steps)? },
        (length, (length * CHAINS * steps) as f64),
    )
}

fn twin(steps: usize, out: &mut [f64]) {
    let length = out.len() as f64;
    out.par_chunks_mut(AT_ONCE).enumerate().for_each(|(group, out)| {
        let mut chains = [[0.0; CHAINS]; AT_ONCE];
        for (place, chains) in chains.iter_mut().enumerate() {
            let seed = (group * AT_ONCE + place) as f64 / length;
            for (chain, x) in chains.iter_mut().enumerate() {
                *x = seed + chain as f64 / CHAINS as f64;
            }
        }
        for _ in 0..steps {
            exp_all(-std::f64::consts::LN_2, chains.as_flattened_mut());
        }
        for (out, chains) in out.iter_mut().zip(chains) {
            *out = chains.into_iter().sum();
        }
    });
}
