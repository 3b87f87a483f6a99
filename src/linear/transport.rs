//! Transport between two measures: the front of the two-node tree.

use std::sync::Arc;

use ndarray::{Array1, Array2};

use super::tree::{self, Reference, Sweeps, Terms, Tree, TreeSolution};
use super::{Control, Law};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::geometry::{Cost, Geometry, Measure, Side, Support};
use crate::kernels::NOTHING;
use crate::observer::Observer;
use crate::outcome::Outcome;

/// Entropic transport between two measures, balanced or not (Sinkhorn in the log domain).
///
/// Minimises over P >= 0
///
/// ```text
/// <C, P> + epsilon KL(P | a b^T) + D_a(P 1 | a) + D_b(P^T 1 | b)
/// ```
///
/// with `C` the squared Euclidean distance in full unless told otherwise. The coupling is
/// `P = a b^T exp((f + g - C) / epsilon)`.
///
/// ```
/// use gaspard::{Engine, Measure, Transport};
/// use ndarray::array;
/// let a = Measure::uniform("a", array![[0.0, 0.0], [1.0, 0.0]])?;
/// let b = Measure::uniform("b", array![[0.0, 1.0], [1.0, 1.0]])?;
/// let plan = Transport::between(&a, &b).epsilon(1e-3).solve(&Engine::cpu())?;
/// assert!((plan.terms().linear - 1.0).abs() < 1e-9); // everything moves up by one
/// # Ok::<(), gaspard::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Transport<'a> {
    a: &'a Measure,
    b: &'a Measure,
    cost: Cost,
    geometry: Option<Arc<Geometry>>,
    laws: (Law, Law),
    reference: Reference,
    epsilon: Option<f64>,
    control: Control,
}

impl<'a> Transport<'a> {
    /// Balanced transport with the squared Euclidean cost.
    pub fn between(a: &'a Measure, b: &'a Measure) -> Self {
        Self {
            a,
            b,
            cost: Cost::SquaredEuclidean,
            geometry: None,
            laws: (Law::Fixed, Law::Fixed),
            reference: Reference::Weights,
            epsilon: None,
            control: Control::new(1.0),
        }
    }

    /// The cost between the points of the supports.
    #[must_use]
    pub fn cost(mut self, cost: Cost) -> Self {
        self.cost = cost;
        self
    }

    /// Costs of one's own, instead of those between the supports.
    #[must_use]
    pub fn geometry(mut self, geometry: impl Into<Arc<Geometry>>) -> Self {
        self.geometry = Some(geometry.into());
        self
    }

    /// What is asked of the two marginals.
    #[must_use]
    pub fn laws(mut self, a: Law, b: Law) -> Self {
        self.laws = (a, b);
        self
    }

    /// What the entropy is relative to; the product of the weights unless told otherwise.
    #[must_use]
    pub fn reference(mut self, reference: Reference) -> Self {
        self.reference = reference;
        self
    }

    /// The entropic strength, in the units of the cost. Unless told otherwise, 1 % of the mean
    /// cost under the product of the weights.
    #[must_use]
    pub fn epsilon(mut self, epsilon: f64) -> Self {
        self.epsilon = Some(epsilon);
        self
    }

    /// The L1 error of the marginals to stop at; see [`Control::tolerance`].
    #[must_use]
    pub fn tolerance(mut self, tolerance: f64) -> Self {
        self.control.tolerance = Some(tolerance);
        self
    }

    /// Iterations at most.
    #[must_use]
    pub fn max_iterations(mut self, iterations: usize) -> Self {
        self.control.max_iterations = iterations;
        self
    }

    /// All of the control at once, its epsilon included.
    #[must_use]
    pub fn control(mut self, control: Control) -> Self {
        self.epsilon = Some(control.epsilon);
        self.control = control;
        self
    }

    /// Solves on an engine.
    ///
    /// # Errors
    /// Bad input, problems that do not fit, faults of the device: see [`Error`].
    pub fn solve(&self, engine: &Engine) -> Result<TransportSolution> {
        self.solve_with(engine, &mut ())
    }

    /// Solves under the eyes of an observer.
    ///
    /// # Errors
    /// As [`Transport::solve`].
    pub fn solve_with(
        &self,
        engine: &Engine,
        observer: &mut dyn Observer,
    ) -> Result<TransportSolution> {
        let tree = self.tree()?;
        let control = self.resolved_control(&tree.edges[0].geometry);
        let sweeps = if self.is_mirrored() { Sweeps::Mirrored } else { Sweeps::InTurn };
        let mut found = tree::solve_in(&[&tree], &control, sweeps, engine, observer)?;
        Ok(TransportSolution { tree: found.pop().expect("one problem, one solution") })
    }

