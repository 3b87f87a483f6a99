//! Cosine transforms along one axis of an array, as products with a matrix: for every length.

use std::f64::consts::PI;

use bytemuck::{Pod, Zeroable};
use ndarray::linalg::general_mat_mul;
use ndarray::{ArrayView2, s};

use super::cosine::host::{for_each_band, lines_of};
use super::cosine::{Axis, Direction};
use crate::engine::{Array, Backend, Engine, Launch, Shader, shader};
use crate::error::Result;
use crate::kernels::{MULTIPLY_ADDS_PER_EXPONENTIAL, check_length, index};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    length: u32,
    lines: u32,
    inner: u32,
    first_tile: u32,
    end_tile: u32,
}

pub(crate) static SHADER: Shader =
    shader!("dynamic/cosine_product", Params, [Read, Read, Write], &[&[]]);

/// Side of the part of a product that a workgroup makes.
const TILE: usize = 64;
/// Lines that a CPU task takes.
const LINES_PER_TASK: usize = 64;

/// The matrix (from, to) of a cosine transform.
pub(crate) struct CosineMatrix {
    length: usize,
    entries: Array,
}

impl CosineMatrix {
    /// # Errors
    /// [`crate::Error::Limit`] where there is not the memory.
    pub(crate) fn new(engine: &Engine, length: usize, direction: Direction) -> Result<Self> {
        // Angles in steps of pi / 2 N, less whole turns.
        let cosine = |k: usize, n: usize| {
            let steps = (k * (2 * n + 1)) % (4 * length);
            (PI * steps as f64 / (2 * length) as f64).cos()
        };
        let entry = |from: usize, to: usize| match (direction, from) {
            (Direction::Forward, _) => cosine(to, from),
            (Direction::Inverse, 0) => 1.0 / length as f64,
            (Direction::Inverse, _) => 2.0 / length as f64 * cosine(from, to),
        };
        let entries = (0..length).flat_map(|from| (0..length).map(move |to| entry(from, to)));
        Ok(Self { length, entries: engine.collect("cosines", length * length, entries)? })
    }

    /// Bytes that it takes.
    pub(crate) fn bytes(engine: &Engine, length: usize) -> u64 {
        (length as u64).pow(2) * engine.bytes_per_number()
    }
}

/// out_k = sum_n matrix_nk x_n for every line x of an axis.
pub(crate) fn cosine_product(
    engine: &Engine,
    matrix: &CosineMatrix,
    axis: Axis,
    values: &Array,
    out: &mut Array,
) -> Result<()> {
    axis.check("the lines", values)?;
    axis.check("the transformed lines", out)?;
    check_length("a line", axis.length, matrix.length)?;
    let Backend::Gpu(gpu) = engine.backend() else {
        let (entries, values) = (matrix.entries.host()?, values.host()?);
        let out = out.host_mut()?;
        engine.run_twin(SHADER.name, || twin(entries, axis, values, out));
        return Ok(());
    };
    index("the lines", values.len())?;
    let tiles = axis.lines().div_ceil(TILE) * axis.length.div_ceil(TILE);
    let work_per_tile = (TILE * TILE * axis.length) as f64 / MULTIPLY_ADDS_PER_EXPONENTIAL;
    let most = ((gpu.work_per_launch() / work_per_tile) as usize).max(1);
    for first in (0..tiles).step_by(most) {
        let end = tiles.min(first + most);
        engine.launch(
            gpu,
            &Launch {
                shader: &SHADER,
                constants: &[],
                bindings: &[
                    matrix.entries.buffer()?.into(),
                    values.buffer()?.into(),
                    out.buffer()?.into(),
                ],
                immediates: bytemuck::bytes_of(&Params {
                    length: index("a line", axis.length)?,
                    lines: index("the lines", axis.lines())?,
                    inner: index("the lines", axis.inner)?,
                    first_tile: index("the lines", first)?,
                    end_tile: index("the lines", end)?,
                }),
                workgroups: (end - first) as u64,
                work: (end - first) as f64 * work_per_tile,
            },
        )?;
    }
    Ok(())
}

fn twin(entries: &[f64], axis: Axis, values: &[f64], out: &mut [f64]) {
    let shape = (axis.length, axis.length);
    let matrix = ArrayView2::from_shape(shape, entries).expect("the kernel checked it");
    let values = lines_of(axis, values);
    let lines_each = values.dim().2;
    for_each_band(
        axis,
        out,
        LINES_PER_TASK,
        || (),
        |(), first_line, mut out| {
            let (block, first) = (first_line / lines_each, first_line % lines_each);
            let band = values.slice(s![block, .., first..first + out.ncols()]);
            general_mat_mul(1.0, &matrix.t(), &band, 0.0, &mut out);
        },
    );
}
