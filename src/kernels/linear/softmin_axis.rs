//! Softmin along one axis of an array: the building block of separable costs on grids.

use bytemuck::{Pod, Zeroable};
use ndarray::{ArrayView2, ArrayViewMut2, s};
use rayon::prelude::*;

use crate::engine::{Array, Backend, Engine, Launch, Shader, shader};
use crate::error::Result;
use crate::kernels::check_length;
use crate::kernels::product::{Kernel, LINES, Lines, Scratch};
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
/// Neighbouring lines that one CPU task takes, pair by pair and as products.
const STRIPE: usize = 256;
const PRODUCT_STRIPE: usize = 4 * LINES;
/// Lines that make up for the exponentials of the costs, one a pair of source and target.
const MIN_LINES: usize = 8;

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
    shifts.par_chunks_mut(axis.sources).enumerate().with_min_len(16).for_each(
        |(target, shifts)| {
            for (shift, costs) in shifts.iter_mut().zip(costs.chunks(axis.targets)) {
                let cost = costs[target];
                *shift = match weighted {
                    true if cost > 0.0 => rate * cost - cost.ln(),
                    true => -NOTHING,
                    false => rate * cost,
                };
            }
        },
    );
    let kernel = if axis.lines() < MIN_LINES { None } else { Kernel::new(&shifts, axis.sources) };
    match kernel {
        Some(kernel) => by_products(axis, &kernel, values, running, out),
        None => by_pairs(axis, &shifts, values, running, out),
    }
}

