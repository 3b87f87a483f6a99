//! From transforms of images along their rows back to columns at the points of a grid.

use ndarray::Axis;
use rayon::prelude::*;
use rustfft::num_complex::Complex64;

use super::grid::images::{Columns, Spectra};
use super::grid::raster::Raster;
use super::grid::rows::{Params, launch_rows};
use crate::engine::{Array, Backend, Engine, Shader, shader};
use crate::error::Result;
use crate::kernels::transform::{LINES, Transform};

pub(crate) static SHADER: Shader =
    shader!("gromov/fourier_scatter", Params, [Read, Read, Write, Read], &[&[]]);

/// The way back of [`super::fourier_gather::fourier_gather`], from conjugates: with
///
/// ```text
/// z[b, y, x] = sum_f exp(-2 pi i f x / length) spectra[b, y, f]
/// ```
///
/// the point in cell (y, x) gets Re z in column 2 b and -Im z in column 2 b + 1. It does not divide
/// by the length.
pub(crate) fn fourier_scatter(
    engine: &Engine,
    raster: &Raster,
    transform: &Transform,
    (values, spectra): (&Array, Spectra),
    (out, columns): (&mut Array, Columns),
) -> Result<()> {
    let Backend::Gpu(gpu) = engine.backend() else {
        let (values, out) = (values.host()?, out.host_mut()?);
        return engine
            .run_twin(SHADER.name, || twin(raster, transform, values, spectra, out, columns));
    };
    launch_rows(engine, gpu, &SHADER, (raster, transform), (out, columns), (values, spectra))
}

fn twin(
    raster: &Raster,
    transform: &Transform,
    values: &[f64],
    spectra: Spectra,
    out: &mut [f64],
    columns: Columns,
) -> Result<()> {
    let (values, mut out) = (spectra.view(values), columns.view_mut(out));
    out.axis_chunks_iter_mut(Axis(1), 2 * LINES)
        .into_par_iter()
        .zip(values.axis_chunks_iter(Axis(0), LINES))
        .try_for_each_init(
            || transform.buffer(),
            |buffer, (mut out, values)| {
                for row in 0..spectra.rows {
                    for frequency in 0..spectra.length {
                        for image in 0..values.len_of(Axis(0)) {
                            let [re, im] = values[[image, row, frequency]];
                            buffer.lines[image * spectra.length + frequency] = Complex64 { re, im };
                        }
                    }
                    transform.run(buffer);
                    for (x, point) in raster.points_of_row(row)? {
                        for (column, out) in out.row_mut(point).iter_mut().enumerate() {
                            let cell = buffer.lines[column / 2 * spectra.length + x];
                            *out = if column % 2 == 0 { cell.re } else { -cell.im };
                        }
                    }
                }
                Ok(())
            },
        )
}
