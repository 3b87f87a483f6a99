//! A batch of trees of one structure on an engine: potentials, messages, and the order of a sweep.

use super::{Node, Reference, Tree};
use crate::engine::{Array, Engine};
use crate::error::{Error, Result};
use crate::geometry::{Operator, Side};
use crate::kernels::NOTHING;
use crate::kernels::linear::node_residual::NodeResidual;
use crate::kernels::linear::node_update::{NodeArrays, node_update};
use crate::kernels::linear::sum_messages::sum_messages;
use crate::kernels::tiles::problem_of_points;
use crate::linear::Law;
use crate::linear::iterate::rescaled;
use crate::numeric::compensated_sum;

/// One step of a sweep. Edges are named by the index of the edge; `down` leads away from the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Move {
    Update { node: usize },
    Down { edge: usize },
    Up { edge: usize },
}

/// The trees' common structure, seen from the root.
pub(crate) struct Shape {
    /// The edge to each node's parent; `None` for the root.
    pub parent_edge: Vec<Option<usize>>,
    /// The edges to each node's children.
    pub child_edges: Vec<Vec<usize>>,
    /// Parent and child of each edge.
    pub ends: Vec<(usize, usize)>,
    /// Depth-first Gauss-Seidel: every update is an exact block step of the dual, so that the dual
    /// never falls. (Updating siblings from old messages can diverge.)
    pub sweep: Vec<Move>,
    /// Leaves to root: makes all upward messages.
    pub gather: Vec<Move>,
    /// Root to leaves: makes all downward messages.
    pub spread: Vec<Move>,
}

impl Shape {
    pub(crate) fn new(tree: &Tree) -> Self {
        let count = tree.nodes.len();
        // Rooted where a law holds the potential: a free root would only pass messages on.
        let root = tree.nodes.iter().position(|node| node.law != Law::Free).unwrap_or(0);
        let mut shape = Self {
            parent_edge: vec![None; count],
            child_edges: vec![Vec::new(); count],
            ends: vec![(0, 0); tree.edges.len()],
            sweep: Vec::new(),
            gather: Vec::new(),
            spread: Vec::new(),
        };
        let mut order = vec![root];
        let mut next = 0;
        while next < order.len() {
            let node = order[next];
            next += 1;
            for (index, edge) in tree.edges.iter().enumerate() {
                let other = match (edge.rows == node, edge.cols == node) {
                    (true, _) => edge.cols,
                    (_, true) => edge.rows,
                    _ => continue,
                };
                if shape.parent_edge[node] == Some(index) {
                    continue;
                }
                shape.parent_edge[other] = Some(index);
                shape.child_edges[node].push(index);
                shape.ends[index] = (node, other);
                shape.spread.push(Move::Down { edge: index });
                order.push(other);
            }
        }
        for &node in order.iter().rev() {
            if let Some(edge) = shape.parent_edge[node] {
                shape.gather.push(Move::Up { edge });
            }
        }
        let mut sweep = Vec::new();
        shape.visit(root, &mut sweep);
        shape.sweep = sweep;
        shape
    }

    fn visit(&self, node: usize, sweep: &mut Vec<Move>) {
        sweep.push(Move::Update { node });
        for &edge in &self.child_edges[node] {
            sweep.push(Move::Down { edge });
            self.visit(self.ends[edge].1, sweep);
            sweep.push(Move::Up { edge });
        }
    }
}

/// One node of every tree.
pub(crate) struct ForestNode {
    pub law: Law,
    pub arrays: NodeArrays,
    pub belief: Array,
    /// Points of each tree, as offsets.
    pub offsets: Vec<usize>,
    sum: Array,
    scratch: Array,
    residual: Option<NodeResidual>,
}

/// One edge of every tree.
struct ForestEdge {
    operator: Operator,
    weight: f64,
    /// Onto the parent.
    up: Array,
    /// Onto the child.
    down: Array,
    /// The side of the operator that the child is on.
    child_side: Side,
}

