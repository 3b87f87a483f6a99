//! Table 5 and figure 11.

use gaspard::Result;

use crate::Context;
use crate::sheet::Sheet;

pub fn run(_: &Context, _: &mut Sheet) -> Result<()> {
    Ok(())
}
