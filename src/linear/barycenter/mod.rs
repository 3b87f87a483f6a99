//! Wasserstein barycenters on a fixed support, entropic and debiased.

mod evaluate;
mod solve;
mod star;

use ndarray::Array1;

use super::Control;
use super::tree::Terms;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::geometry::{Cost, Geometry, Measure, Support};
use crate::observer::{Observer, in_parts};
use crate::outcome::Outcome;

/// Weights of the inputs may miss 1 by this much.
const WEIGHT_SUM: f64 = 1e-6;

/// The measure nu on a support that minimises
///
/// ```text
/// sum_k weight_k ( <C_k, P_k> + epsilon KL(P_k | mu_k x U) ),   P_k from mu_k to nu
/// ```
///
/// with U the uniform measure on the support, by iterative Bregman projections in the log domain
/// (Benamou, Carlier, Cuturi, Nenna, Peyré 2015). The entropy blurs: at epsilon, a point becomes a
/// Gaussian of variance epsilon / 2. [`Barycenter::debiased`] takes the blur out (Janati, Cuturi,
/// Gramfort 2020).
///
/// ```
/// use gaspard::{Barycenter, Engine, Measure};
/// use ndarray::array;
/// let left = Measure::density("left", array![1.0, 0.0, 0.0, 0.0, 0.0].into_dyn().view())?;
/// let right = Measure::density("right", array![0.0, 0.0, 0.0, 0.0, 1.0].into_dyn().view())?;
/// let middle = Barycenter::of(&[&left, &right]).epsilon(1e-3).solve(&Engine::cpu())?;
/// assert!(middle.weights[2] > 0.99);
/// # Ok::<(), gaspard::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Barycenter<'a> {
    measures: Vec<&'a Measure>,
    weights: Vec<f64>,
    support: Option<Support>,
    cost: Cost,
    geometry: Option<Geometry>,
    debiased: bool,
    control: Control,
}

/// A barycenter and what the solver knows of it.
#[derive(Clone, Debug)]
pub struct BarycenterSolution {
    /// nu: weights on the support, summing to 1.
    pub weights: Array1<f64>,
    /// Where they are.
    pub support: Support,
    /// The weighted terms of the objective, with the entropy relative to mu_k x U. The dual is not
    /// computed: it is NaN.
    pub terms: Terms,
    /// sum_k weight_k of the L1 errors of both marginals of P_k, for a mass of 1.
    pub marginal_error: f64,
    /// How the solve ended: an iteration is one softmin to the support and one back for every input, the
    /// tolerance is that of the marginal error.
    pub outcome: Outcome,
    /// The epsilon reached.
    pub epsilon: f64,
    /// False if the solve ended before annealing reached the target.
    pub reached_epsilon: bool,
    /// (iteration, residual) at every stop test of the final epsilon.
    pub trace: Vec<(usize, f64)>,
    /// True if terms and marginals were evaluated in f64.
    pub evaluated_in_f64: bool,
}

