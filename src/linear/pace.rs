//! How an iterative solve goes along: stop tests that the device does not wait for, stages of
//! annealing, over-relaxation from the observed rate.

use std::collections::VecDeque;

use crate::engine::{Array, Engine, Pending};
use crate::error::{Error, Result};
use crate::linear::schedule::Control;
use crate::numeric::largest;

/// Residual at which an annealing stage hands over to the next.
const STAGE_TOLERANCE: f64 = 0.02;
/// Iterations that an annealing stage takes at most.
const STAGE_ITERATIONS: usize = 60;
/// Exponentials that the host spends on an evaluation in f64 after a solve on a GPU: about a
/// second on two cores.
pub(crate) const HOST_WORK: f64 = 1e9;
/// What to do where residuals are no numbers.
pub(crate) const RAN_AWAY: &str = "use a larger epsilon, or the CPU, which computes in f64";
/// Over-relaxation never goes beyond this.
const MAX_RELAXATION: f64 = 1.95;

/// What was made on the host, or nothing where it has no room: a solution that was found on a device is
/// then evaluated there.
pub(crate) fn room_for<T>(made: Result<T>) -> Result<Option<T>> {
    match made {
        Ok(made) => Ok(Some(made)),
        Err(Error::Limit { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The pace of one stage: how long, how exact, how bold.
pub(crate) struct Pace {
    /// Iterations done before this stage.
    pub begin: usize,
    /// Iterations at which it ends at the latest.
    pub end: usize,
    /// The residual at which it ends.
    pub tolerance: f64,
    /// The over-relaxation of the next iterations.
    pub relaxation: f64,
    /// Residuals of the last stop tests without over-relaxation, to observe the rate.
    history: Vec<f64>,
    best: f64,
    /// Over-relaxation was tried and made things worse.
    given_up: bool,
}

impl Pace {
    pub(crate) fn new(control: &Control, last: bool, iterations: usize, tolerance: f64) -> Self {
        let budget = if last { control.max_iterations } else { iterations + STAGE_ITERATIONS };
        Self {
            begin: iterations,
            end: budget.min(control.max_iterations).max(iterations + 1),
            tolerance: if last { tolerance } else { tolerance.max(STAGE_TOLERANCE) },
            relaxation: control.relaxation.unwrap_or(1.0),
            history: Vec::new(),
            best: f64::INFINITY,
            given_up: !last,
        }
    }

    /// The same pace for the next of a sequence of problems that hardly differ.
    pub(crate) fn again(&mut self) {
        self.history.clear();
        self.best = f64::INFINITY;
        self.given_up = false;
    }

    /// The largest residual of the problems that still run, or of all if none does.
    pub(crate) fn worst_running(residuals: &[f64], converged: &[bool]) -> f64 {
        let running = residuals.iter().zip(converged).filter(|(_, converged)| !**converged);
        let worst = largest(running.map(|(residual, _)| *residual));
        if worst == 0.0 { largest(residuals.iter().copied()) } else { worst }
    }

    /// Chooses the over-relaxation from the observed contraction per sweep, eta, as successive
    /// over-relaxation does: 2 / (1 + sqrt(1 - eta)) (Lehmann, von Renesse, Sambale, Uschmajew
    /// 2022, theorem 1). Falls back to plain steps where the residual grows.
    pub(crate) fn adapt(&mut self, residual: f64, control: &Control) {
        if control.relaxation.is_some() || self.given_up {
            return;
        }
        if self.relaxation > 1.0 {
            self.best = self.best.min(residual);
            if residual > 20.0 * self.best || !residual.is_finite() {
                self.relaxation = 1.0;
                self.given_up = true;
            }
            return;
        }
        self.history.push(residual);
        let [.., before, middle, now] = self.history[..] else { return };
        let (first, second) = (middle / before, now / middle);
        // The rate must have settled: early on, residuals fall in bursts.
        if !(second < 1.0 && (first - second).abs() < 0.1 * (1.0 - second).max(0.05)) {
            return;
        }
        let eta = second.powf(1.0 / control.check_every as f64);
        self.relaxation = (2.0 / (1.0 + (1.0 - eta).sqrt())).min(MAX_RELAXATION);
        self.best = now;
    }
}

/// Stop tests in flight. On a GPU the result of a test is looked at when the next one has been
/// launched, so that the device never waits for the host; on the CPU at once.
pub(crate) struct Checks {
    engine: Engine,
    pending: VecDeque<(usize, Pending)>,
}

impl Checks {
    pub(crate) fn new(engine: &Engine) -> Self {
        Self { engine: engine.clone(), pending: VecDeque::new() }
    }

    /// Starts to read a test's values, and returns the values of the test that is due.
    pub(crate) fn push(
        &mut self,
        iteration: usize,
        values: &Array,
    ) -> Result<Option<(usize, Vec<f64>)>> {
        self.pending.push_back((iteration, self.engine.read(values)?));
        let lag = usize::from(self.engine.is_gpu());
        if self.pending.len() > lag { self.pop() } else { Ok(None) }
    }

    /// The values of the last test, if it has not been looked at yet.
    pub(crate) fn last(&mut self) -> Result<Option<(usize, Vec<f64>)>> {
        while self.pending.len() > 1 {
            self.pop()?;
        }
        self.pop()
    }

    fn pop(&mut self) -> Result<Option<(usize, Vec<f64>)>> {
        let Some((iteration, pending)) = self.pending.pop_front() else { return Ok(None) };
        Ok(Some((iteration, pending.wait(&self.engine)?)))
    }
}

/// When one problem is done.
#[derive(Clone)]
pub(crate) struct StopTest {
    /// The residual to stop at.
    pub tolerance: f64,
    /// Where rounding may hold the residual up, if that is good enough.
    floor: Option<f64>,
    /// What rounding leaves of the residual.
    resolvable: f64,
    best: f64,
    /// Stop tests since the residual last fell noticeably.
    stalled: usize,
}

/// Stop tests without progress after which a residual at the level of rounding will not fall.
const STALLED: usize = 8;

impl StopTest {
    /// What the user asked for. Without a wish, 1e-6 on the CPU and 1e-5 on a GPU, where the
    /// residual may also stop falling at what rounding leaves of it: potentials over epsilon are
    /// as large as the costs over epsilon, and every entry of the plan is off by that times the
    /// unit roundoff, a few times over.
    pub(crate) fn new(control: &Control, engine: &Engine, cost_bound: f64) -> Self {
        let resolvable = 4.0 * engine.unit_roundoff() * (2.0 + cost_bound / control.epsilon);
        let (tolerance, floor) = match (control.tolerance, engine.is_gpu()) {
            (Some(tolerance), _) => (tolerance, None),
            (None, false) => (1e-6, None),
            (None, true) => (1e-5, Some(resolvable)),
        };
        Self { tolerance, floor, resolvable, best: f64::INFINITY, stalled: 0 }
    }

    /// Evaluated in the end, the residual of a problem that is done is not larger: a few times what
    /// it was at the test.
    pub(crate) fn acceptable(&self) -> f64 {
        const FEW: f64 = 100.0;
        FEW * self.tolerance.max(self.resolvable)
    }

    /// True if the problem is done at this residual.
    pub(crate) fn met(&mut self, residual: f64) -> bool {
        if residual < 0.9 * self.best {
            self.best = residual;
            self.stalled = 0;
        } else {
            self.stalled += 1;
        }
        let at_floor = self.floor.is_some_and(|floor| residual <= floor && self.stalled >= STALLED);
        residual <= self.tolerance || at_floor
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_residual_that_stalls_at_rounding_is_good_enough_only_without_a_wish() {
        let mut test = StopTest {
            tolerance: 1e-5,
            floor: Some(1e-4),
            resolvable: 1e-4,
            best: f64::INFINITY,
            stalled: 0,
        };
        assert!(!test.met(5e-5));
        assert!((0..STALLED).any(|_| test.met(5e-5)));
        let mut wish = StopTest { floor: None, best: f64::INFINITY, stalled: 0, ..test.clone() };
        assert!((0..100).all(|_| !wish.met(5e-5)));
        assert!(wish.met(1e-5));
    }
}
