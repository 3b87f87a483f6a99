//! Distance matrices on an engine, and products with them.

use super::Space;
use crate::engine::{Array, Engine};
use crate::error::Result;
use crate::kernels::gromov::RowPlan;
use crate::kernels::gromov::matrix_product::{Place, matrix_product};
use crate::kernels::gromov::squared_sums::squared_sums;
use crate::kernels::tiles::Blocks;

/// The distances of one space.
pub(super) struct Distances {
    points: usize,
    matrix: Array,
    plan: RowPlan,
}

impl Distances {
    /// The distances between the first so many points of a space: one copy of them, or all.
    pub(super) fn new(engine: &Engine, space: &Space, points: usize) -> Result<Self> {
        let pairs = (0..points).flat_map(|i| (0..points).map(move |j| (i, j)));
        let values = pairs.map(|(i, j)| space.distance(i, j));
        Ok(Self {
            points,
            matrix: engine.collect("distances", points * points, values)?,
            plan: RowPlan::new(engine, &Blocks::single(points, points))?,
        })
    }

    /// How many points.
    pub(super) fn len(&self) -> usize {
        self.points
    }

    /// Bytes that it takes.
    pub(super) fn bytes(engine: &Engine, points: usize) -> u64 {
        points as u64 * points as u64 * engine.bytes_per_number()
    }

    /// out = D M.
    pub(super) fn times(
        &self,
        engine: &Engine,
        (m, m_place): (&Array, Place),
        (out, out_place): (&mut Array, Place),
    ) -> Result<()> {
        let whole = Place::new(0, self.points, self.points);
        matrix_product(engine, (&self.matrix, whole), (m, m_place), (out, out_place))
    }

    /// out = M D.
    pub(super) fn times_from_right(
        &self,
        engine: &Engine,
        (m, m_place): (&Array, Place),
        (out, out_place): (&mut Array, Place),
    ) -> Result<()> {
        let whole = Place::new(0, self.points, self.points);
        matrix_product(engine, (m, m_place), (&self.matrix, whole), (out, out_place))
    }

    /// out_bi = sum_j D_ij² v_bj.
    pub(super) fn squared(&self, engine: &Engine, v: &Array, out: &mut Array) -> Result<()> {
        squared_sums(engine, &self.plan, &self.matrix, v, out)
    }
}
