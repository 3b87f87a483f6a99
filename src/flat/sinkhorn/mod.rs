//! The flat metric by entropic transport: for clouds of any size, on a GPU too, and in batches.

mod bounds;
mod netted;
mod pairs;
mod schedule;

use std::time::Instant;

use super::certificate::completed;
use super::{Cloud, Distance};
use crate::engine::Engine;
use crate::error::Result;
use crate::observer::Observer;
use crate::outcome::Outcome;
use crate::validate::{at_least_one, positive};
use netted::Netted;
pub(super) use pairs::{Centred, Pairs};
use schedule::{Loop, State};

/// A mass that is this part of the other is not worth a solve: the masses alone say as much.
const NEGLIGIBLE: f64 = 1e-30;
/// Below this part of the smaller mass, bounds need not be nearer in proportion to the value.
const SMALL: f64 = 0.01;

/// The flat metric by unbalanced entropic transport: a plan T between the clouds minimises
///
/// ```text
/// <T, |x - y|> + epsilon KL(T | a b) + |a - T 1|_1 + |b - T' 1|_1
/// ```
///
/// whose potentials lie between -1 and 1, by block updates in the log domain (Schmidt and Düll
/// 2025 define the metric; Chizat, Peyré, Schmitzer, Vialard 2018 the iteration). The cost of that
/// plan is not what is reported: out of the potentials come a test function, which bounds the metric
/// from below, and a plan that meets the masses, which bounds it from above. Epsilon is halved until
/// these are as near to each other as asked for.
///
/// Distances are computed on the fly: a pair of n and m points takes O(n m) time an iteration, and
/// O(n + m) memory. On a GPU, bounds are of f32 sums, and each is wider by what rounding can make of
/// it: about 2⁻²⁴ (8 + 8 / epsilon + twice the radius of the clouds) of both masses. Mass that both
/// clouds have at the same place cancels first.
///
/// ```
/// use gaspard::Engine;
/// use gaspard::flat::{Cloud, Sinkhorn};
/// use ndarray::array;
/// let a = Cloud::counting("a", array![[0.0, 0.0], [3.0, 0.0]])?;
/// let b = Cloud::counting("b", array![[0.5, 0.0]])?;
/// let found = Sinkhorn::new().solve(&a, &b, &Engine::cpu())?;
/// // Half a unit for what moves, one for what is too far.
/// assert!(found.outcome.converged && (found.distance.value - 1.5).abs() < 0.02);
/// assert!(found.distance.lower <= 1.5 && 1.5 <= found.distance.upper);
/// # Ok::<(), gaspard::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sinkhorn {
    epsilon: f64,
    tolerance: f64,
    max_iterations: usize,
}

/// A distance between two bounds, and how it was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Bracket {
    /// The distance: the middle of its bounds, which hold whether or not the solve converged.
    pub distance: Distance,
    /// The test function that attains the lower bound, at the points of the first cloud.
    pub f_a: Vec<f64>,
    /// The same at the points of the second one.
    pub f_b: Vec<f64>,
    /// The least epsilon.
    pub epsilon: f64,
    /// How the solve ended: iterations are those of all epsilons together, the tolerance is how near the
    /// bounds were to be. Seconds are those of the whole batch.
    pub outcome: Outcome,
}

impl Default for Sinkhorn {
    fn default() -> Self {
        Self::new()
    }
}

impl Sinkhorn {
    /// Bounds within 1 % of the value.
    pub fn new() -> Self {
        Self { epsilon: 0.01, tolerance: 0.01, max_iterations: 4000 }
    }

    /// The entropic strength that is annealed to first, 0.01 by default; a distance. It is halved
    /// where bounds stay too far apart.
    #[must_use]
    pub fn epsilon(mut self, epsilon: f64) -> Self {
        self.epsilon = epsilon;
        self
    }

    /// Stop when (upper - lower) / (upper + lower) is at most this, 0.01 by default. For distances
    /// below a hundredth of the smaller mass, when upper - lower is at most what it is there.
    #[must_use]
    pub fn tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Stop after so many iterations at the latest, 4000 by default.
    #[must_use]
    pub fn max_iterations(mut self, max_iterations: usize) -> Self {
        self.max_iterations = max_iterations;
        self
    }

    /// Solves one pair.
    ///
    /// # Errors
    /// As [`Sinkhorn::solve_batch`].
    pub fn solve(&self, a: &Cloud, b: &Cloud, engine: &Engine) -> Result<Bracket> {
        self.solve_with(a, b, engine, &mut ())
    }

    /// Solves one pair under the eyes of an observer.
    ///
    /// # Errors
    /// As [`Sinkhorn::solve_batch`].
    pub fn solve_with(
        &self,
        a: &Cloud,
        b: &Cloud,
        engine: &Engine,
        observer: &mut dyn Observer,
    ) -> Result<Bracket> {
        let mut found = self.solve_batch(&[(a, b)], engine, observer)?;
        Ok(found.pop().expect("one pair, one result"))
    }

