//! Which share of what a microphone heard belongs to which source.

use ndarray::{Array2, Array3};
use rayon::prelude::*;

use super::band::Band;
use super::exact::{Exact, shares};
use super::scene::Scene;
use crate::error::Result;
use crate::kernels::audio::{LagRow, Star, outlier_weight};
use crate::kernels::vector::{NEARLY_NOTHING, NOTHING};

/// Ratio masks, for every microphone: (sources, frequencies, frames), and (frequencies, frames) of the
/// outlier source. They add up to one.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Masks {
    pub sources: Vec<Array3<f64>>,
    pub outlier: Vec<Array2<f64>>,
}

/// The shares of all sources, then of the outlier source, at one frequency: (microphones, sources + 1,
/// frames).
type Shares = Vec<f64>;

impl Masks {
    /// From the scalings (frequencies, microphones, frames) of a plan.
    pub(super) fn from_scalings(
        scene: &Scene,
        band: &Band,
        delays: &[f64],
        scalings: &[f64],
    ) -> Self {
        let rows: Vec<LagRow> = delays.iter().map(|delay| band.row(0, &[*delay])).collect();
        let all: Vec<Shares> = scalings
            .par_chunks(scene.microphones * scene.frames)
            .zip(&scene.masses)
            .map(|(scalings, mass)| match (*mass > 0.0, band.logs()) {
                (false, _) => Vec::new(),
                (true, true) => star_shares::<true>(scene, band, &rows, scalings),
                (true, false) => star_shares::<false>(scene, band, &rows, scalings),
            })
            .collect();
        Self::collect(scene, delays.len() / (scene.microphones - 1), &all)
    }

    /// From exact plans.
    pub(super) fn from_exact(planner: &Exact<'_>, scene: usize, delays: &[f64]) -> Result<Self> {
        let plans = planner.plans(scene, delays)?;
        let (scene, sources) = (planner.scenes[scene], delays.len());
        let frames = scene.frames;
        let all: Vec<Shares> = plans
            .iter()
            .map(|plan| {
                let mut masses = vec![0.0; 2 * (sources + 1) * frames];
                for &(i, j, mass) in plan {
                    let mut parts = shares(j as i32 - i as i32, delays, planner.outlier);
                    parts.push(1.0 - parts.iter().sum::<f64>());
                    for (source, part) in parts.iter().enumerate() {
                        masses[source * frames + i as usize] += part * mass;
                        masses[(sources + 1 + source) * frames + j as usize] += part * mass;
                    }
                }
                normalise::<false>(&mut masses, sources, frames);
                masses
            })
            .collect();
        Ok(Self::collect(scene, sources, &all))
    }

    /// Masks from the shares of every frequency; silence, which has none, is split evenly.
    fn collect(scene: &Scene, sources: usize, all: &[Shares]) -> Self {
        let Scene { frequencies, microphones, frames, .. } = *scene;
        let at = |microphone: usize, source: usize, f: usize, t: usize| -> Option<f64> {
            all[f].get((microphone * (sources + 1) + source) * frames + t).copied()
        };
        let even = 1.0 / sources as f64;
        let masks = |l: usize| {
            Array3::from_shape_fn((sources, frequencies, frames), |(source, f, t)| {
                at(l, source, f, t).unwrap_or(even)
            })
        };
        let outlier = |l: usize| {
            Array2::from_shape_fn((frequencies, frames), |(f, t)| {
                at(l, sources, f, t).unwrap_or(0.0)
            })
        };
        Self {
            sources: (0..microphones).map(masks).collect(),
            outlier: (0..microphones).map(outlier).collect(),
        }
    }
}

/// Turns what sources make of a frame into shares; where there is nothing, it is split evenly among
/// all sources.
fn normalise<const LOGS: bool>(values: &mut [f64], sources: usize, frames: usize) {
    for values in values.chunks_mut((sources + 1) * frames) {
        for t in 0..frames {
            let mut column: Vec<f64> = values.iter().skip(t).step_by(frames).copied().collect();
            if LOGS {
                let peak = column.iter().copied().fold(NOTHING, f64::max);
                let nothing = peak < NEARLY_NOTHING;
                let plain = |value: &f64| if nothing { 0.0 } else { (value - peak).exp() };
                column = column.iter().map(plain).collect();
            }
            let sum: f64 = column.iter().sum();
            for (source, value) in column.iter().enumerate() {
                let even = if source < sources { 1.0 / sources as f64 } else { 0.0 };
                values[source * frames + t] = if sum > 0.0 { value / sum } else { even };
            }
        }
    }
}

/// The shares at one frequency, from its scalings (microphones, frames): what sources make of a frame,
/// without the frame's own scaling.
fn star_shares<const LOGS: bool>(
    scene: &Scene,
    band: &Band,
    rows: &[LagRow],
    scalings: &[f64],
) -> Shares {
    let Scene { microphones, frames, .. } = *scene;
    let sources = rows.len() / (microphones - 1);
    let outlier = band.outlier.map(|cost| outlier_weight(LOGS, Some(cost / band.epsilon)));
    let mut star = Star::new::<LOGS>(rows, outlier, frames, scalings);
    star.send_all::<LOGS, false>();
    let mut shares = Vec::with_capacity(microphones * (sources + 1) * frames);
    for microphone in 0..microphones {
        for source in 0..sources {
            let made = match microphone {
                0 => star.at_centre::<LOGS>(source),
                _ => star.at_leaf::<LOGS, false>(source, microphone - 1),
            };
            shares.extend(&made[..frames]);
        }
        shares.extend(std::iter::repeat_n(star.background::<LOGS>(microphone), frames));
    }
    normalise::<LOGS>(&mut shares, sources, frames);
    shares
}