    /// Solves many problems with the same laws and reference together; sizes may differ. Costs are
    /// all matrices, all points of one dimension, or all on the same grids. Epsilon and the rest of
    /// the control are the first problem's, for all.
    ///
    /// # Errors
    /// As [`Transport::solve`], and [`Error::Data`] for problems that cannot be batched.
    pub fn solve_batch(
        problems: &[Self],
        engine: &Engine,
        observer: &mut dyn Observer,
    ) -> Result<Vec<TransportSolution>> {
        let trees = problems.iter().map(Self::tree).collect::<Result<Vec<_>>>()?;
        let Some(first) = problems.first() else { return Ok(Vec::new()) };
        let control = first.resolved_control(&trees[0].edges[0].geometry);
        let solutions =
            Tree::solve_batch(&trees.iter().collect::<Vec<_>>(), &control, engine, observer)?;
        Ok(solutions.into_iter().map(|tree| TransportSolution { tree }).collect())
    }

    /// The same question about other measures.
    pub(super) fn of<'b>(self, a: &'b Measure, b: &'b Measure) -> Transport<'b> {
        Transport { a, b, ..self }
    }

    pub(super) fn measures(&self) -> (&'a Measure, &'a Measure) {
        (self.a, self.b)
    }

    pub(super) fn marginal_laws(&self) -> (Law, Law) {
        self.laws
    }

    /// True for a measure against itself.
    fn is_mirrored(&self) -> bool {
        let same = std::ptr::eq(self.a, self.b)
            || self.a.weights() == self.b.weights() && self.a.support() == self.b.support();
        same && self.laws.0 == self.laws.1
            && self.laws.0 != Law::Free
            && !self.has_own_costs()
            && !matches!(self.a.support(), Support::Abstract(_))
    }

    /// True if costs were given instead of computed from the supports.
    pub(super) fn has_own_costs(&self) -> bool {
        self.geometry.is_some()
    }

    /// The epsilon where none is given: 1 % of the mean cost of the product of both measures.
    ///
    /// # Errors
    /// As [`Geometry::between`].
    pub fn default_epsilon(&self) -> Result<f64> {
        Ok(self.one_percent(self.costs()?.as_ref()))
    }

    fn costs(&self) -> Result<Arc<Geometry>> {
        match &self.geometry {
            Some(geometry) => Ok(Arc::clone(geometry)),
            None => Ok(Arc::new(Geometry::between(self.a.support(), self.b.support(), self.cost)?)),
        }
    }

    fn one_percent(&self, geometry: &Geometry) -> f64 {
        let weights = |measure: &Measure| measure.weights().to_vec();
        let mean = geometry.mean_cost(&weights(self.a), &weights(self.b));
        if mean > 0.0 { 0.01 * mean } else { 1.0 }
    }

    fn tree(&self) -> Result<Tree> {
        let geometry = self.costs()?;
        let mut tree = Tree { reference: self.reference, ..Tree::default() };
        let a = tree.node(self.a.weights().clone(), self.laws.0);
        let b = tree.node(self.b.weights().clone(), self.laws.1);
        tree.edge(a, b, geometry);
        tree.settle_masses();
        Ok(tree)
    }

    fn resolved_control(&self, geometry: &Geometry) -> Control {
        let epsilon = self.epsilon.unwrap_or_else(|| self.one_percent(geometry));
        Control { epsilon, ..self.control.clone() }
    }
}

/// A coupling of two measures, as an operator: [`TransportSolution::apply`] never stores it.
#[derive(Clone, Debug)]
pub struct TransportSolution {
    tree: TreeSolution,
}

impl TransportSolution {
    /// The terms of the objective; the value is their total.
    pub fn terms(&self) -> &Terms {
        &self.tree.terms
    }

    /// The objective: linear + entropic + marginal terms.
    pub fn value(&self) -> f64 {
        self.tree.terms.total()
    }

    /// The potentials f and g, in the units of the cost.
    pub fn potentials(&self) -> (&Array1<f64>, &Array1<f64>) {
        (&self.tree.potentials[0], &self.tree.potentials[1])
    }

    /// The marginals P 1 and P^T 1.
    pub fn marginals(&self) -> (&Array1<f64>, &Array1<f64>) {
        (&self.tree.marginals[0], &self.tree.marginals[1])
    }

    /// How the solve ended: iterations are sweeps, one update of each potential.
    pub fn outcome(&self) -> &Outcome {
        &self.tree.outcome
    }

    /// Everything that the solver knows.
    pub fn details(&self) -> &TreeSolution {
        &self.tree
    }

    /// The coupling (n, m).
    ///
    /// # Errors
    /// [`Error::Limit`] where the host has no room for it.
    pub fn coupling(&self) -> Result<Array2<f64>> {
        self.tree.edge_plan(0)
    }

