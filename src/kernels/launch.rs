//! The launch of kernels that take one element with each thread.

use bytemuck::NoUninit;

use crate::engine::gpu::{Binding, Gpu};
use crate::engine::{Array, Engine, Launch, Shader, Table};
use crate::error::Result;

/// What a shader can be bound to, as a whole.
pub(crate) trait Bound {
    fn binding(&self) -> Result<Binding<'_>>;
}

impl Bound for Array {
    fn binding(&self) -> Result<Binding<'_>> {
        Ok(self.buffer()?.into())
    }
}

impl Bound for Table {
    fn binding(&self) -> Result<Binding<'_>> {
        Ok(self.buffer()?.into())
    }
}

/// Workgroups of 256 threads that cover `count` elements.
pub(crate) fn groups_of_256(count: usize) -> u64 {
    (count as u64).div_ceil(256)
}

/// Launches a shader of 256 threads a workgroup for so many elements, which take so much work in all.
pub(crate) fn launch_each(
    engine: &Engine,
    gpu: &Gpu,
    shader: &'static Shader,
    constants: &[(&'static str, u32)],
    bound: &[&dyn Bound],
    params: &impl NoUninit,
    (elements, work): (usize, f64),
) -> Result<()> {
    let bindings = bound.iter().map(|bound| bound.binding()).collect::<Result<Vec<_>>>()?;
    engine.launch(
        gpu,
        &Launch {
            shader,
            constants,
            bindings: &bindings,
            immediates: bytemuck::bytes_of(params),
            workgroups: groups_of_256(elements),
            work,
        },
    )
}