pub(crate) struct Forest {
    pub engine: Engine,
    pub shape: Shape,
    pub nodes: Vec<ForestNode>,
    edges: Vec<ForestEdge>,
    /// 1 for the trees that still run.
    pub running: Array,
    pub count: usize,
}

impl Forest {
    /// Trees of one structure, laws and edge weights; sizes may differ.
    pub(crate) fn new(engine: &Engine, trees: &[&Tree]) -> Result<Self> {
        let Some(&first) = trees.first() else {
            return Err(Error::data("the batch", "it is empty", "give at least one problem"));
        };
        for tree in trees {
            tree.validate()?;
            check_alike(first, tree)?;
        }
        // Asked for at once, so that a problem that does not fit fails before any of it is built.
        let bytes = trees.iter().map(|tree| predicted_bytes(engine, tree)).sum();
        engine.require(
            "the problem",
            bytes,
            "use points or grids, whose costs are not stored, fewer points, or another device",
        )?;
        let operators = (0..first.edges.len()).map(|edge| {
            let geometries: Vec<_> = trees.iter().map(|tree| &*tree.edges[edge].geometry).collect();
            Operator::new(engine, &geometries)
        });
        let mut operators = operators.collect::<Result<Vec<_>>>()?;
        operators.iter_mut().for_each(|operator| operator.absorb(engine));
        Self::with_operators(engine, trees, operators)
    }

    /// Trees that have been validated, with their costs on the engine, edge by edge.
    pub(crate) fn with_operators(
        engine: &Engine,
        trees: &[&Tree],
        operators: Vec<Operator>,
    ) -> Result<Self> {
        let first = trees[0];
        let shape = Shape::new(first);
        let nodes = (0..first.nodes.len())
            .map(|node| ForestNode::new(engine, trees, node))
            .collect::<Result<Vec<_>>>()?;
        let edges = operators
            .into_iter()
            .enumerate()
            .map(|(edge, operator)| {
                let (parent, child) = shape.ends[edge];
                let on_rows = first.edges[edge].rows == child;
                Ok(ForestEdge {
                    operator,
                    weight: first.edges[edge].weight,
                    up: engine.zeros("message", nodes[parent].belief.len())?,
                    down: engine.zeros("message", nodes[child].belief.len())?,
                    child_side: if on_rows { Side::Rows } else { Side::Cols },
                })
            })
            .collect::<Result<Vec<_>>>()?;
        let running = crate::kernels::tiles::all_running(engine, trees.len())?;
        Ok(Self { engine: engine.clone(), shape, nodes, edges, running, count: trees.len() })
    }

    /// Exponentials in one sweep.
    pub(crate) fn work(&self) -> f64 {
        2.0 * self.edges.iter().map(|edge| edge.operator.work()).sum::<f64>()
    }

    /// Updates every node once. With `residual`, updates add their residuals to it.
    pub(crate) fn sweep(
        &mut self,
        epsilon: f64,
        relaxation: f64,
        mut residual: Option<&mut Array>,
    ) -> Result<()> {
        for index in 0..self.shape.sweep.len() {
            let step = self.shape.sweep[index];
            self.step(step, epsilon, relaxation, residual.as_deref_mut())?;
        }
        Ok(())
    }

    /// A sweep of measures against themselves, whose two potentials are one: it goes half of the way
    /// to its update. One after the other, as in [`Forest::sweep`], they would come together at the
    /// rate at which mass spreads within the measure, which for a small epsilon is slow (Feydy et al.
    /// 2019, section 3.1).
    pub(crate) fn mirrored_sweep(
        &mut self,
        epsilon: f64,
        residual: Option<&mut Array>,
    ) -> Result<()> {
        let (parent, child) = self.shape.ends[0];
        self.step(Move::Down { edge: 0 }, epsilon, 1.0, None)?;
        self.step(Move::Update { node: child }, epsilon, 0.5, residual)?;
        let ends = self.nodes.get_disjoint_mut([child, parent]);
        let [from, to] = ends.expect("an edge has two ends").map(|node| &mut node.arrays);
        self.engine.copy(&from.potential, &mut to.potential)?;
        self.engine.copy(&from.bias, &mut to.bias)
    }