    /// The coupling applied to vectors (columns of `values`) without being stored: onto the rows
    /// P V, onto the columns P^T V. O(n m) time, no n m memory.
    ///
    /// # Errors
    /// [`Error::Shape`] for vectors of the wrong length.
    pub fn apply(&self, onto: Side, values: &Array2<f64>) -> Result<Array2<f64>> {
        let engine = &self.tree.engine;
        let mut operator = self.tree.tree.edges[0].geometry.operator(engine)?;
        let (inputs, outputs) = (operator.len(onto.other()), operator.len(onto));
        if values.nrows() != inputs {
            return Err(Error::shape(
                "the vectors",
                format!("{inputs} rows"),
                values.nrows().to_string(),
            ));
        }
        let columns = values.ncols();
        let flat: Vec<f64> = values.t().iter().copied().collect();
        let flat = engine.upload("values", &flat)?;
        let (f, g) = self.biases(engine)?;
        let mut out = engine.zeros("sums", outputs * columns)?;
        operator.apply(engine, onto, self.tree.epsilon, &f, &g, &flat, columns, &mut out)?;
        by_columns(engine.download(&out)?, outputs, columns)
    }

    /// The gradient of the value by the points of one side (n, d), at fixed weights: the envelope
    /// theorem leaves sum_j P_ij d c(x_i, y_j) / d x_i.
    ///
    /// # Errors
    /// [`Error::Data`] where the cost does not come from points.
    pub fn gradient_points(&self, side: Side) -> Result<Array2<f64>> {
        let engine = &self.tree.engine;
        let geometry = &self.tree.tree.edges[0].geometry;
        let Geometry::Points { x, .. } = &**geometry else {
            return Err(Error::data(
                "the geometry",
                "it has no points to take gradients by",
                "give points instead of a matrix or a grid",
            ));
        };
        let dimension = x.ncols();
        let mut operator = geometry.operator(engine)?;
        let count = operator.len(side);
        let (f, g) = self.biases(engine)?;
        let mut out = engine.zeros("gradient", count * dimension)?;
        operator.slope(engine, side, self.tree.epsilon, &f, &g, &mut out)?;
        by_columns(engine.download(&out)?, count, dimension)
    }

    /// The gradient of the value by the weights of one side, for the product reference. On
    /// measures of fixed mass only its differences matter.
    pub fn gradient_weights(&self, side: Side) -> Array1<f64> {
        let (own, other) = match side {
            Side::Rows => (0, 1),
            Side::Cols => (1, 0),
        };
        let epsilon = self.tree.epsilon;
        let other_mass = self.tree.tree.nodes[other].weights.sum();
        let law = self.tree.tree.nodes[own].law;
        let weights = &self.tree.tree.nodes[own].weights;
        self.tree.potentials[own]
            .iter()
            .zip(weights)
            .zip(&self.tree.marginals[own])
            .map(|((&f, &weight), &marginal)| {
                // d/da of <f, a> (or its unbalanced form), and of epsilon (m(a) m(b) - m(P)).
                let direct = match law {
                    Law::Kl { rho } => -rho * (-f / rho).exp_m1(),
                    Law::Range { low, high } => f * if f > 0.0 { low } else { high },
                    Law::Fixed | Law::Tv { .. } => f,
                    Law::Free => 0.0,
                };
                // At a vanishing weight the potential is the law's, and so is the ratio.
                let ratio = match (weight > 0.0, law) {
                    (true, _) => marginal / weight,
                    (false, Law::Kl { rho }) => (-f / rho).exp(),
                    (false, _) => 1.0,
                };
                direct + epsilon * (other_mass - ratio)
            })
            .collect()
    }

    /// Potentials over epsilon with the logarithm of the reference, on an engine.
    fn biases(&self, engine: &Engine) -> Result<(crate::engine::Array, crate::engine::Array)> {
        let bias = |node: usize| {
            let description = &self.tree.tree.nodes[node];
            let count = description.weights.len() as f64;
            let values: Vec<f64> = self.tree.potentials[node]
                .iter()
                .zip(&description.weights)
                .map(|(f, weight)| {
                    let log_reference = match self.tree.tree.reference {
                        Reference::Weights if description.law != Law::Free => weight.ln(),
                        Reference::Weights | Reference::Uniform => -count.ln(),
                        Reference::Counting => 0.0,
                    };
                    (f / self.tree.epsilon + log_reference).max(NOTHING)
                })
                .collect();
            engine.upload("bias", &values)
        };
        Ok((bias(0)?, bias(1)?))
    }
}

fn by_columns(flat: Vec<f64>, rows: usize, columns: usize) -> Result<Array2<f64>> {
    let array = Array2::from_shape_vec((columns, rows), flat)
        .map_err(|error| Error::shape("the sums", "rows times columns", error.to_string()))?;
    Ok(array.reversed_axes())
}
