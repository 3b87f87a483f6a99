//! A list of files.
#![no_main]

use gaspard_fuzz::{Folder, cli};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    cli::fuzz::list(&Folder::get().with("spec.json", data));
});
