//! A geometry on an engine: softmins along it, and couplings applied without being stored.

mod absorbing;
mod points;
mod separable;

use super::Geometry;
use crate::engine::{Array, Engine};
use crate::error::{Error, Result};
use crate::kernels::check_length;
use crate::kernels::linear::coupling_columns::coupling_columns;
use crate::kernels::linear::coupling_points::{PointSummand, coupling_points};
use crate::kernels::linear::coupling_rows::{Summand, coupling_rows};
use crate::kernels::linear::softmin_columns::SoftminColumns;
use crate::kernels::linear::softmin_rows::SoftminRows;
use crate::kernels::tiles::{Blocks, all_running};
use points::Points;
use separable::Separable;
pub(super) use separable::largest_intermediate;

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
        points.set(engine, x, y)
    }

    /// Lets exponentials be kept from one softmin to the next, which is for iterations that make many
    /// of them: results depend in their last digits on what was computed before.
    pub(crate) fn absorb(&mut self, engine: &Engine) {
        if let Kind::Points(points) = &mut self.kind {
            points.absorb(engine);
        }
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
            (Kind::Points(points), _) => points.softmin(engine, onto, rate, bias, running, out),
            (Kind::Separable(separable), _) => {
                separable.softmin(engine, onto, rate, None, bias, running, out)
            }
        }
    }
}
