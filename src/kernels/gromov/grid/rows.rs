//! The launches that `fourier_gather` and `fourier_scatter` share.

use bytemuck::{Pod, Zeroable};

use super::images::{Columns, Spectra};
use super::raster::Raster;
use crate::engine::gpu::Gpu;
use crate::engine::{Array, Engine, Launch, Shader};
use crate::error::Result;
use crate::kernels::gromov::matrix_product::window;
use crate::kernels::index;
use crate::kernels::transform::{LineParams, Transform};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub(crate) struct Params {
    line: LineParams,
    first_line: u32,
    end_line: u32,
    images: u32,
    columns: u32,
    cells: u32,
    /// In the window of the matrix.
    first: u32,
    first_point: u32,
    point_stride: u32,
    column_stride: u32,
    image_stride: u32,
    row_stride: u32,
    frequency_stride: u32,
}

/// Launches a shader between columns of a matrix and transforms of the rows that these
/// make on the grid: all of the grid, in bands of rows where the matrix is larger than a binding.
pub(crate) fn launch_rows(
    engine: &Engine,
    gpu: &Gpu,
    shader: &'static Shader,
    (raster, transform): (&Raster, &Transform),
    (matrix, columns): (&Array, Columns),
    (values, spectra): (&Array, Spectra),
) -> Result<()> {
    let [image_stride, row_stride, frequency_stride] = spectra.strides();
    let (line, twiddles) = transform.device();
    for (rows, points) in raster.bands(columns.points_within(most_numbers(gpu))) {
        let (begin, count) = columns.span(&points);
        let (matrix, first) = window(gpu, matrix, begin, count)?;
        let lines = rows.start * spectra.images..rows.end * spectra.images;
        for stretch in transform.stretches(gpu, lines) {
            engine.launch(
                gpu,
                &Launch {
                    shader,
                    constants: &[],
                    bindings: &[
                        twiddles.buffer()?.into(),
                        raster.point_of_cell().buffer()?.into(),
                        matrix,
                        values.buffer()?.into(),
                    ],
                    immediates: bytemuck::bytes_of(&Params {
                        line,
                        first_line: index("the lines", stretch.lines.start)?,
                        end_line: index("the lines", stretch.lines.end)?,
                        images: index("the images", spectra.images)?,
                        columns: index("the columns", columns.count)?,
                        cells: index("the grid", raster.cols())?,
                        first,
                        first_point: index("the points", points.start)?,
                        point_stride: index("the columns", columns.point_stride)?,
                        column_stride: index("the columns", columns.column_stride)?,
                        image_stride: index("the images", image_stride)?,
                        row_stride: index("the images", row_stride)?,
                        frequency_stride: index("the images", frequency_stride)?,
                    }),
                    workgroups: stretch.workgroups,
                    work: stretch.work,
                },
            )?;
        }
    }
    Ok(())
}

/// The most numbers that a window holds, wherever it begins.
pub(crate) fn most_numbers(gpu: &Gpu) -> usize {
    ((gpu.max_binding_bytes() - gpu.binding_alignment()) / 4) as usize
}
