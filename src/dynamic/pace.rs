//! Step sizes from one iteration to the next.

use super::Control;
use super::checkpoint::count;
use super::flow::Steps;

/// Looks without a lower residual until the step is halved, and above which residual.
const PATIENCE: usize = 3;
const RESTLESS: f64 = 0.1;
/// The first step of the state beside gradients, times their weight: small enough to keep a good start.
const FIRST_TAU: f64 = 0.005;
/// What counts as lower.
const LOWER: f64 = 0.97;
/// The largest sigma beside gradients.
const LARGEST_SIGMA: f64 = 2.0;
/// Of the room that tau sigma has beside gradients, whose methods want it below 1.
const BELOW_ONE: f64 = 0.95;

/// How step sizes go on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Pace {
    relaxation: f64,
    sigma: f64,
    growth: f64,
    largest: f64,
    /// The largest tau sigma.
    room: f64,
    /// With gradients: the step of the state, the least residual since it was last changed, and
    /// looks since then.
    smooth: Option<(f64, f64, usize)>,
}

impl Pace {
    /// `weight` is that of the costs with gradients, if there are any.
    pub(super) fn new(control: &Control, weight: Option<f64>, room: f64) -> Self {
        let tau = |weight: f64| {
            control.tau.unwrap_or(if weight > 0.0 { FIRST_TAU / weight } else { 1.0 })
        };
        Self {
            relaxation: if weight.is_some() { 1.0 } else { control.relaxation },
            sigma: control.sigma,
            growth: control.growth,
            largest: control.largest_sigma,
            room,
            smooth: weight.map(|weight| (tau(weight), f64::INFINITY, 0)),
        }
    }

    pub(super) fn steps(&self) -> Steps {
        let Self { relaxation, sigma, room, .. } = *self;
        match self.smooth {
            Some((tau, ..)) => {
                Steps { sigma: (BELOW_ONE * room / tau).min(LARGEST_SIGMA), tau, relaxation }
            }
            None => Steps { sigma, tau: room / sigma, relaxation },
        }
    }

    /// After an iteration.
    pub(super) fn advance(&mut self) {
        self.sigma = (self.sigma * self.growth).min(self.largest);
    }

    /// After a look at the residuals: gradients that change too fast for the step do not let them
    /// fall.
    pub(super) fn look(&mut self, residual: f64) {
        let Some((tau, least, looks)) = &mut self.smooth else { return };
        if residual < LOWER * *least {
            (*least, *looks) = (residual, 0);
            return;
        }
        *looks += 1;
        if *looks >= PATIENCE && residual > RESTLESS {
            (*tau, *least, *looks) = (0.5 * *tau, f64::INFINITY, 0);
        }
    }

    /// As a solve that goes on after its last iteration would: it looks only where it is due.
    pub(super) fn look_and_advance(&mut self, residual: f64, iteration: usize, control: &Control) {
        if iteration.is_multiple_of(control.check_every) {
            self.look(residual);
        }
        self.advance();
    }

    /// What changes from one iteration to the next, to be kept.
    pub(super) fn save(&self) -> Vec<f64> {
        let (tau, least, looks) = self.smooth.unwrap_or((0.0, 0.0, 0));
        vec![self.sigma, tau, least, looks as f64]
    }

    /// Takes up what was kept; false if it is none.
    pub(super) fn restore(&mut self, saved: &[f64]) -> bool {
        let &[sigma, tau, least, looks] = saved else { return false };
        let is_step = |step: f64| step > 0.0 && step.is_finite();
        let (true, Some(looks)) = (is_step(sigma), count(looks)) else { return false };
        if self.smooth.is_some() && !is_step(tau) {
            return false;
        }
        self.sigma = sigma;
        if let Some(smooth) = &mut self.smooth {
            *smooth = (tau, least, looks);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_halved_only_where_residuals_do_not_fall() {
        let mut pace = Pace::new(&Control::default(), Some(2.0), 1.0);
        assert_eq!(pace.steps().tau, 0.0025);
        for residual in [0.9, 0.8, 0.7, 0.71, 0.7, 0.4, 0.2, 0.21, 0.21] {
            pace.look(residual);
        }
        assert_eq!(pace.steps().tau, 0.0025);
        pace.look(0.2);
        assert_eq!(pace.steps().tau, 0.00125);
        // Small ones are left alone.
        for _ in 0..10 {
            pace.look(5e-2);
        }
        assert_eq!(pace.steps().tau, 0.00125);
        let mut again = Pace::new(&Control::default(), Some(2.0), 1.0);
        assert!(again.restore(&pace.save()));
        assert_eq!(again, pace);
        assert!(!again.restore(&[1.0]));
        for damaged in [[f64::NAN, 0.1, 0.5, 1.0], [1.0, -0.1, 0.5, 1.0], [1.0, 0.1, 0.5, 1e300]] {
            assert!(!again.restore(&damaged), "{damaged:?}");
        }
    }
}
