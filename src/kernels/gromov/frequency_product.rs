//! Products of a matrix for every frequency with the transforms of a panel of images.

use std::ops::Range;

use bytemuck::{Pod, Zeroable};
use ndarray::linalg::general_mat_mul;
use ndarray::{ArrayView2, ArrayViewMut2};
use rayon::prelude::*;

use super::grid::images::{Order, Spectra};
use super::grid::rows::most_numbers;
use super::matrix_product::window;
use crate::engine::gpu::Gpu;
use crate::engine::{Array, Backend, Engine, Launch, Shader, shader};
use crate::error::Result;
use crate::kernels::{MULTIPLY_ADDS_PER_EXPONENTIAL, check_length, index};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    first_tile: u32,
    end_tile: u32,
    rows: u32,
    columns: u32,
    first_kernel: u32,
    mirrored: u32,
    first: u32,
    first_product: u32,
}

pub(crate) static SHADER: Shader =
    shader!("gromov/frequency_product", Params, [Read, Read, Write], &[&[]]);

/// Side of the part of a product that a workgroup makes.
const TILE: usize = 64;

/// How many of the frequencies of a length have a matrix: that of f is that of length - f too.
pub(crate) fn distinct_frequencies(length: usize) -> usize {
    length / 2 + 1
}

/// For every image b and frequency f,
///
/// ```text
/// out[b, :, f] = conj(kernels[min(f, length - f)] spectra[b, :, f])
/// ```
///
/// with real symmetric matrices (rows, rows). Frequencies lie one after another.
pub(crate) fn frequency_product(
    engine: &Engine,
    kernels: &Array,
    (values, spectra): (&Array, Spectra),
    out: &mut Array,
) -> Result<()> {
    debug_assert_eq!(spectra.order, Order::ByFrequency);
    let distinct = distinct_frequencies(spectra.length);
    check_length("the kernels", kernels.len(), distinct * spectra.rows * spectra.rows)?;
    let Backend::Gpu(gpu) = engine.backend() else {
        let (kernels, values, out) = (kernels.host()?, values.host()?, out.host_mut()?);
        engine.run_twin(SHADER.name, || twin(kernels, values, out, spectra));
        return Ok(());
    };
    launch(engine, gpu, kernels, 0..distinct, values, spectra, out)?;
    launch(engine, gpu, kernels, distinct..spectra.length, values, spectra, out)
}

fn twin(kernels: &[f64], values: &[f64], out: &mut [f64], spectra: Spectra) {
    let (rows, columns) = (spectra.rows, 2 * spectra.images);
    let values = values[..spectra.numbers()].par_chunks(rows * columns);
    let out = out[..spectra.numbers()].par_chunks_mut(rows * columns);
    out.zip(values).enumerate().for_each(|(frequency, (out, values))| {
        let kernel = &kernels[frequency.min(spectra.length - frequency) * rows * rows..];
        let kernel = ArrayView2::from_shape((rows, rows), &kernel[..rows * rows]);
        let values = ArrayView2::from_shape((rows, columns), values).expect("one frequency");
        let mut product =
            ArrayViewMut2::from_shape((rows, columns), &mut *out).expect("one frequency");
        general_mat_mul(1.0, &kernel.expect("one frequency"), &values, 0.0, &mut product);
        for imaginary in out.iter_mut().skip(1).step_by(2) {
            *imaginary = -*imaginary;
        }
    });
}

/// Frequencies that are all in one half, where the matrices are in order or in reverse.
fn launch(
    engine: &Engine,
    gpu: &Gpu,
    kernels: &Array,
    frequencies: Range<usize>,
    values: &Array,
    spectra: Spectra,
    out: &mut Array,
) -> Result<()> {
    let (rows, columns) = (spectra.rows, 2 * spectra.images);
    let (square, numbers) = (rows * rows, rows * columns);
    let mirrored = frequencies.end > distinct_frequencies(spectra.length);
    let at_once = (most_numbers(gpu) / square.max(numbers)).max(1);
    let tiles_each = rows.div_ceil(TILE) * columns.div_ceil(TILE);
    let work_per_tile = (TILE * TILE * rows) as f64 / MULTIPLY_ADDS_PER_EXPONENTIAL;
    let most_tiles = ((gpu.work_per_launch() / work_per_tile) as usize).max(1);
    for first in frequencies.clone().step_by(at_once) {
        let end = frequencies.end.min(first + at_once);
        let count = end - first;
        let lowest = if mirrored { spectra.length - (end - 1) } else { first };
        let (kernels, kernel) = window(gpu, kernels, lowest * square, count * square)?;
        let (values, first_value) = window(gpu, values, first * numbers, count * numbers)?;
        let (out, first_product) = window(gpu, out, first * numbers, count * numbers)?;
        let skipped = if mirrored { (count - 1) * square } else { 0 };
        for tile in (0..count * tiles_each).step_by(most_tiles) {
            let end_tile = (count * tiles_each).min(tile + most_tiles);
            engine.launch(
                gpu,
                &Launch {
                    shader: &SHADER,
                    constants: &[],
                    bindings: &[kernels, values, out],
                    immediates: bytemuck::bytes_of(&Params {
                        first_tile: index("the products", tile)?,
                        end_tile: index("the products", end_tile)?,
                        rows: index("the rows", rows)?,
                        columns: index("the columns", columns)?,
                        first_kernel: kernel + index("the kernels", skipped)?,
                        mirrored: u32::from(mirrored),
                        first: first_value,
                        first_product,
                    }),
                    workgroups: (end_tile - tile) as u64,
                    work: (end_tile - tile) as f64 * work_per_tile,
                },
            )?;
        }
    }
    Ok(())
}
