//! Any of the methods, for one pair or for thousands.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use rayon::prelude::*;

use super::neural::Training;
use super::{Cloud, Distance, Sinkhorn, exact};
use crate::engine::Engine;
use crate::error::Result;
use crate::observer::{Observer, Part, Progress};

/// Products of the numbers of points up to which the network simplex is the quickest, on one core of a
/// CPU and beside a GPU, and up to which Sinkhorn takes no more than minutes.
const EXACT: [f64; 2] = [1.5e8, 1e6];
const SINKHORN: [f64; 2] = [1e9, 1e11];
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
    /// True unless bounds stayed further apart than asked for.
    pub converged: bool,
    /// True where an observer stopped the method before its end.
    pub interrupted: bool,
}

impl Method {
    /// The best method for clouds of so many points on an engine. The simplex where it is the quickest:
    /// on two cores, Sinkhorn took as long for bounds within 1 % from about 12,000 points a side on.
    /// Then Sinkhorn, whose bounds tell how good it is, while it takes no more than minutes; beyond, the
    /// lower bound of a network. The limits on a GPU are estimates from the work that methods do.
    ///
    /// ```
    /// use gaspard::Engine;
    /// use gaspard::flat::Method;
    /// assert_eq!(Method::auto((100, 200), &Engine::cpu()), Method::Exact);
    /// ```
    pub fn auto((n, m): (usize, usize), engine: &Engine) -> Self {
        let pairs = n as f64 * m as f64;
        let device = usize::from(engine.is_gpu());
        // Costs are stored twice over.
        let fits = || Engine::cpu().require("the costs", 16 * pairs as u64, "").is_ok();
        if pairs <= EXACT[device] && fits() {
            Self::Exact
        } else if pairs <= SINKHORN[device] {
            Self::Sinkhorn(Sinkhorn::new())
        } else {
            Self::Neural(Training::tight())
        }
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
    ///     let found = method.solve(&pairs, &Engine::cpu(), &mut ())?;
    ///     let found = found[0].as_ref().expect("nobody stopped it");
    ///     assert!((found.distance.value - 1.5).abs() < 0.02);
    /// }
    /// # Ok::<(), gaspard::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of the method: [`exact`], [`Sinkhorn::solve_batch`], [`Training::solve_pairs`].
    pub fn solve(
        &self,
        pairs: &[Pair<'_>],
        engine: &Engine,
        observer: &mut dyn Observer,
    ) -> Result<Vec<Option<Found>>> {
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
                    all.extend(brackets.into_iter().map(|bracket| {
                        Some(Found {
                            distance: bracket.distance,
                            std: None,
                            learned: None,
                            converged: bracket.converged,
                            interrupted: bracket.interrupted,
                        })
                    }));
                }
                all.resize(pairs.len(), None);
                Ok(all)
            }
            Self::Neural(training) => {
                let trained = training.solve_pairs(pairs, engine, observer)?;
                let found = trained.into_iter().map(|trained| {
                    Some(Found {
                        distance: trained.distance,
                        std: trained.std,
                        learned: Some(trained.learned),
                        converged: !trained.interrupted,
                        interrupted: trained.interrupted,
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
        let distance = exact(pair.a, pair.b, &mut || is_stopped())?.distance;
        let interrupted = is_stopped();
        // The other end is there until all of these are done.
        sender.send(()).ok();
        Ok(Some(Found { distance, std: None, learned: None, converged: !interrupted, interrupted }))
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
            let flow = observer.progress(&progress(done, pairs.len()));
            if flow == ControlFlow::Break(()) || observer.interrupted() {
                stopped.store(true, Ordering::Relaxed);
            }
        }
        all.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn progress(done: usize, all: usize) -> Progress {
    Progress {
        iteration: done,
        max_iterations: all,
        residual: (all - done) as f64,
        tolerance: 0.0,
        epsilon: None,
        cost: None,
        running: (all - done, all),
        part: (1, 1),
    }
}
