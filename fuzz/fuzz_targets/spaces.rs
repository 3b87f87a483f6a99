//! The file that describes a tree of spaces.
#![no_main]

use gaspard_fuzz::{Folder, cli};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    cli::fuzz::spaces(&Folder::get().with("spec.json", data));
});
