//! Test functions that are learned: one small network for each pair of measures, hundreds at once.

mod calibration;
mod function;
#[cfg(all(test, feature = "io"))]
mod golden;
mod schedule;
mod solve;
mod trained;
mod training;

pub use calibration::{calibrated, expected_error};
pub use function::TestFunction;
pub use schedule::Rate;
pub use trained::{Epoch, Trained};
pub use training::{Bound, Layers, Training};
