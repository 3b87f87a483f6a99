//! How epsilon falls, and when each pair of a batch is done.

use super::Sinkhorn;
use super::pairs::Pairs;
use crate::error::Result;
use crate::numeric;
use crate::observer::{Observer, Progress, stops};

/// From one epsilon to the next, on the way down to the target and beyond it.
const ANNEALING: f64 = 0.5;
/// Iterations at each epsilon above the target.
const PER_LEVEL: usize = 3;
/// Epsilons of these from one test to the next.
const LEVELS_PER_TEST: usize = 3;
/// Over-relaxation at the target and below grows up to this.
const BOLDEST: f64 = 1.98;
/// Bounds that are no nearer than this much of what they were at the test before will hardly be: it
/// is epsilon that keeps them apart.
const STALLED: f64 = 0.8;
/// Iterations before this can be said, at the target.
const BEFORE_STALLED: usize = 40;
/// Potentials that change less in an iteration have settled.
const SETTLED: f64 = 1e-5;
/// Iterations before the first test at the target; later tests are at twice as many.
const FIRST_TEST: usize = 20;
/// Iterations at one epsilon; more in proportion below 0.005.
const AT_MOST: (usize, f64) = (400, 0.005);
/// No epsilon is smaller.
const LEAST_EPSILON: f64 = 1e-5;

/// What is known of a pair. Bounds are in units of the smaller mass.
#[derive(Clone, Debug)]
pub(super) struct State {
    pub lower: f64,
    pub upper: f64,
    /// The potentials that attain the lower bound.
    pub potentials: [Vec<f64>; 2],
    pub iterations: usize,
    /// The least epsilon so far.
    pub epsilon: f64,
    pub converged: bool,
    pub interrupted: bool,
}

impl State {
    /// What the masses alone say.
    fn new(total: f64) -> Self {
        Self {
            // The smaller mass is 1.
            lower: total - 2.0,
            upper: total,
            potentials: [Vec::new(), Vec::new()],
            iterations: 0,
            epsilon: 1.0,
            converged: false,
            interrupted: false,
        }
    }
}

pub(super) struct Loop<'a> {
    pub control: &'a Sinkhorn,
    pub pairs: Pairs,
    pub states: Vec<State>,
    pub observer: &'a mut dyn Observer,
    interrupted: bool,
}

impl<'a> Loop<'a> {
    pub(super) fn new(control: &'a Sinkhorn, pairs: Pairs, observer: &'a mut dyn Observer) -> Self {
        let states = pairs.totals().iter().map(|&total| State::new(total)).collect();
        Self { control, pairs, states, observer, interrupted: false }
    }

    /// Anneals to the target; from there on halves epsilon for the pairs whose bounds are not near
    /// enough. What happens to a pair depends on that pair alone.
    pub(super) fn run(mut self) -> Result<Vec<State>> {
        let target = self.control.epsilon;
        let mut epsilon = f64::max(1.0, target);
        let mut level = 1;
        let mut goes_on = true;
        while goes_on && epsilon >= target.min(LEAST_EPSILON) {
            goes_on = match epsilon > target {
                true => self.level(epsilon, 1.0, PER_LEVEL, level % LEVELS_PER_TEST == 0)?,
                false => self.level(epsilon, BOLDEST, scaled(AT_MOST.0, epsilon), true)?,
            };
            level += 1;
            let next = ANNEALING * epsilon;
            epsilon = if epsilon > target { next.max(target) } else { next };
        }
        Ok(self.states)
    }

    /// The pairs that go on at this epsilon. Below the target none does whose bounds rounding alone
    /// would keep apart: in f32 that is so long before it is in f64.
    fn unfinished(&self, epsilon: f64) -> Vec<bool> {
        let Sinkhorn { max_iterations, tolerance, epsilon: target } = *self.control;
        let goes_on = |(pair, state): (usize, &State)| {
            let rounding = 2.0 * self.pairs.rounding(pair, epsilon) / Sinkhorn::scale(state);
            let in_reach = epsilon >= target || rounding < tolerance;
            !state.converged && state.iterations < max_iterations && in_reach
        };
        self.states.iter().enumerate().map(goes_on).collect()
    }

