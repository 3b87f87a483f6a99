//! Multi-marginal plans as dense tensors, for problems of a few points: the definitions, summed
//! over every pair of states.

use gaspard::Law;
use gaspard::gromov::{Problem, Solution};
use gaspard::linear::tree::Reference;

/// A plan on the product of all spaces: one entry a state, the last node's point running fastest.
pub struct Tensor {
    pub states: Vec<Vec<usize>>,
    pub entries: Vec<f64>,
}

impl Tensor {
    /// The Markov plan of a solution: the product of its edges' plans over that of its nodes'
    /// marginals, each as often as it has edges to spare.
    pub fn of(problem: &Problem, solution: &Solution) -> Self {
        let sizes: Vec<usize> = problem.nodes.iter().map(|node| node.space.len()).collect();
        let count: usize = sizes.iter().product();
        let states: Vec<Vec<usize>> = (0..count)
            .map(|mut place| {
                let mut state = vec![0; sizes.len()];
                for (point, size) in state.iter_mut().zip(&sizes).rev() {
                    *point = place % size;
                    place /= size;
                }
                state
            })
            .collect();
        let entry = |state: &Vec<usize>| {
            let mut value = 1.0;
            let mut spare = vec![-1; sizes.len()];
            for (edge, plan) in problem.edges.iter().zip(&solution.plans) {
                value *= plan[[state[edge.rows], state[edge.cols]]];
                spare[edge.rows] += 1;
                spare[edge.cols] += 1;
            }
            for (node, spare) in spare.into_iter().enumerate() {
                let marginal = solution.marginals[node][state[node]];
                value = if marginal > 0.0 { value / marginal.powi(spare) } else { 0.0 };
            }
            value
        };
        let entries = states.iter().map(entry).collect();
        Self { states, entries }
    }

    pub fn mass(&self) -> f64 {
        self.entries.iter().sum()
    }

    pub fn marginal(&self, problem: &Problem, node: usize) -> Vec<f64> {
        let mut marginal = vec![0.0; problem.nodes[node].space.len()];
        for (state, entry) in self.states.iter().zip(&self.entries) {
            marginal[state[node]] += entry;
        }
        marginal
    }

    /// sum P log(P / nu).
    pub fn entropy(&self, problem: &Problem) -> f64 {
        let terms = self.states.iter().zip(&self.entries).filter(|(_, entry)| **entry > 0.0);
        terms.map(|(state, &entry)| entry * (entry / reference(problem, state)).ln()).sum()
    }

    /// J(P) by its definition, but for the constant epsilon m(nu)².
    pub fn objective(&self, problem: &Problem, epsilon: f64) -> f64 {
        let mass = self.mass();
        let mut total = epsilon * (2.0 * mass * self.entropy(problem) - mass * mass);
        for (x, p) in self.states.iter().zip(&self.entries) {
            for (y, q) in self.states.iter().zip(&self.entries) {
                total += p * q * pair_cost(problem, x, y);
            }
        }
        for (node, spec) in problem.nodes.iter().enumerate() {
            if let Law::Kl { rho } = spec.law {
                let p = self.marginal(problem, node);
                let mu = &spec.space.weights;
                for (&pi, &mi) in p.iter().zip(mu) {
                    for (&pj, &mj) in p.iter().zip(mu) {
                        let (squared, given) = (pi * pj, mi * mj);
                        let log =
                            if squared > 0.0 { squared * (squared / given).ln() } else { 0.0 };
                        total += rho * (log - squared + given);
                    }
                }
            }
        }
        total
    }

    /// c_P(x): the derivative of F(P, Q) by Q but for entropy and penalties (paper, eq. 8), with
    /// all its constants.
    pub fn linearised(&self, problem: &Problem, epsilon: f64) -> Vec<f64> {
        let mut constant = epsilon * self.entropy(problem);
        for (node, spec) in problem.nodes.iter().enumerate() {
            if let Law::Kl { rho } = spec.law {
                let pairs = self.marginal(problem, node).into_iter().zip(&spec.space.weights);
                constant += rho
                    * pairs
                        .map(|(p, mu)| if p > 0.0 { p * (p / mu).ln() } else { 0.0 })
                        .sum::<f64>();
            }
        }
        self.states
            .iter()
            .map(|x| {
                let pairs = self.states.iter().zip(&self.entries);
                constant + pairs.map(|(y, p)| p * pair_cost(problem, x, y)).sum::<f64>()
            })
            .collect()
    }
}

/// nu at a state.
pub fn reference(problem: &Problem, state: &[usize]) -> f64 {
    let nodes = problem.nodes.iter().zip(state);
    nodes
        .map(|(node, &point)| match (problem.reference, node.law) {
            (Reference::Counting, _) => 1.0,
            (Reference::Weights, law) if law != Law::Free => node.space.weights[point],
            _ => 1.0 / node.space.len() as f64,
        })
        .product()
}

/// c(x, x') of the tree, with labels.
fn pair_cost(problem: &Problem, x: &[usize], y: &[usize]) -> f64 {
    let distance = |node: usize| problem.nodes[node].space.distance(x[node], y[node]);
    let mut cost = 0.0;
    for edge in &problem.edges {
        let structure = (distance(edge.rows) - distance(edge.cols)).powi(2);
        cost += edge.weight
            * match &problem.fused {
                None => structure,
                Some(fused) => {
                    let label = |node: usize, state: &[usize]| {
                        problem.nodes[node].space.labels.as_ref().unwrap()[state[node]]
                    };
                    let of = |state| {
                        fused.label_costs[[label(edge.rows, state), label(edge.cols, state)]]
                    };
                    fused.alpha * structure + (1.0 - fused.alpha) * 0.5 * (of(x) + of(y))
                }
            };
    }
    cost
}
