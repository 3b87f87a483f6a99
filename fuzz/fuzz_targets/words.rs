//! Values of options.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| gaspard_fuzz::cli::fuzz::words(text));
