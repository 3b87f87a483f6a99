//! What the outer iteration knows of a plan: masses, marginals and the terms of the objective,
//! but not its entries. All in f64 on the host.

use ndarray::Array1;

use super::Problem;
use crate::kernels::NEARLY_NOTHING;
use crate::linear::Law;
use crate::numeric::{compensated_sum, largest};

/// A plan P on the tree, by its numbers. Energies and labels count with their shares and the
/// weights of the edges.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub mass: f64,
    /// sum t_e alpha E_e(P_e).
    pub energy: f64,
    /// sum t_e (1 - alpha) <Lab_e, P_e>.
    pub labels: f64,
    /// sum P log(P / nu), or a bound on it from above.
    pub entropy: f64,
    /// P_i of every node.
    pub marginals: Vec<Array1<f64>>,
}

/// The values of the objective, in the units of squared distances times squared mass.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Terms {
    /// sum t_e E_e(P_e), with the share alpha of fused problems.
    pub structure: f64,
    /// m(P) sum t_e <Lab_e, P_e>, with the share 1 - alpha; 0 where there are no labels.
    pub labels: f64,
    /// epsilon (2 m(P) sum P log(P / nu) - m(P)²).
    pub regularisation: f64,
    /// sum over KL nodes of rho KL(P_i (x) P_i | mu_i (x) mu_i).
    pub marginal: f64,
}

impl Terms {
    /// The cost of the matching: structure and labels.
    pub fn transport(&self) -> f64 {
        self.structure + self.labels
    }

    /// The objective, without the constant epsilon m(nu)².
    pub fn total(&self) -> f64 {
        self.transport() + self.regularisation + self.marginal
    }
}

/// The parameters that terms depend on.
pub(super) struct Weights<'a> {
    pub problem: &'a Problem,
    pub epsilon: f64,
}

impl Weights<'_> {
    /// J(P), term by term.
    pub(super) fn terms(&self, plan: &Plan) -> Terms {
        let Plan { mass, energy, labels, entropy, .. } = *plan;
        Terms {
            structure: energy,
            labels: mass * labels,
            regularisation: self.epsilon * (2.0 * mass * entropy - mass * mass),
            marginal: self.penalties(plan, plan),
        }
    }

    /// F(P, Q): the bi-convex relaxation. `energy` is its quadratic part.
    pub(super) fn cross(&self, p: &Plan, q: &Plan, energy: f64) -> f64 {
        let labels = 0.5 * (p.mass * q.labels + q.mass * p.labels);
        let entropy = q.mass * p.entropy + p.mass * q.entropy - p.mass * q.mass;
        energy + labels + self.epsilon * entropy + self.penalties(p, q)
    }

    /// sum rho_i KL(P_i (x) Q_i | mu_i (x) mu_i).
    fn penalties(&self, p: &Plan, q: &Plan) -> f64 {
        let nodes = self.problem.nodes.iter().enumerate();
        nodes
            .filter_map(|(index, node)| match node.law {
                Law::Kl { rho } => {
                    let (kp, kq) = (self.divergence(p, index), self.divergence(q, index));
                    let mu = node.space.weights.sum();
                    Some(rho * (q.mass * kp + p.mass * kq - p.mass * q.mass + mu * mu))
                }
                _ => None,
            })
            .sum()
    }

    /// sum P_i log(P_i / mu_i).
    fn divergence(&self, plan: &Plan, node: usize) -> f64 {
        let pairs = plan.marginals[node].iter().zip(&self.problem.nodes[node].space.weights);
        let terms: Vec<f64> =
            pairs.map(|(&p, &mu)| if p > 0.0 { p * (p / mu).ln() } else { 0.0 }).collect();
        compensated_sum(terms.iter().copied())
    }

    /// sum <f_i, mu_i - P_i> over the fixed nodes, from their potentials over epsilon.
    pub(super) fn missing(&self, plan: &Plan, potentials: &[Vec<f64>]) -> f64 {
        let fixed = self.problem.nodes.iter().zip(&plan.marginals).zip(potentials);
        let fixed = fixed.filter(|((node, _), _)| node.law.fixes_mass());
        let worth = fixed.flat_map(|((node, marginal), potential)| {
            let points = node.space.weights.iter().zip(marginal).zip(potential);
            points.map(|((mu, p), g)| if *g < NEARLY_NOTHING { 0.0 } else { g * (mu - p) })
        });
        self.epsilon * worth.sum::<f64>()
    }

    /// The largest L1 error of a fixed node's marginal, for a mass of 1.
    pub(super) fn marginal_error(&self, plan: &Plan) -> f64 {
        let fixed = self.problem.nodes.iter().zip(&plan.marginals);
        let fixed = fixed.filter(|(node, _)| node.law.fixes_mass());
        let errors = fixed.map(|(node, marginal)| {
            let points = node.space.weights.iter().zip(marginal);
            points.map(|(mu, p)| (mu - p).abs()).sum::<f64>() / plan.mass
        });
        largest(errors)
    }

    /// What the linear problem around P has beside the costs of its edges, for a plan
    /// of mass 1: it decides on the mass where no node fixes it.
    pub(super) fn constant(&self, plan: &Plan) -> f64 {
        let nodes = self.problem.nodes.iter().enumerate();
        let penalties: f64 = nodes
            .filter_map(|(index, node)| match node.law {
                Law::Kl { rho } => Some(rho * self.divergence(plan, index)),
                _ => None,
            })
            .sum();
        (0.5 * plan.labels + self.epsilon * plan.entropy + penalties) / plan.mass
    }

    /// The factor by which P should be scaled so that J is least, where no node fixes the mass.
    /// J(s P) = s² J'(P) + 2 s² log(s) m² (epsilon + sum rho) + a constant.
    pub(super) fn best_scale(&self, plan: &Plan) -> f64 {
        let laws = self.problem.nodes.iter().map(|node| match node.law {
            Law::Kl { rho } => (rho, node.space.weights.sum()),
            _ => (0.0, 0.0),
        });
        let (rho, constant) = laws
            .fold((0.0, 0.0), |(sum, constant), (rho, mu)| (sum + rho, constant + rho * mu * mu));
        let stiffness = plan.mass * plan.mass * (self.epsilon + rho);
        let value = self.terms(plan).total() - constant;
        (-(value + stiffness) / (2.0 * stiffness)).clamp(-3.0, 3.0).exp()
    }
}

