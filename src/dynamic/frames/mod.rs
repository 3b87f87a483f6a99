//! What it costs to move the density of another space from frame to frame.

mod exact;
mod line;
mod sinkhorn;

pub(super) use exact::exact_cost;

use line::LineTransport;
use sinkhorn::Sinkhorn;

use super::space::Frames;
use crate::engine::{Array, Engine};
use crate::error::{Error, Result};
use crate::kernels::dynamic::Layout;
use crate::kernels::dynamic::frame_logs::probabilities;
use crate::kernels::dynamic::law_product::{Planes, Source, SparseArray, Sum, law_product};

/// Sweeps between two looks at the value when potentials are to settle, and how many looks.
const SETTLING_SWEEPS: usize = 20;
const SETTLING_LOOKS: usize = 50;
/// Potentials have settled when the value changes by less than this share of it.
const SETTLED: f64 = 1e-5;

/// The cost of one space on an engine.
pub(super) struct FrameCost {
    engine: Engine,
    beta: f64,
    /// Steps of time from a frame to the next.
    stride: usize,
    /// Frames, the first and the last included.
    frames: usize,
    sweeps: usize,
    floor: f64,
    onto: SparseArray,
    given: SparseArray,
    /// S rho, frame after frame.
    masses: Array,
    kind: Kind,
}

enum Kind {
    /// Bins of this width along one axis: transport is exact, and on the host.
    Line {
        width: f64,
        potentials: Array,
        value: f64,
    },
    Entropic(Box<Sinkhorn>),
}

impl FrameCost {
    pub(super) fn new(engine: &Engine, frames: &Frames, beta: f64, steps: usize) -> Result<Self> {
        let (onto, given) = frames.law.on_masses();
        let count = steps / frames.stride + 1;
        let points = frames.places.len();
        let floor = frames.floor_or_default();
        engine.require(
            "the other space",
            onto.bytes(engine)
                + given.bytes(engine)
                + 8 * (count * points) as u64 * engine.bytes_per_number(),
            "use fewer points, or frames further apart (stride)",
        )?;
        let kind = match frames.on_a_line() {
            Some(bins) => Kind::Line {
                width: bins.width(0),
                potentials: engine.zeros("potentials of frames", count * points)?,
                value: 0.0,
            },
            None => {
                let epsilon = frames.epsilon_or_default();
                let sinkhorn = Sinkhorn::new(engine, &frames.places, count, epsilon, floor)?;
                Kind::Entropic(Box::new(sinkhorn))
            }
        };
        Ok(Self {
            beta,
            stride: frames.stride,
            frames: count,
            sweeps: frames.sweeps,
            floor,
            onto: onto.upload(engine)?,
            given: given.upload(engine)?,
            masses: engine.zeros("frames", count * points)?,
            kind,
            engine: engine.clone(),
        })
    }

    fn points(&self) -> usize {
        self.masses.len() / self.frames
    }

