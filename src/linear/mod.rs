//! The linear core.
mod law;
pub use law::Law;
