//! Where the iteration starts.

use ndarray::Array1;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::Problem;
use super::linearise::StartRows;
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
            Law::Free => Array1::from_elem(node.space.len(), mass / points),
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

/// The rows of a plan whose entries are drawn from the uniform distribution.
pub(super) fn random_rows(seed: u64, edge: usize) -> StartRows<'static> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(edge as u64);
    Box::new(move |_, entries| entries.fill_with(|| random.random::<f64>()))
}

/// The rows of the product of two measures.
pub(super) fn product_rows<'a>(a: &'a Array1<f64>, b: &'a Array1<f64>) -> StartRows<'a> {
    Box::new(move |row, entries| {
        entries.iter_mut().zip(b).for_each(|(entry, b)| *entry = a[row] * b);
    })
}