/// One exponential a pair.
fn by_pairs(axis: Axis, shifts: &[f64], values: &[f64], running: &[f64], out: &mut [f64]) {
    let outer_per_problem = axis.outer / axis.batch;
    out.par_chunks_mut(axis.targets * axis.inner)
        .zip(values.par_chunks(axis.sources * axis.inner))
        .enumerate()
        .filter(|(outer, _)| running[outer / outer_per_problem] != 0.0)
        .for_each(|(_, (out, values))| {
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

/// One multiply-add a pair, and few exponentials; see [`Kernel`].
fn by_products(axis: Axis, kernel: &Kernel, values: &[f64], running: &[f64], out: &mut [f64]) {
    // Slabs of lines that lie alike: all of a problem's where the axis is the last, else those
    // that the last axes make.
    let outer_per_problem = axis.outer / axis.batch;
    let (lines, slabs_per_problem) = match axis.inner {
        1 => (outer_per_problem, 1),
        inner => (inner, outer_per_problem),
    };
    out.par_chunks_mut(lines * axis.targets)
        .zip(values.par_chunks(lines * axis.sources))
        .enumerate()
        .filter(|(slab, _)| running[slab / slabs_per_problem] != 0.0)
        .for_each(|(_, (out, values))| {
            let (mut out, values) = if axis.inner == 1 {
                (
                    rows_mut(out, axis.targets).reversed_axes(),
                    rows(values, axis.sources).reversed_axes(),
                )
            } else {
                (rows_mut(out, lines), rows(values, lines))
            };
            out.axis_chunks_iter_mut(ndarray::Axis(1), PRODUCT_STRIPE)
                .into_par_iter()
                .zip(values.axis_chunks_iter(ndarray::Axis(1), PRODUCT_STRIPE))
                .for_each_init(Default::default, |scratch, (out, values)| {
                    stripe_by_products(kernel, values, scratch, out);
                });
        });
}

fn rows(values: &[f64], length: usize) -> ArrayView2<'_, f64> {
    ArrayView2::from_shape((values.len() / length, length), values).expect("whole rows")
}

fn rows_mut(values: &mut [f64], length: usize) -> ArrayViewMut2<'_, f64> {
    ArrayViewMut2::from_shape((values.len() / length, length), values).expect("whole rows")
}

/// A few lines (sources, lines) to (targets, lines).
fn stripe_by_products(
    kernel: &Kernel,
    values: ArrayView2<'_, f64>,
    (packed, scratch): &mut (Vec<Lines>, Scratch),
    mut out: ArrayViewMut2<'_, f64>,
) {
    let (sources, lines) = values.dim();
    packed.clear();
    packed.resize(sources * lines.div_ceil(LINES), [NOTHING; LINES]);
    for (line, column) in values.columns().into_iter().enumerate() {
        let packed = &mut packed[line / LINES * sources..];
        for (packed, &value) in packed.iter_mut().zip(column) {
            packed[line % LINES] = value;
        }
    }
    kernel.softmin(packed, scratch, |eight, target, results| {
        let first = eight * LINES;
        let mut out = out.slice_mut(s![target, first..lines.min(first + LINES)]);
        for (out, &result) in out.iter_mut().zip(results) {
            *out = result;
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

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// Squared distances between the cells of two grids on the unit interval.
    fn squares(sources: usize, targets: usize) -> Vec<f64> {
        let cell = |index: usize, count: usize| (index as f64 + 0.5) / count as f64;
        (0..sources * targets)
            .map(|place| cell(place / targets, sources) - cell(place % targets, targets))
            .map(|step| step * step)
            .collect()
    }

    /// Random values, some of them nothing, and one line that is nothing but that.
    fn values(rng: &mut ChaCha8Rng, axis: Axis, spread: f64) -> Vec<f64> {
        let mut values: Vec<f64> = (0..axis.lines() * axis.sources)
            .map(|_| match rng.random_range(0..10) {
                0 => NOTHING,
                _ => spread * rng.random_range(-1.0..1.0),
            })
            .collect();
        let (outer, inner) = (axis.outer - 1, axis.inner / 2);
        for source in 0..axis.sources {
            values[(outer * axis.sources + source) * axis.inner + inner] = NOTHING;
        }
        values
    }

    fn shifts(costs: &[f64], axis: Axis, rate: f64) -> Vec<f64> {
        (0..costs.len())
            .map(|place| rate * costs[place % axis.sources * axis.targets + place / axis.sources])
            .collect()
    }

    const AXES: [Axis; 7] = [
        Axis { outer: 1, sources: 5, targets: 5, inner: 5, batch: 1 },
        Axis { outer: 30, sources: 23, targets: 60, inner: 1, batch: 1 },
        Axis { outer: 1, sources: 200, targets: 200, inner: 41, batch: 1 },
        Axis { outer: 50, sources: 200, targets: 200, inner: 1, batch: 2 },
        Axis { outer: 6, sources: 130, targets: 77, inner: 9, batch: 3 },
        Axis { outer: 12, sources: 64, targets: 1, inner: 1, batch: 3 },
        Axis { outer: 1, sources: 1, targets: 13, inner: 17, batch: 1 },
    ];

    #[test]
    fn products_agree_with_pairs() {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let (mut by_products, mut in_stretches) = (0, 0);
        for axis in AXES {
            let costs = squares(axis.sources, axis.targets);
            for epsilon in [1.0, 1e-1, 1e-2, 1e-3, 2e-4, 1e-5] {
                for spread in [1.0, 100.0, 1e4] {
                    let rate = 1.0 / epsilon;
                    let values = values(&mut rng, axis, spread);
                    let running: Vec<f64> =
                        (0..axis.batch).map(|member| f64::from(u8::from(member != 1))).collect();
                    let mut found = vec![7.0; axis.lines() * axis.targets];
                    let mut expected = found.clone();
                    twin(axis, &costs, &values, rate, false, &running, &mut found);
                    let shifts = shifts(&costs, axis, rate);
                    by_pairs(axis, &shifts, &values, &running, &mut expected);
                    if let Some(kernel) = Kernel::new(&shifts, axis.sources) {
                        by_products += 1;
                        in_stretches += u32::from(kernel.stretches() > 1);
                    }
                    let tolerance = 1e-14 * (1.0 + spread + rate);
                    for (place, (found, expected)) in found.iter().zip(&expected).enumerate() {
                        let error = (found - expected).abs();
                        assert!(
                            error <= tolerance,
                            "{axis:?} epsilon {epsilon} spread {spread} [{place}]: {found} is \
                             not {expected} (error {error:e}, allowed {tolerance:e})"
                        );
                    }
                }
            }
        }
        assert!(by_products > 50 && in_stretches > 10, "{by_products} {in_stretches}");
    }

    #[test]
    fn forbidden_and_weighted_pairs_count_as_they_should() {
        let axis = Axis { outer: 1, sources: 20, targets: 20, inner: 20, batch: 1 };
        let mut rng = ChaCha8Rng::seed_from_u64(8);
        let values = values(&mut rng, axis, 3.0);
        let mut costs = squares(20, 20);
        costs[17] = 1e30;
        for weighted in [false, true] {
            let mut found = vec![0.0; 400];
            twin(axis, &costs, &values, 10.0, weighted, &[1.0], &mut found);
            for (place, found) in found.iter().enumerate() {
                let (target, line) = (place / 20, place % 20);
                let sum: f64 = (0..20)
                    .map(|source| {
                        let cost = costs[source * 20 + target];
                        let term = (values[source * 20 + line] - 10.0 * cost).exp();
                        if weighted { if term == 0.0 { 0.0 } else { cost * term } } else { term }
                    })
                    .sum();
                let expected = sum.ln().max(NOTHING);
                assert!((found - expected).abs() < 1e-12, "{weighted} [{place}]: {found}");
            }
        }
    }

    #[test]
    fn results_do_not_depend_on_the_number_of_threads() {
        let axis = Axis { outer: 1, sources: 150, targets: 90, inner: 70, batch: 1 };
        let values = values(&mut ChaCha8Rng::seed_from_u64(9), axis, 50.0);
        let costs = squares(axis.sources, axis.targets);
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let mut out = vec![0.0; axis.lines() * axis.targets];
            pool.install(|| twin(axis, &costs, &values, 300.0, false, &[1.0], &mut out));
            out
        };
        assert_eq!(run(1), run(3));
    }
}
