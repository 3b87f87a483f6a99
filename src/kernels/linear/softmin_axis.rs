//! Softmin along one axis of an array: the building block of separable costs on grids.

use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;

use crate::engine::{Array, Backend, Engine, Launch, Shader, shader};
use crate::error::Result;
use crate::kernels::check_length;
use crate::kernels::vector::{NOTHING, ROWS_AT_ONCE, log_sum_columns, log_sum_row, logarithms};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    first_tile: u32,
    tiles: u32,
    outer: u32,
    sources: u32,
    targets: u32,
    inner: u32,
    lines_per_problem: u32,
    rate: f32,
}

pub(crate) static SHADER: Shader = shader!(
    "linear/softmin_axis",
    Params,
    [Read, Read, Read, Write],
    &[&[("WEIGHTED", 0)], &[("WEIGHTED", 1)]]
);

/// Lines and targets that a workgroup takes.
const TILE_LINES: usize = 64;
const TILE_TARGETS: usize = 16;
/// Neighbouring lines that one CPU task takes.
const STRIPE: usize = 256;

/// The array's shape around the axis, and the axis itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Axis {
    /// Product of the axes before it, the batch included.
    pub outer: usize,
    /// Length of the axis in the input.
    pub sources: usize,
    /// Length of the axis in the output.
    pub targets: usize,
    /// Product of the axes after it.
    pub inner: usize,
    /// Members of the batch: a divisor of `outer`.
    pub batch: usize,
}

impl Axis {
    fn lines(&self) -> usize {
        self.outer * self.inner
    }
}

/// out[o, i, s] = log sum_k exp(values[o, k, s] - rate C[k, i]), for the members that are running;
/// with `weighted`, terms are multiplied by C[k, i]. `costs` is (sources, targets).
#[expect(clippy::too_many_arguments, reason = "the operands of the formula")]
pub(crate) fn softmin_axis(
    engine: &Engine,
    axis: Axis,
    costs: &Array,
    values: &Array,
    rate: f64,
    weighted: bool,
    running: &Array,
    out: &mut Array,
) -> Result<()> {
    check_length("the costs along the axis", costs.len(), axis.sources * axis.targets)?;
    // Scratch that several axes share is as long as the longest of them needs.
    let (inputs, outputs) = (axis.lines() * axis.sources, axis.lines() * axis.targets);
    check_length("the values", values.len().min(inputs), inputs)?;
    check_length("the softmin along the axis", out.len().min(outputs), outputs)?;
    check_length("the flags of the batch", running.len(), axis.batch)?;
    let Backend::Gpu(gpu) = engine.backend() else {
        let (costs, values, running) = (costs.host()?, values.host()?, running.host()?);
        let (values, out) = (&values[..inputs], &mut out.host_mut()?[..outputs]);
        engine.run_twin(SHADER.name, || twin(axis, costs, values, rate, weighted, running, out));
        return Ok(());
    };
    let tiles = axis.lines().div_ceil(TILE_LINES) * axis.targets.div_ceil(TILE_TARGETS);
    let work_per_tile = (TILE_LINES * TILE_TARGETS * axis.sources) as f64;
    let at_once = ((gpu.work_per_launch() / work_per_tile) as usize).max(1);
    for first_tile in (0..tiles).step_by(at_once) {
        let count = at_once.min(tiles - first_tile);
        engine.launch(
            gpu,
            &Launch {
                shader: &SHADER,
                constants: &[("WEIGHTED", u32::from(weighted))],
                bindings: &[
                    costs.buffer()?.into(),
                    values.buffer()?.into(),
                    running.buffer()?.into(),
                    out.buffer()?.into(),
                ],
                immediates: bytemuck::bytes_of(&Params {
                    first_tile: first_tile as u32,
                    tiles: count as u32,
                    outer: axis.outer as u32,
                    sources: axis.sources as u32,
                    targets: axis.targets as u32,
                    inner: axis.inner as u32,
                    lines_per_problem: (axis.lines() / axis.batch) as u32,
                    rate: rate as f32,
                }),
                workgroups: count as u64,
                work: count as f64 * work_per_tile,
            },
        )?;
    }
    Ok(())
}

fn twin(
    axis: Axis,
    costs: &[f64],
    values: &[f64],
    rate: f64,
    weighted: bool,
    running: &[f64],
    out: &mut [f64],
) {
    // Scores are value - shift, with the shifts of one target side by side.
    let mut shifts = vec![0.0; costs.len()];
    for target in 0..axis.targets {
        for source in 0..axis.sources {
            let cost = costs[source * axis.targets + target];
            let weight = match weighted {
                true if cost > 0.0 => cost.ln(),
                true => NOTHING,
                false => 0.0,
            };
            shifts[target * axis.sources + source] = rate * cost - weight;
        }
    }
    let outer_per_problem = axis.outer / axis.batch;
    let slab = axis.targets * axis.inner;
    out.par_chunks_mut(slab)
        .zip(values.par_chunks(axis.sources * axis.inner))
        .enumerate()
        .for_each(|(outer, (out, values))| {
            if running[outer / outer_per_problem] == 0.0 {
                return;
            }
            if axis.inner == 1 {
                out.par_iter_mut()
                    .zip(shifts.par_chunks(axis.sources))
                    .with_min_len(16)
                    .for_each(|(out, shifts)| *out = log_sum_row(values, shifts, 1.0));
            } else {
                out.par_chunks_mut(axis.inner)
                    .zip(shifts.par_chunks(axis.sources))
                    .for_each(|(out, shifts)| along_lines(values, shifts, axis.inner, out));
            }
        });
}

/// One target of many neighbouring lines.
fn along_lines(values: &[f64], shifts: &[f64], inner: usize, out: &mut [f64]) {
    for (stripe, out) in out.chunks_mut(STRIPE).enumerate() {
        let begin = stripe * STRIPE;
        let end = begin + out.len();
        let mut peaks = [NOTHING; STRIPE];
        let mut sums = [0.0; STRIPE];
        let mut negated = [0.0; ROWS_AT_ONCE];
        let mut rows: [&[f64]; ROWS_AT_ONCE] = [&[]; ROWS_AT_ONCE];
        for (at_once, shifts) in shifts.chunks(ROWS_AT_ONCE).enumerate() {
            for (row, shift) in shifts.iter().enumerate() {
                let first = (at_once * ROWS_AT_ONCE + row) * inner;
                rows[row] = &values[first + begin..first + end];
                negated[row] = -shift;
            }
            let count = shifts.len();
            // bias - rate cost with cost = -value: the same loop as a stored matrix's columns.
            log_sum_columns(
                &negated[..count],
                &rows[..count],
                -1.0,
                &mut peaks[..out.len()],
                &mut sums,
            );
        }
        logarithms(&peaks[..out.len()], &sums[..out.len()], out);
    }
}
