//! The numbers of a solution: marginals, terms of the objective, dual value, in f64 on the host
//! wherever that is affordable.

use ndarray::Array1;

use super::{Forest, Reference, Terms, Tree, TreeSolution};
use crate::error::Result;
use crate::kernels::{NEARLY_NOTHING, NOTHING};
use crate::linear::Law;
use crate::linear::iterate::Found;
use crate::linear::pace::{HOST_WORK, room_for};
use crate::linear::schedule::Control;
use crate::numeric::compensated_sum;
use crate::outcome::Outcome;

pub(super) fn evaluate(
    mut forest: Forest,
    trees: &[&Tree],
    control: &Control,
    found: Found,
    seconds: f64,
) -> Result<Vec<TreeSolution>> {
    let epsilon = found.epsilon;
    let engine = forest.engine.clone();
    let host = match engine.is_gpu() && forest.work() * 2.0 <= HOST_WORK {
        true => room_for(on_host(&forest, trees))?,
        false => None,
    };
    let in_f64 = host.is_some() || !engine.is_gpu();
    if let Some(host) = host {
        forest = host;
    } else {
        engine.write(&mut forest.running, &vec![1.0; forest.count])?;
    }
    let moves: Vec<_> = forest.shape.gather.iter().chain(&forest.shape.spread).copied().collect();
    for step in moves {
        forest.step(step, epsilon, 1.0, None)?;
    }
    let mut nodes = Vec::new();
    for node in 0..forest.nodes.len() {
        forest.hear(node)?;
        nodes.push(NodeValues::download(&forest, node)?);
    }
    let linear = (0..trees[0].edges.len())
        .map(|edge| forest.linear(edge, epsilon))
        .collect::<Result<Vec<_>>>()?;
    let mut solutions = Vec::with_capacity(trees.len());
    for (index, tree) in trees.iter().enumerate() {
        let nodes: Vec<_> = nodes.iter().map(|node| node.of_tree(index)).collect();
        let linear: f64 =
            tree.edges.iter().zip(&linear).map(|(edge, sums)| edge.weight * sums[index]).sum();
        let marginals: Vec<_> = nodes.iter().map(NodeValues::marginal).collect();
        let terms = terms(tree, &nodes, &marginals, linear, epsilon);
        let marginal_error = marginal_error(tree, &nodes, &marginals, epsilon);
        solutions.push(TreeSolution {
            engine: engine.clone(),
            epsilon,
            potentials: tree
                .nodes
                .iter()
                .zip(&nodes)
                .map(|(node, values)| potential(node.law, values, epsilon))
                .collect(),
            mass: compensated_sum(marginals[0].iter().copied()),
            marginals,
            terms,
            marginal_error,
            outcome: Outcome {
                // Where no plan meets the laws, potentials run away, and in the end nothing moves.
                converged: found.converged[index] && marginal_error <= found.acceptable,
                interrupted: found.interrupted,
                iterations: found.iterations[index],
                tolerance: found.tolerance,
                seconds,
                device: engine.description(),
            },
            // Annealing was cut short: the potentials belong to a larger epsilon.
            reached_epsilon: epsilon == control.epsilon,
            trace: found.traces[index].clone(),
            evaluated_in_f64: in_f64,
            tree: (*tree).clone(),
        });
    }
    Ok(solutions)
}

/// The same trees with the same potentials on the CPU.
fn on_host(forest: &Forest, trees: &[&Tree]) -> Result<Forest> {
    let mut host = Forest::new(&forest.engine.host(), trees)?;
    for (node, values) in forest.nodes.iter().enumerate() {
        let potential = forest.engine.download(&values.arrays.potential)?;
        host.set_potential(node, &potential)?;
    }
    Ok(host)
}

/// What is known of a node, point by point.
pub(crate) struct NodeValues {
    offsets: Vec<usize>,
    pub potential: Vec<f64>,
    pub log_reference: Vec<f64>,
    belief: Vec<f64>,
}

impl NodeValues {
    pub(crate) fn download(forest: &Forest, node: usize) -> Result<Self> {
        let values = &forest.nodes[node];
        Ok(Self {
            offsets: values.offsets.clone(),
            potential: forest.engine.download(&values.arrays.potential)?,
            log_reference: forest.engine.download(&values.arrays.log_reference)?,
            belief: forest.engine.download(&values.belief)?,
        })
    }

    pub(crate) fn of_tree(&self, tree: usize) -> Self {
        let range = self.offsets[tree]..self.offsets[tree + 1];
        Self {
            offsets: Vec::new(),
            potential: self.potential[range.clone()].to_vec(),
            log_reference: self.log_reference[range.clone()].to_vec(),
            belief: self.belief[range].to_vec(),
        }
    }

    fn len(&self) -> usize {
        self.potential.len()
    }

