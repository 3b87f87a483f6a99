//! gaspard
pub mod audio;
pub mod bench;
pub mod check;
pub mod dynamic;
pub mod engine;
pub mod error;
pub mod flat;
pub mod geometry;
pub mod gromov;
#[cfg(feature = "io")]
pub mod io;
#[doc(hidden)]
pub mod kernels;
pub mod linear;
mod numeric;
pub mod observer;
#[cfg(feature = "io")]
pub mod report;
mod validate;
pub use engine::{Engine, EngineOptions, Selector};
pub use error::{Error, Result};
pub use geometry::{Cost, Geometry, Grid, Measure, Operator, Side, Support};
pub use linear::{Barycenter, BarycenterSolution, Control, Law, Transport, TransportSolution};
pub use observer::{Observer, Progress};
