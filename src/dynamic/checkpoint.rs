//! What a long solve needs to go on later, bit for bit.

use ndarray::{Array1, ArrayD};

use super::joint_law::JointLaw;
use super::run::Run;
use super::space::Tie;
use super::system::System;
use super::{Problem, Residuals, TracePoint};
use crate::engine::Engine;
use crate::error::{Error, Result};

/// Takes a checkpoint.
pub type Keeper<'a> = &'a mut dyn FnMut(&Checkpoint) -> Result<()>;

/// Everything that a solve needs to go on: arrays by name, as `gaspard::io::npz` writes and reads
/// them.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    arrays: Vec<(String, ArrayD<f64>)>,
}

const IDENTITY: &str = "identity";
const ITERATION: &str = "iteration";
const PACE: &str = "pace";
const TRACE: &str = "trace";
/// Numbers of a point of the trace.
const POINT: usize = 7;

impl Checkpoint {
    /// From its arrays.
    pub fn from_arrays(arrays: Vec<(String, ArrayD<f64>)>) -> Self {
        Self { arrays }
    }

    /// Its arrays, by name.
    pub fn arrays(&self) -> &[(String, ArrayD<f64>)] {
        &self.arrays
    }

    fn find(&self, name: &str) -> Option<Vec<f64>> {
        let found = self.arrays.iter().find(|(other, _)| other == name);
        found.map(|(_, values)| values.iter().copied().collect())
    }

    /// The arrays `name_0`, `name_1` and so on.
    pub(super) fn parts(&self, name: &str) -> Vec<Vec<f64>> {
        (0..).map_while(|part| self.find(&format!("{name}_{part}"))).collect()
    }

    /// Refuses a checkpoint of something else.
    pub(super) fn check(&self, identity: &[f64]) -> Result<()> {
        if self.find(IDENTITY).as_deref() == Some(identity) {
            return Ok(());
        }
        Err(Error::data(
            "the checkpoint",
            "it is of another problem, or of another kind of device",
            "resume with the densities, grid, spaces, weights and device that it was made with",
        ))
    }
}

/// What counts something, and nothing else.
pub(super) fn count(number: f64) -> Option<usize> {
    let is_count = number.fract() == 0.0 && (0.0..2f64.powi(53)).contains(&number);
    is_count.then_some(number as usize)
}

impl Run {
    pub(super) fn checkpoint(&self, identity: &[f64], system: &System) -> Result<Checkpoint> {
        let mut all = system.save()?;
        all.push((IDENTITY.to_owned(), identity.to_vec()));
        all.push((ITERATION.to_owned(), vec![self.iteration as f64]));
        all.push((PACE.to_owned(), self.pace.save()));
        let points = self.trace.iter().flat_map(|point| {
            let TracePoint { iteration, seconds, total, residuals } = *point;
            let Residuals { consistency, stationarity, gap, coupling } = residuals;
            let [gap, coupling] = [gap, coupling].map(|number| number.unwrap_or(f64::NAN));
            [iteration as f64, seconds, total, consistency, stationarity, gap, coupling]
        });
        all.push((TRACE.to_owned(), points.collect()));
        let arrays = all.into_iter().map(|(name, values)| (name, Array1::from(values).into_dyn()));
        Ok(Checkpoint { arrays: arrays.collect() })
    }

    pub(super) fn restore(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        let damaged = || {
            Error::data(
                "the checkpoint",
                "numbers are missing or wrong in it",
                "start without --resume",
            )
        };
        let find = |name: &str| checkpoint.find(name).ok_or_else(damaged);
        let &[iteration] = find(ITERATION)?.as_slice() else { return Err(damaged()) };
        self.iteration = count(iteration).ok_or_else(damaged)?;
        if !self.pace.restore(&find(PACE)?) {
            return Err(damaged());
        }
        let known = |number: f64| Some(number).filter(|number| !number.is_nan());
        let point = |numbers: &[f64]| {
            Some(TracePoint {
                iteration: count(numbers[0])?,
                seconds: numbers[1],
                total: numbers[2],
                residuals: Residuals {
                    consistency: numbers[3],
                    stationarity: numbers[4],
                    gap: known(numbers[5]),
                    coupling: known(numbers[6]),
                },
            })
        };
        let trace = find(TRACE)?;
        if !trace.len().is_multiple_of(POINT) {
            return Err(damaged());
        }
        let trace = trace.chunks_exact(POINT).map(point).collect::<Option<_>>();
        self.trace = trace.ok_or_else(damaged)?;
        Ok(())
    }
}

impl Problem {
    /// Numbers that tell problems apart, with the precision of the device that solves them.
    pub(super) fn identity(&self, metric: &[f64], engine: &Engine) -> Vec<f64> {
        let layout = self.layout();
        let mut numbers = vec![engine.unit_roundoff(), self.reaction.unwrap_or(0.0), self.scale];
        numbers.extend(layout.grid.lengths().iter().map(|length| *length as f64));
        numbers.extend(&layout.rates);
        numbers.extend([layout.fields as f64, layout.components() as f64]);
        numbers.extend([digest(self.start.iter()), digest(self.end.iter()), digest(metric.iter())]);
        for (space, beta) in &self.spaces {
            numbers.push(*beta);
            match &space.tie {
                Tie::Particles | Tie::Density => {}
                Tie::Coupled { law, bins } => {
                    numbers.extend(digest_of_law(law));
                    numbers.push(digest(bins.centres().iter()));
                }
                Tie::Frames(frames) => {
                    numbers.extend(digest_of_law(&frames.law));
                    numbers.push(digest(frames.places.points().iter()));
                    numbers.extend([frames.stride as f64, frames.sweeps as f64]);
                    numbers.extend([frames.floor_or_default(), frames.epsilon_or_default()]);
                }
            }
        }
        numbers
    }
}

/// What each cell is sent to, and with which weight.
fn digest_of_law(law: &JointLaw) -> [f64; 3] {
    let sparse = law.on_masses().0;
    let numbers = |all: &[u32]| all.iter().map(|number| f64::from(*number)).collect::<Vec<_>>();
    let (starts, columns) = (numbers(&sparse.starts), numbers(&sparse.columns));
    [digest(starts.iter()), digest(columns.iter()), digest(sparse.weights.iter())]
}

/// A number that changes with any bit of the values and with their order (FNV-1a), with as many bits
/// as an f64 keeps.
fn digest<'a>(values: impl Iterator<Item = &'a f64>) -> f64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in values.flat_map(|value| value.to_bits().to_le_bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    (hash >> 12) as f64
}
