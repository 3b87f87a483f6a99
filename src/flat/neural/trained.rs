//! What training finds.

use super::TestFunction;
use crate::flat::Distance;
use crate::outcome::Outcome;

/// A learned distance.
#[derive(Clone, Debug, PartialEq)]
pub struct Trained {
    /// The distance.
    ///
    /// * Of [`super::Training::tight`], the value is the lower bound of the potential that the c-transform
    ///   makes of the learned function: at most the flat metric *of the given points*, sampling noise
    ///   included. [`Trained::learned`] is the value of the function itself.
    /// * Of [`super::Training::paper`], the value is the mean over the last 49 epochs, which is neither
    ///   bound: it can be 10 % too large, and 50 % too small where masses are equal.
    ///
    /// Both bounds are valid whatever the network does.
    pub distance: Distance,
    /// The integral of the learned function against mu - nu. Of [`super::Training::tight`] it is a lower
    /// bound too, and does not follow sampling noise that a network of this size cannot learn.
    pub learned: f64,
    /// The standard deviation over the last 49 epochs over sqrt(50), where the value is a mean of these.
    pub std: Option<f64>,
    /// What was measured in each epoch before its step.
    pub curve: Vec<Epoch>,
    /// The learned test function.
    pub function: TestFunction,
    /// How training ended: iterations are epochs, and unless it was stopped it converged, with nothing to
    /// tolerate. Seconds are those of the whole batch.
    pub outcome: Outcome,
}

/// One epoch of training.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "io", derive(serde::Serialize))]
pub struct Epoch {
    /// The integral of f against mu - nu.
    pub value: f64,
    /// The penalty on what is beyond -1 and 1; 0 where the output is clamped.
    pub penalty: f64,
    /// Its weight.
    pub lambda: f64,
}
