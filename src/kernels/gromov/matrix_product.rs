//! Products of stored matrices.

use bytemuck::{Pod, Zeroable};
use ndarray::linalg::general_mat_mul;
use ndarray::{ArrayView2, ArrayViewMut2};
use rayon::prelude::*;

use crate::engine::gpu::{Binding, Gpu};
use crate::engine::{Array, Backend, Engine, Launch, Shader, shader};
use crate::error::{Error, Result};
use crate::kernels::{MULTIPLY_ADDS_PER_EXPONENTIAL, index};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    rows: u32,
    inner: u32,
    cols: u32,
    a_first: u32,
    b_first: u32,
    c_first: u32,
    a_stride: u32,
    b_stride: u32,
    c_stride: u32,
    add: u32,
}

pub(crate) static SHADER: Shader =
    shader!("gromov/matrix_product", Params, [Read, Read, Write], &[&[]]);

/// Side of the part of the product that a workgroup makes.
const TILE: usize = 128;
/// Rows that one CPU task takes.
const ROWS_PER_TASK: usize = 64;
/// Multiply-adds that a CPU does in a fraction of a second.
const AT_A_TIME: usize = 1 << 31;

/// Where a row-major matrix lies: the place of its first element in an array, and its sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub first: usize,
    pub rows: usize,
    pub cols: usize,
}

impl Place {
    pub(crate) fn new(first: usize, rows: usize, cols: usize) -> Self {
        Self { first, rows, cols }
    }

    fn check(self, what: &str, array: &Array) -> Result<()> {
        let end = self.first + self.rows * self.cols;
        if end <= array.len() {
            return Ok(());
        }
        Err(Error::shape(what, format!("at least {end} numbers"), array.len().to_string()))
    }
}

/// Rows of a product that are made in a fraction of a second, for callers that want to stop in between: on
/// the CPU whole tasks for all threads, so that its bits and its time stay as they are. A device is
/// asked for work long before it does it: there, all rows.
pub(crate) fn rows_at_a_time(engine: &Engine, inner: usize, cols: usize) -> usize {
    if engine.is_gpu() {
        return usize::MAX;
    }
    let round = ROWS_PER_TASK * rayon::current_num_threads();
    (AT_A_TIME / (inner * cols).max(1)).max(1).next_multiple_of(round)
}

/// C = A B for matrices that lie in arrays.
pub(crate) fn matrix_product(
    engine: &Engine,
    (a, a_place): (&Array, Place),
    (b, b_place): (&Array, Place),
    (c, c_place): (&mut Array, Place),
) -> Result<()> {
    a_place.check("the first factor", a)?;
    b_place.check("the second factor", b)?;
    c_place.check("the product", c)?;
    let (rows, inner, cols) = (a_place.rows, a_place.cols, b_place.cols);
    if (b_place.rows, c_place.rows, c_place.cols) != (inner, rows, cols) {
        return Err(Error::shape(
            "the product",
            format!("{inner} x {cols} for {rows} x {cols}"),
            format!("{} x {cols} for {} x {}", b_place.rows, c_place.rows, c_place.cols),
        ));
    }
    match engine.backend() {
        Backend::Cpu => {
            let a = &a.host()?[a_place.first..][..rows * inner];
            let b = &b.host()?[b_place.first..][..inner * cols];
            let c = &mut c.host_mut()?[c_place.first..][..rows * cols];
            engine.run_twin(SHADER.name, || twin(a, b, c, inner, cols));
            Ok(())
        }
        Backend::Gpu(gpu) => launch(engine, gpu, (a, a_place), (b, b_place), (c, c_place)),
    }
}

fn twin(a: &[f64], b: &[f64], c: &mut [f64], inner: usize, cols: usize) {
    let b = ArrayView2::from_shape((inner, cols), b).expect("checked");
    let panels = c.par_chunks_mut(ROWS_PER_TASK * cols).zip(a.par_chunks(ROWS_PER_TASK * inner));
    panels.for_each(|(c, a)| {
        let rows = c.len() / cols;
        let a = ArrayView2::from_shape((rows, inner), a).expect("whole rows");
        let mut c = ArrayViewMut2::from_shape((rows, cols), c).expect("whole rows");
        general_mat_mul(1.0, &a, &b, 0.0, &mut c);
    });
}

/// Walks matrices larger than a binding in panels: rows of A and C, and rows of B, whose products
/// add up.
fn launch(
    engine: &Engine,
    gpu: &Gpu,
    (a, a_place): (&Array, Place),
    (b, b_place): (&Array, Place),
    (c, c_place): (&mut Array, Place),
) -> Result<()> {
    let (rows, inner, cols) = (a_place.rows, a_place.cols, b_place.cols);
    let limit = (gpu.max_binding_bytes() - gpu.binding_alignment()) as usize / 4;
    let fitting = |stride: usize| (limit / stride.max(1)).max(1);
    // Launches end in a fraction of a second: whole tiles of rows, whole panels of B.
    let quantum = gpu.work_per_launch() * MULTIPLY_ADDS_PER_EXPONENTIAL;
    let depth = inner.min(fitting(cols));
    let affordable = (quantum / (depth as f64 * cols as f64)) as usize / TILE * TILE;
    let height = fitting(inner.max(cols)).min(affordable.max(TILE)).min(rows);
    for row in (0..rows).step_by(height) {
        let height = height.min(rows - row);
        for k in (0..inner).step_by(depth) {
            let depth = depth.min(inner - k);
            let a_span = (height - 1) * inner + depth;
            let (a, a_first) = window(gpu, a, a_place.first + row * inner + k, a_span)?;
            let (b, b_first) = window(gpu, b, b_place.first + k * cols, depth * cols)?;
            let (c, c_first) = window(gpu, c, c_place.first + row * cols, height * cols)?;
            let tiles = height.div_ceil(TILE) * cols.div_ceil(TILE);
            let work = height as f64 * depth as f64 * cols as f64 / MULTIPLY_ADDS_PER_EXPONENTIAL;
            engine.launch(
                gpu,
                &Launch {
                    shader: &SHADER,
                    constants: &[],
                    bindings: &[a, b, c],
                    immediates: bytemuck::bytes_of(&Params {
                        rows: index("the product", height)?,
                        inner: index("the product", depth)?,
                        cols: index("the product", cols)?,
                        a_first,
                        b_first,
                        c_first,
                        a_stride: index("the product", inner)?,
                        b_stride: index("the product", cols)?,
                        c_stride: index("the product", cols)?,
                        add: u32::from(k > 0),
                    }),
                    workgroups: tiles as u64,
                    work,
                },
            )?;
        }
    }
    Ok(())
}

/// A window of an array from the last place that a binding may start at, and the place of
/// `first` in it.
pub(super) fn window<'a>(
    gpu: &Gpu,
    array: &'a Array,
    first: usize,
    count: usize,
) -> Result<(Binding<'a>, u32)> {
    let alignment = gpu.binding_alignment() as usize / 4;
    let remainder = first % alignment;
    let binding = Binding {
        buffer: array.buffer()?,
        offset: (first - remainder) as u64 * 4,
        bytes: Some((remainder + count) as u64 * 4),
    };
    Ok((binding, remainder as u32))
}
