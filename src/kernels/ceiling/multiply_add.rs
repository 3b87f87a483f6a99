//! Chains of multiply-adds: how many the device makes a second.

use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;

use crate::engine::{Array, Backend, Engine, Shader, shader};
use crate::error::Result;
use crate::kernels::index;
use crate::kernels::launch::launch_each;
use crate::kernels::vector::multiply_add_chains;

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    length: u32,
    steps: u32,
    factor: f32,
    summand: f32,
}

pub(crate) static SHADER: Shader = shader!("ceiling/multiply_add", Params, [Write], &[&[]]);

/// Chains of each output.
pub(crate) const CHAINS: usize = 32;

/// out_i = sum of 32 chains of `steps` times x -> factor x + summand, from x = i / length + k / 32
/// (k in the order of the shader's vectors, which the sum does not see).
pub(crate) fn multiply_add(
    engine: &Engine,
    steps: usize,
    factor: f64,
    summand: f64,
    out: &mut Array,
) -> Result<()> {
    let length = out.len();
    let Backend::Gpu(gpu) = engine.backend() else {
        let out = out.host_mut()?;
        engine.run_twin(SHADER.name, || twin(steps, factor, summand, out));
        return Ok(());
    };
    launch_each(
        engine,
        gpu,
        &SHADER,
        &[],
        &[out],
        &Params {
            length: index("the chains", length)?,
            steps: index("the steps", steps)?,
            factor: factor as f32,
            summand: summand as f32,
        }, // Multiply-adds are several times as fast as the exponentials that work is counted in.
        (length, (length * CHAINS * steps) as f64 / 8.0),
    )
}

fn twin(steps: usize, factor: f64, summand: f64, out: &mut [f64]) {
    let length = out.len() as f64;
    out.par_iter_mut().enumerate().for_each(|(place, out)| {
        let seed = place as f64 / length;
        let mut chains = [0.0; CHAINS];
        for (chain, x) in chains.iter_mut().enumerate() {
            *x = seed + chain as f64 / CHAINS as f64;
        }
        multiply_add_chains(steps, factor, summand, &mut chains);
        *out = chains.into_iter().sum();
    });
}
