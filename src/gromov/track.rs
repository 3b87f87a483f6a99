//! One start on its way: the plan that it is at, the next one, and how far these are apart.

use ndarray::Array1;

use super::linearise::Found;
use super::plan::{Plan, Terms, Weights, best_share};
use super::{Problem, Update};
use crate::kernels::NEARLY_NOTHING;
use crate::linear::Law;

/// Two plans in a row that differ by more than this, where the objective is far above the
/// relaxation, are a cycle and not a solution.
const CYCLE: f64 = 1.0;

/// One start on its way.
pub(super) struct Track {
    /// The plan that the problem is linearised at, and whether its numbers are known: not at the
    /// start.
    pub at: Plan,
    pub known: bool,
    pub found: Option<Found>,
    pub terms: Terms,
    pub change: f64,
    /// J(P), F(P, Q) and J(Q) of the last step.
    pub values: [f64; 3],
    pub epsilon: f64,
    pub iterations: usize,
    pub converged: bool,
    pub trace: Vec<TracePoint>,
}

/// The iteration at a point in time.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "io", derive(serde::Serialize))]
pub struct TracePoint {
    /// Outer iterations done.
    pub iteration: usize,
    /// Seconds since the start.
    pub seconds: f64,
    /// The entropic strength of this step: it falls while annealing.
    pub epsilon: f64,
    /// The cost of the matching, without regularisation.
    pub transport: f64,
    /// The objective.
    pub total: f64,
    /// How far the plan is from the one before, in L1, for a mass of 1: a bound.
    pub change: f64,
    /// The part of the step that was taken.
    pub share: f64,
}

impl Track {
    /// From a plan whose numbers are not known.
    pub(super) fn new(at: Plan, epsilon: f64) -> Self {
        Self {
            at,
            known: false,
            found: None,
            terms: Terms::default(),
            change: f64::INFINITY,
            values: [f64::NAN; 3],
            epsilon,
            iterations: 0,
            converged: false,
            trace: Vec::new(),
        }
    }

    /// Takes in the plan of the linearised problem, and returns the share of it to go on with.
    pub(super) fn absorb(&mut self, weights: &Weights<'_>, found: Found, update: Update) -> f64 {
        self.terms = weights.terms(&found.plan);
        let at_q = self.terms.total();
        let mut share = 1.0;
        if self.known {
            // Marginals that are not met yet are made up for by their potentials: between these
            // values, the step always leads down.
            let mass = self.at.mass;
            let [missing_p, missing_q] =
                [&self.at, &found.plan].map(|plan| mass * weights.missing(plan, &found.potentials));
            let at_p = weights.terms(&self.at).total() + 2.0 * missing_p;
            let at_q = at_q + 2.0 * missing_q;
            let between = weights.cross(&self.at, &found.plan, mass * found.cross_energy)
                + missing_p
                + missing_q;
            self.values = [at_p, between, at_q];
            self.change = self.bound_on_change(weights, &found);
            if update == Update::Safeguarded {
                share = best_share(at_p, between, at_q);
            }
        }
        self.found = Some(found);
        share
    }

    /// |P - Q| <= sqrt(2 m KL(P | Q)) by Pinsker's inequality, for a mass of 1. Q is given by its
    /// potentials, so that the divergence takes marginals and the energy of P only.
    fn bound_on_change(&self, weights: &Weights<'_>, found: &Found) -> f64 {
        let Plan { mass, energy, labels, entropy, ref marginals } = self.at;
        let mut log_q = 0.0;
        for (marginal, potential) in marginals.iter().zip(&found.potentials) {
            for (&p, &g) in marginal.iter().zip(potential) {
                if p > 0.0 {
                    log_q += p * if g < NEARLY_NOTHING { 0.0 } else { g };
                }
            }
        }
        let costs = energy / mass + 0.5 * labels;
        let constant = match weights.problem.mass_is_fixed() {
            true => 0.0,
            false => weights.constant(&self.at) * mass,
        };
        log_q -= (costs + constant) / weights.epsilon;
        let divergence = entropy - log_q - mass + found.plan.mass;
        (2.0 * divergence.max(0.0) / mass).sqrt()
    }

    /// False where the last two plans belong to a cycle: far apart, and each far worse by itself
    /// than the relaxation makes of the two.
    pub(super) fn is_no_cycle(&self) -> bool {
        let [at_p, between, at_q] = self.values;
        !(self.change > CYCLE && 0.5 * (at_p + at_q) - between > 0.5 * self.terms.transport().abs())
    }

    pub(super) fn note(&mut self, seconds: f64, share: f64) {
        self.trace.push(TracePoint {
            iteration: self.iterations,
            seconds,
            epsilon: self.epsilon,
            transport: self.terms.transport(),
            total: self.terms.total(),
            change: self.change,
            share,
        });
    }
}

impl Found {
    /// f = epsilon g; free nodes have none.
    pub(super) fn potentials(&self, problem: &Problem, epsilon: f64) -> Vec<Array1<f64>> {
        let nodes = problem.nodes.iter().zip(&self.potentials);
        nodes
            .map(|(node, potential)| match node.law {
                Law::Free => Array1::zeros(potential.len()),
                _ => potential
                    .iter()
                    .map(|&g| if g < NEARLY_NOTHING { f64::NEG_INFINITY } else { epsilon * g })
                    .collect(),
            })
            .collect()
    }
}