    /// Makes a step at this epsilon. With `residual`, updates add their residuals to it first.
    pub(crate) fn step(
        &mut self,
        step: Move,
        epsilon: f64,
        relaxation: f64,
        residual: Option<&mut Array>,
    ) -> Result<()> {
        match step {
            Move::Update { node } => self.update(node, epsilon, relaxation, residual),
            Move::Down { edge } => self.pass(edge, Towards::Child, epsilon),
            Move::Up { edge } => self.pass(edge, Towards::Parent, epsilon),
        }
    }

    /// Adds all messages that reach a node up in its belief.
    pub(crate) fn hear(&mut self, node: usize) -> Result<()> {
        let messages = heard(&self.shape, &self.edges, node, None);
        let ForestNode { belief, scratch, .. } = &mut self.nodes[node];
        sum_messages(&self.engine, &messages, belief, scratch)
    }

    fn update(
        &mut self,
        node: usize,
        epsilon: f64,
        relaxation: f64,
        residual: Option<&mut Array>,
    ) -> Result<()> {
        let law = self.nodes[node].law;
        if law == Law::Free {
            return Ok(());
        }
        self.hear(node)?;
        // A step beyond a bound would leave the set that these laws keep potentials in.
        let relaxation = match law {
            Law::Fixed | Law::Kl { .. } => relaxation,
            Law::Tv { .. } | Law::Range { .. } | Law::Free => relaxation.min(1.0),
        };
        let law = law.scaled(epsilon);
        let ForestNode { arrays, belief, offsets, residual: plan, .. } = &mut self.nodes[node];
        if let Some(residual) = residual {
            let plan = match plan {
                Some(plan) => plan,
                None => plan.insert(NodeResidual::new(&self.engine, offsets)?),
            };
            plan.launch(&self.engine, arrays, belief, law, residual)?;
        }
        node_update(&self.engine, arrays, belief, law, relaxation, &self.running)
    }

    /// The message along an edge, towards the child or the parent.
    fn pass(&mut self, edge: usize, towards: Towards, epsilon: f64) -> Result<()> {
        let (parent, child) = self.shape.ends[edge];
        let sender = if towards == Towards::Child { parent } else { child };
        self.relay(sender, edge)?;
        let bias = sent(&self.shape, &self.nodes, sender);
        let ForestEdge { operator, weight, up, down, child_side } = &mut self.edges[edge];
        let (onto, message) = match towards {
            Towards::Child => (*child_side, down),
            Towards::Parent => (child_side.other(), up),
        };
        let epsilon = epsilon / *weight;
        operator.softmin_running(&self.engine, onto, epsilon, bias, &self.running, message)
    }

    /// Adds up what a node sends along an edge: its own bias and what it heard along all others.
    /// A leaf has heard nothing else, and sends its bias as it is; see [`sent`].
    fn relay(&mut self, node: usize, edge: usize) -> Result<()> {
        let mut messages = heard(&self.shape, &self.edges, node, Some(edge));
        if messages.is_empty() {
            return Ok(());
        }
        let ForestNode { arrays, sum, scratch, .. } = &mut self.nodes[node];
        messages.push(&arrays.bias);
        sum_messages(&self.engine, &messages, sum, scratch)
    }

    /// Changes the unit of the potentials from one epsilon to another, and with it the biases.
    pub(crate) fn rescale(&mut self, from: f64, to: f64) -> Result<()> {
        for node in 0..self.nodes.len() {
            let potential = &self.nodes[node].arrays.potential;
            let potential = rescaled(&self.engine, potential, from, to)?;
            self.set_potential(node, &potential)?;
        }
        Ok(())
    }

