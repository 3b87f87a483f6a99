//! How the iteration goes along.

use crate::error::{Error, Result};
use crate::validate::{at_least_one, from_zero, positive};

use super::Problem;

/// What an iteration does with the gradient of the costs of frames ([`super::Space::frames`]); where
/// there are none all but [`Method::Pdfp`] are the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    /// The over-relaxed primal-dual iteration; with frames that of Condat and Vu.
    #[default]
    Relaxed,
    /// Condat and Vu: the gradient joins the step of the state.
    CondatVu,
    /// The primal-dual fixed point iteration: a second projection with the new gradient.
    Pdfp,
    /// Yan, also PD3O: the dual step sees by how much the gradient changed.
    Yan,
}

/// The control of a dynamic solve.
///
/// ```
/// use gaspard::dynamic::Control;
///
/// // Costs to about four digits, with the iteration of the paper.
/// let control = Control { tolerance: 1e-4, relaxation: 1.0, ..Control::default() };
/// assert!(control.validate().is_ok());
/// assert!(Control { relaxation: 2.0, ..control }.validate().is_err());
/// # Ok::<(), gaspard::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Control {
    /// Stop when both relative residuals are at most this: 1e-3 is good for pictures, 1e-4 gives
    /// costs to about 4 digits; in f32 nothing is gained below 1e-6.
    pub tolerance: f64,
    /// Stop after so many iterations at the latest.
    pub max_iterations: usize,
    /// Iterations from one look at the residuals to the next.
    pub check_every: usize,
    /// The step of the dual variable, for densities of mean 1; that of the primal one is its
    /// inverse.
    pub sigma: f64,
    /// From one iteration to the next sigma grows by this factor,
    pub growth: f64,
    /// but not beyond this. Small steps win early, large ones late.
    pub largest_sigma: f64,
    /// Over-relaxation, from 1 (plain Chambolle-Pock, as in the paper) to less than 2. With frames
    /// there is none.
    pub relaxation: f64,
    /// What is done with gradients.
    pub method: Method,
    /// The step of the state where there are frames, at first: it is halved where residuals do not
    /// fall. By default 0.005 over the weight of the frames.
    pub tau: Option<f64>,
    /// Iterations before those, at most, in which particles move along wherever a map is known:
    /// a start for the costs of frames, which are slow to converge.
    pub warm_iterations: usize,
    /// Seconds between two checkpoints, where they are kept.
    pub checkpoint_seconds: f64,
}

impl Default for Control {
    fn default() -> Self {
        Self {
            tolerance: 1e-3,
            max_iterations: 2000,
            check_every: 20,
            sigma: 0.1,
            growth: 1.003,
            largest_sigma: 1.0,
            relaxation: 1.9,
            method: Method::Relaxed,
            tau: None,
            warm_iterations: 300,
            checkpoint_seconds: 60.0,
        }
    }
}

impl Control {
    /// What suits a problem: the defaults, but for two kinds of it. Where spaces are coupled, laws
    /// hold slowly: sigma is 0.3 and iterations are twice as many. Where there are costs of frames,
    /// the method is that of Yan, and the tolerance ten times larger, because gradients leave the
    /// residual of the steps high long after costs have settled.
    ///
    /// ```
    /// use gaspard::dynamic::paper::Example;
    /// use gaspard::dynamic::{Control, Form, Method};
    ///
    /// let example = Example::named("6.3a")?;
    /// let frames = example.problem([8, 8], 4, Form::Kantorovich, 0.1)?;
    /// assert_eq!(Control::usual(&frames).method, Method::Yan);
    /// let particles = example.problem([8, 8], 4, Form::Monge, 0.1)?;
    /// assert_eq!(Control::usual(&particles), Control::default());
    /// # Ok::<(), gaspard::Error>(())
    /// ```
    #[must_use]
    pub fn usual(problem: &Problem) -> Self {
        let mut control = Self::default();
        if problem.has_coupled() {
            control.sigma = 0.3;
            control.max_iterations *= 2;
        }
        if problem.has_frames() {
            control.method = Method::Yan;
            control.tolerance *= 10.0;
        }
        control
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// [`Error::Parameter`] for one outside its domain.
    pub fn validate(&self) -> Result<()> {
        positive("sigma", self.sigma, "give the step of the dual variable, 0.1 for example")?;
        let refusal = |name: &'static str, problem: String, remedy: &'static str| {
            Err(Error::parameter(name, problem, remedy))
        };
        if let Some(tau) = self.tau {
            positive("tau", tau, "give the step of the state, 0.005 for example")?;
        }
        from_zero("tolerance", self.tolerance, "give the relative residual to stop at")?;
        if !(1.0..2.0).contains(&self.relaxation) {
            let problem = format!("{} is not from 1 to less than 2", self.relaxation);
            return refusal("relaxation", problem, "1 is no over-relaxation, 1.9 the default");
        }
        if !(self.growth >= 1.0 && self.largest_sigma >= self.sigma) {
            let problem = format!("sigma falls: {} a step to {}", self.growth, self.largest_sigma);
            return refusal("growth", problem, "give a factor from 1 up, and a bound above sigma");
        }
        at_least_one("max-iterations", self.max_iterations)?;
        at_least_one("check-every", self.check_every)?;
        Ok(())
    }
}
