//! The loop: batches of pairs, epochs in stretches, what comes of them.

use std::time::Instant;

use ndarray::Array1;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::{Epoch, TestFunction, Trained, Training, schedule};
use crate::engine::{Backend, Engine};
use crate::error::{Error, Result};
use crate::flat::{Cloud, Distance, Pair, lower_bound, upper_bound};
use crate::kernels::MULTIPLY_ADDS_PER_EXPONENTIAL;
use crate::kernels::flat::network::{Plan, Step, initial, lambda_of};
use crate::kernels::flat::train::{Charges, Networks, train};
use crate::numeric::compensated_sum;
use crate::observer::{Observer, Progress, stops};
use crate::outcome::Outcome;

/// Bytes of networks that train together at most: enough to keep a large GPU busy.
const BATCH_BYTES: u64 = 256 << 20;
/// Multiply-adds between two looks at the observer on the CPU: a fraction of a second.
const WORK_AT_ONCE: f64 = 2e9;
/// Epochs between two looks at the observer at most.
const EPOCHS_AT_ONCE: usize = 500;
/// The last epochs that a mean is taken over (the published code means 50, and takes one fewer).
const WINDOW: usize = 49;
/// How far the plans of the upper bound spread, of which the cheapest counts: the further potentials are
/// from the best ones, the further a plan has to.
const EPSILONS: [f64; 3] = [0.1, 0.03, 0.01];

impl Training {
    /// Trains one network.
    ///
    /// # Errors
    /// As [`Training::solve_pairs`].
    pub fn solve(&self, a: &Cloud, b: &Cloud, engine: &Engine) -> Result<Trained> {
        self.solve_with(a, b, engine, &mut ())
    }

    /// Trains one network under the eyes of an observer. Stopped at once, it has its first network.
    ///
    /// # Errors
    /// As [`Training::solve_pairs`].
    pub fn solve_with(
        &self,
        a: &Cloud,
        b: &Cloud,
        engine: &Engine,
        observer: &mut dyn Observer,
    ) -> Result<Trained> {
        self.validate()?;
        a.check_dimension(b)?;
        let plan = self.plan(a.points().ncols());
        let pairs = [Pair { a, b, stream: 0 }];
        batches(engine, &plan, self.epochs, &[points_with_mass(&pairs[0])])?;
        let (mut trained, _) = self.train_batch(&plan, &pairs, engine, observer, (1, 1))?;
        Ok(trained.pop().expect("one pair, one result"))
    }

    /// Trains one network for each pair, many at a time; the stream of a pair is its place in the
    /// list.
    ///
    /// # Errors
    /// As [`Training::solve_pairs`].
    pub fn solve_batch(
        &self,
        pairs: &[(&Cloud, &Cloud)],
        engine: &Engine,
        observer: &mut dyn Observer,
    ) -> Result<Vec<Trained>> {
        self.solve_pairs(&Pair::numbered(pairs), engine, observer)
    }

