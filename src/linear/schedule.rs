//! How epsilon falls to its target, and when a solve stops.

use crate::error::{Error, Result};

/// The control of an iterative solve: what every entropic solver takes.
///
/// ```
/// use gaspard::{Control, Engine, Measure, Transport};
/// use ndarray::array;
///
/// let a = Measure::uniform("a", array![[0.0], [1.0]])?;
/// let b = Measure::uniform("b", array![[0.5], [2.0]])?;
/// let control = Control { tolerance: Some(1e-9), max_iterations: 5000, ..Control::new(1.0) };
/// let plan = Transport::between(&a, &b).epsilon(1.0).control(control).solve(&Engine::cpu())?;
/// assert!(plan.details().converged);
/// # Ok::<(), gaspard::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Control {
    /// Entropic strength, in the units of the cost.
    pub epsilon: f64,
    /// Stop when the L1 residual of the marginals, for a mass of 1, is at most this. `None`: 1e-6
    /// on the CPU; on a GPU 1e-5, or where rounding to f32 keeps it from falling further.
    pub tolerance: Option<f64>,
    /// Stop after so many iterations at the latest.
    pub max_iterations: usize,
    /// Iterations from one stop test to the next.
    pub check_every: usize,
    /// Start from a large epsilon and divide it by this factor from stage to stage until the
    /// target is reached; 1 switches annealing off.
    pub annealing: f64,
    /// Over-relaxation of the node updates: in (0, 2), 1 for none. `None`: chosen from the
    /// observed rate of convergence.
    pub relaxation: Option<f64>,
}

impl Control {
    /// The defaults at this epsilon.
    pub fn new(epsilon: f64) -> Self {
        Self {
            epsilon,
            tolerance: None,
            max_iterations: 10_000,
            check_every: 10,
            annealing: 4.0,
            relaxation: None,
        }
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// [`Error::Parameter`] for one outside its domain.
    pub fn validate(&self) -> Result<()> {
        positive("epsilon", self.epsilon, "give the entropic strength in the units of the cost")?;
        let wrong = |tolerance: &f64| tolerance.is_nan() || *tolerance < 0.0;
        if let Some(tolerance) = self.tolerance.filter(wrong) {
            return Err(Error::parameter(
                "tolerance",
                format!("{tolerance} is not a number from 0 up"),
                "give the L1 error of the marginals to stop at, or 0 to use all iterations",
            ));
        }
        if self.check_every == 0 {
            return Err(Error::parameter("check-every", "it is 0", "give at least 1"));
        }
        if !(self.annealing >= 1.0 && self.annealing.is_finite()) {
            return Err(Error::parameter(
                "annealing",
                format!("{} is less than 1", self.annealing),
                "give the factor between stages, or 1 to switch it off",
            ));
        }
        match self.relaxation {
            Some(relaxation) if !(relaxation > 0.0 && relaxation < 2.0) => Err(Error::parameter(
                "relaxation",
                format!("{relaxation} is not between 0 and 2"),
                "give 1 for none; values from 1 to 1.9 can speed convergence up",
            )),
            _ => Ok(()),
        }
    }

    /// The epsilons of the stages, from one comparable with the costs down to the target.
    pub(crate) fn stages(&self, cost_bound: f64) -> Vec<f64> {
        let mut stages = vec![self.epsilon];
        if self.annealing > 1.0 {
            let mut epsilon = self.epsilon * self.annealing;
            while epsilon < 0.25 * cost_bound {
                stages.push(epsilon);
                epsilon *= self.annealing;
            }
        }
        stages.reverse();
        stages
    }
}

/// Refuses what is not a positive number.
pub(crate) fn positive(name: &str, value: f64, remedy: &str) -> Result<()> {
    if value > 0.0 && value.is_finite() {
        return Ok(());
    }
    Err(Error::parameter(name, format!("{value} is not a positive number"), remedy))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_fall_to_the_target() {
        let control = Control::new(0.01);
        let stages = control.stages(2.0);
        assert_eq!(stages.last(), Some(&0.01));
        assert!(stages.windows(2).all(|pair| (pair[0] / pair[1] - 4.0).abs() < 1e-12));
        assert!(stages[0] >= 0.1 && stages[0] < 0.5);
        assert_eq!(Control::new(3.0).stages(2.0), [3.0]);
    }

    #[test]
    fn parameters_outside_their_domain_are_refused() {
        for epsilon in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(Control::new(epsilon).validate().is_err());
        }
        let wrong = Control { relaxation: Some(2.0), ..Control::new(1.0) };
        assert!(wrong.validate().unwrap_err().to_string().contains("relaxation"));
    }
}
