//! The multichannel cross-correlation coefficient.

use nalgebra::DMatrix;
use ndarray::{Array2, Axis};
use rayon::prelude::*;
use rustfft::num_complex::Complex64;

use super::pairs::Pairs;
use crate::audio::correlation::Correlation;
use crate::audio::delays::{self, DelaySearch};
use crate::audio::recording::Recording;
use crate::error::{Error, Result};

/// Steps in a sample.
const UPSAMPLING: usize = 4;

/// Start points of the ascent that are tried at most.
const MOST_STARTS: usize = 50_000;

/// Rounds over all microphones; a few are enough.
const MOST_ROUNDS: usize = 20;

/// The delays (source, microphone) in samples at which the microphones, shifted by them, are most
/// correlated all together:
///
/// ```text
/// 1 - det [ rho_lm(tau^(m) - tau^(l)) ]_lm,   rho_lm(d) = sum_n x_l[n] x_m[n + d] / (|x_l| |x_m|)
/// ```
///
/// (Benesty, Chen and Huang 2004). At two microphones that is rho², whose K highest peaks are taken
/// as in [`gcc_phat`](super::gcc_phat()). At more, vectors of delays ascend, one delay after the
/// other, from all combinations of the K peaks of the pairs with microphone 1, no further than half
/// of `min_distance`. The best ones are taken that differ from each other by more than
/// `min_distance` at every microphone, or where these are too few at some. Where a source is much
/// louder at some microphones than at others, a vector with delays of several sources can score
/// best.
///
/// # Errors
/// As [`gcc_phat`](super::gcc_phat()), and [`Error::Parameter`] where there are too many
/// combinations.
pub fn mccc(recording: &Recording, search: &DelaySearch) -> Result<Array2<f64>> {
    search.check(recording)?;
    let (count, microphones) = (search.sources, recording.microphones());
    let energies: Vec<f64> =
        recording.channels().rows().into_iter().map(|row| row.dot(&row)).collect();
    let pairs = Pairs::new(recording, search.max_lag, plain);
    let peaks: Vec<Vec<f64>> = (1..microphones)
        .map(|microphone| {
            let found =
                pairs.get(0, microphone).map(|rho| rho * rho).peaks(count, search.min_distance);
            if found.len() < count {
                Err(search.too_few(microphone, found.len()))
            } else {
                Ok(found)
            }
        })
        .collect::<Result<_>>()?;
    let ordered = |found: Array2<f64>| found.select(Axis(0), &delays::order(found.view()));
    if microphones == 2 {
        let delay = |(k, l): (usize, usize)| if l == 0 { 0.0 } else { peaks[0][k] };
        return Ok(ordered(Array2::from_shape_fn((count, 2), delay)));
    }
    let starts = u32::try_from(microphones - 1).ok().and_then(|power| count.checked_pow(power));
    let Some(starts) = starts.filter(|starts| *starts <= MOST_STARTS) else {
        let problem = format!("{count} at {microphones} microphones");
        return Err(Error::parameter("sources", problem, "use fewer microphones, or gcc_phat"));
    };
    let score = Score { pairs, energies };
    let mut candidates: Vec<(f64, Vec<f64>)> = (0..starts)
        .into_par_iter()
        .map(|start| {
            let mut rest = start;
            let mut delays = vec![0.0];
            for found in &peaks {
                delays.push(found[rest % count]);
                rest /= count;
            }
            score.ascend(delays, 0.5 * search.min_distance)
        })
        .collect();
    candidates.sort_by(|a, b| b.0.total_cmp(&a.0));
    let chosen = chosen(&candidates, count, search.min_distance);
    if chosen.len() < count {
        return Err(search.too_few(microphones - 1, chosen.len()));
    }
    Ok(ordered(Array2::from_shape_fn((count, microphones), |(k, l)| chosen[k][l])))
}

/// Cross-correlations without a weight.
fn plain(x: &[Complex64], y: &[Complex64], length: usize) -> Correlation {
    let cross = x.iter().zip(y).map(|(x, y)| y * x.conj()).collect();
    Correlation::new(cross, length, UPSAMPLING)
}

/// The best vectors that are far from each other everywhere, then those that are so somewhere.
fn chosen(candidates: &[(f64, Vec<f64>)], count: usize, apart: f64) -> Vec<&Vec<f64>> {
    let mut chosen: Vec<&Vec<f64>> = Vec::new();
    let far = |a: &f64, b: &f64| (a - b).abs() > apart;
    for everywhere in [true, false] {
        for (_, delays) in candidates {
            let differs = |other: &&Vec<f64>| {
                let mut pairs = delays.iter().zip(other.iter()).skip(1);
                if everywhere {
                    pairs.all(|(a, b)| far(a, b))
                } else {
                    pairs.any(|(a, b)| far(a, b))
                }
            };
            if chosen.len() < count && chosen.iter().all(differs) {
                chosen.push(delays);
            }
        }
    }
    chosen
}

struct Score {
    pairs: Pairs,
    energies: Vec<f64>,
}

impl Score {
    /// 1 - det at these delays.
    fn at(&self, delays: &[f64]) -> f64 {
        let count = delays.len();
        let mut matrix = DMatrix::<f64>::identity(count, count);
        for l in 0..count {
            for m in l + 1..count {
                let scale = (self.energies[l] * self.energies[m]).sqrt();
                let rho = self.pairs.at(l, m, delays[m] - delays[l]) / scale;
                matrix[(l, m)] = rho;
                matrix[(m, l)] = rho;
            }
        }
        1.0 - matrix.determinant()
    }

    /// Climbs along one delay after the other, on the grid of lags, no further than `reach`; then
    /// lays a parabola along each.
    fn ascend(&self, start: Vec<f64>, reach: f64) -> (f64, Vec<f64>) {
        let step = 1.0 / UPSAMPLING as f64;
        let mut delays: Vec<f64> =
            start.iter().map(|delay| (delay / step).round() * step).collect();
        let mut best = self.at(&delays);
        for _ in 0..MOST_ROUNDS {
            let before = best;
            for l in 1..delays.len() {
                for by in [step, -step] {
                    while (delays[l] + by - start[l]).abs() <= reach {
                        delays[l] += by;
                        let value = self.at(&delays);
                        if value <= best {
                            delays[l] -= by;
                            break;
                        }
                        best = value;
                    }
                }
            }
            if best == before {
                break;
            }
        }
        let vertex = |l: usize| {
            let along = |by: f64| {
                let mut moved = delays.clone();
                moved[l] += by;
                self.at(&moved)
            };
            let [low, high] = [-step, step].map(along);
            let bend = low - 2.0 * best + high;
            let shift = if bend < 0.0 { 0.5 * (low - high) / bend } else { 0.0 };
            delays[l] + step * shift.clamp(-0.5, 0.5)
        };
        let refined = (0..delays.len()).map(|l| if l == 0 { 0.0 } else { vertex(l) }).collect();
        (best, refined)
    }
}