    /// Takes the frames from a state: S rho at every so many nodes of time.
    pub(super) fn look(&mut self, layout: &Layout, state: &Array, end: &Array) -> Result<()> {
        let (places, points) = (layout.grid.places(), self.points());
        let first = layout.density() * layout.grid.cells();
        let planes = Planes { first, stride: self.stride * places };
        let mut onto = |count: usize, source: Source<'_>, first: usize| {
            let place = Planes { first, stride: points };
            let sum = Sum::fresh(1.0);
            law_product(&self.engine, &self.onto, count, source, None, sum, place, &mut self.masses)
        };
        onto(self.frames - 1, Source::plain(state, planes), 0)?;
        let last = Source::plain(end, Planes { first: 0, stride: places });
        onto(1, last, (self.frames - 1) * points)?;
        match &mut self.kind {
            Kind::Line { .. } => Ok(()),
            Kind::Entropic(sinkhorn) => sinkhorn.set(&self.engine, &self.masses),
        }
    }

    /// Adds the derivative of the cost by the density, in units of the cells of space and time, at
    /// the frames inside that [`FrameCost::look`] took.
    pub(super) fn add_gradient(&mut self, layout: &Layout, out: &mut Array) -> Result<()> {
        let points = self.points();
        let inner = self.frames - 2;
        let rate = layout.rates[0];
        let factor = self.beta * rate * rate / self.stride as f64 * (1.0 - self.floor);
        let stride = self.stride * layout.grid.places();
        let place = Planes { first: stride, stride };
        let (engine, given) = (&self.engine, &self.given);
        let mut add = |potentials: &Array, frame: usize, factor: f64| {
            let planes = Planes { first: frame * points, stride: points };
            let source = Source::plain(potentials, planes);
            law_product(engine, given, inner, source, None, Sum::added(factor), place, out)
        };
        match &mut self.kind {
            Kind::Line { width, potentials, value } => {
                let masses = engine.download(&self.masses)?;
                let (sum, found) = line_potentials(&masses, points, *width, self.floor);
                *value = sum;
                engine.write(potentials, &found)?;
                add(potentials, 1, factor)
            }
            Kind::Entropic(sinkhorn) => {
                for _ in 0..self.sweeps {
                    sinkhorn.sweep(engine)?;
                }
                // epsilon (f_k + g_k-1 - 2 s_k): of the pairs before and after frame k.
                let factor = factor * sinkhorn.epsilon();
                add(&sinkhorn.f, 1, factor)?;
                add(&sinkhorn.g, 0, factor)?;
                add(&sinkhorn.s, 1, -2.0 * factor)
            }
        }
    }

    /// The cost without its weight, by the potentials as they are.
    pub(super) fn value(&self, rate: f64) -> Result<f64> {
        let sum = match &self.kind {
            Kind::Line { value, .. } => *value,
            Kind::Entropic(sinkhorn) => sinkhorn.value(&self.engine)?,
        };
        Ok(sum * rate / self.stride as f64)
    }

    /// The cost of the frames that were taken, without its weight, by potentials that have settled;
    /// `stop` is asked before each sweep.
    pub(super) fn settled_value(&mut self, rate: f64, stop: &dyn Fn() -> bool) -> Result<f64> {
        match &mut self.kind {
            Kind::Line { width, value, .. } => {
                let points = self.masses.len() / self.frames;
                let masses = self.engine.download(&self.masses)?;
                *value = line_potentials(&masses, points, *width, self.floor).0;
            }
            Kind::Entropic(sinkhorn) => {
                let mut before = f64::INFINITY;
                for _ in 0..SETTLING_LOOKS {
                    for _ in 0..SETTLING_SWEEPS {
                        if stop() {
                            return self.value(rate);
                        }
                        sinkhorn.sweep(&self.engine)?;
                    }
                    let now = sinkhorn.value(&self.engine)?;
                    if (now - before).abs() <= SETTLED * now.abs() {
                        break;
                    }
                    before = now;
                }
            }
        }
        self.value(rate)
    }

    pub(super) fn beta(&self) -> f64 {
        self.beta
    }

    /// What has to be kept for a solve to go on from here.
    pub(super) fn save(&self) -> Result<Vec<Vec<f64>>> {
        match &self.kind {
            Kind::Line { .. } => Ok(Vec::new()),
            Kind::Entropic(sinkhorn) => [&sinkhorn.f, &sinkhorn.g, &sinkhorn.s]
                .into_iter()
                .map(|array| self.engine.download(array))
                .collect(),
        }
    }

    /// Takes up what [`FrameCost::save`] kept.
    pub(super) fn restore(&mut self, saved: &[Vec<f64>]) -> Result<()> {
        let expected = if matches!(self.kind, Kind::Line { .. }) { 0 } else { 3 };
        if saved.len() != expected {
            let found = saved.len().to_string();
            return Err(Error::shape("saved potentials", expected.to_string(), found));
        }
        if let Kind::Entropic(sinkhorn) = &mut self.kind {
            let Sinkhorn { f, g, s, .. } = &mut **sinkhorn;
            for (array, values) in [f, g, s].into_iter().zip(saved) {
                crate::kernels::check_length("saved potentials", values.len(), array.len())?;
                self.engine.write(array, values)?;
            }
        }
        Ok(())
    }
}

/// The sum of W² over all pairs, and what both pairs of a frame say of it, frame after frame.
fn line_potentials(masses: &[f64], points: usize, width: f64, floor: f64) -> (f64, Vec<f64>) {
    let frames: Vec<Vec<f64>> = masses
        .chunks(points)
        .map(|frame| {
            let mut frame = frame.to_vec();
            probabilities(&mut frame, floor);
            frame
        })
        .collect();
    let mut potentials = vec![0.0; masses.len()];
    let mut sum = 0.0;
    for (pair, ends) in frames.windows(2).enumerate() {
        let LineTransport { value, potential_a, potential_b } =
            line::transport(&ends[0], &ends[1], width);
        sum += value;
        let both = potentials[pair * points..].iter_mut();
        both.zip(potential_a.iter().chain(&potential_b)).for_each(|(sum, part)| *sum += part);
    }
    (sum, potentials)
}
