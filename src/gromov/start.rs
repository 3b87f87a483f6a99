//! Where the iteration starts.

use ndarray::{Array1, Array2};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::linearise::StartRows;
use super::plan::Plan;
use super::transfer::check_plan;
use super::{Problem, Solution};
use crate::error::{Error, Result};
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

/// Refuses a solution to start from that has not a plan with mass for every edge and a potential
/// for every node.
pub(super) fn check_solution(problem: &Problem, solution: &Solution) -> Result<()> {
    let counts = |edges: usize, nodes: usize| format!("{edges} plans and {nodes} potentials");
    let expected = counts(problem.edges.len(), problem.nodes.len());
    let found = counts(solution.plans.len(), solution.potentials.len());
    if expected != found {
        return Err(Error::shape("the solution to start from", expected, found));
    }
    let size = |node: usize| problem.nodes[node].space.len();
    for (node, potential) in solution.potentials.iter().enumerate() {
        if potential.len() != size(node) {
            let name = format!("the potential of node {node} to start from");
            return Err(Error::shape(name, size(node).to_string(), potential.len().to_string()));
        }
    }
    for (number, (plan, edge)) in solution.plans.iter().zip(&problem.edges).enumerate() {
        let name = format!("the plan of edge {number} to start from");
        let (rows, cols) = (size(edge.rows), size(edge.cols));
        if plan.dim() != (rows, cols) {
            let found = format!("{} x {}", plan.nrows(), plan.ncols());
            return Err(Error::shape(name, format!("{rows} x {cols}"), found));
        }
        check_plan(&name, plan.view())?;
        let total = plan.sum();
        if !(total > 0.0 && total.is_finite()) {
            let problem = format!("its mass is {total}");
            return Err(Error::data(name, problem, "give a plan with mass"));
        }
    }
    Ok(())
}

/// The rows of a plan that is given.
pub(super) fn plan_rows(plan: &Array2<f64>) -> StartRows<'_> {
    Box::new(move |row, entries| {
        entries.iter_mut().zip(plan.row(row)).for_each(|(entry, p)| *entry = *p);
    })
}
