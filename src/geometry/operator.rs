//! A geometry on an engine: softmins along it, and couplings applied without being stored.

use ndarray::Array2;

use super::{Cost, Geometry};
use crate::engine::{Array, Engine};
use crate::error::{Error, Result};
use crate::kernels::linear::coupling_columns::coupling_columns;
use crate::kernels::linear::coupling_points::{PointPairs, PointSummand, coupling_points};
use crate::kernels::linear::coupling_rows::{Summand, coupling_rows};
use crate::kernels::linear::softmin_axis::{Axis, softmin_axis};
use crate::kernels::linear::softmin_columns::SoftminColumns;
use crate::kernels::linear::softmin_points::SoftminPoints;
use crate::kernels::linear::softmin_rows::SoftminRows;
use crate::kernels::tiles::{Blocks, all_running};
use crate::kernels::{NOTHING, check_length};

/// Stands for an infinite cost: over any epsilon from 1e-10 to 1e8 it is a score below
/// [`NEARLY_NOTHING`](crate::kernels::NEARLY_NOTHING), and still an f32.
const FORBIDDEN: f64 = 1e28;

/// A side of a pairwise problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The rows: the first measure.
    Rows,
    /// The columns: the second measure.
    Cols,
}

impl Side {
    /// The other side.
    pub fn other(self) -> Self {
        match self {
            Self::Rows => Self::Cols,
            Self::Cols => Self::Rows,
        }
    }
}

/// A batch of geometries of one kind on an engine, with the scratch that its softmins need.
pub struct Operator {
    blocks: Blocks,
    running: Array,
    kind: Kind,
}

enum Kind {
    Matrix { costs: Array, rows: Box<SoftminRows>, cols: Box<SoftminColumns> },
    Points(Box<Points>),
    Separable(Separable),
}

struct Points {
    cost: Cost,
    dimension: usize,
    x: Array,
    y: Array,
    transposed: Blocks,
    onto_rows: SoftminPoints,
    onto_cols: SoftminPoints,
}

struct Separable {
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

impl Operator {
    /// A batch of geometries on an engine. They are of one kind: matrices of any sizes, points of
    /// one dimension and cost, or one and the same grid pair.
    ///
    /// # Errors
    /// [`Error::Data`] for a mixed or empty batch, [`Error::Limit`] where it does not fit.
    pub fn new(engine: &Engine, geometries: &[&Geometry]) -> Result<Self> {
        let Some(&first) = geometries.first() else {
            return Err(Error::data("the batch", "it is empty", "give at least one problem"));
        };
        for geometry in geometries {
            geometry.validate()?;
            let bound = geometry.cost_bound();
            if bound.is_nan() || bound >= FORBIDDEN {
                return Err(Error::data(
                    "the costs",
                    format!("they go up to {bound:.1e}"),
                    format!("scale points or costs down: beyond {FORBIDDEN:e} a pair is forbidden"),
                ));
            }
        }
        let bytes = geometries.iter().map(|geometry| geometry.bytes(engine)).sum();
        let remedy = match first {
            Geometry::Matrix(_) => {
                "give points or a grid instead of a cost matrix: their costs are never stored"
            }
            _ => "use fewer points",
        };
        engine.require("the geometry", bytes, remedy)?;
        let blocks = Blocks::of(geometries.iter().map(|geometry| geometry.shape()));
        let mixed = || {
            Error::data(
                "the batch",
                "its problems are not all of one kind",
                "batch only matrices, points of one dimension and cost, or equal grids",
            )
        };
        let kind = match first {
            Geometry::Matrix(_) => {
                let matrices: Option<Vec<_>> = geometries
                    .iter()
                    .map(|geometry| match geometry {
                        Geometry::Matrix(costs) => Some(costs),
                        _ => None,
                    })
                    .collect();
                let all = matrices.ok_or_else(mixed)?.into_iter().flatten();
                let pairs = blocks.pairs() as usize;
                let costs = engine.collect("costs", pairs, all.map(|cost| cost.min(FORBIDDEN)))?;
                Kind::Matrix {
                    costs,
                    rows: Box::new(SoftminRows::new(engine, &blocks)?),
                    cols: Box::new(SoftminColumns::new(engine, &blocks)?),
                }
            }
            Geometry::Points { x, cost, .. } => {
                let points = Points::new(engine, &blocks, geometries, x.ncols(), *cost)?;
                Kind::Points(Box::new(points.ok_or_else(mixed)?))
            }
            Geometry::Separable(axes) => {
                if geometries.iter().any(|geometry| *geometry != first) {
                    return Err(mixed());
                }
                Kind::Separable(Separable::new(engine, axes, geometries.len())?)
            }
        };
        Ok(Self { running: all_running(engine, blocks.count())?, blocks, kind })
    }

