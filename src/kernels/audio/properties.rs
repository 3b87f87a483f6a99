//! The kernels against dense sums in plain loops, on both engines.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::band_sinkhorn::band_sinkhorn;
use super::lag_profile::LagProfile;
use super::star_sinkhorn::{messages, star_sinkhorn};
use super::{ACCOUNT, Extent, LagRow, LagTable, Marginal, Operands, Rounds};
use crate::engine::Engine;
use crate::kernels::properties::engines;

const EPSILON: f64 = 0.7;
const OUTLIER: f64 = 5.0;

/// A batch of plans: unit columns with holes, one frequency that is silent, and a plan at rest.
struct Batch {
    extent: Extent,
    columns: Vec<f64>,
    masses: Vec<f64>,
    /// Of every plan, source and leaf.
    rows: Vec<LagRow>,
}

impl Batch {
    fn new(frames: usize, microphones: usize, sources: usize) -> Self {
        let extent = Extent { plans: 4, scenes: 2, frequencies: 3, frames, microphones, sources };
        let mut random = ChaCha8Rng::seed_from_u64(frames as u64);
        let mut columns = Vec::new();
        for _ in 0..extent.column_numbers() / frames {
            let mut column: Vec<f64> = (0..frames)
                .map(|i| if i % 5 == 3 { 0.0 } else { random.random_range(0.01..1.0) })
                .collect();
            let sum: f64 = column.iter().sum();
            column.iter_mut().for_each(|value| *value /= sum);
            columns.extend(column);
        }
        let masses = vec![0.5, 0.0, 0.25, 0.125, 0.5, 0.375];
        let mut rows = Vec::new();
        for plan in 0..extent.plans {
            for _ in 0..extent.kernels() {
                let delay: f64 = random.random_range(-3.0..3.0);
                let lags: Vec<i32> =
                    (-6..=6).filter(|lag: &i32| lag.unsigned_abs() < frames as u32).collect();
                let weights = lags
                    .iter()
                    .map(|lag| (-(f64::from(*lag) - delay).powi(2) / EPSILON).exp())
                    .collect();
                let rest = plan == 2;
                let row = LagRow::new(plan % 2, lags, weights);
                rows.push(if rest { LagRow::default() } else { row });
            }
        }
        Self { extent, columns, masses, rows }
    }

    fn table(&self, engine: &Engine, logs: bool) -> LagTable {
        let rows: Vec<LagRow> = self
            .rows
            .iter()
            .map(|row| {
                let kept = |weight: &f64| if logs { weight.ln() } else { *weight };
                let weights = row.weights().iter().map(kept).collect();
                LagRow::new(row.scene, row.lags().to_vec(), weights)
            })
            .collect();
        // Room for more than there is.
        let mut table = LagTable::new(engine, rows.len(), 15).unwrap();
        table.write(engine, &rows).unwrap();
        table
    }
}

/// A kernel as a dense matrix.
fn dense(row: &LagRow, frames: usize) -> Vec<Vec<f64>> {
    let mut matrix = vec![vec![0.0; frames]; frames];
    for (lag, weight) in row.lags().iter().zip(row.weights()) {
        for i in 0..frames as i32 {
            if (0..frames as i32).contains(&(i + lag)) {
                matrix[i as usize][(i + lag) as usize] = *weight;
            }
        }
    }
    matrix
}

fn goal(law: Marginal, r: f64, seen: f64) -> f64 {
    match law {
        Marginal::Fixed => r / seen,
        Marginal::Kl(rho) => (r / seen).powf(rho / (1.0 + rho)),
        Marginal::Tv(rho) => (r / seen).clamp((-rho).exp(), rho.exp()),
    }
}

/// All tuples of frames.
fn tuples(frames: usize, count: usize) -> Vec<Vec<usize>> {
    (0..frames.pow(count as u32))
        .map(|mut code| {
            (0..count)
                .map(|_| {
                    let digit = code % frames;
                    code /= frames;
                    digit
                })
                .collect()
        })
        .collect()
}