    /// Trains one network for each pair, many at a time. All points have one dimension; their numbers
    /// may differ. Pairs that were not reached before an observer stopped are missing at the end.
    ///
    /// # Errors
    /// [`Error::Parameter`] as [`Training::validate`], [`Error::Shape`] for points of different
    /// dimensions, [`Error::Limit`] for more points than fit, and any fault of the device.
    pub fn solve_pairs(
        &self,
        pairs: &[Pair<'_>],
        engine: &Engine,
        observer: &mut dyn Observer,
    ) -> Result<Vec<Trained>> {
        self.validate()?;
        let Some(first) = pairs.first() else { return Ok(Vec::new()) };
        for pair in pairs {
            first.a.check_dimension(pair.a)?;
            first.a.check_dimension(pair.b)?;
        }
        let plan = self.plan(first.a.points().ncols());
        let counts: Vec<usize> = pairs.iter().map(points_with_mass).collect();
        let parts = batches(engine, &plan, self.epochs, &counts)?;
        let all = parts.len();
        let mut results = Vec::with_capacity(pairs.len());
        for (index, part) in parts.into_iter().enumerate() {
            if observer.interrupted() {
                break;
            }
            let pairs = &pairs[part];
            let (trained, interrupted) =
                self.train_batch(&plan, pairs, engine, observer, (index + 1, all))?;
            results.extend(trained);
            if interrupted {
                break;
            }
        }
        Ok(results)
    }

    fn train_batch(
        &self,
        plan: &Plan,
        pairs: &[Pair<'_>],
        engine: &Engine,
        observer: &mut dyn Observer,
        part: (usize, usize),
    ) -> Result<(Vec<Trained>, bool)> {
        let begin = Instant::now();
        let optimiser = self.optimiser();
        let steps = schedule::steps(self.rate, &self.decay, self.epochs);
        let seen: Vec<Seen> = pairs.par_iter().map(|pair| Seen::new(pair, self.centred)).collect();
        let first: Vec<Vec<f64>> = pairs
            .par_iter()
            .map(|pair| {
                let mut random = ChaCha8Rng::seed_from_u64(self.seed);
                random.set_stream(pair.stream);
                initial(plan, &mut random)
            })
            .collect();
        let charges: Vec<&Charges> = seen.iter().map(|seen| &seen.charges).collect();
        let table = Step::table(&steps, &optimiser);
        let mut networks =
            Networks::new(engine, plan.clone(), optimiser, &table, &first, &charges)?;
        drop(first);
        let mut epoch = 0;
        let mut interrupted = false;
        while epoch < self.epochs && !interrupted {
            let end = (epoch + self.epochs_at_once(engine, &networks)).min(self.epochs);
            train(engine, &mut networks, epoch..end, end == self.epochs)?;
            epoch = end;
            let left = (self.epochs - epoch) as f64;
            let progress = Progress {
                running: (pairs.len(), pairs.len()),
                part,
                ..Progress::new(epoch, self.epochs, left, 0.0)
            };
            interrupted = stops(observer, &progress) && epoch < self.epochs;
        }
        if interrupted {
            train(engine, &mut networks, epoch..epoch, true)?;
        }
        let curves = networks.curves(engine)?;
        let applied = networks.trained(engine)?;
        let outcome = Outcome {
            converged: !interrupted,
            interrupted,
            ..Outcome::new(engine, begin, epoch, 0.0)
        };
        let mut trained: Vec<Trained> = pairs
            .par_iter()
            .zip(seen)
            .zip(curves.into_par_iter().zip(applied))
            .map(|((pair, seen), (curve, applied))| {
                let function = TestFunction::new(plan, &applied, seen.centre);
                let curve = lambda_of(&steps, &curve[..epoch]);
                self.trained(pair, function, curve, &outcome)
            })
            .collect::<Result<_>>()?;
        let seconds = begin.elapsed().as_secs_f64();
        trained.iter_mut().for_each(|trained| trained.outcome.seconds = seconds);
        Ok((trained, interrupted))
    }

    /// Epochs that are trained in one go.
    fn epochs_at_once(&self, engine: &Engine, networks: &Networks) -> usize {
        let allowed = match engine.backend() {
            Backend::Cpu => WORK_AT_ONCE,
            Backend::Gpu(gpu) => gpu.work_per_launch() * MULTIPLY_ADDS_PER_EXPONENTIAL,
        };
        ((allowed / networks.work_of_epoch()) as usize).clamp(1, EPOCHS_AT_ONCE)
    }

    /// The distance that a trained network tells.
    fn trained(
        &self,
        pair: &Pair<'_>,
        function: TestFunction,
        curve: Vec<(f64, f64, f64)>,
        outcome: &Outcome,
    ) -> Result<Trained> {
        let masses = [pair.a.mass(), pair.b.mass()];
        let scale = scale(masses);
        let [f_a, f_b] = [pair.a, pair.b].map(|cloud| function.evaluate(cloud.points()));
        let (f_a, f_b) = (f_a?, f_b?);
        let terms = pair.a.weights().iter().zip(&f_a).map(|(mass, f)| mass * f);
        let terms = terms.chain(pair.b.weights().iter().zip(&f_b).map(|(mass, f)| -mass * f));
        let learned = compensated_sum(terms);
        let psi: Vec<f64> = f_b.iter().map(|f| -f).collect();
        let certificate = lower_bound(pair.a, pair.b, &psi)?;
        let lower = certificate.value;
        let mut upper = f64::INFINITY;
        for epsilon in EPSILONS {
            let (phi, psi) = (&certificate.phi, &certificate.psi);
            upper = upper.min(upper_bound(pair.a, pair.b, phi, psi, epsilon)?);
        }
        let (value, std) = match self.is_mean() {
            false => (lower, None),
            true => {
                let last = curve.iter().rev().take(WINDOW).map(|epoch| scale * epoch.0);
                let last: Vec<f64> = last.collect();
                let mean = last.iter().sum::<f64>() / last.len() as f64;
                let squares = last.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>();
                let deviation = (squares / (last.len() as f64 - 1.0).max(1.0)).sqrt();
                (mean, Some(deviation / (WINDOW as f64 + 1.0).sqrt()))
            }
        };
        let curve = curve.into_iter().map(|(value, penalty, lambda)| Epoch {
            value: scale * value,
            penalty,
            lambda,
        });
        Ok(Trained {
            distance: Distance::new(value, (lower, upper), masses),
            learned,
            std,
            curve: curve.collect(),
            function,
            outcome: outcome.clone(),
        })
    }
}

/// What losses are divided by: the smaller mass, or where that is zero the other.
fn scale([a, b]: [f64; 2]) -> f64 {
    match (a.min(b), a.max(b)) {
        (least, _) if least > 0.0 => least,
        (_, most) if most > 0.0 => most,
        _ => 1.0,
    }
}

/// A pair as a network sees it.
pub(super) struct Seen {
    pub charges: Charges,
    centre: Array1<f64>,
}

impl Seen {
    pub(super) fn new(pair: &Pair<'_>, centred: bool) -> Self {
        let clouds = [pair.a, pair.b];
        let masses = clouds.map(Cloud::mass);
        let scale = scale(masses);
        let dimension = pair.a.points().ncols();
        let mut centre = Array1::zeros(dimension);
        if centred {
            for (cloud, mass) in clouds.into_iter().zip(masses).filter(|(_, mass)| *mass > 0.0) {
                centre += &(cloud.points().t().dot(cloud.weights()) * (0.5 / mass));
            }
        }
        let mut charges = Charges { places: Vec::new(), charges: Vec::new(), weights: Vec::new() };
        for ((cloud, mass), sign) in clouds.into_iter().zip(masses).zip([1.0, -1.0]) {
            let (points, weights) = cloud.with_mass();
            for (point, weight) in points.into_iter().zip(weights) {
                charges.places.extend(point.iter().zip(&centre).map(|(x, centre)| x - centre));
                charges.charges.push(sign * weight / scale);
                charges.weights.push(weight / mass);
            }
        }
        if charges.charges.is_empty() {
            // Nothing against nothing: a point without a charge, so that there is something to train.
            charges.places.extend(std::iter::repeat_n(0.0, dimension));
            charges.charges.push(0.0);
            charges.weights.push(0.0);
        }
        Self { charges, centre }
    }
}

fn points_with_mass(pair: &Pair<'_>) -> usize {
    let count = |cloud: &Cloud| cloud.weights().iter().filter(|mass| **mass > 0.0).count();
    (count(pair.a) + count(pair.b)).max(1)
}

/// Which pairs train together: as many as fit.
fn batches(
    engine: &Engine,
    plan: &Plan,
    epochs: usize,
    counts: &[usize],
) -> Result<Vec<std::ops::Range<usize>>> {
    let most = match engine.backend() {
        Backend::Cpu => BATCH_BYTES,
        Backend::Gpu(gpu) => BATCH_BYTES.min(gpu.max_binding_bytes()),
    };
    let mut parts = Vec::new();
    let mut begin = 0;
    let mut bytes = 0;
    for (index, count) in counts.iter().enumerate() {
        let own = Networks::bytes(engine, plan, epochs, &[*count]);
        engine.require("a network and its points", own, "use fewer points or units")?;
        if own > most && engine.is_gpu() {
            return Err(Error::Limit {
                what: "a network and its points".to_owned(),
                needed: own,
                available: most,
                remedy: "a kernel of this device sees no more at once; use fewer points or units, \
                         or --device cpu"
                    .to_owned(),
            });
        }
        if index > begin && bytes + own > most {
            parts.push(begin..index);
            (begin, bytes) = (index, 0);
        }
        bytes += own;
    }
    parts.push(begin..counts.len());
    Ok(parts)
}