impl Plan {
    /// s P.
    pub(super) fn scaled(mut self, scale: f64) -> Self {
        self.entropy = scale * (self.entropy + self.mass * scale.ln());
        self.energy *= scale * scale;
        self.labels *= scale;
        self.mass *= scale;
        self.marginals.iter_mut().for_each(|marginal| *marginal *= scale);
        self
    }

    /// (1 - share) P + share Q, where `energy` is the quadratic form between P and Q. Entropy is
    /// convex: what is kept of it is a bound from above, exact at the ends.
    pub(super) fn mixed(&self, other: &Self, share: f64, energy: f64) -> Self {
        let mix = |p: f64, q: f64| (1.0 - share) * p + share * q;
        let marginals = self.marginals.iter().zip(&other.marginals);
        Self {
            mass: mix(self.mass, other.mass),
            energy: mix(mix(self.energy, energy), mix(energy, other.energy)),
            labels: mix(self.labels, other.labels),
            entropy: mix(self.entropy, other.entropy),
            marginals: marginals.map(|(p, q)| (1.0 - share) * p + share * q).collect(),
        }
    }
}

/// The share of Q that makes J((1 - share) P + share Q) least, from J(P), F(P, Q) and J(Q): on the
/// segment J is at most (1 - s)² J(P) + 2 s (1 - s) F(P, Q) + s² J(Q), because all but the entropy
/// is bilinear in F and the entropy is convex. All of Q is taken wherever J(Q) <= F(P, Q): always
/// where the relaxation is tight, so that the search costs nothing there.
pub(super) fn best_share(at_p: f64, between: f64, at_q: f64) -> f64 {
    let slope = between - at_p;
    let curvature = at_p - 2.0 * between + at_q;
    if slope >= 0.0 {
        // No descent: the inner problem was not solved well enough, or P is stationary.
        return if at_q < at_p { 1.0 } else { 0.0 };
    }
    if curvature <= -slope { 1.0 } else { -slope / curvature }
}