    /// A batch of stored costs, all zero, for [`Operator::costs_mut`] to change.
    pub(crate) fn stored(engine: &Engine, blocks: &Blocks) -> Result<Self> {
        let kind = Kind::Matrix {
            costs: engine.zeros("costs", blocks.pairs() as usize)?,
            rows: Box::new(SoftminRows::new(engine, blocks)?),
            cols: Box::new(SoftminColumns::new(engine, blocks)?),
        };
        Ok(Self { running: all_running(engine, blocks.count())?, blocks: blocks.clone(), kind })
    }

    /// The stored costs, matrix after matrix; `None` where costs are not stored.
    pub(crate) fn costs(&self) -> Option<&Array> {
        match &self.kind {
            Kind::Matrix { costs, .. } => Some(costs),
            _ => None,
        }
    }

    /// The stored costs, to change.
    pub(crate) fn costs_mut(&mut self) -> Option<&mut Array> {
        match &mut self.kind {
            Kind::Matrix { costs, .. } => Some(costs),
            _ => None,
        }
    }

    /// Moves the points of a batch of points, given coordinate by coordinate, all problems
    /// together. They are taken as they are: centre them.
    pub(crate) fn set_points(&mut self, engine: &Engine, x: &[f64], y: &[f64]) -> Result<()> {
        let Kind::Points(points) = &mut self.kind else {
            return Err(Error::data("the geometry", "it has no points", "give points"));
        };
        check_length("the points of the rows", x.len(), points.x.len())?;
        check_length("the points of the columns", y.len(), points.y.len())?;
        engine.write(&mut points.x, x)?;
        engine.write(&mut points.y, y)
    }

    /// The layout of the batch.
    pub fn blocks(&self) -> &Blocks {
        &self.blocks
    }

    /// Points on one side, all problems together.
    pub fn len(&self, side: Side) -> usize {
        match side {
            Side::Rows => self.blocks.total_rows(),
            Side::Cols => self.blocks.total_cols(),
        }
    }

    /// Geometries are never empty.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Exponentials that a softmin takes: its work.
    pub fn work(&self) -> f64 {
        match &self.kind {
            Kind::Matrix { .. } | Kind::Points(_) => self.blocks.pairs() as f64,
            Kind::Separable(separable) => {
                separable.steps(Side::Cols).iter().map(|(_, axis)| axis.work()).sum()
            }
        }
    }

    /// The softmin onto one side, in units of epsilon:
    /// onto rows, out_i = log sum_j exp(bias_j - C_ij / epsilon); onto columns the same over i.
    ///
    /// # Errors
    /// [`Error::Shape`] for arrays of the wrong length, and any fault of the device.
    pub fn softmin(
        &mut self,
        engine: &Engine,
        onto: Side,
        epsilon: f64,
        bias: &Array,
        out: &mut Array,
    ) -> Result<()> {
        let Self { kind, running, .. } = self;
        kind.softmin(engine, onto, 1.0 / epsilon, bias, running, out)
    }

    /// [`Operator::softmin`] for the problems of the batch that are still running: 1 or 0 each.
    ///
    /// # Errors
    /// As [`Operator::softmin`].
    pub fn softmin_running(
        &mut self,
        engine: &Engine,
        onto: Side,
        epsilon: f64,
        bias: &Array,
        running: &Array,
        out: &mut Array,
    ) -> Result<()> {
        self.kind.softmin(engine, onto, 1.0 / epsilon, bias, running, out)
    }

