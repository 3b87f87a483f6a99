//! Optimal transport on GPUs and CPUs: transport, trees and barycenters, Gromov-Wasserstein, dynamic
//! transport, the flat metric, and the separation of sound.
//!
//! An [`Engine`] is a device: any GPU that Vulkan, Metal or DX12 reaches, which computes in f32, or all
//! cores of the CPU in f64. Problems are built without one, and solved on one.
//!
//! | to | use | paper |
//! |---|---|---|
//! | move one measure onto another, balanced or not, or measure how far they are apart | [`Transport`], [`linear::exact`] | Sinkhorn, Séjourné et al. |
//! | average measures on a grid | [`Barycenter`] | Janati et al. |
//! | do the same on any tree of measures | [`linear::tree`] | Haasler et al. |
//! | match spaces by the distances within them, average shapes, follow masses from frame to frame | [`gromov`] | Beier, Beinert, Steidl |
//! | move one density into another at the least cost in several spaces at once | [`dynamic`] | Cang, Zhao |
//! | compare measures whose masses differ and mean something | [`flat`] | Schmidt, Düll |
//! | separate what microphones recorded, and find delays | [`audio`] | Fabiani, Schlecht, Haasler, Elvander |
//! | read and write arrays, pictures and sound; draw results | [`io`], [`report`] | |
//! | check a device, and measure it | [`check`], [`mod@bench`] | |
//!
//! ```
//! use gaspard::{Engine, Measure, Transport};
//! use ndarray::array;
//! let engine = Engine::cpu(); // or Engine::auto()
//! let a = Measure::uniform("a", array![[0.0, 0.0], [1.0, 0.0]])?;
//! let b = Measure::uniform("b", array![[0.0, 1.0], [1.0, 1.0]])?;
//! let plan = Transport::between(&a, &b).epsilon(1e-3).solve(&engine)?;
//! assert!((plan.value() - 1.0).abs() < 1e-3);
//! # Ok::<(), gaspard::Error>(())
//! ```
//!
//! What is common to all: costs are |x - y|² in full; an [`Observer`] is told of progress and may stop a
//! solve, which keeps what was computed; results say whether they converged; every [`Error`] says what to
//! do about it. Features: `io` for files, `cli` (the default) for the program.

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
mod outcome;
#[cfg(feature = "io")]
pub mod report;
mod validate;
pub use engine::{Engine, EngineOptions, Selector};
pub use error::{Error, Result};
pub use geometry::{Cost, Geometry, Grid, Measure, Operator, Side, Support};
pub use linear::{Barycenter, BarycenterSolution, Control, Law, Transport, TransportSolution};
pub use observer::{Observer, Progress};
pub use outcome::Outcome;
