//! Pairs of clouds on an engine: their potentials, and an iteration over all of them.

use std::ops::Range;

use ndarray::{Array2, Axis};

use crate::engine::{Array, Engine};
use crate::error::Result;
use crate::geometry::Cost;
use crate::kernels::NOTHING;
use crate::kernels::flat::plan_rows::{PlanRows, RowSums};
use crate::kernels::flat::potential_update::{PACE, Potentials, potential_update};
use crate::kernels::linear::softmin_points::SoftminPoints;
use crate::kernels::tiles::{Blocks, all_running};

/// Two clouds, ready to be solved.
#[derive(Clone, Debug)]
pub(crate) struct Centred {
    /// Points (n, d) around their joint mean.
    pub points: [Array2<f64>; 2],
    /// Masses over the smaller of their two sums.
    pub masses: [Vec<f64>; 2],
}

impl Centred {
    /// Moves the joint mean of the points to the origin, and makes the smaller mass 1. Both clouds
    /// have mass.
    pub(crate) fn new(mut points: [Array2<f64>; 2], mut masses: [Vec<f64>; 2]) -> Self {
        let count = points[0].nrows() + points[1].nrows();
        let [a, b] = &points;
        let mean = (a.sum_axis(Axis(0)) + b.sum_axis(Axis(0))) / count as f64;
        points.iter_mut().for_each(|points| *points -= &mean);
        let [a, b] = &masses;
        let least = a.iter().sum::<f64>().min(b.iter().sum());
        masses.iter_mut().flatten().for_each(|mass| *mass /= least);
        Self { points, masses }
    }

    /// How far points are from the origin at most.
    fn radius(&self) -> f64 {
        let rows = self.points.iter().flat_map(|points| points.rows());
        rows.map(|point| point.dot(&point).sqrt()).fold(0.0, f64::max)
    }

    /// The sum of both masses.
    pub(super) fn total(&self) -> f64 {
        self.masses.iter().flatten().sum()
    }
}

/// The first or second clouds of all pairs, one after another.
pub(super) struct Side {
    offsets: Vec<usize>,
    pub masses: Vec<f64>,
    points: Array,
    potentials: Potentials,
    message: Array,
    softmin: SoftminPoints,
    plan: PlanRows,
    /// What certificates send to the other side.
    sent: Array,
    sums: RowSums,
}

/// Potentials of many pairs.
pub(crate) struct Pairs {
    engine: Engine,
    pub(super) sides: [Side; 2],
    running: Array,
    /// The sum of both masses of each pair.
    totals: Vec<f64>,
    /// How far points are from the origin at most, pair by pair.
    radii: Vec<f64>,
    epsilon: f64,
    /// The most that a step is over-relaxed by.
    boldest: f64,
}

impl Pairs {
    /// At least one pair; all in the same dimension.
    pub(crate) fn new(engine: &Engine, pairs: &[Centred]) -> Result<Self> {
        let dimension = pairs[0].points[0].ncols();
        let sizes = pairs.iter().map(|pair| (pair.masses[0].len(), pair.masses[1].len()));
        let blocks = Blocks::of(sizes);
        let points = (blocks.total_rows() + blocks.total_cols()) as u64;
        engine.require(
            "the pairs",
            points * (dimension as u64 + 7) * engine.bytes_per_number(),
            "solve fewer pairs at a time, or use another device",
        )?;
        let side = |side: usize, blocks: &Blocks| Side::new(engine, pairs, side, blocks, dimension);
        Ok(Self {
            sides: [side(0, &blocks)?, side(1, &blocks.transposed())?],
            running: all_running(engine, pairs.len())?,
            totals: pairs.iter().map(Centred::total).collect(),
            radii: pairs.iter().map(Centred::radius).collect(),
            epsilon: 1.0,
            boldest: 1.0,
            engine: engine.clone(),
        })
    }

    pub(super) fn count(&self) -> usize {
        self.totals.len()
    }

    /// The sum of both masses of each pair, in units of the smaller one.
    pub(super) fn totals(&self) -> &[f64] {
        &self.totals
    }

    /// From here on, only these pairs change.
    pub(super) fn run_only(&mut self, running: &[bool]) -> Result<()> {
        let flags: Vec<f64> = running.iter().map(|&running| f64::from(u8::from(running))).collect();
        self.engine.write(&mut self.running, &flags)
    }

    /// The next iterations are at this epsilon, and over-relaxed by more and more up to `boldest`.
    pub(super) fn start(&mut self, epsilon: f64, boldest: f64) -> Result<()> {
        (self.epsilon, self.boldest) = (epsilon, boldest);
        let count = self.count();
        for side in &mut self.sides {
            let potentials = &mut side.potentials;
            let values = self.engine.download(&potentials.potential)?;
            let bias: Vec<f64> = values
                .iter()
                .zip(&side.masses)
                .map(|(value, mass)| (log(*mass) + value / epsilon).max(NOTHING))
                .collect();
            self.engine.write(&mut potentials.bias, &bias)?;
            let pace = [0.0, f64::from(f32::MAX), 0.0].repeat(count);
            self.engine.write(&mut potentials.pace, &pace)?;
        }
        Ok(())
    }

    /// Updates both potentials of every pair.
    pub(super) fn iterate(&mut self) -> Result<()> {
        let Self { engine, sides, running, epsilon, boldest, .. } = self;
        let rate = 1.0 / *epsilon;
        for onto in [0, 1] {
            let (here, there) = ends(sides, onto);
            let Side { points, potentials, message, softmin, .. } = here;
            let bias = &there.potentials.bias;
            softmin.launch(engine, points, &there.points, bias, rate, running, message)?;
            potential_update(engine, potentials, message, *epsilon, *boldest, running)?;
        }
        Ok(())
    }

