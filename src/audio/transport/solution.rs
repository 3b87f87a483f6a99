//! What separation finds.

use ndarray::{Array2, Array3};

use super::descent::Descent;
use super::masks::Masks;
use super::planner::Delays;
use crate::error::{Error, Result};
use crate::outcome::Outcome;

/// Delays apart from one another by no more than this, in frames, are the same end point.
pub(super) const SAME: f64 = 0.5;

/// Delays and masks of the sources of one recording. Delays are in frames: a source with a delay of
/// 2 at a microphone reaches it two frames later than the first one.
#[derive(Clone, Debug, PartialEq)]
pub struct Solution {
    /// The delays (sources, microphones); zero at the first microphone.
    pub delays: Array2<f64>,
    /// For every microphone, the shares of the sources (sources, frequencies, frames) in what it
    /// heard, from 0 to 1. With those of the outlier source they add up to one.
    pub masks: Vec<Array3<f64>>,
    /// For every microphone, the shares (frequencies, frames) that belong to no source.
    pub outlier: Vec<Array2<f64>>,
    /// What the plans cost when the delays were found, for a recording of mass one, in squared frames:
    /// transport, the outlier source, relaxed marginals; without entropy.
    pub cost: f64,
    /// The value of the problem then, with entropy: its dual value.
    pub objective: f64,
    /// The steps that led to the delays.
    pub trace: Vec<TracePoint>,
    /// All starts and where they led to, the best one first.
    pub seeds: Vec<Seed>,
    /// By how much the next best end point that is another one costs more, relative to the cost of the
    /// best: small where delays are doubtful. None where all starts led to the same delays.
    pub gap: Option<f64>,
    /// How the search of the delays ended: iterations are steps of the descent, the tolerance is that of
    /// how far delays move, in frames. Seconds are those of the whole batch.
    pub outcome: Outcome,
    /// How far the marginals of the plans that the masks are from were from what their laws want.
    pub residual: f64,
    pub(super) power: f64,
}

/// A step of the descent.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "io", derive(serde::Serialize))]
pub struct TracePoint {
    /// Steps done.
    pub iteration: usize,
    /// Seconds since the descents began.
    pub seconds: f64,
    /// The entropic strength; 0 for exact plans.
    pub epsilon: f64,
    /// The value of the problem at the delays before the step: never more than before, at one epsilon
    /// and up to the error of the marginals.
    pub objective: f64,
    /// What the plan costs at the delays after the step, entropy apart.
    pub cost: f64,
}

/// A start and where it led to.
#[derive(Clone, Debug, PartialEq)]
pub struct Seed {
    /// The delays (sources, microphones) that the descent started from.
    pub start: Array2<f64>,
    /// Where it ended.
    pub end: Array2<f64>,
    /// The cost there.
    pub cost: f64,
    /// The delays stopped moving.
    pub converged: bool,
}

/// What becomes of the share of the outlier source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Noise {
    /// It belongs to nobody.
    #[default]
    Removed,
    /// The sources get it, in proportion to their own shares.
    Shared,
}

impl Solution {
    pub(super) fn new(
        mut descents: Vec<Descent>,
        masks: Masks,
        residual: f64,
        power: f64,
        ended: Outcome,
    ) -> Self {
        descents.sort_by(|a, b| a.cost.total_cmp(&b.cost));
        let microphones = masks.sources.len();
        let best = &descents[0];
        let other = descents.iter().find(|end| !same(&end.delays, &best.delays, microphones - 1));
        let gap = other.map(|other| (other.cost - best.cost) / best.cost.max(f64::MIN_POSITIVE));
        let seeds = descents
            .iter()
            .map(|end| Seed {
                start: matrix(&end.start, microphones),
                end: matrix(&end.delays, microphones),
                cost: end.cost,
                converged: end.converged,
            })
            .collect();
        Self {
            delays: matrix(&best.delays, microphones),
            masks: masks.sources,
            outlier: masks.outlier,
            cost: best.cost,
            objective: best.trace.last().map_or(f64::NAN, |point| point.objective),
            trace: best.trace.clone(),
            seeds,
            gap,
            outcome: Outcome { converged: best.converged, iterations: best.trace.len(), ..ended },
            residual,
            power,
        }
    }

    /// The power spectrogram of a source at a microphone: its mask times `power`, what the microphone
    /// heard (frequencies, frames). Masks that were made of spectrograms to a power p are taken to the
    /// power 1/p first. All are counted from zero.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a source or microphone that there is not, [`Error::Shape`] for a
    /// spectrogram of another shape.
    pub fn spectrogram(
        &self,
        source: usize,
        microphone: usize,
        power: &Array2<f64>,
        noise: Noise,
    ) -> Result<Array2<f64>> {
        let (sources, microphones) = self.delays.dim();
        for (name, place, count) in
            [("source", source, sources), ("microphone", microphone, microphones)]
        {
            if place >= count {
                let problem = format!("there is no number {place} of {count}");
                return Err(Error::parameter(name, problem, "count from 0"));
            }
        }
        let (masks, outlier) = (&self.masks[microphone], &self.outlier[microphone]);
        if power.dim() != outlier.dim() {
            let shape = |(frequencies, frames)| format!("{frequencies} x {frames}");
            let (expected, found) = (shape(outlier.dim()), shape(power.dim()));
            return Err(Error::shape("the power spectrogram", expected, found));
        }
        let root = |share: f64| share.powf(1.0 / self.power);
        Ok(Array2::from_shape_fn(power.dim(), |(f, t)| {
            let shares = (0..sources).map(|k| root(masks[[k, f, t]]));
            let nobody = match noise {
                Noise::Removed => root(outlier[[f, t]]),
                Noise::Shared => 0.0,
            };
            let sum = shares.sum::<f64>() + nobody;
            let share = if sum > 0.0 { root(masks[[source, f, t]]) / sum } else { 0.0 };
            share * power[[f, t]]
        }))
    }
}

/// Delays with a column of zeros in front.
pub(super) fn matrix(delays: &[f64], microphones: usize) -> Array2<f64> {
    let leaves = microphones - 1;
    Array2::from_shape_fn((delays.len() / leaves, microphones), |(source, microphone)| {
        if microphone == 0 { 0.0 } else { delays[source * leaves + microphone - 1] }
    })
}

/// Delays without the first column, each within plus and minus `largest`.
pub(super) fn flat(delays: &Array2<f64>, largest: f64) -> Delays {
    let later = delays.indexed_iter().filter(|((_, microphone), _)| *microphone > 0);
    later.map(|(_, delay)| delay.clamp(-largest, largest)).collect()
}

/// Whether two sets of delays are the same but for the order of the sources.
fn same(a: &[f64], b: &[f64], leaves: usize) -> bool {
    let mut left: Vec<&[f64]> = b.chunks(leaves).collect();
    a.chunks(leaves).all(|one| {
        let near = |other: &&[f64]| one.iter().zip(*other).all(|(x, y)| (x - y).abs() <= SAME);
        match left.iter().position(near) {
            Some(place) => {
                left.swap_remove(place);
                true
            }
            None => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_sources_is_no_difference() {
        assert!(same(&[1.0, 5.0], &[5.1, 0.9], 1));
        assert!(!same(&[1.0, 5.0], &[5.1, 5.0], 1));
        assert!(!same(&[1.0, 5.0], &[5.0, 1.0], 2));
        assert_eq!(matrix(&[1.0, 5.0], 3), ndarray::array![[0.0, 1.0, 5.0]]);
    }
}