    /// Sets a node's potential, in units of epsilon, and its bias.
    pub(crate) fn set_potential(&mut self, node: usize, potential: &[f64]) -> Result<()> {
        let arrays = &mut self.nodes[node].arrays;
        let reference = self.engine.download(&arrays.log_reference)?;
        let potential: Vec<f64> = potential.iter().map(|g| g.max(NOTHING)).collect();
        let bias: Vec<f64> =
            potential.iter().zip(&reference).map(|(g, log)| (g + log).max(NOTHING)).collect();
        self.engine.write(&mut arrays.potential, &potential)?;
        self.engine.write(&mut arrays.bias, &bias)
    }

    /// The biases at the ends of an edge, rows first: the potentials there and all that they hear
    /// from elsewhere. With them exp(f_i + g_j - C_ij / epsilon) is the edge's plan. Messages must
    /// be up to date.
    pub(crate) fn edge_biases(&mut self, edge: usize) -> Result<(&Array, &Array)> {
        self.relay_both(edge)?;
        Ok(end_biases(&self.shape, &self.nodes, edge, self.edges[edge].child_side))
    }

    /// An edge's costs, to change them or to apply its coupling, and the biases at its ends as
    /// [`Forest::edge_biases`] gives them.
    pub(crate) fn edge(&mut self, edge: usize) -> Result<(&mut Operator, &Array, &Array)> {
        self.relay_both(edge)?;
        let Self { shape, nodes, edges, .. } = self;
        let (f, g) = end_biases(shape, nodes, edge, edges[edge].child_side);
        Ok((&mut edges[edge].operator, f, g))
    }

    /// The message that an edge brings to its end on this side.
    pub(crate) fn message(&self, edge: usize, onto: Side) -> &Array {
        let ForestEdge { up, down, child_side, .. } = &self.edges[edge];
        if onto == *child_side { down } else { up }
    }

    /// Changes the logarithm of a node's reference measure, and with it the bias.
    pub(crate) fn set_reference(&mut self, node: usize, log_reference: &[f64]) -> Result<()> {
        let arrays = &mut self.nodes[node].arrays;
        self.engine.write(&mut arrays.log_reference, log_reference)?;
        let potential = self.engine.download(&self.nodes[node].arrays.potential)?;
        self.set_potential(node, &potential)
    }

    fn relay_both(&mut self, edge: usize) -> Result<()> {
        let (parent, child) = self.shape.ends[edge];
        self.relay(parent, edge)?;
        self.relay(child, edge)?;
        Ok(())
    }

    /// The linear part of each tree's objective along an edge, without the edge's weight.
    /// Messages must be up to date.
    pub(crate) fn linear(&mut self, edge: usize, epsilon: f64) -> Result<Vec<f64>> {
        let child_side = self.edges[edge].child_side;
        self.relay_both(edge)?;
        let Self { shape, nodes, edges, engine, .. } = self;
        let (f, g) = end_biases(shape, nodes, edge, child_side);
        let ForestEdge { operator, weight, .. } = &mut edges[edge];
        let mut sums = engine.zeros("linear part", f.len())?;
        operator.linear(engine, epsilon / *weight, f, g, &mut sums)?;
        let sums = engine.download(&sums)?;
        let rows = &operator.blocks().rows;
        Ok(rows
            .windows(2)
            .map(|bounds| compensated_sum(sums[bounds[0]..bounds[1]].iter().copied()))
            .collect())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Towards {
    Child,
    Parent,
}

/// The messages that reach a node, but for the one along `except`.
fn heard<'a>(
    shape: &Shape,
    edges: &'a [ForestEdge],
    node: usize,
    except: Option<usize>,
) -> Vec<&'a Array> {
    let from_parent = shape.parent_edge[node].map(|edge| (edge, &edges[edge].down));
    let from_children = shape.child_edges[node].iter().map(|&edge| (edge, &edges[edge].up));
    from_parent
        .into_iter()
        .chain(from_children)
        .filter(|&(edge, _)| Some(edge) != except)
        .map(|(_, message)| message)
        .collect()
}

