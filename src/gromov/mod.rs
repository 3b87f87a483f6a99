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
mod exactness;
mod free_support;
mod grid_space;
mod linearise;
mod plan;
mod problem;
mod solution;
mod solve;
mod start;
mod track;
mod transfer;

pub use barycenter::Barycenter;
pub use colour::{Coloured, carry_colours};
pub use control::{Control, Start, Update};
pub use embed::embed;
pub use exact::{Descent, Matching, conditional_gradient};
pub use free_support::{FreeSupport, FreeSupportSolution, Plans};
pub use grid_space::GridSpace;
pub use plan::Terms;
pub use problem::{Edge, Fused, Node, Problem, Space};
pub use solution::Solution;
pub use track::TracePoint;
pub use transfer::{Transfer, propagate};
