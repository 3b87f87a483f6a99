//! Convolution along the columns of images whose rows are transformed.

use bytemuck::{Pod, Zeroable};
use ndarray::{ArrayViewMut2, Axis};
use rayon::prelude::*;
use rustfft::num_complex::Complex64;

use super::grid::images::{Order, Spectra};
use crate::engine::{Array, Backend, Engine, Launch, Shader, shader};
use crate::error::Result;
use crate::kernels::transform::{Buffer, LINES, LineParams, Transform};
use crate::kernels::{check_length, index};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    line: LineParams,
    first_line: u32,
    end_line: u32,
    rows: u32,
    width: u32,
}

pub(crate) static SHADER: Shader =
    shader!("gromov/fourier_convolve", Params, [Read, Read, Write], &[&[]]);

/// In place, for every image b and frequency f of its rows, with F the transform of a column, which
/// zeros pad to its length:
///
/// ```text
/// spectra[b, :, f] <- conj(length F^-1 (kernel[f, :] F spectra[b, :, f]))
/// ```
///
/// The kernel, (width, length), is real. Images lie one after another.
pub(crate) fn fourier_convolve(
    engine: &Engine,
    transform: &Transform,
    kernel: &Array,
    (values, spectra): (&mut Array, Spectra),
) -> Result<()> {
    debug_assert_eq!(spectra.order, Order::ByImage);
    check_length("the kernel", kernel.len(), spectra.length * transform.length())?;
    let Backend::Gpu(gpu) = engine.backend() else {
        let (kernel, values) = (kernel.host()?, values.host_mut()?);
        engine.run_twin(SHADER.name, || twin(transform, kernel, values, spectra));
        return Ok(());
    };
    let (line, twiddles) = transform.device();
    for stretch in transform.stretches(gpu, 0..spectra.images * spectra.length) {
        engine.launch(
            gpu,
            &Launch {
                shader: &SHADER,
                constants: &[],
                bindings: &[
                    twiddles.buffer()?.into(),
                    kernel.buffer()?.into(),
                    values.buffer()?.into(),
                ],
                immediates: bytemuck::bytes_of(&Params {
                    line,
                    first_line: index("the lines", stretch.lines.start)?,
                    end_line: index("the lines", stretch.lines.end)?,
                    rows: index("the rows", spectra.rows)?,
                    width: index("the rows", spectra.length)?,
                }),
                workgroups: stretch.workgroups,
                // There and back.
                work: 2.0 * stretch.work,
            },
        )?;
    }
    Ok(())
}

fn twin(transform: &Transform, kernel: &[f64], values: &mut [f64], spectra: Spectra) {
    let mut values = spectra.view_mut(values);
    values.axis_iter_mut(Axis(0)).into_par_iter().for_each_init(
        || transform.buffer(),
        |buffer, mut image| {
            let kernels = kernel.chunks(LINES * transform.length());
            for (columns, kernel) in image.axis_chunks_iter_mut(Axis(1), LINES).zip(kernels) {
                convolve(transform, kernel, buffer, columns);
            }
        },
    );
}

/// A few columns (rows, columns) of one image.
fn convolve(
    transform: &Transform,
    kernel: &[f64],
    buffer: &mut Buffer,
    mut columns: ArrayViewMut2<'_, [f64; 2]>,
) {
    let length = transform.length();
    buffer.lines.fill(Complex64::default());
    for (row, numbers) in columns.rows().into_iter().enumerate() {
        for (column, &[re, im]) in numbers.iter().enumerate() {
            buffer.lines[column * length + row] = Complex64 { re, im };
        }
    }
    transform.run(buffer);
    for (value, factor) in buffer.lines.iter_mut().zip(kernel) {
        *value = (*value * factor).conj();
    }
    transform.run(buffer);
    for (row, mut numbers) in columns.rows_mut().into_iter().enumerate() {
        for (column, number) in numbers.iter_mut().enumerate() {
            let Complex64 { re, im } = buffer.lines[column * length + row];
            *number = [re, im];
        }
    }
}
