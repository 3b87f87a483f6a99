//! `.npy` arrays.
#![no_main]

use std::io::Cursor;

use gaspard::io::npy;
use gaspard_fuzz as _;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(array) = npy::read_from("fuzz.npy", Cursor::new(data)) else { return };
    assert!(array.len() <= data.len());
});
