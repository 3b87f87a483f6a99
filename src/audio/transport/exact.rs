//! Exact plans between two microphones, by the network simplex.

use rayon::prelude::*;

use super::planner::{Planner, Report};
use super::scene::Scene;
use crate::error::Result;
use crate::linear::exact::exact;
use crate::observer::Observer;

/// Costs that differ by less than this, in squared frames, are the same: the mass is shared.
const TIE: f64 = 1e-9;

/// For every frequency one transport problem with the cost min_k (lag - delay_k)², at most that of the
/// outlier source.
pub(super) struct Exact<'a> {
    pub scenes: &'a [&'a Scene],
    pub outlier: Option<f64>,
}

/// Mass that goes from a frame to a frame.
type Entry = (u32, u32, f64);

/// Which share of each source what goes over a lag has; nothing for what goes to the outlier source.
pub(super) fn shares(lag: i32, delays: &[f64], outlier: Option<f64>) -> Vec<f64> {
    let costs: Vec<f64> = delays.iter().map(|delay| (f64::from(lag) - delay).powi(2)).collect();
    let least = costs.iter().copied().fold(f64::INFINITY, f64::min);
    if outlier.is_some_and(|cost| cost < least) {
        return vec![0.0; delays.len()];
    }
    let nearest: Vec<bool> = costs.iter().map(|cost| *cost <= least + TIE).collect();
    let count = nearest.iter().filter(|near| **near).count() as f64;
    nearest.iter().map(|near| if *near { 1.0 / count } else { 0.0 }).collect()
}

impl Exact<'_> {
    /// The plan of every frequency that is not silent.
    pub(super) fn plans(&self, scene: usize, delays: &[f64]) -> Result<Vec<Vec<Entry>>> {
        let scene = self.scenes[scene];
        let frames = scene.frames as i32;
        let costs: Vec<f64> = (1 - frames..frames)
            .map(|lag| {
                let moved = delays.iter().map(|delay| (f64::from(lag) - delay).powi(2));
                moved.chain(self.outlier).fold(f64::INFINITY, f64::min)
            })
            .collect();
        // Rows of a matrix that depends on the lag alone are windows of all lags.
        let matrix: Vec<f64> = (0..scene.frames)
            .flat_map(|i| &costs[scene.frames - 1 - i..2 * scene.frames - 1 - i])
            .copied()
            .collect();
        (0..scene.frequencies)
            .into_par_iter()
            .map(|f| {
                if scene.masses[f] == 0.0 {
                    return Ok(Vec::new());
                }
                let (first, second) = (scene.column(f, 0), scene.column(f, 1));
                Ok(exact(first, second, &matrix, &mut || false)?.coupling)
            })
            .collect()
    }
}

impl Planner for Exact<'_> {
    fn begin(&mut self, _: f64) -> Result<()> {
        Ok(())
    }

    fn step(
        &mut self,
        plans: &[(usize, Option<&[f64]>)],
        observer: &dyn Observer,
    ) -> Result<Vec<Option<Report>>> {
        let report = |&(scene, delays): &(usize, Option<&[f64]>)| {
            let Some(delays) = delays.filter(|_| !observer.interrupted()) else { return Ok(None) };
            let mut moments = vec![[0.0; 3]; delays.len()];
            let mut unmoved = 0.0;
            for (plan, mass) in self.plans(scene, delays)?.iter().zip(&self.scenes[scene].masses) {
                for &(i, j, part) in plan {
                    let lag = j as i32 - i as i32;
                    let part = part * mass;
                    let shares = shares(lag, delays, self.outlier);
                    unmoved += part * (1.0 - shares.iter().sum::<f64>());
                    for (sums, share) in moments.iter_mut().zip(shares) {
                        let lag = f64::from(lag);
                        sums[0] += share * part;
                        sums[1] += share * part * lag;
                        sums[2] += share * part * lag * lag;
                    }
                }
            }
            let price = self.outlier.map_or(0.0, |cost| cost * unmoved);
            let mut report = Report { moments, objective: 0.0, residual: 0.0, price };
            report.objective = report.cost(delays);
            Ok(Some(report))
        };
        plans.iter().map(report).collect()
    }
}