    /// The largest change of a potential in the last iteration, pair by pair.
    pub(super) fn changes(&self) -> Result<Vec<f64>> {
        let [first, second] = self.each_side(|side| &side.potentials.pace)?;
        let pairs = first.chunks(PACE).zip(second.chunks(PACE));
        Ok(pairs.map(|(first, second)| first[1].max(second[1])).collect())
    }

    pub(super) fn potentials(&self) -> Result<[Vec<f64>; 2]> {
        self.each_side(|side| &side.potentials.potential)
    }

    pub(crate) fn set_potentials(&mut self, values: [&[f64]; 2]) -> Result<()> {
        for (side, values) in self.sides.iter_mut().zip(values) {
            self.engine.write(&mut side.potentials.potential, values)?;
        }
        Ok(())
    }

    fn each_side(&self, array: impl Fn(&Side) -> &Array) -> Result<[Vec<f64>; 2]> {
        let [first, second] = &self.sides;
        Ok([self.engine.download(array(first))?, self.engine.download(array(second))?])
    }

    /// log sum_j exp(sent_j - rate d_ij) onto one side.
    pub(super) fn softmin(&mut self, onto: usize, sent: &[f64], rate: f64) -> Result<Vec<f64>> {
        let Self { engine, sides, running, .. } = self;
        let (here, there) = ends(sides, onto);
        engine.write(&mut there.sent, sent)?;
        let Side { points, message, softmin, .. } = here;
        softmin.launch(engine, points, &there.points, &there.sent, rate, running, message)?;
        engine.download(message)
    }

    /// The same over points that are nearer than 2, and the mean of d - 2 under the terms.
    pub(super) fn plan(
        &mut self,
        onto: usize,
        sent: &[f64],
        rate: f64,
    ) -> Result<(Vec<f64>, Vec<f64>)> {
        let Self { engine, sides, running, .. } = self;
        let (here, there) = ends(sides, onto);
        engine.write(&mut there.sent, sent)?;
        let Side { points, plan, sums, .. } = here;
        plan.launch(engine, points, &there.points, &there.sent, rate, running, sums)?;
        Ok((engine.download(&sums.logarithm)?, engine.download(&sums.mean)?))
    }

    /// By how much bounds on a pair can be off by rounding: of coordinates, which the engine rounds;
    /// of distances; and of scores up to 1 / epsilon, which makes masses as wrong, relatively.
    pub(crate) fn rounding(&self, pair: usize, epsilon: f64) -> f64 {
        let roundoffs = 2.0 * self.radii[pair] + 8.0 + 8.0 / epsilon;
        self.engine.unit_roundoff() * roundoffs * self.totals[pair]
    }

    /// One over the epsilon at which a softmin is a minimum, and scores are not yet too large.
    pub(super) fn sharpness(&self) -> f64 {
        if self.engine.is_gpu() { 2_f64.powi(20) } else { 2_f64.powi(33) }
    }
}

impl Side {
    /// The points of a pair.
    pub(super) fn range(&self, pair: usize) -> Range<usize> {
        self.offsets[pair]..self.offsets[pair + 1]
    }

    /// The points of these pairs.
    pub(super) fn points_of(&self, pairs: &[bool]) -> impl Iterator<Item = usize> {
        let chosen = (0..pairs.len()).filter(|&pair| pairs[pair]);
        chosen.flat_map(|pair| self.range(pair))
    }

    fn new(
        engine: &Engine,
        pairs: &[Centred],
        side: usize,
        blocks: &Blocks,
        dimension: usize,
    ) -> Result<Self> {
        let masses: Vec<f64> =
            pairs.iter().flat_map(|pair| pair.masses[side].iter().copied()).collect();
        let count = masses.len();
        let mut points = Vec::with_capacity(count * dimension);
        for axis in 0..dimension {
            points.extend(pairs.iter().flat_map(|pair| pair.points[side].column(axis).to_vec()));
        }
        let offsets = blocks.rows.iter().map(|&offset| offset as u32).collect::<Vec<_>>();
        let log_weight: Vec<f64> = masses.iter().map(|&mass| log(mass)).collect();
        Ok(Self {
            offsets: blocks.rows.clone(),
            points: engine.upload("points", &points)?,
            potentials: Potentials {
                offsets: engine.table("offsets", &offsets)?,
                log_weight: engine.upload("log weights", &log_weight)?,
                potential: engine.zeros("potential", count)?,
                bias: engine.upload("bias", &log_weight)?,
                pace: engine.zeros("pace", PACE * pairs.len())?,
            },
            message: engine.zeros("message", count)?,
            softmin: SoftminPoints::new(engine, blocks, Cost::Euclidean, dimension)?,
            plan: PlanRows::new(engine, blocks, dimension)?,
            sent: engine.zeros("sent", count)?,
            sums: RowSums {
                logarithm: engine.zeros("logarithms of rows", count)?,
                mean: engine.zeros("means of rows", count)?,
            },
            masses,
        })
    }
}

/// One side, and the other.
fn ends(sides: &mut [Side; 2], onto: usize) -> (&mut Side, &mut Side) {
    let [first, second] = sides;
    if onto == 0 { (first, second) } else { (second, first) }
}

/// The natural logarithm; [`NOTHING`] of zero.
pub(super) fn log(mass: f64) -> f64 {
    if mass > 0.0 { mass.ln() } else { NOTHING }
}
