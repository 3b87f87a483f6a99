//! The linear core: entropic transport on trees, and exact transport.

mod barycenter;
mod divergence;
pub mod exact;
mod iterate;
mod law;
pub(crate) mod pace;
pub(crate) mod schedule;
mod transport;
pub mod tree;

pub(crate) use barycenter::check_weights;
pub use barycenter::{Barycenter, BarycenterSolution};
pub use divergence::Divergence;
pub use law::Law;
pub use schedule::Control;
pub use transport::{Transport, TransportSolution};
