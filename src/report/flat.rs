//! What is kept of a flat metric in JSON.

use serde::Serialize;

use crate::flat::neural::Trained;
use crate::flat::{Bracket, Distance, Exact};
use crate::outcome::Outcome;

/// The numbers of a flat metric between two measures, in units of mass.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FlatResults {
    /// The distance and its bounds.
    #[serde(flatten)]
    pub distance: Distance,
    /// upper - lower.
    pub gap: f64,
    /// The standard deviation of a value that is a mean over epochs; none of others.
    pub std: Option<f64>,
    /// The integral of the function that a network learned.
    pub learned: Option<f64>,
    /// The normalised value of networks as they were published without its expected error; see
    /// [`calibrated`](crate::flat::neural::calibrated).
    pub calibrated: Option<f64>,
    /// The least entropic strength, a length; none of methods without.
    pub epsilon: Option<f64>,
    /// How the solve ended: iterations are pivots, iterations of all epsilons, or epochs.
    #[serde(flatten)]
    pub outcome: Outcome,
}

impl FlatResults {
    fn new(distance: Distance, outcome: &Outcome) -> Self {
        Self {
            distance,
            gap: distance.upper - distance.lower,
            std: None,
            learned: None,
            calibrated: None,
            epsilon: None,
            outcome: outcome.clone(),
        }
    }
}

impl From<&Exact> for FlatResults {
    fn from(found: &Exact) -> Self {
        Self::new(found.distance, &found.outcome)
    }
}

impl From<&Bracket> for FlatResults {
    fn from(found: &Bracket) -> Self {
        Self { epsilon: Some(found.epsilon), ..Self::new(found.distance, &found.outcome) }
    }
}

impl From<&Trained> for FlatResults {
    fn from(found: &Trained) -> Self {
        Self {
            std: found.std,
            learned: Some(found.learned),
            ..Self::new(found.distance, &found.outcome)
        }
    }
}