    /// The coupling P_ij = exp(f_i + g_j - C_ij / epsilon) applied to `columns` vectors without
    /// being stored: onto rows, out_ik = sum_j P_ij V_jk; onto columns, out_jk = sum_i P_ij V_ik.
    /// `f` and `g` are in units of epsilon and include the logarithm of the reference. Vectors lie
    /// one after another.
    ///
    /// # Errors
    /// As [`Operator::softmin`].
    #[expect(clippy::too_many_arguments, reason = "the operands of the formula")]
    pub fn apply(
        &mut self,
        engine: &Engine,
        onto: Side,
        epsilon: f64,
        f: &Array,
        g: &Array,
        values: &Array,
        columns: usize,
        out: &mut Array,
    ) -> Result<()> {
        let rate = 1.0 / epsilon;
        let blocks = &self.blocks;
        match (&mut self.kind, onto) {
            (Kind::Matrix { costs, .. }, Side::Rows) => {
                let summand = Summand::Values(values, columns);
                coupling_rows(engine, blocks, costs, f, g, rate, summand, out)
            }
            (Kind::Matrix { costs, .. }, Side::Cols) => {
                coupling_columns(engine, blocks, costs, f, g, rate, values, columns, out)
            }
            (Kind::Points(points), Side::Rows) => {
                let summand = PointSummand::Values(values, columns);
                coupling_points(engine, &points.pairs(blocks, onto), f, g, rate, summand, out)
            }
            (Kind::Points(points), Side::Cols) => {
                let summand = PointSummand::Values(values, columns);
                coupling_points(engine, &points.pairs(blocks, onto), g, f, rate, summand, out)
            }
            (Kind::Separable(separable), _) => {
                let (inner, outer) = match onto {
                    Side::Rows => (g, f),
                    Side::Cols => (f, g),
                };
                check_length("the values", values.len(), inner.len() * columns)?;
                check_length("the sums", out.len(), outer.len() * columns)?;
                separable.apply(engine, onto, rate, outer, inner, values, &self.running, out)
            }
        }
    }

    /// The linear part of the objective row by row: out_i = sum_j P_ij C_ij.
    ///
    /// # Errors
    /// As [`Operator::softmin`].
    pub fn linear(
        &mut self,
        engine: &Engine,
        epsilon: f64,
        f: &Array,
        g: &Array,
        out: &mut Array,
    ) -> Result<()> {
        let rate = 1.0 / epsilon;
        match &mut self.kind {
            Kind::Matrix { costs, .. } => {
                coupling_rows(engine, &self.blocks, costs, f, g, rate, Summand::Cost, out)
            }
            Kind::Points(points) => {
                let pairs = points.pairs(&self.blocks, Side::Rows);
                coupling_points(engine, &pairs, f, g, rate, PointSummand::Cost, out)
            }
            Kind::Separable(separable) => separable.linear(engine, rate, f, g, &self.running, out),
        }
    }

