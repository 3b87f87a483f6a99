//! Training of many small networks at once: the test functions of the flat metric.

use std::ops::Range;

use bytemuck::{Pod, Zeroable};
use ndarray::ArrayView2;
use rayon::prelude::*;

use super::network::{
    Constraint, Optimiser, Output, Pass, Plan, Points, Sums, adam, applied, constrain,
    finish_gradients, lambda, note, restore_best, retract,
};
use crate::engine::{Array, Backend, DeviceKind, Engine, Launch, Shader, Table, shader};
use crate::error::{Error, Result};
use crate::kernels::{MULTIPLY_ADDS_PER_EXPONENTIAL, check_length, index};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    networks: u32,
    epoch: u32,
    epochs: u32,
    all_epochs: u32,
    finish: u32,
    layers: u32,
    dimension: u32,
    parameters: u32,
    group: u32,
    chunk: u32,
    fixed: u32,
    work: u32,
    square: u32,
    iterations: u32,
    beta_1: f32,
    beta_2: f32,
    decay: f32,
    clip: f32,
}

const fn variant(
    spectral: u32,
    orthonormal: u32,
    bjorck: u32,
    clamped: u32,
) -> [(&'static str, u32); 4] {
    [("SPECTRAL", spectral), ("ORTHONORMAL", orthonormal), ("BJORCK", bjorck), ("CLAMPED", clamped)]
}

pub(crate) static SHADER: Shader = shader!(
    "flat/train",
    Params,
    [Read, Read, Read, Write, Write, Write],
    &[
        &variant(1, 0, 0, 0),
        &variant(0, 1, 0, 0),
        &variant(0, 0, 1, 0),
        &variant(1, 0, 0, 1),
        &variant(0, 1, 0, 1),
        &variant(0, 0, 1, 1),
    ]
);

/// The measures of one pair as a network sees them.
#[derive(Clone, Debug)]
pub(crate) struct Charges {
    /// The points of both (points, d), row by row.
    pub places: Vec<f64>,
    /// c: the value is sum c f.
    pub charges: Vec<f64>,
    /// w: the penalty is sum w max(|f| - 1, 0)^2.
    pub weights: Vec<f64>,
}

/// Networks of one shape in training, each for measures of its own.
pub(crate) struct Networks {
    plan: Plan,
    optimiser: Optimiser,
    epochs: usize,
    /// Points of each.
    counts: Vec<usize>,
    schedule: Array,
    arena: Array,
    curve: Array,
    trained: Array,
    /// The shape, and the place and size of each network.
    tables: (Table, Table),
}

impl Networks {
    /// `initial` has the numbers of each network before its points; `schedule` those of
    /// [`super::network::Step::table`].
    pub(crate) fn new(
        engine: &Engine,
        plan: Plan,
        optimiser: Optimiser,
        schedule: &[f64],
        initial: &[Vec<f64>],
        measures: &[&Charges],
    ) -> Result<Self> {
        check_length("the networks", initial.len(), measures.len())?;
        let epochs = schedule.len() / 8;
        let mut places = Vec::with_capacity(2 * measures.len());
        let mut total = 0;
        for (network, charges) in initial.iter().zip(measures) {
            let count = charges.charges.len();
            check_length("a network", network.len(), plan.fixed)?;
            check_length(
                "the points of a network",
                charges.places.len(),
                count * plan.dimension(),
            )?;
            check_length("the weights of a network", charges.weights.len(), count)?;
            places.push(index("the networks", total)?);
            places.push(index("the points of a network", count)?);
            total += plan.numbers(count);
        }
        index("the networks", total)?;
        let arena = initial.iter().zip(measures).flat_map(|(network, measure)| {
            let Charges { places, charges, weights } = measure;
            [network, places, charges, weights].into_iter().flatten().copied()
        });
        Ok(Self {
            counts: measures.iter().map(|measure| measure.charges.len()).collect(),
            schedule: engine.upload("the schedule", schedule)?,
            arena: engine.collect("networks", total, arena)?,
            curve: engine.zeros("values of epochs", 2 * epochs * measures.len())?,
            trained: engine.zeros("trained networks", plan.parameters * measures.len())?,
            tables: (engine.table("layers", &plan.table()?)?, engine.table("networks", &places)?),
            plan,
            optimiser,
            epochs,
        })
    }

    /// Bytes on an engine for networks with so many points each.
    pub(crate) fn bytes(engine: &Engine, plan: &Plan, epochs: usize, counts: &[usize]) -> u64 {
        let numbers =
            counts.iter().map(|count| plan.numbers(*count) + plan.parameters + 2 * epochs);
        engine.bytes_per_number() * numbers.sum::<usize>() as u64
    }

    /// Multiply-adds of an epoch of all networks.
    pub(crate) fn work_of_epoch(&self) -> f64 {
        self.counts.iter().map(|count| self.plan.work_of_step(*count)).sum()
    }

    /// The values and penalties of all epochs, network by network.
    pub(crate) fn curves(&self, engine: &Engine) -> Result<Vec<Vec<[f64; 2]>>> {
        let curve = engine.download(&self.curve)?;
        let curves = curve.chunks(2 * self.epochs);
        Ok(curves.map(|curve| curve.chunks(2).map(|pair| [pair[0], pair[1]]).collect()).collect())
    }

    /// The weights that are applied, and the biases, of the networks that `train` was told to export.
    pub(crate) fn trained(&self, engine: &Engine) -> Result<Vec<Vec<f64>>> {
        let trained = engine.download(&self.trained)?;
        Ok(trained.chunks(self.plan.parameters).map(<[f64]>::to_vec).collect())
    }

    /// All numbers of all networks.
    pub(crate) fn numbers(&self, engine: &Engine) -> Result<Vec<f64>> {
        engine.download(&self.arena)
    }
}

/// Trains all networks through these epochs. In each, over all points of both measures,
///
/// ```text
/// D = sum c f,   B = sum w max(|f| - 1, 0)²,   L = -D + lambda B
/// ```
///
/// (without the penalty where the output is clamped), and one step of Adam on L. With `export`, writes
/// the weights that are applied in the end: of the last network, or of the one with the largest D where
/// the output is clamped.
pub(crate) fn train(
    engine: &Engine,
    networks: &mut Networks,
    epochs: Range<usize>,
    export: bool,
) -> Result<()> {
    let Networks { plan, optimiser, counts, schedule, arena, curve, trained, tables, .. } =
        networks;
    if epochs.end > networks.epochs {
        return Err(Error::parameter("the epochs", epochs.end.to_string(), "beyond the schedule"));
    }
    let Backend::Gpu(gpu) = engine.backend() else {
        let schedule = schedule.host()?;
        let sizes = counts.iter().map(|count| plan.numbers(*count));
        let arenas = split(arena.host_mut()?, sizes);
        let curves = curve.host_mut()?.par_chunks_mut(2 * networks.epochs);
        let trained = trained.host_mut()?.par_chunks_mut(plan.parameters);
        let (plan, optimiser) = (&*plan, &*optimiser);
        engine.run_twin(SHADER.name, || {
            let all = arenas.into_par_iter().zip(curves).zip(trained);
            all.for_each(|((network, curve), trained)| {
                let mut twin = Twin { plan, optimiser, network };
                for epoch in epochs.clone() {
                    let found = twin.epoch(&schedule[8 * epoch..8 * (epoch + 1)], epoch == 0);
                    curve[2 * epoch..2 * (epoch + 1)].copy_from_slice(&found);
                }
                if export {
                    twin.export(trained);
                }
            });
        });
        return Ok(());
    };
    let turns = counts.iter().map(|count| plan.turns_of_epoch(*count)).max().unwrap_or(1);
    let at_once = match gpu.info().kind {
        DeviceKind::Software => SOFTWARE_TURNS / turns,
        _ => epochs.len().max(1),
    };
    if at_once == 0 {
        return Err(Error::Limit {
            what: "an epoch of training".to_owned(),
            needed: turns as u64,
            available: SOFTWARE_TURNS as u64,
            remedy: "this software adapter cuts loops short that take more turns; use --device cpu"
                .to_owned(),
        });
    }
    let constants = constants(plan);
    let mut epoch = epochs.start;
    loop {
        let end = (epoch + at_once).min(epochs.end);
        let finish = export && end == epochs.end;
        let params = params(plan, optimiser, counts.len(), epoch..end, networks.epochs, finish);
        let work = counts.iter().map(|count| plan.work_of_step(*count)).sum::<f64>();
        engine.launch(
            gpu,
            &Launch {
                shader: &SHADER,
                constants: &constants,
                bindings: &[
                    tables.0.buffer()?.into(),
                    tables.1.buffer()?.into(),
                    schedule.buffer()?.into(),
                    arena.buffer()?.into(),
                    curve.buffer()?.into(),
                    trained.buffer()?.into(),
                ],
                immediates: bytemuck::bytes_of(&params),
                workgroups: counts.len() as u64,
                work: work * (end - epoch) as f64 / MULTIPLY_ADDS_PER_EXPONENTIAL,
            },
        )?;
        epoch = end;
        if epoch >= epochs.end {
            return Ok(());
        }
    }
}

fn constants(plan: &Plan) -> [(&'static str, u32); 4] {
    let clamped = u32::from(plan.output == Output::Clamped);
    match plan.constraint {
        Constraint::Spectral => variant(1, 0, 0, clamped),
        Constraint::Orthonormal => variant(0, 1, 0, clamped),
        Constraint::Bjorck { .. } => variant(0, 0, 1, clamped),
    }
}

fn params(
    plan: &Plan,
    optimiser: &Optimiser,
    networks: usize,
    epochs: Range<usize>,
    all_epochs: usize,
    finish: bool,
) -> Params {
    let square = plan.layers.iter().map(|layer| layer.sides().1.pow(2)).max().unwrap_or(0);
    let iterations = match plan.constraint {
        Constraint::Bjorck { iterations } => iterations,
        _ => 0,
    };
    Params {
        networks: networks as u32,
        epoch: epochs.start as u32,
        epochs: epochs.len() as u32,
        all_epochs: all_epochs as u32,
        finish: u32::from(finish),
        layers: plan.layers.len() as u32,
        dimension: plan.dimension() as u32,
        parameters: plan.parameters as u32,
        group: plan.group as u32,
        chunk: plan.chunk as u32,
        fixed: plan.fixed as u32,
        work: plan.work as u32,
        square: square as u32,
        iterations: iterations as u32,
        beta_1: optimiser.beta_1 as f32,
        beta_2: optimiser.beta_2 as f32,
        decay: optimiser.decay as f32,
        clip: optimiser.clip.min(1e30) as f32,
    }
}

/// Cuts a slice into pieces of these sizes.
fn split(mut whole: &mut [f64], sizes: impl Iterator<Item = usize>) -> Vec<&mut [f64]> {
    let mut parts = Vec::new();
    for size in sizes {
        let (part, rest) = whole.split_at_mut(size);
        parts.push(part);
        whole = rest;
    }
    parts
}

/// One network on the CPU.
struct Twin<'a> {
    plan: &'a Plan,
    optimiser: &'a Optimiser,
    network: &'a mut [f64],
}

/// Turns of loops that Mesa's software rasteriser takes in one launch: it leaves all loops without a
/// word once they have taken 65,535 together.
const SOFTWARE_TURNS: usize = 60_000;
/// Points that one thread takes: networks with many more share their gradients out.
const POINTS_AT_ONCE: usize = 512;

impl Twin<'_> {
    /// One epoch: the value and the penalty before its step.
    fn epoch(&mut self, step: &[f64], first: bool) -> [f64; 2] {
        let Self { plan, optimiser, network } = self;
        constrain(plan, network);
        let Sums { value, penalty, gradient } = sums(plan, network, lambda(step, network));
        network[plan.beside(1)].copy_from_slice(&gradient);
        finish_gradients(plan, network);
        note(plan, network, [value, penalty], step[5] as u8, first);
        adam(plan, network, optimiser, step);
        retract(plan, network);
        [value, penalty]
    }

    fn export(&mut self, trained: &mut [f64]) {
        let Self { plan, network, .. } = self;
        if plan.output == Output::Clamped {
            restore_best(plan, network);
        }
        constrain(plan, network);
        applied(plan, network, trained);
    }
}

/// The sums over all points of a network: in parts that do not depend on the number of threads.
fn sums(plan: &Plan, network: &[f64], lambda: f64) -> Sums {
    let (numbers, measures) = network.split_at(plan.fixed);
    let dimension = plan.dimension();
    let count = measures.len() / (dimension + 2);
    let (places, rest) = measures.split_at(count * dimension);
    let (charges, weights) = rest.split_at(count);
    let pass = Pass::new(plan, numbers);
    let parts: Vec<Sums> = charges
        .par_chunks(POINTS_AT_ONCE)
        .zip(weights.par_chunks(POINTS_AT_ONCE))
        .zip(places.par_chunks(POINTS_AT_ONCE * dimension))
        .map(|((charges, weights), places)| {
            let shape = (charges.len(), dimension);
            let places = ArrayView2::from_shape(shape, places).expect("of this size");
            pass.sums(Points { places, charges, weights }, lambda)
        })
        .collect();
    let mut parts = parts.into_iter();
    let mut all = parts.next().expect("a pair has points");
    for part in parts {
        all.value += part.value;
        all.penalty += part.penalty;
        all.gradient.iter_mut().zip(&part.gradient).for_each(|(sum, g)| *sum += g);
    }
    all
}
