//! Letters to write with.

use std::sync::OnceLock;

use plotters::style::{FontStyle, register_font};

use crate::error::{Error, Result};

/// The name that letters are called by.
pub(super) const FONT: &str = "sans-serif";

/// Loads them, once.
pub(super) fn load() -> Result<()> {
    static LOADED: OnceLock<bool> = OnceLock::new();
    let load = || register_font(FONT, FontStyle::Normal, dejavu::sans::regular()).is_ok();
    match *LOADED.get_or_init(load) {
        true => Ok(()),
        false => Err(Error::data("the chart", "its font cannot be read", "please report this")),
    }
}