/// Scalings, masses of lags and account of one plan at one frequency, from the tensor of all tuples.
fn truth(
    batch: &Batch,
    plan: usize,
    frequency: usize,
    rounds: &Rounds,
) -> (Vec<Vec<f64>>, Vec<Vec<f64>>, [f64; ACCOUNT]) {
    let Extent { frequencies, frames, microphones, sources, .. } = batch.extent;
    let leaves = microphones - 1;
    let rows = &batch.rows[plan * sources * leaves..][..sources * leaves];
    let matrices: Vec<_> = rows.iter().map(|row| dense(row, frames)).collect();
    let place = rows[0].scene * frequencies + frequency;
    let r = |l: usize, i: usize| batch.columns[(place * microphones + l) * frames + i];
    let outlier = rounds.outlier.map_or(0.0, |cost| (-cost).exp());
    let tuples = tuples(frames, microphones);
    let kernel = |k: usize, tuple: &[usize]| -> f64 {
        (0..leaves).map(|l| matrices[k * leaves + l][tuple[0]][tuple[l + 1]]).product()
    };
    let all: Vec<f64> = tuples
        .iter()
        .map(|tuple| (0..sources).map(|k| kernel(k, tuple)).sum::<f64>() + outlier)
        .collect();
    let mut u = vec![vec![1.0; frames]; microphones];
    let product = |u: &[Vec<f64>], tuple: &[usize]| -> f64 {
        tuple.iter().zip(u).map(|(i, u)| u[*i]).product()
    };
    let seen = |u: &[Vec<f64>], l: usize| -> Vec<f64> {
        let mut sums = vec![0.0; frames];
        for (tuple, value) in tuples.iter().zip(&all) {
            let rest: f64 = (0..microphones).filter(|n| *n != l).map(|n| u[n][tuple[n]]).product();
            sums[tuple[l]] += rest * value;
        }
        sums
    };
    for _ in 0..rounds.iterations {
        for l in 0..microphones {
            let sums = seen(&u, l);
            u[l] = (0..frames).map(|i| goal(rounds.law, r(l, i), sums[i])).collect();
        }
    }
    let share = batch.masses[place];
    let mut profile = vec![vec![0.0; 13]; sources * leaves];
    let mut mass = 0.0;
    for (tuple, value) in tuples.iter().zip(&all) {
        mass += product(&u, tuple) * value;
        for k in 0..sources {
            for l in 0..leaves {
                let lag = tuple[l + 1] as i32 - tuple[0] as i32;
                if let Some(entry) = rows[k * leaves + l].lags().iter().position(|d| *d == lag) {
                    let part = product(&u, tuple) * kernel(k, tuple);
                    profile[k * leaves + l][entry] += share * part;
                }
            }
        }
    }
    let (mut dual, mut price, mut residual) = (-mass, 0.0, 0.0);
    for l in 0..microphones {
        let sums = seen(&u, l);
        for i in 0..frames {
            let (r, u) = (r(l, i), u[l][i]);
            let p = u * sums[i];
            if l == 0 {
                residual += (p - goal(rounds.law, r, sums[i]) * sums[i]).abs();
            }
            match rounds.law {
                Marginal::Kl(rho) if r > 0.0 => {
                    dual -= rho * r * (u.powf(-1.0 / rho) - 1.0);
                    price += rho * (p * (p / r).ln() - p + r);
                }
                Marginal::Tv(rho) => {
                    dual += r * u.ln();
                    price += rho * (p - r).abs();
                }
                _ if r > 0.0 => dual += r * u.ln(),
                _ => {}
            }
        }
    }
    (u, profile, [dual, residual, mass, price].map(|number| share * number))
}

