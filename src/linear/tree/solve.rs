//! Solving: one tree, or many together.

use std::time::Instant;

use super::evaluate::evaluate;
use super::{Forest, Tree, TreeSolution};
use crate::engine::{Array, Engine};
use crate::error::Result;
use crate::linear::Law;
use crate::linear::iterate::{self, Iteration};
use crate::linear::schedule::Control;
use crate::observer::Observer;

impl Tree {
    /// Solves the problem.
    ///
    /// # Errors
    /// [`crate::Error::Parameter`], [`crate::Error::Data`] and [`crate::Error::Shape`] for bad input,
    /// [`crate::Error::Limit`] for what does not fit, and any fault of the device.
    pub fn solve(&self, control: &Control, engine: &Engine) -> Result<TreeSolution> {
        self.solve_with(control, engine, &mut ())
    }

    /// Solves the problem under the eyes of an observer.
    ///
    /// # Errors
    /// As [`Tree::solve`].
    pub fn solve_with(
        &self,
        control: &Control,
        engine: &Engine,
        observer: &mut dyn Observer,
    ) -> Result<TreeSolution> {
        let mut solutions = Self::solve_batch(&[self], control, engine, observer)?;
        Ok(solutions.pop().expect("one problem, one solution"))
    }

    /// Solves problems of one structure together; sizes, weights and costs may differ. Each stops by
    /// its own test. Annealing and over-relaxation are those of the whole batch, so that a result
    /// depends on what it is batched with, within its tolerance.
    ///
    /// ```
    /// use gaspard::linear::tree::Tree;
    /// use gaspard::{Control, Engine, Geometry, Law};
    /// use ndarray::array;
    ///
    /// // The same costs, other weights: both at once, and each stops by itself.
    /// let problem = |weight: f64| {
    ///     let mut tree = Tree::default();
    ///     let a = tree.node(array![weight, 1.0 - weight], Law::Fixed);
    ///     let b = tree.node(array![0.5, 0.5], Law::Fixed);
    ///     tree.edge(a, b, Geometry::matrix(array![[0.0, 1.0], [1.0, 0.0]])?);
    ///     Ok::<_, gaspard::Error>(tree)
    /// };
    /// let (first, second) = (problem(0.5)?, problem(0.9)?);
    /// let control = Control::new(0.01);
    /// let found = Tree::solve_batch(&[&first, &second], &control, &Engine::cpu(), &mut ())?;
    /// assert!(found[0].terms.linear < 1e-3 && (found[1].terms.linear - 0.4).abs() < 1e-3);
    /// # Ok::<(), gaspard::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Tree::solve`].
    pub fn solve_batch(
        trees: &[&Self],
        control: &Control,
        engine: &Engine,
        observer: &mut dyn Observer,
    ) -> Result<Vec<TreeSolution>> {
        solve_in(trees, control, Sweeps::InTurn, engine, observer)
    }
}

/// How the nodes of a tree are updated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sweeps {
    /// One after the other.
    InTurn,
    /// Both as one: two nodes with the same points, weights and law.
    Mirrored,
}

/// As [`Tree::solve_batch`], by sweeps of this kind.
pub(crate) fn solve_in(
    trees: &[&Tree],
    control: &Control,
    sweeps: Sweeps,
    engine: &Engine,
    observer: &mut dyn Observer,
) -> Result<Vec<TreeSolution>> {
    control.validate()?;
    let begin = Instant::now();
    let forest = Forest::new(engine, trees)?;
    // Of a mirrored sweep one of two equal residuals is looked at.
    let looked_at = if sweeps == Sweeps::Mirrored { 0.5 } else { 1.0 };
    let masses = trees.iter().map(|tree| looked_at * mass_scale(tree)).collect();
    let mut sweeping = Sweeping { forest, sweeps, masses };
    let cost_bound = trees
        .iter()
        .flat_map(|tree| &tree.edges)
        .map(|edge| edge.weight * edge.geometry.cost_bound())
        .fold(0.0, f64::max);
    let found = iterate::run(&mut sweeping, control, cost_bound, observer)?;
    let seconds = begin.elapsed().as_secs_f64();
    evaluate(sweeping.forest, trees, control, found, seconds)
}

/// A forest whose iterations are sweeps.
struct Sweeping {
    forest: Forest,
    sweeps: Sweeps,
    masses: Vec<f64>,
}

impl Iteration for Sweeping {
    fn engine(&self) -> &Engine {
        &self.forest.engine
    }

    fn count(&self) -> usize {
        self.forest.count
    }

    fn begin(&mut self, epsilon: f64) -> Result<()> {
        for index in 0..self.forest.shape.gather.len() {
            self.forest.step(self.forest.shape.gather[index], epsilon, 1.0, None)?;
        }
        Ok(())
    }

    fn iterate(
        &mut self,
        epsilon: f64,
        relaxation: f64,
        residual: Option<&mut Array>,
    ) -> Result<()> {
        match self.sweeps {
            Sweeps::InTurn => self.forest.sweep(epsilon, relaxation, residual),
            Sweeps::Mirrored => self.forest.mirrored_sweep(epsilon, residual),
        }
    }

    fn masses(&self) -> Vec<f64> {
        self.masses.clone()
    }

    fn rescale(&mut self, from: f64, to: f64) -> Result<()> {
        self.forest.rescale(from, to)
    }

    fn rest(&mut self, done: &[bool]) -> Result<()> {
        let running: Vec<f64> = done.iter().map(|&done| f64::from(u8::from(!done))).collect();
        self.forest.engine.write(&mut self.forest.running, &running)
    }
}

/// The mass that residuals are relative to.
fn mass_scale(tree: &Tree) -> f64 {
    let masses = tree.nodes.iter().filter(|node| node.law != Law::Free);
    masses.map(|node| node.weights.sum()).fold(0.0, f64::max)
}
