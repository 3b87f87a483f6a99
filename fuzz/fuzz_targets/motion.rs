//! The file that describes a motion.
#![no_main]

use gaspard_fuzz::{Folder, cli};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    cli::fuzz::motion(&Folder::get().with("spec.json", data));
});
