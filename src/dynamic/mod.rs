//! Dynamic optimal transport, synchronised across spaces (SyncOT).
//!
//! Of all motions of one density into another that keep mass, the one with the least kinetic cost,
//! counted in the space itself and, with weights, in others that move along:
//!
//! ```text
//! min  sum_i beta_i ∫∫ rho_i |v_i|² dx dt,   d rho_i/dt + div(rho_i v_i) = 0,   rho_i = S_i rho
//! ```
//!
//! (Cang and Zhao, "Synchronized Optimal Transport for Joint Modeling of Dynamics Across Multiple
//! Spaces", 2025, equation 3.1.) There is no factor 1/2: to move a unit of mass by L in a unit of
//! time costs L². Densities and momenta are staggered on a grid in space and time, as Papadakis,
//! Peyré and Oudet (2014) have it; the iteration is a primal-dual one whose steps are projections.

mod bins;
mod checkpoint;
mod control;
mod coupled;
mod domain;
mod evaluate;
mod flow;
mod frames;
mod joint_law;
mod map;
mod metric;
mod pace;
pub mod paper;
mod particles;
mod problem;
mod run;
mod setting;
mod solution;
mod solve;
mod space;
mod start;
mod system;
mod trace;

pub use bins::{Bins, Places};
pub use checkpoint::{Checkpoint, Keeper};
pub use control::{Control, Method};
pub use domain::Domain;
pub use joint_law::JointLaw;
pub use map::{Hill, Map};
pub use particles::Particles;
pub use problem::Problem;
pub use solution::{CoupledMotion, Solution};
pub use space::{Form, Frames, Space};
pub use trace::{Residuals, TracePoint};
