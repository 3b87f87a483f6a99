//! Barycenters on a fixed space (paper section 5).

use super::{Control, Fused, Problem, Solution, Space};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::linear::tree::Reference;
use crate::linear::{Law, check_weights};
use crate::observer::{Observer, in_parts};

/// The measure on a given space that is nearest to several spaces.
///
/// Minimises over nu on the support
///
/// ```text
/// sum lambda_i GW(X_i, (Y, D_Y, nu)),
/// ```
///
/// each term balanced or unbalanced at X_i and exact at nu: the multi-marginal problem on a star
/// whose centre is free (paper theorem 5.3). With weights of one each instead, as the paper's code
/// has them, the same problem has N times the epsilon.
///
/// ```
/// use gaspard::gromov::{Barycenter, Control, GridSpace};
/// use gaspard::Engine;
/// use ndarray::array;
///
/// let bar = GridSpace::plane(array![[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]].view())?;
/// let hook = GridSpace::plane(array![[1.0, 1.0], [1.0, 0.0]].view())?;
/// let grid = GridSpace::whole_plane([3, 3])?;
/// let barycenter = Barycenter::of(&[&bar.space, &hook.space], &grid.space);
/// let solution = barycenter.solve(&Control::new(1e-2), &Engine::cpu())?;
/// let picture = grid.draw(Barycenter::weights_of(&solution))?;
/// assert!((picture.sum() - 1.0).abs() < 1e-6);
/// # Ok::<(), gaspard::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Barycenter {
    /// The star: the centre first, then the inputs.
    problem: Problem,
    weights: Vec<f64>,
    /// How many were given.
    laws: usize,
}

impl Barycenter {
    /// The barycenter of spaces, equally weighted and balanced, on a support.
    pub fn of(inputs: &[&Space], support: &Space) -> Self {
        let weights = vec![1.0 / inputs.len().max(1) as f64; inputs.len()];
        let mut problem = Problem::default();
        let centre = problem.node(support.clone(), Law::Free);
        for (input, &weight) in inputs.iter().zip(&weights) {
            let node = problem.node((*input).clone(), Law::Fixed);
            problem.edge(node, centre, weight);
        }
        Self { problem, weights, laws: inputs.len() }
    }

    /// How much each input counts: not negative, summing to 1.
    #[must_use]
    pub fn weights(mut self, weights: &[f64]) -> Self {
        self.weights = weights.to_vec();
        for (edge, &weight) in self.problem.edges.iter_mut().zip(weights) {
            // What does not count at all still needs a plan: it gets one for next to nothing.
            edge.weight = if weight == 0.0 { LEAST_WEIGHT } else { weight };
        }
        self
    }

    /// What each input asks of its marginal: fixed, or KL for unbalanced barycenters.
    #[must_use]
    pub fn laws(mut self, laws: &[Law]) -> Self {
        for (node, &law) in self.problem.nodes[1..].iter_mut().zip(laws) {
            node.law = law;
        }
        self.laws = laws.len();
        self
    }

    /// Labels, which inputs and support must have.
    #[must_use]
    pub fn fused(mut self, fused: Fused) -> Self {
        self.problem.fused = Some(fused);
        self
    }

    /// The reference measure; see [`Problem::reference`].
    #[must_use]
    pub fn reference(mut self, reference: Reference) -> Self {
        self.problem.reference = reference;
        self
    }

    /// The multi-marginal problem: node 0 is the barycenter, edge i joins input i to it.
    pub fn problem(&self) -> &Problem {
        &self.problem
    }

    /// The barycenter's weights on its support.
    pub fn weights_of(solution: &Solution) -> &ndarray::Array1<f64> {
        &solution.marginals[0]
    }

    /// Checks weights and problem; solving does it too.
    ///
    /// # Errors
    /// [`Error::Parameter`] for weights or laws that are not those of the inputs, and as
    /// [`Problem::validate`].
    pub fn validate(&self) -> Result<()> {
        let inputs = self.problem.edges.len();
        check_weights(&self.weights, inputs)?;
        if self.laws != inputs {
            let problem = format!("{} laws for {inputs} inputs", self.laws);
            let remedy = "give one law for each input";
            return Err(Error::parameter("the laws of the inputs", problem, remedy));
        }
        self.problem.validate()
    }

    /// Solves the problem, and returns the best of what its starts led to.
    ///
    /// # Errors
    /// As [`Barycenter::validate`] and [`Problem::solve`].
    pub fn solve(&self, control: &Control, engine: &Engine) -> Result<Solution> {
        self.solve_with(control, engine, &mut ())
    }

    /// As [`Barycenter::solve`], under the eyes of an observer.
    ///
    /// # Errors
    /// As [`Barycenter::solve`].
    pub fn solve_with(
        &self,
        control: &Control,
        engine: &Engine,
        observer: &mut dyn Observer,
    ) -> Result<Solution> {
        Ok(self.solve_seeds(control, engine, observer)?.swap_remove(0))
    }

    /// Solves the problem from every start, and returns what each led to, the best first.
    ///
    /// # Errors
    /// As [`Barycenter::solve`].
    pub fn solve_seeds(
        &self,
        control: &Control,
        engine: &Engine,
        observer: &mut dyn Observer,
    ) -> Result<Vec<Solution>> {
        self.validate()?;
        self.problem.solve_seeds(control, engine, observer)
    }

    /// Frames of the way from the first of two inputs to the second: the best solution at evenly
    /// spaced weights. The ends are barycenters too, of one input that counts and one that hardly
    /// does. Frames that were done before an interrupt are kept.
    ///
    /// # Errors
    /// As [`Barycenter::solve`], and [`Error::Parameter`] unless there are two inputs and two frames or more.
    pub fn solve_frames(
        &self,
        frames: usize,
        control: &Control,
        engine: &Engine,
        observer: &mut dyn Observer,
    ) -> Result<Vec<Solution>> {
        if frames < 2 || self.problem.edges.len() != 2 {
            return Err(Error::parameter(
                "frames",
                format!("{frames} frames of {} inputs", self.problem.edges.len()),
                "the way between two spaces takes two inputs and two frames at least",
            ));
        }
        in_parts(frames, observer, |frame, observer| {
            let time = frame as f64 / (frames - 1) as f64;
            let barycenter = self.clone().weights(&[1.0 - time, time]);
            let solution = barycenter.solve_with(control, engine, observer)?;
            let interrupted = solution.outcome.interrupted;
            Ok((solution, interrupted))
        })
    }
}

/// The weight of an input that counts nothing.
const LEAST_WEIGHT: f64 = 1e-3;