    /// log of the marginal at a point.
    fn log_marginal(&self, point: usize) -> f64 {
        (self.potential[point] + self.log_reference[point] + self.belief[point]).max(NOTHING)
    }

    pub(crate) fn marginal(&self) -> Array1<f64> {
        (0..self.len()).map(|point| self.log_marginal(point).exp()).collect()
    }
}

/// f = epsilon g. Where the reference has no mass, what the law would ask of a vanishing weight,
/// so that potentials are useful everywhere on the support; minus infinity where the law forbids
/// all mass.
fn potential(law: Law, values: &NodeValues, epsilon: f64) -> Array1<f64> {
    let shrink = match law {
        Law::Kl { rho } => rho / (rho + epsilon),
        _ => 1.0,
    };
    (0..values.len())
        .map(|point| {
            let (potential, reference) = (values.potential[point], values.log_reference[point]);
            if reference < NEARLY_NOTHING {
                -epsilon * shrink * values.belief[point]
            } else if potential < NEARLY_NOTHING {
                f64::NEG_INFINITY
            } else {
                epsilon * potential
            }
        })
        .collect()
}

fn terms(
    tree: &Tree,
    nodes: &[NodeValues],
    marginals: &[Array1<f64>],
    linear: f64,
    epsilon: f64,
) -> Terms {
    let mass = compensated_sum(marginals[0].iter().copied());
    // sum P log(P / R) from the potentials: log(P / R) = sum of potentials - costs / epsilon.
    let along_potentials: f64 = nodes
        .iter()
        .zip(marginals)
        .map(|(node, marginal)| {
            let products: Vec<f64> = marginal
                .iter()
                .zip(&node.potential)
                .map(|(&p, &g)| if p > 0.0 { p * g } else { 0.0 })
                .collect();
            compensated_sum(products.iter().copied())
        })
        .sum();
    let reference_mass = reference_mass(tree);
    let entropic = epsilon * (along_potentials - mass + reference_mass) - linear;
    let marginal: f64 = tree
        .nodes
        .iter()
        .zip(marginals)
        .map(|(node, marginal)| {
            let weights = node.weights.as_slice().unwrap_or(&[]);
            node.law.penalty(marginal.as_slice().unwrap_or(&[]), weights)
        })
        .sum();
    let dual: f64 = tree
        .nodes
        .iter()
        .zip(nodes)
        .map(|(node, values)| dual_term(node.law, &node.weights, &values.potential, epsilon))
        .sum();
    Terms { linear, entropic, marginal, dual: dual + epsilon * (reference_mass - mass) }
}

/// The mass of the product of references that the generalised KL counts. For counting references
/// the number of points, which would drown everything, is replaced by the mass of the weights: at
/// mass 1 the entropic term is then plain sum P log P.
fn reference_mass(tree: &Tree) -> f64 {
    tree.nodes
        .iter()
        .map(|node| match (tree.reference, node.law) {
            (Reference::Uniform, _) | (_, Law::Free) => 1.0,
            (Reference::Weights | Reference::Counting, _) => node.weights.sum(),
        })
        .product()
}

/// inf over p of D(p, mu) + <f, p>: the node's share of the dual.
fn dual_term(law: Law, weights: &Array1<f64>, potential: &[f64], epsilon: f64) -> f64 {
    let carrying = weights.iter().zip(potential).filter(|(weight, _)| **weight > 0.0);
    let terms: Vec<f64> = carrying
        .map(|(&weight, &g)| {
            let f = epsilon * g;
            match law {
                Law::Fixed | Law::Tv { .. } => weight * f,
                Law::Kl { rho } => -rho * weight * (-f / rho).exp_m1(),
                Law::Range { low, high } => weight * f * if f > 0.0 { low } else { high },
                Law::Free => 0.0,
            }
        })
        .collect();
    compensated_sum(terms.iter().copied())
}

/// How far the marginals are from where their laws want them, in L1, for a mass of 1; for fixed
/// laws the error of the marginals.
fn marginal_error(
    tree: &Tree,
    nodes: &[NodeValues],
    marginals: &[Array1<f64>],
    epsilon: f64,
) -> f64 {
    let mut error = 0.0;
    let mut scale: f64 = 0.0;
    for ((node, values), marginal) in tree.nodes.iter().zip(nodes).zip(marginals) {
        if node.law == Law::Free {
            continue;
        }
        scale = scale.max(node.weights.sum());
        let law = node.law.scaled(epsilon);
        for (point, (&weight, &found)) in node.weights.iter().zip(marginal).enumerate() {
            let wanted = if node.law == Law::Fixed {
                weight
            } else {
                let log_weight = if weight > 0.0 { weight.ln() } else { NOTHING };
                let (reference, belief) = (values.log_reference[point], values.belief[point]);
                let goal = law.potential(log_weight, reference, belief);
                (goal + reference + belief).max(NOTHING).exp()
            };
            error += (found - wanted).abs();
        }
    }
    error / scale
}