    /// The gradient of the linear part by the points of one side, at a fixed coupling:
    /// onto rows, out_ik = sum_j P_ij d c(x_i, y_j) / d x_ik, coordinate by coordinate.
    ///
    /// # Errors
    /// [`Error::Data`] where the geometry is not made of points.
    pub fn slope(
        &mut self,
        engine: &Engine,
        onto: Side,
        epsilon: f64,
        f: &Array,
        g: &Array,
        out: &mut Array,
    ) -> Result<()> {
        let Kind::Points(points) = &mut self.kind else {
            return Err(Error::data(
                "the geometry",
                "it has no points to take gradients by",
                "give points instead of a matrix or a grid",
            ));
        };
        let pairs = points.pairs(&self.blocks, onto);
        let (here, there) = match onto {
            Side::Rows => (f, g),
            Side::Cols => (g, f),
        };
        coupling_points(engine, &pairs, here, there, 1.0 / epsilon, PointSummand::Slope, out)
    }
}

impl Kind {
    fn softmin(
        &mut self,
        engine: &Engine,
        onto: Side,
        rate: f64,
        bias: &Array,
        running: &Array,
        out: &mut Array,
    ) -> Result<()> {
        match (self, onto) {
            (Kind::Matrix { costs, rows, .. }, Side::Rows) => {
                rows.launch(engine, costs, bias, rate, running, out)
            }
            (Kind::Matrix { costs, cols, .. }, Side::Cols) => {
                cols.launch(engine, costs, bias, rate, running, out)
            }
            (Kind::Points(points), Side::Rows) => {
                let Points { x, y, onto_rows, .. } = &mut **points;
                onto_rows.launch(engine, x, y, bias, rate, running, out)
            }
            (Kind::Points(points), Side::Cols) => {
                let Points { x, y, onto_cols, .. } = &mut **points;
                onto_cols.launch(engine, y, x, bias, rate, running, out)
            }
            (Kind::Separable(separable), _) => {
                separable.softmin(engine, onto, rate, None, bias, running, out)
            }
        }
    }
}

impl Points {
    /// `None` where the batch mixes kinds, dimensions or costs.
    fn new(
        engine: &Engine,
        blocks: &Blocks,
        geometries: &[&Geometry],
        dimension: usize,
        cost: Cost,
    ) -> Result<Option<Self>> {
        let (mut x, mut y) = (
            vec![0.0; blocks.total_rows() * dimension],
            vec![0.0; blocks.total_cols() * dimension],
        );
        for (problem, geometry) in geometries.iter().enumerate() {
            let Geometry::Points { x: here, y: there, cost: its_cost } = geometry else {
                return Ok(None);
            };
            if here.ncols() != dimension || *its_cost != cost {
                return Ok(None);
            }
            // Differences do not see a common shift, f32 does: centre each problem on its mean.
            // Not on the sphere, where every vector has length one.
            let count = (here.nrows() + there.nrows()) as f64;
            for axis in 0..dimension {
                let centre = match cost {
                    Cost::GreatCircle(_) => 0.0,
                    _ => (here.column(axis).sum() + there.column(axis).sum()) / count,
                };
                let place = axis * blocks.total_rows() + blocks.rows[problem];
                for (x, here) in x[place..].iter_mut().zip(here.column(axis)) {
                    *x = here - centre;
                }
                let place = axis * blocks.total_cols() + blocks.cols[problem];
                for (y, there) in y[place..].iter_mut().zip(there.column(axis)) {
                    *y = there - centre;
                }
            }
        }
        let transposed = blocks.transposed();
        Ok(Some(Self {
            cost,
            dimension,
            x: engine.upload("points of the rows", &x)?,
            y: engine.upload("points of the columns", &y)?,
            onto_rows: SoftminPoints::new(engine, blocks, cost, dimension)?,
            onto_cols: SoftminPoints::new(engine, &transposed, cost, dimension)?,
            transposed,
        }))
    }

    fn pairs<'a>(&'a self, blocks: &'a Blocks, onto: Side) -> PointPairs<'a> {
        let (blocks, x, y) = match onto {
            Side::Rows => (blocks, &self.x, &self.y),
            Side::Cols => (&self.transposed, &self.y, &self.x),
        };
        PointPairs { blocks, cost: self.cost, dimension: self.dimension, x, y }
    }
}

impl Separable {
    fn new(engine: &Engine, axes: &[Array2<f64>], batch: usize) -> Result<Self> {
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
    fn steps(&self, onto: Side) -> Vec<(usize, Axis)> {
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
    fn softmin(
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
    fn apply(
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

    fn linear(
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
    fn work(&self) -> f64 {
        self.outer as f64 * self.inner as f64 * self.sources as f64 * self.targets as f64
    }
}

/// Numbers in the largest array between two axes, in either direction, for one problem.
pub(super) fn largest_intermediate(axes: &[Array2<f64>]) -> usize {
    // Each axis may have been taken or not: bound by the longer side of each.
    axes.iter().map(|axis| axis.nrows().max(axis.ncols())).product()
}
