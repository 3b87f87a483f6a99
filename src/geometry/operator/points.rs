//! Points and a cost between them, computed whenever it is needed.

use super::Side;
use super::absorbing::Absorbing;
use crate::engine::{Array, Engine};
use crate::error::{Error, Result};
use crate::geometry::{Cost, Geometry};
use crate::kernels::check_length;
use crate::kernels::linear::coupling_points::PointPairs;
use crate::kernels::linear::softmin_points::SoftminPoints;
use crate::kernels::tiles::Blocks;

pub(super) struct Points {
    cost: Cost,
    dimension: usize,
    x: Array,
    y: Array,
    transposed: Blocks,
    onto_rows: SoftminPoints,
    onto_cols: SoftminPoints,
    /// Exponentials that are kept, where that was asked for.
    absorbing: Option<Absorbing>,
}

impl Points {
    /// `None` where the batch mixes kinds, dimensions or costs.
    pub(super) fn new(
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
            absorbing: None,
        }))
    }

    pub(super) fn pairs<'a>(&'a self, blocks: &'a Blocks, onto: Side) -> PointPairs<'a> {
        let (blocks, x, y) = match onto {
            Side::Rows => (blocks, &self.x, &self.y),
            Side::Cols => (&self.transposed, &self.y, &self.x),
        };
        PointPairs { blocks, cost: self.cost, dimension: self.dimension, x, y }
    }

    /// Moves the points, given coordinate by coordinate.
    pub(super) fn set(&mut self, engine: &Engine, x: &[f64], y: &[f64]) -> Result<()> {
        check_length("the points of the rows", x.len(), self.x.len())?;
        check_length("the points of the columns", y.len(), self.y.len())?;
        engine.write(&mut self.x, x)?;
        engine.write(&mut self.y, y)?;
        if let Some(absorbing) = &mut self.absorbing {
            absorbing.forget();
        }
        Ok(())
    }

    /// From now on exponentials may be kept between softmins; see [`Absorbing`].
    pub(super) fn absorb(&mut self, engine: &Engine) {
        let pairs = self.transposed.pairs();
        if !engine.is_gpu() && self.transposed.count() == 1 && pairs <= Absorbing::MOST_PAIRS {
            self.absorbing = Some(Absorbing::default());
        }
    }

    pub(super) fn softmin(
        &mut self,
        engine: &Engine,
        onto: Side,
        rate: f64,
        bias: &Array,
        running: &Array,
        out: &mut Array,
    ) -> Result<()> {
        // Of a problem that rests, nothing is computed.
        let runs = self.absorbing.is_some() && running.host()? == [1.0];
        let mut absorbing = self.absorbing.as_mut().filter(|_| runs);
        if let Some(absorbing) = &mut absorbing
            && absorbing.softmin(engine, onto, rate, bias, out)?
        {
            return Ok(());
        }
        let pays = absorbing.is_some_and(|absorbing| absorbing.pays(rate));
        let Self { x, y, onto_rows, onto_cols, .. } = self;
        match onto {
            Side::Rows => onto_rows.launch(engine, x, y, bias, rate, running, out)?,
            Side::Cols => onto_cols.launch(engine, y, x, bias, rate, running, out)?,
        }
        if !pays {
            return Ok(());
        }
        match self.keep(engine, onto, rate, running, out) {
            // It goes without.
            Err(Error::Limit { .. }) => {
                self.absorbing.iter_mut().for_each(Absorbing::give_up);
                Ok(())
            }
            kept => kept,
        }
    }

    /// Keeps exponentials around potentials of which one was just computed.
    fn keep(
        &mut self,
        engine: &Engine,
        onto: Side,
        rate: f64,
        running: &Array,
        softmin: &Array,
    ) -> Result<()> {
        let negative = |values: &[f64]| values.iter().map(|value| -value).collect::<Vec<_>>();
        let here = negative(softmin.host()?);
        let bias = engine.upload("bias", &here)?;
        let Self { x, y, onto_rows, onto_cols, .. } = self;
        let there = match onto {
            Side::Rows => {
                let mut there = engine.zeros("softmin", onto_cols.outputs())?;
                onto_cols.launch(engine, y, x, &bias, rate, running, &mut there)?;
                there
            }
            Side::Cols => {
                let mut there = engine.zeros("softmin", onto_rows.outputs())?;
                onto_rows.launch(engine, x, y, &bias, rate, running, &mut there)?;
                there
            }
        };
        let there = negative(there.host()?);
        let (rows, columns) = if onto == Side::Rows { (here, there) } else { (there, here) };
        let (x, y) = (self.x.host()?, self.y.host()?);
        let (height, cost) = (rows.len(), self.cost);
        let axes: Vec<&[f64]> = y.chunks(columns.len()).collect();
        let costs = |row: usize, out: &mut [f64]| {
            let here: Vec<f64> = x[row..].iter().step_by(height).copied().collect();
            cost.evaluate(&here, &axes, out);
        };
        let absorbing = self.absorbing.as_mut().expect("asked for");
        absorbing.keep(engine, rate, rows, columns, costs)
    }
}
