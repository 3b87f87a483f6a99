//! What the tests share: the engines to test on, and naive truths that use none of gaspard's code.
#![allow(dead_code, reason = "not every test uses everything")]

pub mod golden;
pub mod naive;
pub mod systems;
pub mod tensor;

use std::sync::OnceLock;

use gaspard::{Engine, Selector};

/// The CPU engine and a GPU engine. Where `GASPARD_REQUIRE_GPU` is set, a machine without an
/// adapter fails the tests; elsewhere they go on with the CPU and say so.
pub fn engines() -> Vec<Engine> {
    let mut engines = vec![Engine::cpu()];
    engines.extend(gpu());
    engines
}

/// The GPU engine, if there is one; see [`engines`].
pub fn gpu() -> Option<Engine> {
    static GPU: OnceLock<Option<Engine>> = OnceLock::new();
    GPU.get_or_init(open_gpu).clone()
}

fn open_gpu() -> Option<Engine> {
    match Engine::gpu(Selector::Best) {
        Ok(engine) => Some(engine),
        Err(error) if std::env::var_os("GASPARD_REQUIRE_GPU").is_some() => {
            panic!("GASPARD_REQUIRE_GPU is set, but: {error}")
        }
        Err(error) => {
            eprintln!("not tested on a GPU: {error}");
            None
        }
    }
}