    /// Solves many pairs together, whose sizes may differ. Each stops by its own test, and none
    /// depends on what it is batched with, nor on the order of its two clouds. Progress is told at
    /// the tests, with the largest (upper - lower) / (upper + lower) as residual.
    ///
    /// # Errors
    /// [`crate::Error::Parameter`] for parameters that are not positive, [`crate::Error::Shape`] for clouds in
    /// different dimensions, [`crate::Error::Limit`] for a batch that does not fit, and any fault of the
    /// device.
    pub fn solve_batch(
        &self,
        pairs: &[(&Cloud, &Cloud)],
        engine: &Engine,
        observer: &mut dyn Observer,
    ) -> Result<Vec<Bracket>> {
        let begin = Instant::now();
        self.validate()?;
        for (a, b) in pairs {
            pairs[0].0.check_dimension(a)?;
            a.check_dimension(b)?;
        }
        let netted: Vec<_> = pairs.iter().map(|(a, b)| Netted::new(a, b)).collect();
        let is_open = |netted: &Netted| {
            let [a, b] = netted.left();
            a.min(b) > NEGLIGIBLE * a.max(b)
        };
        let open: Vec<_> = netted
            .iter()
            .zip(pairs)
            .filter(|(netted, _)| is_open(netted))
            .map(|(netted, (a, b))| netted.pair([a, b]))
            .collect();
        let mut states = match open.is_empty() {
            true => Vec::new(),
            false => Loop::new(self, Pairs::new(engine, &open)?, observer).run()?,
        }
        .into_iter();
        let ended = Outcome::new(engine, begin, 0, self.tolerance);
        let brackets = netted.iter().zip(pairs).map(|(netted, &(a, b))| match is_open(netted) {
            true => {
                let state = states.next().expect("one for each that is open");
                bracket(netted, [a, b], state, &ended)
            }
            false => one_sided(netted.left(), [a, b], &ended),
        });
        let mut brackets: Vec<Bracket> = brackets.collect();
        let seconds = begin.elapsed().as_secs_f64();
        brackets.iter_mut().for_each(|bracket| bracket.outcome.seconds = seconds);
        Ok(brackets)
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// [`crate::Error::Parameter`] for one that is not positive.
    pub fn validate(&self) -> Result<()> {
        positive("epsilon", self.epsilon, "give the entropic strength, which is a distance")?;
        positive("tolerance", self.tolerance, "give how near bounds are to be, as 0.01")?;
        at_least_one("max-iterations", self.max_iterations)
    }

    /// upper + lower, or what counts as the least sum.
    fn scale(state: &State) -> f64 {
        (state.upper + state.lower).max(2.0 * SMALL)
    }

    /// (upper - lower) / (upper + lower), or of what counts as the least sum.
    fn half_width(state: &State) -> f64 {
        (state.upper - state.lower) / Self::scale(state)
    }

    fn is_met(&self, state: &State) -> bool {
        Self::half_width(state) <= self.tolerance
    }
}

/// What is reported of a pair that was solved.
fn bracket(netted: &Netted, clouds: [&Cloud; 2], state: State, ended: &Outcome) -> Bracket {
    let left = netted.left();
    let [lower, upper] = [state.lower, state.upper].map(|bound| bound * left[0].min(left[1]));
    let [first, second] = state.potentials;
    let [phi, psi] = match netted.cloud_on(0) {
        0 => [first, second],
        _ => [second, first],
    };
    let (f_a, f_b) = completed(clouds, [&netted.kept[0], &netted.kept[1]], [phi, psi]);
    Bracket {
        distance: distance((lower, upper), clouds),
        f_a,
        f_b,
        epsilon: state.epsilon,
        outcome: Outcome {
            converged: state.converged,
            interrupted: state.interrupted,
            iterations: state.iterations,
            ..ended.clone()
        },
    }
}

/// Where no more than one cloud has mass to speak of, all of it has to go, or to come.
fn one_sided([a, b]: [f64; 2], clouds: [&Cloud; 2], ended: &Outcome) -> Bracket {
    let f = if a > b { 1.0 } else { -1.0 };
    Bracket {
        distance: distance(((a - b).abs(), a + b), clouds),
        f_a: vec![f; clouds[0].weights().len()],
        f_b: vec![f; clouds[1].weights().len()],
        epsilon: 1.0,
        outcome: ended.clone(),
    }
}

fn distance((lower, upper): (f64, f64), clouds: [&Cloud; 2]) -> Distance {
    Distance::new(0.5 * (lower + upper), (lower, upper), clouds.map(Cloud::mass))
}
