//! Sound.
#![no_main]

use std::io::Cursor;

use gaspard::io::wav;
use gaspard_fuzz as _;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(recording) = wav::read_from("fuzz.wav", Cursor::new(data)) else { return };
    assert!(recording.len() * recording.microphones() <= data.len());
});
