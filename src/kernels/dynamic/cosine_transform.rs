//! Cosine transforms along one axis of an array, by Fourier transforms in workgroup memory.

use bytemuck::{Pod, Zeroable};

use super::cosine::host::{Pass, run};
use super::cosine::{Axis, Cosines, Direction};
use crate::engine::{Array, Backend, Engine, Launch, Shader, shader};
use crate::error::Result;
use crate::kernels::transform::LineParams;
use crate::kernels::{check_length, index};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    line: LineParams,
    first_line: u32,
    end_line: u32,
    inner: u32,
}

pub(crate) static SHADER: Shader = shader!(
    "dynamic/cosine_transform",
    Params,
    [Read, Read, Write],
    &[&[("FORWARD", 1)], &[("FORWARD", 0)]]
);

/// In place, for every line x of an axis, one of
///
/// ```text
/// forward   X_k = sum_n x_n cos(pi k (2 n + 1) / 2 N)
/// inverse   x_n = (X_0 + 2 sum_{k > 0} X_k cos(pi k (2 n + 1) / 2 N)) / N
/// ```
pub(crate) fn cosine_transform(
    engine: &Engine,
    cosines: &Cosines,
    axis: Axis,
    direction: Direction,
    values: &mut Array,
) -> Result<()> {
    axis.check("the lines", values)?;
    check_length("a line", axis.length, cosines.length())?;
    let Backend::Gpu(gpu) = engine.backend() else {
        let pass = match direction {
            Direction::Forward => Pass::Forward,
            Direction::Inverse => Pass::Inverse,
        };
        let values = values.host_mut()?;
        engine.run_twin(SHADER.name, || run(cosines, axis, &pass, values));
        return Ok(());
    };
    let (line, twiddles, turns) = cosines.device();
    index("the lines", values.len())?;
    for stretch in cosines.stretches(gpu, axis.lines()) {
        engine.launch(
            gpu,
            &Launch {
                shader: &SHADER,
                constants: &[("FORWARD", u32::from(direction == Direction::Forward))],
                bindings: &[
                    twiddles.buffer()?.into(),
                    turns.buffer()?.into(),
                    values.buffer()?.into(),
                ],
                immediates: bytemuck::bytes_of(&Params {
                    line,
                    first_line: index("the lines", stretch.lines.start)?,
                    end_line: index("the lines", stretch.lines.end)?,
                    inner: index("the lines", axis.inner)?,
                }),
                workgroups: stretch.workgroups,
                work: stretch.work,
            },
        )?;
    }
    Ok(())
}
