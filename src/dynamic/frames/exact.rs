//! The cost of frames by exact transport.

use super::line;
use crate::dynamic::Places;
use crate::error::Result;
use crate::kernels::dynamic::frame_logs::probabilities;
use crate::linear::exact::exact;

/// Of a uniform histogram, so that no bin is empty: it moves the cost by as little.
const FLOOR: f64 = 1e-9;

/// The sum of W² over all neighbouring frames, of masses of the places; `None` if it was cancelled.
pub(in crate::dynamic) fn exact_cost(
    places: &Places,
    frames: &[Vec<f64>],
    cancel: &mut dyn FnMut() -> bool,
) -> Result<Option<f64>> {
    if let Places::Bins(bins) = places
        && bins.counts().len() == 1
    {
        let frames: Vec<Vec<f64>> = frames
            .iter()
            .map(|frame| {
                let mut frame = frame.clone();
                probabilities(&mut frame, FLOOR);
                frame
            })
            .collect();
        let pairs = frames.windows(2);
        let costs = pairs.map(|pair| line::transport(&pair[0], &pair[1], bins.width(0)).value);
        return Ok(Some(costs.sum()));
    }
    let points = places.points();
    let mut sum = 0.0;
    for pair in frames.windows(2) {
        // What is left to converge may be a little below zero.
        let positive = |frame: &[f64]| -> (Vec<usize>, Vec<f64>) {
            let there = frame.iter().copied().enumerate().filter(|(_, mass)| *mass > 0.0);
            let (indices, masses): (Vec<usize>, Vec<f64>) = there.unzip();
            let total: f64 = masses.iter().sum();
            (indices, masses.into_iter().map(|mass| mass / total).collect())
        };
        let ((rows, a), (cols, b)) = (positive(&pair[0]), positive(&pair[1]));
        let mut costs = Vec::with_capacity(rows.len() * cols.len());
        for &row in &rows {
            let here = points.row(row);
            costs.extend(cols.iter().map(|&col| {
                let there = points.row(col);
                here.iter().zip(there).map(|(x, y)| (x - y) * (x - y)).sum::<f64>()
            }));
        }
        let plan = exact(&a, &b, &costs, cancel)?;
        if !plan.optimal {
            return Ok(None);
        }
        sum += plan.value;
    }
    Ok(Some(sum))
}
