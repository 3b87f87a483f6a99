//! Pictures.
#![no_main]

use std::io::Cursor;

use gaspard::io::image::{Mass, read_density_from};
use gaspard_fuzz as _;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(density) = read_density_from("fuzz.png", Cursor::new(data), Mass::Dark) else { return };
    assert!(density.iter().all(|mass| (0.0..=1.0).contains(mass)));
});