/// Where [`Forest::relay`] left what the two ends of an edge send along it, rows first.
fn end_biases<'a>(
    shape: &Shape,
    nodes: &'a [ForestNode],
    edge: usize,
    child_side: Side,
) -> (&'a Array, &'a Array) {
    let (parent, child) = shape.ends[edge];
    let (parent, child) = (sent(shape, nodes, parent), sent(shape, nodes, child));
    match child_side {
        Side::Cols => (parent, child),
        Side::Rows => (child, parent),
    }
}

/// What a node last sent along an edge.
fn sent<'a>(shape: &Shape, nodes: &'a [ForestNode], node: usize) -> &'a Array {
    let degree = shape.child_edges[node].len() + usize::from(shape.parent_edge[node].is_some());
    if degree == 1 { &nodes[node].arrays.bias } else { &nodes[node].sum }
}

impl ForestNode {
    fn new(engine: &Engine, trees: &[&Tree], node: usize) -> Result<Self> {
        let mut offsets = vec![0];
        let mut log_weight = Vec::new();
        let mut log_reference = Vec::new();
        for tree in trees {
            let Node { weights, law } = &tree.nodes[node];
            let log = |weight: f64| if weight > 0.0 { weight.ln() } else { NOTHING };
            log_weight.extend(weights.iter().map(|&weight| log(weight)));
            let uniform = -(weights.len() as f64).ln();
            log_reference.extend(weights.iter().map(|&weight| match tree.reference {
                Reference::Weights if *law != Law::Free => log(weight),
                Reference::Weights | Reference::Uniform => uniform,
                Reference::Counting => 0.0,
            }));
            offsets.push(log_weight.len());
        }
        let count = log_weight.len();
        Ok(Self {
            law: trees[0].nodes[node].law,
            arrays: NodeArrays {
                log_weight: engine.upload("log weights", &log_weight)?,
                bias: engine.upload("bias", &log_reference)?,
                log_reference: engine.upload("log reference", &log_reference)?,
                potential: engine.zeros("potential", count)?,
                problem: problem_of_points(engine, &offsets)?,
            },
            belief: engine.zeros("belief", count)?,
            sum: engine.zeros("sum of messages", count)?,
            scratch: engine.zeros("sum of messages", count)?,
            residual: None,
            offsets,
        })
    }
}

fn check_alike(first: &Tree, other: &Tree) -> Result<()> {
    let ends = |tree: &Tree| -> Vec<_> {
        tree.edges.iter().map(|edge| (edge.rows, edge.cols, edge.weight.to_bits())).collect()
    };
    let laws = |tree: &Tree| -> Vec<_> { tree.nodes.iter().map(|node| node.law).collect() };
    if ends(first) == ends(other)
        && laws(first) == laws(other)
        && first.reference == other.reference
    {
        return Ok(());
    }
    Err(Error::data(
        "the batch",
        "its trees differ in structure, laws, edge weights or reference",
        "batch only trees that differ in sizes, weights and costs",
    ))
}

fn predicted_bytes(engine: &Engine, tree: &Tree) -> u64 {
    let points: u64 = tree.nodes.iter().map(|node| node.weights.len() as u64).sum();
    let messages: u64 = tree
        .edges
        .iter()
        .map(|edge| {
            let (rows, cols) = edge.geometry.shape();
            (rows + cols) as u64
        })
        .sum();
    let costs: u64 = tree.edges.iter().map(|edge| edge.geometry.bytes(engine)).sum();
    costs + (8 * points + messages) * engine.bytes_per_number()
}
