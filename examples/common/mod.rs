//! What the commands that remake papers share: options, sizes, sheets of results, and runs that are kept.

mod options;
mod sheet;
mod store;

pub use options::{Common, Context, Size};
pub use sheet::{Sheet, deviation, head, mean, median, percent};
pub use store::Store;
