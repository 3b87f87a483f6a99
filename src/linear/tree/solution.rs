//! The solution of a problem on a tree.

use ndarray::{Array1, Array2};

use super::{Forest, Tree};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::outcome::Outcome;

/// The terms of the objective, in the units of the cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms {
    /// sum over edges of t_e <C_e, P_e>.
    pub linear: f64,
    /// epsilon KL(P | R) = epsilon (sum P log(P / R) - m(P) + m(R)); for the counting reference
    /// m(R) is replaced by the product of the masses, so that at mass 1 it is plain
    /// epsilon sum P log P.
    pub entropic: f64,
    /// The sum of the laws' penalties.
    pub marginal: f64,
    /// The value of the dual at the potentials: a lower bound of the total.
    pub dual: f64,
}

impl Terms {
    /// The objective: linear + entropic + marginal.
    pub fn total(&self) -> f64 {
        self.linear + self.entropic + self.marginal
    }
}

/// Potentials, marginals and values of a problem on a [`Tree`]. It keeps the problem, and computes
/// plans when asked.
#[derive(Clone, Debug)]
pub struct TreeSolution {
    /// The problem.
    pub tree: Tree,
    /// The engine that solved it.
    pub engine: Engine,
    /// The epsilon of the potentials: the target, or where annealing was cut short.
    pub epsilon: f64,
    /// f_i of every node, in the units of the cost: log(P / R) = (sum f_i - sum t_e C_e) / epsilon.
    pub potentials: Vec<Array1<f64>>,
    /// P_i of every node.
    pub marginals: Vec<Array1<f64>>,
    /// The mass of the plan.
    pub mass: f64,
    /// The terms of the objective.
    pub terms: Terms,
    /// How far the marginals are from where their laws want them: L1, summed over nodes, for a
    /// mass of 1.
    pub marginal_error: f64,
    /// How the solve ended: iterations are sweeps over the tree, the tolerance is that of the marginal
    /// error.
    pub outcome: Outcome,
    /// False if the solve ended before annealing reached the target.
    pub reached_epsilon: bool,
    /// (iteration, residual) at every stop test of the final epsilon.
    pub trace: Vec<(usize, f64)>,
    /// True if marginals and terms were evaluated in f64; on a GPU, very large problems are
    /// evaluated on the device.
    pub evaluated_in_f64: bool,
}

impl TreeSolution {
    /// The plan P_e of an edge (rows, cols).
    ///
    /// # Errors
    /// [`Error::Limit`] where the host has no room for it.
    pub fn edge_plan(&self, edge: usize) -> Result<Array2<f64>> {
        let Some(description) = self.tree.edges.get(edge) else {
            return Err(Error::shape(
                "the edge",
                format!("0 to {}", self.tree.edges.len() - 1),
                edge.to_string(),
            ));
        };
        let (rows, cols) = description.geometry.shape();
        let host = self.engine.host();
        let bytes = rows as u64 * cols as u64 * 8;
        host.require("the plan", bytes, "apply it to vectors instead of storing it")?;
        let mut forest = self.host_forest()?;
        let (f, g) = forest.edge_biases(edge)?;
        let (f, g) = (host.download(f)?, host.download(g)?);
        let rate = description.weight / self.epsilon;
        Ok(Array2::from_shape_fn((rows, cols), |(i, j)| {
            (f[i] + g[j] - rate * description.geometry.cost(i, j)).exp()
        }))
    }

    /// The joint marginal of any two nodes: along the path between them, edge plans are composed,
    /// P_ik = P_ij diag(1 / P_j) P_jk.
    ///
    /// # Errors
    /// [`Error::Limit`] where the host has no room for it, [`Error::Shape`] for nodes that do not
    /// exist or are the same.
    pub fn coupling(&self, from: usize, to: usize) -> Result<Array2<f64>> {
        let path = self.path(from, to)?;
        let mut node = from;
        let mut composed: Option<Array2<f64>> = None;
        for edge in path {
            let description = &self.tree.edges[edge];
            let mut plan = self.edge_plan(edge)?;
            let next = if description.rows == node {
                description.cols
            } else {
                plan = plan.reversed_axes();
                description.rows
            };
            composed = Some(match composed {
                None => plan,
                Some(so_far) => {
                    let mut scaled = plan;
                    for (mut row, &mass) in scaled.rows_mut().into_iter().zip(&self.marginals[node])
                    {
                        row.mapv_inplace(|value| if mass > 0.0 { value / mass } else { 0.0 });
                    }
                    so_far.dot(&scaled)
                }
            });
            node = next;
        }
        Ok(composed.expect("a path between two different nodes has an edge"))
    }

    /// The edges from one node to another.
    fn path(&self, from: usize, to: usize) -> Result<Vec<usize>> {
        let count = self.tree.nodes.len();
        if from >= count || to >= count || from == to {
            return Err(Error::shape(
                "the nodes of a coupling",
                format!("two different nodes from 0 to {}", count - 1),
                format!("{from} and {to}"),
            ));
        }
        let mut came_by: Vec<Option<usize>> = vec![None; count];
        let mut queue = vec![from];
        while let Some(node) = queue.pop() {
            for (index, edge) in self.tree.edges.iter().enumerate() {
                let other = match (edge.rows == node, edge.cols == node) {
                    (true, _) => edge.cols,
                    (_, true) => edge.rows,
                    _ => continue,
                };
                if other != from && came_by[other].is_none() {
                    came_by[other] = Some(index);
                    queue.push(other);
                }
            }
        }
        let mut path = Vec::new();
        let mut node = to;
        while node != from {
            let edge = came_by[node].expect("trees are connected");
            path.push(edge);
            let ends = &self.tree.edges[edge];
            node = if ends.rows == node { ends.cols } else { ends.rows };
        }
        path.reverse();
        Ok(path)
    }

    /// The solution's potentials on the CPU, with all messages up to date.
    fn host_forest(&self) -> Result<Forest> {
        let mut forest = Forest::new(&self.engine.host(), &[&self.tree])?;
        for (node, potential) in self.potentials.iter().enumerate() {
            let scaled: Vec<f64> = potential.iter().map(|f| f / self.epsilon).collect();
            forest.set_potential(node, &scaled)?;
        }
        let moves: Vec<_> =
            forest.shape.gather.iter().chain(&forest.shape.spread).copied().collect();
        for step in moves {
            forest.step(step, self.epsilon, 1.0, None)?;
        }
        Ok(forest)
    }
}
