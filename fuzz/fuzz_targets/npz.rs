//! `.npz` archives.
#![no_main]

use std::io::Cursor;

use gaspard::io::npz;
use gaspard_fuzz as _;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    npz::read_from("fuzz.npz", Cursor::new(data)).ok();
});
