//! Entropic transport on a tree: nodes carry measures with marginal laws, edges carry costs.
//!
//! Minimises over plans P on the product of all nodes' points
//!
//! ```text
//! sum over edges e of t_e <C_e, P_e>  +  epsilon KL(P | R)  +  sum over nodes i of D_i(P_i, mu_i)
//! ```
//!
//! where P_e and P_i are marginals and R the product of the nodes' reference measures. The plan is
//! never formed: messages between nodes are softmins along the edges (Haasler, Ringh, Chen,
//! Karlsson 2021; Beier, von Lindheim, Neumayer, Steidl 2023, in the log domain). Two nodes are
//! Sinkhorn; a chain is tracking; a star with a free centre averages its leaves.

mod evaluate;
mod forest;
mod solution;
mod solve;

use std::sync::Arc;

use ndarray::{Array1, Axis};

use super::Law;
use crate::error::{Error, Result};
use crate::geometry::Geometry;
use crate::validate::positive;

pub(crate) use evaluate::NodeValues;
pub(crate) use forest::{Forest, Move, Shape};
pub use solution::{Terms, TreeSolution};
pub(crate) use solve::{Sweeps, solve_in};

/// The measure that a node's entropy is relative to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reference {
    /// The node's own weights; for a free node, which has none, 1/n on each point.
    #[default]
    Weights,
    /// 1/n on each point.
    Uniform,
    /// 1 on each point: plain entropy.
    Counting,
}

/// Relative difference of masses that counts as rounding: sums of f32 weights.
pub const MASS_ROUNDING: f64 = 1e-5;

/// A node of a [`Tree`].
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// mu: one weight a point. For a free node only its length counts.
    pub weights: Array1<f64>,
    /// What the node asks of its marginal.
    pub law: Law,
}

/// An edge of a [`Tree`].
#[derive(Clone, Debug, PartialEq)]
pub struct Edge {
    /// The node whose points are the rows of the cost.
    pub rows: usize,
    /// The node whose points are the columns of the cost.
    pub cols: usize,
    /// The cost between them; shared, because a stored matrix can be large.
    pub geometry: Arc<Geometry>,
    /// t_e: how much the edge counts.
    pub weight: f64,
}

/// A problem on a tree.
///
/// ```
/// use gaspard::linear::tree::Tree;
/// use gaspard::linear::{Control, Law};
/// use gaspard::{Engine, Geometry};
/// use ndarray::array;
///
/// let mut problem = Tree::default();
/// let a = problem.node(array![0.5, 0.5], Law::Fixed);
/// let b = problem.node(array![0.25, 0.75], Law::Fixed);
/// problem.edge(a, b, Geometry::matrix(array![[0.0, 1.0], [1.0, 0.0]])?);
/// let solution = problem.solve(&Control::new(0.01), &Engine::cpu())?;
/// assert!((solution.terms.linear - 0.25).abs() < 1e-4);
/// # Ok::<(), gaspard::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tree {
    /// The nodes.
    pub nodes: Vec<Node>,
    /// The edges: one fewer than nodes, without a cycle.
    pub edges: Vec<Edge>,
    /// The reference measure of every node.
    pub reference: Reference,
}

impl Tree {
    /// Adds a node and returns its index.
    pub fn node(&mut self, weights: Array1<f64>, law: Law) -> usize {
        self.nodes.push(Node { weights, law });
        self.nodes.len() - 1
    }

    /// Adds a node that only has so many points: whatever marginal is best.
    pub fn free_node(&mut self, points: usize) -> usize {
        let weight = 1.0 / points.max(1) as f64;
        self.node(Array1::from_elem(points, weight), Law::Free)
    }

    /// Adds an edge of weight 1 between two nodes and returns its index.
    pub fn edge(&mut self, rows: usize, cols: usize, geometry: impl Into<Arc<Geometry>>) -> usize {
        self.edges.push(Edge { rows, cols, geometry: geometry.into(), weight: 1.0 });
        self.edges.len() - 1
    }

    /// Gives all nodes with fixed laws the mass of the first, where they differ by no more than
    /// rounding to f32 explains.
    pub fn settle_masses(&mut self) {
        let fixed = |node: &&mut Node| node.law.fixes_mass();
        let mut fixed = self.nodes.iter_mut().filter(fixed);
        let Some(mass) = fixed.next().map(|node| node.weights.sum()) else { return };
        for node in fixed {
            let other = node.weights.sum();
            if (other - mass).abs() <= MASS_ROUNDING * mass.max(other) {
                node.weights *= mass / other;
            }
        }
    }

    /// Checks the structure, sizes, values and that the laws can be met.
    ///
    /// # Errors
    /// [`Error::Data`], [`Error::Shape`] or [`Error::Parameter`] that name the node or edge.
    pub fn validate(&self) -> Result<()> {
        if self.nodes.len() < 2 || self.edges.len() + 1 != self.nodes.len() {
            return Err(Error::data(
                "the tree",
                format!("it has {} nodes and {} edges", self.nodes.len(), self.edges.len()),
                "a tree has at least two nodes and one edge fewer than nodes",
            ));
        }
        for (index, node) in self.nodes.iter().enumerate() {
            node.validate(index)?;
        }
        for (index, edge) in self.edges.iter().enumerate() {
            self.validate_edge(index, edge)?;
        }
        self.check_connected()?;
        self.check_masses()
    }

