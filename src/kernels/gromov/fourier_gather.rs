//! From columns at the points of a grid to transforms of images along their rows.

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
    shader!("gromov/fourier_gather", Params, [Read, Read, Read, Write], &[&[]]);

/// For every image b, row y and frequency f,
///
/// ```text
/// out[b, y, f] = sum_x exp(-2 pi i f x / length) (m[p(y, x), 2 b] + i m[p(y, x), 2 b + 1])
/// ```
///
/// with p(y, x) the point in a cell; cells without one, and a column past the last, count as zero.
pub(crate) fn fourier_gather(
    engine: &Engine,
    raster: &Raster,
    transform: &Transform,
    (m, columns): (&Array, Columns),
    (out, spectra): (&mut Array, Spectra),
) -> Result<()> {
    let Backend::Gpu(gpu) = engine.backend() else {
        let (m, out) = (m.host()?, out.host_mut()?);
        return engine.run_twin(SHADER.name, || twin(raster, transform, m, columns, out, spectra));
    };
    launch_rows(engine, gpu, &SHADER, (raster, transform), (m, columns), (out, spectra))
}

fn twin(
    raster: &Raster,
    transform: &Transform,
    m: &[f64],
    columns: Columns,
    out: &mut [f64],
    spectra: Spectra,
) -> Result<()> {
    let (m, mut out) = (columns.view(m), spectra.view_mut(out));
    out.axis_chunks_iter_mut(Axis(0), LINES)
        .into_par_iter()
        .zip(m.axis_chunks_iter(Axis(1), 2 * LINES))
        .try_for_each_init(
            || transform.buffer(),
            |buffer, (mut out, m)| {
                for row in 0..spectra.rows {
                    buffer.lines.fill(Complex64::default());
                    for (x, point) in raster.points_of_row(row)? {
                        let numbers = m.row(point);
                        for (column, &number) in numbers.iter().enumerate() {
                            let cell = &mut buffer.lines[column / 2 * spectra.length + x];
                            if column % 2 == 0 { cell.re = number } else { cell.im = number }
                        }
                    }
                    transform.run(buffer);
                    // Images innermost: in one of the two orders they are neighbours.
                    for frequency in 0..spectra.length {
                        for image in 0..out.len_of(Axis(0)) {
                            let Complex64 { re, im } =
                                buffer.lines[image * spectra.length + frequency];
                            out[[image, row, frequency]] = [re, im];
                        }
                    }
                }
                Ok(())
            },
        )
}
