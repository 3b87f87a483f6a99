//! Ctrl-C: once to stop and keep the results so far, twice to end at once.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// Listens for Ctrl-C, and for requests to terminate, from now on. False where the system does
/// not let it; Ctrl-C then ends the program at once.
pub(super) fn listen() -> bool {
    ctrlc::set_handler(|| {
        if REQUESTED.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        let text = "\ngaspard: stopping; Ctrl-C again to end without results";
        writeln!(std::io::stderr(), "{text}").ok();
    })
    .is_ok()
}

/// True once Ctrl-C was pressed.
pub(super) fn requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}
