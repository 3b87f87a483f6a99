//! What small fully connected networks are made of: where their numbers lie, and the f64 twins of what
//! is done with them.

mod activation;
mod constraint;
mod initial;
mod optimiser;
mod pass;
mod plan;
#[cfg(test)]
mod properties;
mod record;

pub(crate) use activation::group_sort;
pub(crate) use constraint::{constrain, finish_gradients, retract};
pub(crate) use initial::initial;
pub(crate) use optimiser::{Optimiser, Step, adam, lambda, lambda_of};
pub(crate) use pass::{Pass, Points, Sums};
pub(crate) use plan::{Constraint, HEAD, Layer, MAX_LAYERS, MAX_WIDTH, Output, Plan};
pub(crate) use record::{applied, note, restore_best};