    /// Iterations at one epsilon, with tests at the end and before if `testing`. False if no pair
    /// goes on.
    fn level(
        &mut self,
        epsilon: f64,
        boldest: f64,
        iterations: usize,
        testing: bool,
    ) -> Result<bool> {
        let mut running = self.unfinished(epsilon);
        if !running.contains(&true) {
            return Ok(false);
        }
        let mut widths = vec![f64::INFINITY; running.len()];
        self.pairs.start(epsilon, boldest)?;
        self.pairs.run_only(&running)?;
        let mut next_test = FIRST_TEST.min(iterations);
        for iteration in 1..=iterations {
            self.pairs.iterate()?;
            self.interrupted |= self.observer.interrupted();
            let test = testing && (iteration == iterations || iteration == next_test);
            if iteration == next_test {
                next_test *= 2;
            }
            let mut due = running.clone();
            for (due, state) in due.iter_mut().zip(&mut self.states).filter(|(due, _)| **due) {
                state.iterations += 1;
                state.epsilon = epsilon;
                *due = test || self.interrupted || state.iterations == self.control.max_iterations;
            }
            if due.contains(&true) {
                let changes = self.pairs.changes()?;
                let before = widths.clone();
                self.test(epsilon, &due, &mut widths)?;
                let unfinished = self.unfinished(epsilon);
                for (pair, running) in running.iter_mut().enumerate().filter(|(pair, _)| due[*pair])
                {
                    let stalled = iteration >= scaled(BEFORE_STALLED, epsilon)
                        && widths[pair] > STALLED * before[pair];
                    *running = unfinished[pair] && changes[pair] > SETTLED && !stalled;
                }
                self.pairs.run_only(&running)?;
                self.tell(epsilon);
            }
            if self.interrupted || !running.contains(&true) {
                break;
            }
        }
        if self.interrupted {
            let stopped = self.states.iter_mut().filter(|state| !state.converged);
            stopped.for_each(|state| state.interrupted = true);
        }
        Ok(!self.interrupted && self.unfinished(epsilon).contains(&true))
    }

    /// Bounds of the pairs that run, and how far apart they are.
    fn test(&mut self, epsilon: f64, running: &[bool], widths: &mut [f64]) -> Result<()> {
        self.pairs.run_only(running)?;
        let lower = self.pairs.lower()?;
        let upper = self.pairs.upper(epsilon, running)?;
        for (pair, state) in self.states.iter_mut().enumerate().filter(|(pair, _)| running[*pair]) {
            let rounding = self.pairs.rounding(pair, epsilon);
            let found = lower.values[pair] - rounding;
            widths[pair] = upper[pair] - lower.values[pair];
            if found > state.lower || state.potentials[0].is_empty() {
                state.lower = found.max(state.lower);
                state.potentials = [0, 1].map(|side| {
                    lower.potentials[side][self.pairs.sides[side].range(pair)].to_vec()
                });
            }
            state.upper = state.upper.min(upper[pair] + rounding).max(state.lower);
            state.converged = self.control.is_met(state);
        }
        Ok(())
    }

    fn tell(&mut self, epsilon: f64) {
        let unfinished = self.unfinished(epsilon);
        let running = unfinished.iter().filter(|running| **running).count();
        let open = self.states.iter().zip(&unfinished).filter(|(_, open)| **open || running == 0);
        let residual = numeric::largest(open.map(|(state, _)| Sinkhorn::half_width(state)));
        let iteration = self.states.iter().map(|state| state.iterations).max().unwrap_or(0);
        let Sinkhorn { max_iterations, tolerance, .. } = *self.control;
        let progress = Progress {
            epsilon: Some(epsilon),
            running: (running, self.states.len()),
            ..Progress::new(iteration, max_iterations, residual, tolerance)
        };
        self.interrupted |= stops(self.observer, &progress);
    }
}

/// So many iterations, or more where epsilon is small: potentials take longer to settle.
fn scaled(iterations: usize, epsilon: f64) -> usize {
    (iterations as f64 * (AT_MOST.1 / epsilon).max(1.0)) as usize
}
