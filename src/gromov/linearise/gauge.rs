//! Potentials moved into stored costs.
//!
//! Costs and potentials are thousands of epsilons while their difference, the logarithm of the
//! plan, is a few dozen: in f32 the potentials would be rounded by more than marginals may be off.
//! A function of one end of an edge may be added to its costs and to the potential there: with the messages of the last solve as that function, all that is still added up at the
//! ends is small, and only entries of the costs are rounded, the same way for whoever reads them.

use crate::kernels::NEARLY_NOTHING;

/// What the costs of an edge have in them beside the linearised ones: rows and columns, problem
/// after problem, in the units of costs.
#[derive(Clone)]
pub(super) struct Gauge {
    current: [Vec<f64>; 2],
    /// Of the costs around the last plan.
    fresh: [Vec<f64>; 2],
}

impl Gauge {
    /// Nothing, for ends with so many points in all problems.
    pub(super) fn none(points: [usize; 2]) -> Self {
        let zero = points.map(|points| vec![0.0; points]);
        Self { current: zero.clone(), fresh: zero }
    }

    pub(super) fn current(&self, side: usize) -> &[f64] {
        &self.current[side]
    }

    pub(super) fn fresh(&self, side: usize) -> &[f64] {
        &self.fresh[side]
    }

    /// The fresh gauge of a side is the current one and these changes.
    pub(super) fn refresh(&mut self, side: usize, changes: &[f64]) {
        let all = self.current[side].iter().zip(changes);
        self.fresh[side] = all.map(|(current, change)| current + change).collect();
    }

    /// Moves each problem's gauge by its share towards the fresh one.
    pub(super) fn step(&mut self, shares: &[f64]) {
        for (current, fresh) in self.current.iter_mut().zip(&self.fresh) {
            let points = current.len() / shares.len();
            let problems = current.chunks_mut(points).zip(fresh.chunks(points)).zip(shares);
            for ((current, fresh), share) in problems {
                let both = current.iter_mut().zip(fresh);
                both.for_each(|(current, fresh)| *current += share * (fresh - *current));
            }
        }
    }
}

/// What should be added to the gauges of a node's edges for the messages that they bring, in units
/// of epsilon. Where a potential makes up for it, all of the message; elsewhere the gauges of a
/// node have to cancel, and what the messages have in common stays.
pub(super) fn changes(messages: &mut [Vec<f64>], potential_follows: bool, epsilon: f64) {
    let points = messages.first().map_or(0, Vec::len);
    for point in 0..points {
        let reached = messages.iter().all(|message| message[point] > NEARLY_NOTHING);
        let sum: f64 = messages.iter().map(|message| message[point]).sum();
        let common = if potential_follows { 0.0 } else { sum / messages.len() as f64 };
        for message in messages.iter_mut() {
            message[point] = if reached { epsilon * (message[point] - common) } else { 0.0 };
        }
    }
}
