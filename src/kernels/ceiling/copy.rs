//! A copy: the bandwidth that memory has for reading and writing.

use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;

use crate::engine::{Array, Backend, Engine, Launch, Shader, shader};
use crate::error::Result;
use crate::kernels::{check_length, index};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    vectors: u32,
}

pub(crate) static SHADER: Shader = shader!("ceiling/copy", Params, [Read, Write], &[&[]]);

/// Numbers that a workgroup copies.
const GROUP: usize = 4096;
/// Numbers that one CPU task copies.
const CHUNK: usize = 1 << 16;

/// out = source, as many numbers as `source` has in whole fours.
pub(crate) fn copy(engine: &Engine, source: &Array, out: &mut Array) -> Result<()> {
    check_length("the copy", out.len(), source.len())?;
    let Backend::Gpu(gpu) = engine.backend() else {
        let (source, out) = (source.host()?, out.host_mut()?);
        engine.run_twin(SHADER.name, || twin(source, out));
        return Ok(());
    };
    engine.launch(
        gpu,
        &Launch {
            shader: &SHADER,
            constants: &[],
            bindings: &[source.buffer()?.into(), out.buffer()?.into()],
            immediates: bytemuck::bytes_of(&Params {
                vectors: index("the copy", source.len() / 4)?,
            }),
            workgroups: source.len().div_ceil(GROUP) as u64,
            work: source.len() as f64 / 16.0,
        },
    )
}

fn twin(source: &[f64], out: &mut [f64]) {
    let whole = source.len() - source.len() % 4;
    out[..whole]
        .par_chunks_mut(CHUNK)
        .zip(source[..whole].par_chunks(CHUNK))
        .for_each(|(out, source)| out.copy_from_slice(source));
}
