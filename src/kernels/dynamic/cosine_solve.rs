//! The Poisson equation along lines whose other axes are transformed already.

use bytemuck::{Pod, Zeroable};

use super::cosine::host::{Pass, run};
use super::cosine::{Axis, Cosines};
use super::poisson::Spectrum;
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
    places: u32,
    balanced: u32,
}

pub(crate) static SHADER: Shader =
    shader!("dynamic/cosine_solve", Params, [Read, Read, Write, Read, Read], &[&[]]);

/// In place, for every line of (fields, time, places): transform, divide by the spectrum, transform
/// back.
pub(crate) fn cosine_solve(
    engine: &Engine,
    cosines: &Cosines,
    spectrum: &Spectrum,
    values: &mut Array,
) -> Result<()> {
    let axis = spectrum.axis();
    axis.check("the coefficients", values)?;
    check_length("a line", axis.length, cosines.length())?;
    let Backend::Gpu(gpu) = engine.backend() else {
        return twin(engine, cosines, axis, spectrum, values);
    };
    let (line, twiddles, turns) = cosines.device();
    index("the lines", values.len())?;
    for stretch in cosines.stretches(gpu, axis.lines()) {
        engine.launch(
            gpu,
            &Launch {
                shader: &SHADER,
                constants: &[],
                bindings: &[
                    twiddles.buffer()?.into(),
                    turns.buffer()?.into(),
                    values.buffer()?.into(),
                    spectrum.space.buffer()?.into(),
                    spectrum.time.buffer()?.into(),
                ],
                immediates: bytemuck::bytes_of(&Params {
                    line,
                    first_line: index("the lines", stretch.lines.start)?,
                    end_line: index("the lines", stretch.lines.end)?,
                    places: index("the places", axis.inner)?,
                    balanced: u32::from(spectrum.balanced),
                }),
                workgroups: stretch.workgroups,
                // There and back.
                work: 2.0 * stretch.work,
            },
        )?;
    }
    Ok(())
}

fn twin(
    engine: &Engine,
    cosines: &Cosines,
    axis: Axis,
    spectrum: &Spectrum,
    values: &mut Array,
) -> Result<()> {
    let (spectrum, values) = (spectrum.host()?, values.host_mut()?);
    let divide = |first_line: usize, band: &mut [_]| spectrum.divide_lanes(first_line, band);
    engine.run_twin(SHADER.name, || run(cosines, axis, &Pass::Filter(&divide), values));
    Ok(())
}
