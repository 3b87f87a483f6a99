//! Where the iteration starts.

use ndarray::Array2;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::Problem;
use super::plan::Plan;
use crate::linear::Law;
use crate::linear::tree::Reference;

/// The numbers of the product of the weights, with 1/n on the points of free nodes. Its energy is
/// not known.
pub(super) fn product_plan(problem: &Problem) -> Plan {
    let bound = problem.nodes.iter().filter(|node| node.law != Law::Free);
    let (sum, count) =
        bound.fold((0.0, 0.0), |(sum, count), node| (sum + node.space.weights.sum(), count + 1.0));
    let mass = if count > 0.0 { sum / count } else { 1.0 };
    let mut entropy = mass * mass.ln() * (1.0 - problem.nodes.len() as f64);
    let mut marginals = Vec::new();
    for node in &problem.nodes {
        let points = node.space.len() as f64;
        let total = node.space.weights.sum();
        let marginal = match node.law {
            Law::Free => ndarray::Array1::from_elem(node.space.len(), mass / points),
            _ => &node.space.weights * (mass / total),
        };
        for (&p, &mu) in marginal.iter().zip(&node.space.weights) {
            let reference = match (problem.reference, node.law) {
                (Reference::Counting, _) => 1.0,
                (Reference::Weights, law) if law != Law::Free => mu,
                (Reference::Weights | Reference::Uniform, _) => 1.0 / points,
            };
            if p > 0.0 {
                entropy += p * (p / reference).ln();
            }
        }
        marginals.push(marginal);
    }
    Plan { mass, energy: 0.0, labels: 0.0, entropy, marginals }
}

/// Entries drawn from the uniform distribution and divided by their sum.
pub(super) fn random_entries(seed: u64, edge: usize, rows: usize, cols: usize) -> Array2<f64> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(edge as u64);
    let entries = Array2::from_shape_simple_fn((rows, cols), || random.random::<f64>());
    let sum = entries.sum();
    entries / sum
}
