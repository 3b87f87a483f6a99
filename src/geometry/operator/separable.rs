//! Costs that are sums over the axes of a grid.

use ndarray::Array2;

use super::{FORBIDDEN, Side};
use crate::engine::{Array, Engine};
use crate::error::Result;
use crate::kernels::linear::softmin_axis::{Axis, softmin_axis};
use crate::kernels::{NOTHING, check_length};

pub(super) struct Separable {
    axes: Vec<AxisCosts>,
    batch: usize,
    scratch: [Array; 2],
}

/// The costs along one axis in both directions.
struct AxisCosts {
    rows: usize,
    cols: usize,
    /// (cols, rows): for softmins onto the rows.
    onto_rows: Array,
    /// (rows, cols): for softmins onto the columns.
    onto_cols: Array,
}

impl Separable {
    pub(super) fn new(engine: &Engine, axes: &[Array2<f64>], batch: usize) -> Result<Self> {
        let on_engine = |costs: &Array2<f64>| -> Result<AxisCosts> {
            let forward: Vec<f64> = costs.iter().map(|cost| cost.min(FORBIDDEN)).collect();
            let backward: Vec<f64> = costs.t().iter().map(|cost| cost.min(FORBIDDEN)).collect();
            Ok(AxisCosts {
                rows: costs.nrows(),
                cols: costs.ncols(),
                onto_rows: engine.upload("axis costs", &backward)?,
                onto_cols: engine.upload("axis costs", &forward)?,
            })
        };
        let scratch = batch * largest_intermediate(axes);
        Ok(Self {
            axes: axes.iter().map(on_engine).collect::<Result<_>>()?,
            batch,
            scratch: [
                engine.zeros("grid scratch", scratch)?,
                engine.zeros("grid scratch", scratch)?,
            ],
        })
    }

    /// The axes in the order they are taken, with the shape of the array around each. The axis
    /// that shrinks the array most goes first.
    pub(super) fn steps(&self, onto: Side) -> Vec<(usize, Axis)> {
        let sizes = |costs: &AxisCosts| match onto {
            Side::Rows => (costs.cols, costs.rows),
            Side::Cols => (costs.rows, costs.cols),
        };
        let mut order: Vec<usize> = (0..self.axes.len()).collect();
        order.sort_by(|&a, &b| {
            let growth = |axis: usize| {
                let (from, to) = sizes(&self.axes[axis]);
                to as f64 / from as f64
            };
            growth(a).total_cmp(&growth(b))
        });
        let mut lengths: Vec<usize> = self.axes.iter().map(|axis| sizes(axis).0).collect();
        order
            .into_iter()
            .map(|axis| {
                let (sources, targets) = sizes(&self.axes[axis]);
                let shape = Axis {
                    outer: self.batch * lengths[..axis].iter().product::<usize>(),
                    sources,
                    targets,
                    inner: lengths[axis + 1..].iter().product(),
                    batch: self.batch,
                };
                lengths[axis] = targets;
                (axis, shape)
            })
            .collect()
    }

    /// Softmins axis by axis; along `weighted`, terms are multiplied by the cost.
    #[expect(clippy::too_many_arguments, reason = "the operands of the formula")]
    pub(super) fn softmin(
        &mut self,
        engine: &Engine,
        onto: Side,
        rate: f64,
        weighted: Option<usize>,
        bias: &Array,
        running: &Array,
        out: &mut Array,
    ) -> Result<()> {
        let steps = self.steps(onto);
        let (first, end) = (steps[0].1, steps[steps.len() - 1].1);
        check_length("the bias", bias.len(), first.outer * first.sources * first.inner)?;
        check_length("the softmin", out.len(), end.outer * end.targets * end.inner)?;
        let last = steps.len() - 1;
        let [even, odd] = &mut self.scratch;
        for (step, (axis, shape)) in steps.into_iter().enumerate() {
            let costs = match onto {
                Side::Rows => &self.axes[axis].onto_rows,
                Side::Cols => &self.axes[axis].onto_cols,
            };
            // Results alternate between the two scratch arrays.
            let (source, target) =
                if step % 2 == 0 { (&*odd, &mut *even) } else { (&*even, &mut *odd) };
            let source = if step == 0 { bias } else { source };
            let target = if step == last { &mut *out } else { target };
            let weight = weighted == Some(axis);
            softmin_axis(engine, shape, costs, source, rate, weight, running, target)?;
        }
        Ok(())
    }

    /// Values of either sign, as the difference of two softmins. Not made for inner loops: the
    /// logarithms of the values are taken on the host.
    #[expect(clippy::too_many_arguments, reason = "the operands of the formula")]
    pub(super) fn apply(
        &mut self,
        engine: &Engine,
        onto: Side,
        rate: f64,
        outer: &Array,
        inner: &Array,
        values: &Array,
        running: &Array,
        out: &mut Array,
    ) -> Result<()> {
        let (outer_bias, inner_bias) = (engine.download(outer)?, engine.download(inner)?);
        let values = engine.download(values)?;
        let mut softmin = engine.zeros("softmin", outer.len())?;
        let mut sums = vec![0.0; out.len()];
        for (values, sums) in values.chunks(inner.len()).zip(sums.chunks_mut(outer.len())) {
            for sign in [1.0, -1.0] {
                let part = |value: f64| (sign * value).max(0.0);
                if values.iter().all(|&value| part(value) == 0.0) {
                    continue;
                }
                let bias: Vec<f64> = values
                    .iter()
                    .zip(&inner_bias)
                    .map(|(&value, bias)| (bias + part(value).ln()).max(NOTHING))
                    .collect();
                let bias = engine.upload("bias", &bias)?;
                self.softmin(engine, onto, rate, None, &bias, running, &mut softmin)?;
                let logs = engine.download(&softmin)?;
                for ((sum, log), potential) in sums.iter_mut().zip(logs).zip(&outer_bias) {
                    *sum += sign * (potential + log).max(NOTHING).exp();
                }
            }
        }
        engine.write(out, &sums)
    }

    pub(super) fn linear(
        &mut self,
        engine: &Engine,
        rate: f64,
        f: &Array,
        g: &Array,
        running: &Array,
        out: &mut Array,
    ) -> Result<()> {
        check_length("the sums", out.len(), f.len())?;
        let potentials = engine.download(f)?;
        let mut softmin = engine.zeros("softmin", f.len())?;
        let mut sums = vec![0.0; f.len()];
        for axis in 0..self.axes.len() {
            self.softmin(engine, Side::Rows, rate, Some(axis), g, running, &mut softmin)?;
            let logs = engine.download(&softmin)?;
            for ((sum, log), potential) in sums.iter_mut().zip(logs).zip(&potentials) {
                *sum += (potential + log).max(NOTHING).exp();
            }
        }
        engine.write(out, &sums)
    }
}

impl Axis {
    pub(super) fn work(&self) -> f64 {
        self.outer as f64 * self.inner as f64 * self.sources as f64 * self.targets as f64
    }
}

/// Numbers in the largest array between two axes, in either direction, for one problem.
pub(in crate::geometry) fn largest_intermediate(axes: &[Array2<f64>]) -> usize {
    // Each axis may have been taken or not: bound by the longer side of each.
    axes.iter().map(|axis| axis.nrows().max(axis.ncols())).product()
}
