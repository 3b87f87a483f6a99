//! The lags of a plan: kernels around delays, and which source a lag belongs to.

use crate::kernels::audio::LagRow;
use crate::kernels::vector::NOTHING;
use crate::linear::Law;

/// Below exp(-REACH) of the outlier's weight, a kernel ends.
const REACH: f64 = 14.0;
/// Scalings of f32 go up to this cost of the outlier source over epsilon; then logarithms take over.
const MOST_SCALINGS: f64 = 60.0;

/// The kernels of one stage: exp(-(lag - delay)² / epsilon), cut where they do not matter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Band {
    pub epsilon: f64,
    /// What the outlier source costs for a whole tuple of frames.
    pub outlier: Option<f64>,
    pub frames: usize,
    /// No lag is further from a delay; `None`: all lags.
    half: Option<f64>,
}

impl Band {
    /// `outlier` is its cost for every microphone but the first.
    pub(super) fn new(
        epsilon: f64,
        outlier: Option<f64>,
        law: Law,
        microphones: usize,
        frames: usize,
    ) -> Self {
        let outlier = outlier.map(|cost| cost * (microphones - 1) as f64);
        // Where making mass anew is cheaper than any way from afar, nothing comes from there.
        let furthest = match law {
            Law::Tv { rho } => Some(rho * microphones as f64),
            _ => None,
        };
        let furthest = outlier.into_iter().chain(furthest).reduce(f64::min);
        let half = furthest.map(|cost| (cost + REACH * epsilon).sqrt().ceil());
        Self { epsilon, outlier, frames, half }
    }

    /// Whether scalings have to be logarithms.
    pub(super) fn logs(&self) -> bool {
        self.outlier.is_none_or(|cost| cost > MOST_SCALINGS * self.epsilon)
    }

    /// The most lags around so many delays.
    pub(super) fn width(&self, delays: usize) -> usize {
        let all = 2 * self.frames - 1;
        self.half.map_or(all, |half| all.min(delays * (2 * half as usize + 1)))
    }

    /// The sum of the kernels around some delays.
    pub(super) fn row(&self, scene: usize, delays: &[f64]) -> LagRow {
        let last = self.frames as i32 - 1;
        let mut lags: Vec<i32> = match self.half {
            None => (-last..=last).collect(),
            Some(half) => delays
                .iter()
                .flat_map(|delay| {
                    let (low, high) = ((delay - half).ceil(), (delay + half).floor());
                    (low as i32).max(-last)..=(high as i32).min(last)
                })
                .collect(),
        };
        lags.sort_unstable();
        lags.dedup();
        let logs = self.logs();
        let weights = lags
            .iter()
            .map(|lag| {
                let (peak, weights) = self.weights(*lag, delays);
                let sum: f64 = weights.iter().sum();
                if logs { peak + sum.ln() } else { peak.exp() * sum }
            })
            .collect();
        LagRow::new(scene, lags, weights)
    }

    /// Which share of each source what goes over a lag has.
    pub(super) fn shares(&self, lag: i32, delays: &[f64]) -> Vec<f64> {
        let (_, weights) = self.weights(lag, delays);
        let sum: f64 = weights.iter().sum();
        weights.iter().map(|weight| weight / sum).collect()
    }

    /// Kernels around every delay at a lag, all over the largest one, and its logarithm.
    fn weights(&self, lag: i32, delays: &[f64]) -> (f64, Vec<f64>) {
        let score = |delay: &f64| -(f64::from(lag) - delay).powi(2) / self.epsilon;
        let scores = delays.iter().map(score);
        let peak = scores.clone().fold(NOTHING, f64::max);
        (peak, scores.map(|score| (score - peak).exp()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_add_up_and_belong_to_someone() {
        let band = Band::new(0.5, Some(4.0), Law::Fixed, 2, 81);
        assert!(!band.logs());
        let delays = [2.2, -3.4];
        let row = band.row(3, &delays);
        assert_eq!((row.scene, row.lags()[0], *row.lags().last().unwrap()), (3, -7, 6));
        assert!(row.lags().len() <= band.width(2));
        for (lag, weight) in row.lags().iter().zip(row.weights()) {
            let kernel = |delay: f64| (-(f64::from(*lag) - delay).powi(2) / 0.5).exp();
            let sum = kernel(2.2) + kernel(-3.4);
            assert!((weight - sum).abs() <= 1e-14 * sum);
            let shares = band.shares(*lag, &delays);
            assert!((shares[0] - kernel(2.2) / sum).abs() < 1e-14);
            assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-14);
        }
    }

    #[test]
    fn without_a_way_out_all_lags_count() {
        let band = Band::new(0.5, None, Law::Kl { rho: 3.0 }, 2, 10);
        assert!(band.logs());
        assert_eq!(band.row(0, &[1.0]).lags().len(), 19);
        assert_eq!(band.width(2), 19);
        // Far lags have logarithms where the kernel itself is zero in f32 and in f64.
        let far = Band::new(0.01, None, Law::Fixed, 2, 10).row(0, &[1.0, 1.0]);
        assert_eq!(far.weights()[0], 2.0_f64.ln() - 10_000.0);
        let short = Band::new(0.5, None, Law::Tv { rho: 1.0 }, 2, 100);
        assert_eq!(short.width(1), 7);
    }
}
