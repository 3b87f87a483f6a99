//! Multi-marginal Gromov-Wasserstein transport: spaces that are known by their distances alone,
//! matched and averaged on trees (Beier, Beinert, Steidl, "Multi-marginal Gromov-Wasserstein
//! Transport and Barycenters", 2023).
//!
//! The quadratic problem is relaxed to two plans, F(P, Q), of which one is held fixed in turn: what
//! is left is entropic transport on the tree with costs made from the other, which the linear core
//! solves ([`crate::linear::tree`]).

mod barycenter;
mod colour;
mod control;
mod distances;
mod embed;
mod exact;
mod free_support;
mod grid_space;
mod linearise;
mod plan;
mod problem;
mod solution;
mod solve;
mod start;
mod transfer;

pub use barycenter::Barycenter;
pub use colour::{Coloured, carry_colours};
pub use control::{Control, Start, Update};
pub use embed::embed;
pub use exact::{Descent, Matching, conditional_gradient};
pub use free_support::{FreeSupport, FreeSupportSolution, LossPoint, Plans};
pub use grid_space::GridSpace;
pub use plan::Terms;
pub use problem::{Edge, Fused, Node, Problem, Space};
pub use solution::Solution;
pub use solve::{TracePoint, solve, solve_from};
pub use transfer::{Transfer, propagate};

use crate::error::{Error, Result};

/// Refuses weights of which only shares matter, where they are not shares of anything.
fn check_shares(name: &str, weights: impl Iterator<Item = f64>) -> Result<()> {
    let mut total = 0.0;
    for weight in weights {
        if !(weight >= 0.0 && weight.is_finite()) {
            let problem = format!("one of them is {weight}");
            return Err(Error::parameter(name, problem, "give finite numbers from 0 up"));
        }
        total += weight;
    }
    if total > 0.0 {
        return Ok(());
    }
    Err(Error::parameter(name, "all of them are 0", "give some input a positive weight"))
}
