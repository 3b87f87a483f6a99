//! Where descents start.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::correlation::peaks;
use super::options::{Options, Start};
use super::planner::Delays;
use super::scene::Scene;
use super::score::{Candidate, Scorer};
use super::solution::flat;
use crate::engine::Engine;
use crate::error::Result;
use crate::observer::Observer;

/// Sets of every pair of microphones that are matched to those of the others.
const SETS_PER_PAIR: usize = 3;

/// The delays to start from, for every scene: at least one set.
pub(super) fn starts(
    engine: &Engine,
    options: &Options,
    scenes: &[Scene],
    sources: usize,
    observer: &dyn Observer,
) -> Result<Vec<Vec<Delays>>> {
    let Scene { microphones, frames, .. } = scenes[0];
    let largest = options.largest_lag(frames);
    let leaves = microphones - 1;
    Ok(match &options.start {
        Start::Given(all) => {
            let one: Vec<Delays> = all.iter().map(|delays| flat(delays, largest)).collect();
            vec![one; scenes.len()]
        }
        Start::Random { starts, seed } => {
            let mut random = ChaCha8Rng::seed_from_u64(*seed);
            let mut draw = |_| -> Delays {
                (0..sources * leaves).map(|_| largest * random.random_range(-1.0..=1.0)).collect()
            };
            let all: Vec<Delays> = (0..*starts).map(&mut draw).collect();
            vec![all; scenes.len()]
        }
        Start::SpectroCorrelation => {
            let of_pairs = (1..microphones)
                .map(|l| {
                    let all = scenes.iter();
                    all.map(|scene| vec![peaks(scene, l, largest, sources)]).collect()
                })
                .collect();
            matched(&Scorer::new(engine, options, scenes), of_pairs, 1, observer)?
        }
        Start::Grid { top, .. } => {
            let scorer = Scorer::new(engine, options, scenes);
            let grid = options.grid(frames);
            let kept = if microphones == 2 { *top } else { SETS_PER_PAIR };
            let of_pairs = (1..microphones)
                .map(|l| {
                    let pair = scorer.with_microphones(&[0, l]);
                    best_sets(&pair, &grid, sources, kept, observer)
                })
                .collect::<Result<_>>()?;
            matched(&scorer, of_pairs, *top, observer)?
        }
    })
}

/// The best sets of so many lags of a grid, for each scene of two microphones: all pairs for two, and
/// for more the best ones with one lag more.
fn best_sets(
    scorer: &Scorer<'_>,
    grid: &[f64],
    sources: usize,
    top: usize,
    observer: &dyn Observer,
) -> Result<Vec<Vec<Delays>>> {
    let scenes = scorer.scenes.len();
    let ones: Vec<Delays> = grid.iter().map(|lag| vec![*lag]).collect();
    let first = if sources == 1 { ones } else { extended(&ones, grid) };
    let mut best = scorer.best(for_all(vec![first; scenes]), top, observer)?;
    for _ in 2..sources {
        let more = best.iter().map(|sets| extended(sets, grid)).collect();
        best = scorer.best(for_all(more), top, observer)?;
    }
    Ok(best)
}

/// Sets with one lag more, each only once.
fn extended(sets: &[Delays], grid: &[f64]) -> Vec<Delays> {
    let mut all: Vec<Delays> = Vec::new();
    for set in sets {
        for lag in grid.iter().filter(|lag| !set.contains(lag)) {
            let mut more = set.clone();
            more.push(*lag);
            more.sort_by(f64::total_cmp);
            all.push(more);
        }
    }
    all.sort_by(|a, b| a.partial_cmp(b).expect("lags are numbers"));
    all.dedup();
    all
}

fn for_all(of_scenes: Vec<Vec<Delays>>) -> Vec<Candidate> {
    let numbered = of_scenes.into_iter().enumerate();
    numbered.flat_map(|(scene, all)| all.into_iter().map(move |delays| (scene, delays))).collect()
}

/// Joins sets of the pairs of microphones (pair, scene, set): which delay at one goes with which at
/// another is tried in all orders, one microphone after the other.
fn matched(
    scorer: &Scorer<'_>,
    of_pairs: Vec<Vec<Vec<Delays>>>,
    top: usize,
    observer: &dyn Observer,
) -> Result<Vec<Vec<Delays>>> {
    let mut pairs = of_pairs.into_iter();
    let mut best = pairs.next().expect("at least two microphones");
    for (more, of_scenes) in pairs.enumerate() {
        let leaves = more + 1;
        let candidates = best.iter().zip(&of_scenes).map(|(before, sets)| {
            let mut all = Vec::new();
            for delays in before {
                for set in sets {
                    for order in permutations(set) {
                        let rows = delays.chunks(leaves).zip(order);
                        all.push(rows.flat_map(|(row, new)| [row, &[new]].concat()).collect());
                    }
                }
            }
            all
        });
        let candidates = for_all(candidates.collect());
        let chosen: Vec<usize> = (0..leaves + 2).collect();
        best = scorer.with_microphones(&chosen).best(candidates, top, observer)?;
    }
    Ok(best)
}

/// All orders of a few numbers.
fn permutations(numbers: &[f64]) -> Vec<Vec<f64>> {
    if numbers.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for first in 0..numbers.len() {
        let mut rest = numbers.to_vec();
        let number = rest.remove(first);
        for mut order in permutations(&rest) {
            order.insert(0, number);
            all.push(order);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_and_sets_come_once() {
        assert_eq!(permutations(&[1.0, 2.0, 3.0]).len(), 6);
        let grid = [-1.0, 0.0, 1.0];
        let pairs = extended(&[vec![-1.0], vec![0.0], vec![1.0]], &grid);
        assert_eq!(pairs, [[-1.0, 0.0], [-1.0, 1.0], [0.0, 1.0]]);
        assert_eq!(extended(&pairs, &grid), [[-1.0, 0.0, 1.0]]);
    }
}
