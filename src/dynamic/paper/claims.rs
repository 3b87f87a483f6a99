//! What an example shows, as numbers.

use ndarray::{Array1, ArrayViewD, Axis};

use super::Example;
use crate::dynamic::{Domain, Problem, Solution};
use crate::error::Result;

/// What is measured of an example. Times are the start and the middle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Measure {
    /// How far the mean path is from a straight one, in both spaces.
    Bend,
    /// How wide the mass is across the diagonal, in the middle of time beside the start.
    Width,
    /// The mass near the middle of the square in the middle of time.
    Hill,
    /// The mean height in the middle of time beside that at the start.
    Height,
    /// The mean brightness at the start and in the middle of time.
    Brightness,
}

/// Within this distance of the middle mass is on the hill.
const NEAR: f64 = 0.15;

impl Example {
    /// The numbers that the claim is about, each with its name.
    ///
    /// # Errors
    /// As [`Example::map`].
    pub fn measure(
        &self,
        problem: &Problem,
        solution: &Solution,
    ) -> Result<Vec<(&'static str, f64)>> {
        let domain = problem.domain();
        let there = self.map(domain)?;
        let centres: Vec<Vec<f64>> = domain.centres().collect();
        let start = solution.density.index_axis(Axis(0), 0);
        let middle = solution.density.index_axis(Axis(0), domain.steps() / 2);
        let column = |axis: usize| there.values().column(axis).to_vec();
        let mean = |density: &ArrayViewD<'_, f64>, values: &[f64]| {
            let sum: f64 = density.iter().zip(values).map(|(rho, value)| rho * value).sum();
            sum / density.sum()
        };
        // The standard deviation of a coordinate in the middle of time, beside that at the start.
        let widened = |values: &[f64]| {
            let deviation = |density: &ArrayViewD<'_, f64>| {
                let centre = mean(density, values);
                let squares: Vec<f64> =
                    values.iter().map(|value| (value - centre).powi(2)).collect();
                mean(density, &squares).sqrt()
            };
            deviation(&middle) / deviation(&start)
        };
        let across = |pairs: &mut dyn Iterator<Item = (f64, f64)>| -> Vec<f64> {
            pairs.map(|(x, y)| x - y).collect()
        };
        Ok(match self.measure {
            Measure::Bend => vec![
                ("deviation_primary", bend(domain, solution, &centres)),
                ("deviation_other", bend(domain, solution, &rows(&there))),
            ],
            Measure::Width => {
                let own = across(&mut centres.iter().map(|x| (x[0], x[1])));
                let mut numbers = vec![("width_primary", widened(&own))];
                if there.dimension() == 2 {
                    let other = across(&mut column(0).into_iter().zip(column(1)));
                    numbers.push(("width_other", widened(&other)));
                }
                numbers
            }
            Measure::Hill => {
                let near = |x: &Vec<f64>| (x[0] - 0.5).hypot(x[1] - 0.5) < NEAR;
                let there: Vec<f64> =
                    centres.iter().map(|x| f64::from(u8::from(near(x)))).collect();
                vec![("mass_on_the_hill", mean(&middle, &there))]
            }
            Measure::Height => {
                let heights = column(2);
                vec![
                    ("height", mean(&middle, &heights) / mean(&start, &heights)),
                    ("deviation_primary", bend(domain, solution, &centres)),
                ]
            }
            Measure::Brightness => {
                let brightness = column(0);
                vec![
                    ("brightness_start", mean(&start, &brightness)),
                    ("brightness_middle", mean(&middle, &brightness)),
                    ("deviation_primary", bend(domain, solution, &centres)),
                ]
            }
        })
    }
}

fn rows(map: &crate::dynamic::Map) -> Vec<Vec<f64>> {
    map.values().rows().into_iter().map(|row| row.to_vec()).collect()
}

/// The largest distance of the mean position from the straight line between its ends.
fn bend(domain: &Domain, solution: &Solution, positions: &[Vec<f64>]) -> f64 {
    let means: Vec<Array1<f64>> = solution
        .density
        .axis_iter(Axis(0))
        .map(|density| {
            let total = density.sum();
            density.iter().zip(positions).fold(
                Array1::zeros(positions[0].len()),
                |sum: Array1<f64>, (rho, position)| {
                    sum + Array1::from(position.clone()) * (rho / total)
                },
            )
        })
        .collect();
    let (first, last) = (&means[0], &means[domain.steps()]);
    let way = last - first;
    let square = way.dot(&way);
    means
        .iter()
        .map(|mean| {
            let from = mean - first;
            let along = if square > 0.0 { (from.dot(&way) / square).clamp(0.0, 1.0) } else { 0.0 };
            let apart = from - &way * along;
            apart.dot(&apart).sqrt()
        })
        .fold(0.0, f64::max)
}
