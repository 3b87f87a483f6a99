//! The launches that `fourier_gather` and `fourier_scatter` share.

use bytemuck::{Pod, Zeroable};

use super::images::{Columns, Spectra};
use super::raster::Raster;
use crate::engine::gpu::Gpu;
use crate::error::Result;
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
    pub first: u32,
    first_point: u32,
    point_stride: u32,
    column_stride: u32,
    image_stride: u32,
    row_stride: u32,
    frequency_stride: u32,
}

/// Lines of some rows, with the window of the matrix that holds their points.
pub(crate) struct RowLaunch {
    pub params: Params,
    pub window: (usize, usize),
    pub workgroups: u64,
    pub work: f64,
}

/// Walks a matrix larger than a binding in bands of rows of the grid.
pub(crate) fn row_launches(
    gpu: &Gpu,
    raster: &Raster,
    transform: &Transform,
    columns: Columns,
    spectra: Spectra,
) -> Result<Vec<RowLaunch>> {
    let [image_stride, row_stride, frequency_stride] = spectra.strides();
    let mut launches = Vec::new();
    for (rows, points) in raster.bands(columns.points_within(most_numbers(gpu))) {
        let lines = rows.start * spectra.images..rows.end * spectra.images;
        for stretch in transform.stretches(gpu, lines) {
            launches.push(RowLaunch {
                params: Params {
                    line: transform.device().0,
                    first_line: index("the lines", stretch.lines.start)?,
                    end_line: index("the lines", stretch.lines.end)?,
                    images: index("the images", spectra.images)?,
                    columns: index("the columns", columns.count)?,
                    cells: index("the grid", raster.cols())?,
                    first: 0,
                    first_point: index("the points", points.start)?,
                    point_stride: index("the columns", columns.point_stride)?,
                    column_stride: index("the columns", columns.column_stride)?,
                    image_stride: index("the images", image_stride)?,
                    row_stride: index("the images", row_stride)?,
                    frequency_stride: index("the images", frequency_stride)?,
                },
                window: columns.span(&points),
                workgroups: stretch.workgroups,
                work: stretch.work,
            });
        }
    }
    Ok(launches)
}

/// The most numbers that a window holds, wherever it begins.
pub(crate) fn most_numbers(gpu: &Gpu) -> usize {
    ((gpu.max_binding_bytes() - gpu.binding_alignment()) / 4) as usize
}