    fn validate_edge(&self, index: usize, edge: &Edge) -> Result<()> {
        let name = format!("edge {index}");
        if edge.rows >= self.nodes.len() || edge.cols >= self.nodes.len() || edge.rows == edge.cols
        {
            return Err(Error::data(
                name,
                format!("it joins nodes {} and {}", edge.rows, edge.cols),
                format!("it must join two different nodes from 0 to {}", self.nodes.len() - 1),
            ));
        }
        positive(
            &format!("the weight of {name}"),
            edge.weight,
            "edges count with a positive weight",
        )?;
        edge.geometry.validate()?;
        let sizes = (self.nodes[edge.rows].weights.len(), self.nodes[edge.cols].weights.len());
        if edge.geometry.shape() != sizes {
            return Err(Error::shape(
                format!("the cost of {name}"),
                format!("{} x {}, the sizes of its nodes", sizes.0, sizes.1),
                format!("{} x {}", edge.geometry.shape().0, edge.geometry.shape().1),
            ));
        }
        self.check_ways_out(edge)
    }

    /// Refuses points whose mass has to go somewhere and can go nowhere.
    fn check_ways_out(&self, edge: &Edge) -> Result<()> {
        let Geometry::Matrix(costs) = edge.geometry.as_ref() else { return Ok(()) };
        for (node, axis, name) in [(edge.rows, Axis(0), "row"), (edge.cols, Axis(1), "column")] {
            let Node { weights, law } = &self.nodes[node];
            let stuck =
                |place: usize| costs.index_axis(axis, place).iter().all(|c| c.is_infinite());
            let carries = |place: &usize| weights[*place] > 0.0;
            if *law != Law::Fixed {
                continue;
            }
            if let Some(place) = (0..weights.len()).filter(carries).find(|place| stuck(*place)) {
                return Err(Error::data(
                    "the costs",
                    format!("{name} {place} has mass and no pair of finite cost"),
                    "allow a pair of it, take its mass away, or relax its law",
                ));
            }
        }
        Ok(())
    }

    fn check_connected(&self) -> Result<()> {
        let mut group: Vec<usize> = (0..self.nodes.len()).collect();
        fn find(group: &[usize], mut node: usize) -> usize {
            while group[node] != node {
                node = group[node];
            }
            node
        }
        for (index, edge) in self.edges.iter().enumerate() {
            let (a, b) = (find(&group, edge.rows), find(&group, edge.cols));
            if a == b {
                return Err(Error::data(
                    format!("edge {index}"),
                    format!("it closes a cycle through nodes {} and {}", edge.rows, edge.cols),
                    "remove an edge: the structure must be a tree",
                ));
            }
            group[a] = b;
        }
        Ok(())
    }

    fn check_masses(&self) -> Result<()> {
        if self.nodes.iter().all(|node| node.law == Law::Free) {
            return Err(Error::data(
                "the tree",
                "every node is free",
                "give at least one node a measure and a law",
            ));
        }
        // All marginals have the mass of the plan: what the laws allow must have a mass in common.
        let allowed = |node: &Node| node.law.masses(node.weights.sum());
        for (index, node) in self.nodes.iter().enumerate() {
            for (first, other) in self.nodes[..index].iter().enumerate() {
                let ((low, high), (other_low, other_high)) = (allowed(node), allowed(other));
                let rounding = 1e-9 * node.weights.sum().max(other.weights.sum());
                if low > other_high + rounding || other_low > high + rounding {
                    let (mass, other_mass) = (node.weights.sum(), other.weights.sum());
                    return Err(Error::data(
                        "the masses",
                        format!(
                            "nodes {first} and {index} have the laws {} and {} at masses \
                             {other_mass} and {mass}, which no plan can meet together",
                            other.law, node.law
                        ),
                        "normalise them, or relax one with the law kl, tv, range or free",
                    ));
                }
            }
        }
        Ok(())
    }
}

impl Node {
    fn validate(&self, index: usize) -> Result<()> {
        let name = format!("node {index}");
        if self.weights.is_empty() {
            return Err(Error::data(name, "it has no points", "give at least one point"));
        }
        if let Some(weight) =
            self.weights.iter().find(|weight| !(weight.is_finite() && **weight >= 0.0))
        {
            let problem = format!("one of its weights is {weight}");
            return Err(Error::data(name, problem, "weights are finite and not negative"));
        }
        if self.weights.sum() <= 0.0 {
            return Err(Error::data(
                name,
                "it has no mass",
                "at least one weight must be positive",
            ));
        }
        self.law.validate(&format!("the law of {name}"))
    }
}
