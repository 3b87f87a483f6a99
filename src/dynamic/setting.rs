//! The fixed parts of a space with a grid of its own.

use super::space::Tie;
use super::{Bins, JointLaw, Problem, Space};
use crate::kernels::dynamic::{Layout, SpaceTime};

/// The least metric of a space whose weight is zero, so that its paraboloid does not degenerate.
const LEAST_METRIC: f64 = 1e-3;

/// Its grid, metric and ends.
pub(super) struct Setting {
    pub layout: Layout,
    /// Moving a unit of mass costs this much of what it costs in the primary space.
    pub weight: f64,
    pub metric: Vec<f64>,
    pub start: Vec<f64>,
    pub end: Vec<f64>,
}

impl Setting {
    /// `None` for a space without a grid of its own.
    pub(super) fn of(problem: &Problem, space: &Space, beta: f64) -> Option<Self> {
        match &space.tie {
            Tie::Coupled { law, bins } => Some(Self::new(problem, law, bins, beta)),
            Tie::Particles | Tie::Density | Tie::Frames(_) => None,
        }
    }

    fn new(problem: &Problem, law: &JointLaw, bins: &Bins, beta: f64) -> Self {
        let domain = &problem.domain;
        let cells = [domain.steps()].into_iter().chain(bins.counts().iter().copied());
        let sides = [1.0].into_iter().chain(bins.sides());
        let layout = Layout {
            grid: SpaceTime { time: domain.steps(), space: bins.counts().to_vec() },
            rates: cells.zip(sides).map(|(cells, side)| cells as f64 / side).collect(),
            fields: 1,
            source: false,
        };
        // Costs are summed over the cells of either grid: a unit of mass is as many cells' worth.
        let places = layout.grid.places();
        let weight = (beta * law.cells() as f64 / places as f64).max(LEAST_METRIC);
        let dimension = layout.dimension();
        let mut metric = vec![weight; dimension * places];
        if dimension > 1 {
            for number in 0..dimension * dimension {
                let diagonal = number / dimension == number % dimension;
                metric.extend(vec![f64::from(u8::from(diagonal)); places]);
            }
        }
        let (onto, _) = law.on_densities();
        let through = |density: &ndarray::ArrayD<f64>| {
            onto.times(&density.iter().copied().collect::<Vec<_>>())
        };
        Self { layout, weight, metric, start: through(&problem.start), end: through(&problem.end) }
    }
}
