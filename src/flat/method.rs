//! Any of the methods, for one pair or for thousands.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use rayon::prelude::*;

use super::crossover;
use super::neural::Training;
use super::{Cloud, Distance, Sinkhorn, exact};
use crate::engine::Engine;
use crate::error::Result;
use crate::observer::{Latched, Observer, Part, Progress, stops};
use crate::outcome::Outcome;

/// Time between two looks at the observer while pairs are solved.
const PATIENCE: Duration = Duration::from_millis(50);

/// Two measures to compare.
#[derive(Clone, Copy, Debug)]
pub struct Pair<'a> {
    /// The first measure.
    pub a: &'a Cloud,
    /// The second measure.
    pub b: &'a Cloud,
    /// Which of the streams of random numbers that belong to a seed this pair draws from, where a
    /// method is random: a result depends on this and the seed, not on what the pair is solved
    /// beside.
    pub stream: u64,
}

impl<'a> Pair<'a> {
    /// Pairs whose streams are their places in the list.
    pub fn numbered(pairs: &[(&'a Cloud, &'a Cloud)]) -> Vec<Self> {
        pairs.iter().zip(0..).map(|(&(a, b), stream)| Self { a, b, stream }).collect()
    }
}

/// How a flat metric is computed.
#[derive(Clone, Debug, PartialEq)]
pub enum Method {
    /// The network simplex, on the CPU in f64: exact, and O(n m) memory.
    Exact,
    /// Entropic transport: between two bounds, O(n + m) memory.
    Sinkhorn(Sinkhorn),
    /// A network for each pair: the work of an epoch grows with n + m only.
    Neural(Training),
}

/// A distance, by whatever method.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The distance and its bounds.
    pub distance: Distance,
    /// The standard deviation of a value that is a mean; none of others.
    pub std: Option<f64>,
    /// The integral of a learned function against mu - nu.
    pub learned: Option<f64>,
    /// How the method ended: not converged where bounds stayed further apart than asked for.
    pub outcome: Outcome,
}

impl Found {
    /// Of a value that is no mean and not learned.
    fn new(distance: Distance, outcome: Outcome) -> Self {
        Self { distance, std: None, learned: None, outcome }
    }
}

impl Method {
    /// The quickest method that is good to 1 %, for clouds of so many points, by what a small problem
    /// takes on this engine: the simplex or Sinkhorn; the lower bound of a network where both would take
    /// more than ten minutes. The simplex is taken without a look for clouds that it solves in a
    /// fraction of a second.
    ///
    /// ```
    /// use gaspard::Engine;
    /// use gaspard::flat::Method;
    /// assert_eq!(Method::auto((100, 200), &Engine::cpu())?, Method::Exact);
    /// # Ok::<(), gaspard::Error>(())
    /// ```
    ///
    /// # Errors
    /// Any fault of the device.
    pub fn auto(points: (usize, usize), engine: &Engine) -> Result<Self> {
        crossover::choose(points, engine)
    }

    /// The distances of pairs, all in spaces of the same dimension; none for those that were not reached
    /// before an observer stopped. One that was cut short says so.
    ///
    /// ```
    /// use gaspard::Engine;
    /// use gaspard::flat::{Cloud, Method, Pair, Sinkhorn};
    /// use ndarray::array;
    /// let a = Cloud::counting("a", array![[0.0], [3.0]])?;
    /// let b = Cloud::counting("b", array![[0.5]])?;
    /// let pairs = Pair::numbered(&[(&a, &b), (&b, &a)]);
    /// for method in [Method::Exact, Method::Sinkhorn(Sinkhorn::new())] {
    ///     let found = method.solve_pairs(&pairs, &Engine::cpu(), &mut ())?;
    ///     let found = found[0].as_ref().expect("nobody stopped it");
    ///     assert!((found.distance.value - 1.5).abs() < 0.02);
    /// }
    /// # Ok::<(), gaspard::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of the method: [`exact`], [`Sinkhorn::solve_batch`], [`Training::solve_pairs`].
    pub fn solve_pairs(
        &self,
        pairs: &[Pair<'_>],
        engine: &Engine,
        observer: &mut dyn Observer,
    ) -> Result<Vec<Option<Found>>> {
        let observer = &mut Latched::new(observer);
        match self {
            Self::Exact => solve_exactly(pairs, observer),
            Self::Sinkhorn(sinkhorn) => {
                let parts = parts(pairs);
                let count = parts.len();
                let mut all = Vec::with_capacity(pairs.len());
                for (index, part) in parts.into_iter().enumerate() {
                    let part: Vec<_> = pairs[part].iter().map(|pair| (pair.a, pair.b)).collect();
                    if observer.interrupted() {
                        break;
                    }
                    let mut observer = Part { observer, part: (index + 1, count) };
                    let brackets = sinkhorn.solve_batch(&part, engine, &mut observer)?;
                    all.extend(
                        brackets
                            .into_iter()
                            .map(|bracket| Some(Found::new(bracket.distance, bracket.outcome))),
                    );
                }
                all.resize(pairs.len(), None);
                Ok(all)
            }
            Self::Neural(training) => {
                let trained = training.solve_pairs(pairs, engine, observer)?;
                let found = trained.into_iter().map(|trained| {
                    Some(Found {
                        std: trained.std,
                        learned: Some(trained.learned),
                        ..Found::new(trained.distance, trained.outcome)
                    })
                });
                // Batches that were not reached are missing.
                Ok(found.chain(std::iter::repeat(None)).take(pairs.len()).collect())
            }
        }
    }
}

/// Pairs that Sinkhorn takes together: enough to keep a device busy, and few enough for its bindings.
fn parts(pairs: &[Pair<'_>]) -> Vec<std::ops::Range<usize>> {
    const NUMBERS: usize = 1 << 23;
    let mut parts = Vec::new();
    let mut begin = 0;
    let mut numbers = 0;
    for (index, pair) in pairs.iter().enumerate() {
        let own = pair.a.points().len() + pair.b.points().len();
        if index > begin && numbers + own > NUMBERS {
            parts.push(begin..index);
            (begin, numbers) = (index, 0);
        }
        numbers += own;
    }
    parts.push(begin..pairs.len());
    parts
}

/// Solves pairs on all cores, while this thread listens to the observer.
fn solve_exactly(pairs: &[Pair<'_>], observer: &mut dyn Observer) -> Result<Vec<Option<Found>>> {
    let stopped = AtomicBool::new(observer.interrupted());
    let solve = |sender: &mut mpsc::Sender<()>, pair: &Pair<'_>| {
        let is_stopped = || stopped.load(Ordering::Relaxed);
        if is_stopped() {
            return Ok(None);
        }
        let found = exact(pair.a, pair.b, &mut || is_stopped())?;
        // The other end is there until all of these are done.
        sender.send(()).ok();
        Ok(Some(Found::new(found.distance, found.outcome)))
    };
    std::thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        let all = scope.spawn(|| pairs.par_iter().map_with(sender, solve).collect());
        let mut done = 0;
        loop {
            match receiver.recv_timeout(PATIENCE) {
                Ok(()) => done += 1,
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
            }
            if stops(observer, &progress(done, pairs.len())) {
                stopped.store(true, Ordering::Relaxed);
            }
        }
        all.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn progress(done: usize, all: usize) -> Progress {
    let left = all - done;
    Progress { running: (left, all), ..Progress::new(done, all, left as f64, 0.0) }
}
