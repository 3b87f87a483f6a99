//! Division of coefficients by the eigenvalues that belong to them.

use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;

use super::poisson::Spectrum;
use crate::engine::{Array, Backend, Engine, Shader, shader};
use crate::error::Result;
use crate::kernels::index;
use crate::kernels::launch::launch_each;

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    count: u32,
    length: u32,
    places: u32,
    balanced: u32,
}

pub(crate) static SHADER: Shader =
    shader!("dynamic/spectral_divide", Params, [Read, Read, Write], &[&[]]);

/// In place, for the coefficients (fields, time, places) of all axes: divide by the spectrum.
pub(crate) fn spectral_divide(
    engine: &Engine,
    spectrum: &Spectrum,
    values: &mut Array,
) -> Result<()> {
    let axis = spectrum.axis();
    axis.check("the coefficients", values)?;
    let Backend::Gpu(gpu) = engine.backend() else {
        let (spectrum, values) = (spectrum.host()?, values.host_mut()?);
        engine.run_twin(SHADER.name, || {
            values.par_chunks_mut(axis.inner).enumerate().for_each(|(row, values)| {
                let (field, frequency) = (row / axis.length, row % axis.length);
                for (place, value) in values.iter_mut().enumerate() {
                    *value *= spectrum.inverse(field, frequency, place);
                }
            });
        });
        return Ok(());
    };
    let count = values.len();
    launch_each(
        engine,
        gpu,
        &SHADER,
        &[],
        &[&spectrum.space, &spectrum.time, values],
        &Params {
            count: index("the coefficients", count)?,
            length: index("the coefficients", axis.length)?,
            places: index("the coefficients", axis.inner)?,
            balanced: u32::from(spectrum.balanced),
        },
        (count, count as f64),
    )
}
