//! What lies beside a matrix of distances.
#![no_main]

use gaspard_fuzz::{Folder, cli};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let folder = Folder::get();
    folder.with("d.npy.json", data);
    cli::fuzz::sidecar(&folder.path("d.npy"));
});