/// The kernel for two microphones takes one source.
fn check(frames: usize, microphones: usize, sources: usize, rounds: Rounds, star: bool) {
    let batch = Batch::new(frames, microphones, sources);
    let extent = batch.extent;
    let kernels = extent.kernels();
    for engine in engines() {
        let lags = batch.table(&engine, rounds.logs);
        let columns = engine.upload("columns", &batch.columns).unwrap();
        let masses = engine.upload("masses", &batch.masses).unwrap();
        let mut scalings = engine.zeros("scalings", extent.scaling_numbers()).unwrap();
        let width = kernels * lags.width() + ACCOUNT;
        let mut profiles = engine.zeros("profiles", extent.groups() * width).unwrap();
        let mut between = messages(&engine, &extent).unwrap();
        // In two launches: the second one goes on from the first.
        for (iterations, fresh) in [(rounds.iterations - 2, true), (2, false)] {
            let rounds = Rounds { iterations, fresh, ..rounds };
            let operands = Operands {
                extent: &extent,
                rounds: &rounds,
                columns: &columns,
                masses: &masses,
                lags: &lags,
                scalings: &mut scalings,
                profiles: &mut profiles,
            };
            match star {
                true => star_sinkhorn(&engine, operands, &mut between).unwrap(),
                false => band_sinkhorn(&engine, operands).unwrap(),
            }
        }
        let (found, profiles) =
            (engine.download(&scalings).unwrap(), engine.download(&profiles).unwrap());
        let bound = if engine.is_gpu() { 2e-5 } else { 1e-12 };
        for group in 0..extent.groups() {
            let (plan, frequency) = (group / extent.frequencies, group % extent.frequencies);
            let here = &found[group * microphones * frames..][..microphones * frames];
            let profile = &profiles[group * width..][..width];
            let scene = batch.rows[plan * kernels].scene;
            let silent = batch.masses[scene * extent.frequencies + frequency] == 0.0;
            if plan == 2 || silent {
                assert!(here.iter().chain(profile).all(|number| *number == 0.0));
                continue;
            }
            let (u, masses, account) = truth(&batch, plan, frequency, &rounds);
            for (found, expected) in here.iter().zip(u.iter().flatten()) {
                let found = if rounds.logs { found.exp() } else { *found };
                let error = (found - expected).abs();
                assert!(error <= 4.0 * bound * expected, "{engine:?}: {found} {expected}");
            }
            for (kernel, masses) in masses.iter().enumerate() {
                let found = &profile[kernel * lags.width()..];
                for (found, expected) in found.iter().zip(masses) {
                    assert!((found - expected).abs() <= bound, "{engine:?} {found} {expected}");
                }
            }
            let found = &profile[kernels * lags.width()..];
            for (found, expected) in found.iter().zip(account) {
                let allowed = bound * (1.0 + expected.abs());
                assert!((found - expected).abs() <= allowed, "{engine:?} {found} {expected}");
            }
        }
    }
}

fn all_rounds() -> Vec<Rounds> {
    let mut all = Vec::new();
    for law in [Marginal::Fixed, Marginal::Kl(3.0), Marginal::Tv(1.5)] {
        for (logs, outlier) in [(false, Some(OUTLIER)), (true, Some(OUTLIER)), (true, None)] {
            all.push(Rounds { iterations: 7, fresh: true, logs, law, outlier });
        }
    }
    all
}

#[test]
fn bands_are_dense_sinkhorn() {
    for rounds in all_rounds() {
        for frames in [1, 6, 33, 70] {
            check(frames, 2, 1, rounds, false);
        }
    }
}

#[test]
fn stars_are_dense_tensors() {
    for rounds in all_rounds() {
        for (frames, microphones, sources) in [(9, 2, 2), (33, 2, 1), (6, 3, 2), (4, 4, 3)] {
            check(frames, microphones, sources, rounds, true);
        }
    }
}

#[test]
fn profiles_add_up_over_frequencies() {
    let (plans, frequencies, width) = (3, 37, 5);
    let values: Vec<f64> =
        (0..plans * frequencies * width).map(|i| f64::from((i * 7 % 64) as u32) / 64.0).collect();
    for engine in engines() {
        let there = engine.upload("values", &values).unwrap();
        let mut profile = LagProfile::new(&engine, plans, frequencies, width).unwrap();
        let found = profile.sum(&engine, &there).unwrap();
        for (index, found) in found.iter().enumerate() {
            let (plan, number) = (index / width, index % width);
            let at = |f: usize| values[(plan * frequencies + f) * width + number];
            // Sixty-fourths: exact on both engines.
            assert_eq!(*found, (0..frequencies).map(at).sum::<f64>());
        }
    }
}
