//! The debiased Sinkhorn divergence.

use super::transport::{Transport, TransportSolution};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::observer::{Latched, Observer, Part};
use crate::outcome::Outcome;

/// The Sinkhorn divergence of two measures; see [`Transport::divergence`].
#[derive(Clone, Debug)]
pub struct Divergence {
    /// The value of the divergence.
    pub value: f64,
    /// The problem between the two measures.
    pub between: TransportSolution,
    /// The problem of the first measure with itself.
    pub self_a: TransportSolution,
    /// The problem of the second measure with itself.
    pub self_b: TransportSolution,
}

impl Divergence {
    /// How all three solves together ended.
    pub fn outcome(&self) -> Outcome {
        self.between.outcome().clone().and(self.self_a.outcome()).and(self.self_b.outcome())
    }
}

impl Transport<'_> {
    /// The debiased divergence
    /// S(a, b) = OT(a, b) - OT(a, a) / 2 - OT(b, b) / 2 + epsilon (m(a) - m(b))² / 2:
    /// zero for equal measures and positive otherwise, for costs |x - y|^p with 0 < p <= 2
    /// (Feydy et al. 2019; Séjourné et al. 2019 with unbalanced laws). Three solves.
    ///
    /// # Errors
    /// As [`Transport::solve`], and [`Error::Data`] for costs given as a matrix, which say nothing
    /// about the costs within each measure. Stopped, what is left of the problems makes one iteration
    /// each, and [`Divergence::outcome`] tells.
    pub fn divergence(&self, engine: &Engine, observer: &mut dyn Observer) -> Result<Divergence> {
        if self.has_own_costs() {
            return Err(Error::data(
                "the divergence",
                "it also needs the costs within each measure, and only those between are given",
                "give points, images or densities instead of a cost matrix",
            ));
        }
        let observer = &mut Latched::new(observer);
        let between = self.solve_with(engine, &mut Part { observer, part: (1, 3) })?;
        let epsilon = between.details().epsilon;
        let (a, b) = self.measures();
        let (law_a, law_b) = self.marginal_laws();
        let mut alone = |part, measure, law| {
            let problem = self.clone().of(measure, measure).laws(law, law).epsilon(epsilon);
            problem.solve_with(engine, &mut Part { observer, part: (part, 3) })
        };
        let (self_a, self_b) = (alone(2, a, law_a)?, alone(3, b, law_b)?);
        let unequal = 0.5 * epsilon * (a.mass() - b.mass()).powi(2);
        let value = between.value() - 0.5 * (self_a.value() + self_b.value()) + unequal;
        Ok(Divergence { value, between, self_a, self_b })
    }
}
