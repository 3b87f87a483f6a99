//! Where an iteration starts.

use super::Problem;
use crate::kernels::dynamic::Layout;

/// No momentum, and the density on a straight line in time: it is projected before it is used.
pub(super) fn first_state(problem: &Problem) -> Vec<f64> {
    let [start, end] =
        [&problem.start, &problem.end].map(|density| density.iter().copied().collect::<Vec<_>>());
    straight(&problem.layout(), &start, &end)
}

/// The same between any densities.
pub(super) fn straight(layout: &Layout, start: &[f64], end: &[f64]) -> Vec<f64> {
    let (steps, places) = (layout.grid.time, layout.grid.places());
    let mut state = vec![0.0; layout.numbers()];
    let density = layout.density() * layout.grid.cells();
    for step in 0..steps {
        let time = step as f64 / steps as f64;
        let first = density + step * places;
        let both = start.iter().zip(end);
        for (value, (start, end)) in state[first..first + places].iter_mut().zip(both) {
            *value = (1.0 - time) * start + time * end;
        }
    }
    state
}
