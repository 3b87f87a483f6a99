//! How epsilon falls to its target, and when a solve stops.

use crate::error::{Error, Result};
use crate::validate::{annealing, at_least_one, from_zero, positive};

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
/// assert!(plan.outcome().converged);
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
        if let Some(tolerance) = self.tolerance {
            let remedy =
                "give the L1 error of the marginals to stop at, or 0 to use all iterations";
            from_zero("tolerance", tolerance, remedy)?;
        }
        at_least_one("max-iterations", self.max_iterations)?;
        at_least_one("check-every", self.check_every)?;
        annealing(self.annealing)?;
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
        annealed(self.epsilon, self.annealing, 0.25 * cost_bound)
    }
}

/// The epsilons from the largest one that is no larger than `coarsest` down to the target.
pub(crate) fn annealed(target: f64, factor: f64, coarsest: f64) -> Vec<f64> {
    let mut epsilons = vec![target];
    if factor > 1.0 {
        let coarser =
            std::iter::successors(Some(target * factor), |epsilon| Some(epsilon * factor));
        epsilons.extend(coarser.take_while(|epsilon| *epsilon <= coarsest));
    }
    epsilons.reverse();
    epsilons
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
