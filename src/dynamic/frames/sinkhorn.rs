//! The debiased entropic divergence between all neighbouring frames at once.

use crate::dynamic::{Bins, Places};
use crate::engine::{Array, Engine};
use crate::error::Result;
use crate::geometry::{Cost, Geometry, Operator, Side};
use crate::kernels::dynamic::frame_logs::frame_logs;
use crate::kernels::dynamic::frame_update::frame_update;

/// Potentials of all pairs of neighbouring frames, and of each frame with itself, that are kept
/// from one call to the next. All in logarithms and in units of epsilon, against the counting
/// measure: P = exp(f_i + g_j - C_ij / epsilon).
pub(super) struct Sinkhorn {
    epsilon: f64,
    floor: f64,
    /// Frames and points of each.
    frames: usize,
    points: usize,
    between: Operator,
    alone: Operator,
    /// log a, frame after frame.
    logs: Array,
    /// Of the earlier frame of every pair.
    pub f: Array,
    /// Of the later one.
    pub g: Array,
    /// Of every frame with itself.
    pub s: Array,
    message: Array,
    own_message: Array,
}

impl Sinkhorn {
    pub(super) fn new(
        engine: &Engine,
        places: &Places,
        frames: usize,
        epsilon: f64,
        floor: f64,
    ) -> Result<Self> {
        let geometry = geometry(places)?;
        let points = places.len();
        let (pairs, all) = ((frames - 1) * points, frames * points);
        Ok(Self {
            epsilon,
            floor,
            frames,
            points,
            between: Operator::new(engine, &vec![&geometry; frames - 1])?,
            alone: Operator::new(engine, &vec![&geometry; frames])?,
            logs: engine.zeros("logarithms of frames", all)?,
            f: engine.zeros("potentials of frames", pairs)?,
            g: engine.zeros("potentials of frames", pairs)?,
            s: engine.zeros("potentials of frames", all)?,
            message: engine.zeros("messages of frames", pairs)?,
            own_message: engine.zeros("messages of frames", all)?,
        })
    }

    pub(super) fn epsilon(&self) -> f64 {
        self.epsilon
    }

    /// Takes these masses as the frames.
    pub(super) fn set(&mut self, engine: &Engine, masses: &Array) -> Result<()> {
        frame_logs(engine, self.frames, masses, self.floor, &mut self.logs)
    }

    /// A sweep over all pairs.
    pub(super) fn sweep(&mut self, engine: &Engine) -> Result<()> {
        let Self { between, alone, logs, f, g, s, message, own_message, epsilon, points, .. } =
            self;
        between.softmin(engine, Side::Cols, *epsilon, f, message)?;
        frame_update(engine, logs, *points, message, 1.0, g)?;
        between.softmin(engine, Side::Rows, *epsilon, g, message)?;
        frame_update(engine, logs, 0, message, 1.0, f)?;
        alone.softmin(engine, Side::Rows, *epsilon, s, own_message)?;
        frame_update(engine, logs, 0, own_message, 0.5, s)
    }

    /// The sum over all pairs of the divergence: OT(a, b) - (OT(a, a) + OT(b, b)) / 2.
    pub(super) fn value(&self, engine: &Engine) -> Result<f64> {
        let [logs, f, g, s] =
            [&self.logs, &self.f, &self.g, &self.s].map(|array| engine.download(array));
        let (logs, f, g, s) = (logs?, f?, g?, s?);
        let points = self.points;
        // <f - s, a> of the earlier frame, <g - s, a> of the later one.
        let part = |potential: &[f64], first: usize| -> f64 {
            let own = s[first..].iter().zip(&logs[first..]);
            potential.iter().zip(own).map(|(f, (s, log))| (f - s) * log.exp()).sum()
        };
        Ok(self.epsilon * (part(&f, 0) + part(&g, points)))
    }
}

/// Squared distances between all points, as cheap as they come.
fn geometry(places: &Places) -> Result<Geometry> {
    match places {
        Places::Bins(bins) => Ok(Geometry::Separable(
            (0..bins.counts().len()).map(|axis| squared_differences(bins, axis)).collect(),
        )),
        Places::Points(points) => {
            Geometry::points(points.clone(), points.clone(), Cost::SquaredEuclidean)
        }
    }
}

fn squared_differences(bins: &Bins, axis: usize) -> ndarray::Array2<f64> {
    let count = bins.counts()[axis];
    ndarray::Array2::from_shape_fn((count, count), |(i, j)| {
        ((i as f64 - j as f64) * bins.width(axis)).powi(2)
    })
}