impl<'a> Barycenter<'a> {
    /// The barycenter of measures with equal weights, on the support of the first, with the
    /// squared Euclidean cost and epsilon 1/1000. Measures count with mass 1.
    pub fn of(measures: &[&'a Measure]) -> Self {
        Self {
            measures: measures.to_vec(),
            weights: vec![1.0 / measures.len().max(1) as f64; measures.len()],
            support: None,
            cost: Cost::SquaredEuclidean,
            geometry: None,
            debiased: false,
            control: Control::new(1e-3),
        }
    }

    /// How much each measure counts: not negative, summing to 1.
    #[must_use]
    pub fn weights(mut self, weights: &[f64]) -> Self {
        self.weights = weights.to_vec();
        self
    }

    /// Where the barycenter may be.
    #[must_use]
    pub fn support(mut self, support: Support) -> Self {
        self.support = Some(support);
        self
    }

    /// The cost between supports.
    #[must_use]
    pub fn cost(mut self, cost: Cost) -> Self {
        self.cost = cost;
        self
    }

    /// Costs of one's own from every measure (rows, all of one size) to the support (columns).
    #[must_use]
    pub fn geometry(mut self, geometry: Geometry) -> Self {
        self.geometry = Some(geometry);
        self
    }

    /// The entropic strength, in the units of the cost.
    #[must_use]
    pub fn epsilon(mut self, epsilon: f64) -> Self {
        self.control.epsilon = epsilon;
        self
    }

    /// Takes the entropic blur out.
    #[must_use]
    pub fn debiased(mut self, debiased: bool) -> Self {
        self.debiased = debiased;
        self
    }

    /// All of the control at once, its epsilon included.
    #[must_use]
    pub fn control(mut self, control: Control) -> Self {
        self.control = control;
        self
    }

    /// Solves on an engine.
    ///
    /// # Errors
    /// Bad input, problems that do not fit, faults of the device: see [`Error`].
    pub fn solve(&self, engine: &Engine) -> Result<BarycenterSolution> {
        self.solve_with(engine, &mut ())
    }

    /// Solves under the eyes of an observer.
    ///
    /// # Errors
    /// As [`Barycenter::solve`].
    pub fn solve_with(
        &self,
        engine: &Engine,
        observer: &mut dyn Observer,
    ) -> Result<BarycenterSolution> {
        self.validate()?;
        solve::solve(self, engine, observer)
    }

    /// An interpolation of so many frames: weights move from all on the first measure to all on
    /// the second, and on to the last. Frames that were done before an interrupt are kept.
    ///
    /// # Errors
    /// As [`Barycenter::solve`], and [`Error::Parameter`] for fewer than two frames or measures.
    pub fn solve_frames(
        &self,
        frames: usize,
        engine: &Engine,
        observer: &mut dyn Observer,
    ) -> Result<Vec<BarycenterSolution>> {
        if frames < 2 || self.measures.len() < 2 {
            return Err(Error::parameter(
                "frames",
                format!("{frames} frames of {} inputs", self.measures.len()),
                "an interpolation takes at least two of each",
            ));
        }
        in_parts(frames, observer, |frame, observer| {
            let weights = weights_on_path(frame, frames, self.measures.len());
            let solution = self.clone().weights(&weights).solve_with(engine, observer)?;
            let interrupted = solution.outcome.interrupted;
            Ok((solution, interrupted))
        })
    }

    /// Checks the parameters and the number of inputs; solving does it too.
    ///
    /// # Errors
    /// [`Error::Parameter`] for parameters outside their domain, [`Error::Data`] without inputs.
    pub fn validate(&self) -> Result<()> {
        self.control.validate()?;
        if self.measures.is_empty() {
            return Err(Error::data("the inputs", "there are none", "give at least one measure"));
        }
        check_weights(&self.weights, self.measures.len())
    }

    fn resolved_support(&self) -> Support {
        match (&self.support, &self.geometry) {
            (Some(support), _) => support.clone(),
            (None, Some(geometry)) => Support::Abstract(geometry.shape().1),
            (None, None) => self.measures[0].support().clone(),
        }
    }
}

/// Refuses weights of the inputs of a barycenter unless there is one for each, none is negative,
/// and they sum to 1.
pub(crate) fn check_weights(weights: &[f64], inputs: usize) -> Result<()> {
    let what = "the weights of the inputs";
    if weights.len() != inputs {
        let problem = format!("{} weights for {inputs} inputs", weights.len());
        return Err(Error::parameter(what, problem, "give one weight for each input"));
    }
    if let Some(weight) = weights.iter().find(|weight| weight.is_nan() || **weight < 0.0) {
        let problem = format!("one of them is {weight}");
        return Err(Error::parameter(what, problem, "weights are not negative"));
    }
    let sum: f64 = weights.iter().sum();
    if (sum - 1.0).abs() > WEIGHT_SUM {
        let problem = format!("they sum to {sum}");
        return Err(Error::parameter(what, problem, "give weights that sum to 1"));
    }
    Ok(())
}

/// Weights of the inputs for a frame on the way from the first over all others to the last.
fn weights_on_path(frame: usize, frames: usize, inputs: usize) -> Vec<f64> {
    let position = frame as f64 / (frames - 1) as f64 * (inputs - 1) as f64;
    let before = (position.floor() as usize).min(inputs - 2);
    let part = position - before as f64;
    let mut weights = vec![0.0; inputs];
    weights[before] = 1.0 - part;
    weights[before + 1] = part;
    weights
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_visits_every_input() {
        assert_eq!(weights_on_path(0, 5, 3), [1.0, 0.0, 0.0]);
        assert_eq!(weights_on_path(1, 5, 3), [0.5, 0.5, 0.0]);
        assert_eq!(weights_on_path(2, 5, 3), [0.0, 1.0, 0.0]);
        assert_eq!(weights_on_path(4, 5, 3), [0.0, 0.0, 1.0]);
    }
}
