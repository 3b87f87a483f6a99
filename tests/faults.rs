//! Faults at every place of a solve: each is an error of its type, and leaves nothing behind.

mod common;

use common::systems::SYSTEMS;
use gaspard::engine::Fault;
use gaspard::{Engine, Error, Selector};

/// More allocations and operations than any of the solves has.
const ENOUGH: u64 = 20_000;

/// Lets every allocation of every solve fail, one at a time.
fn every_allocation_fails(engine: &Engine) {
    for (name, solve) in SYSTEMS {
        let before = engine.bytes_used();
        let expected = solve(engine).unwrap();
        let mut failed = 0;
        loop {
            engine.sabotage(Fault::OutOfMemory { after: failed });
            match solve(engine) {
                Err(Error::OutOfMemory { what }) => assert!(!what.is_empty(), "{name}"),
                Err(error) => panic!("{name}, allocation {failed}: {error}"),
                Ok(found) => {
                    // There was no such allocation, and the engine is as good as new.
                    assert_eq!(found, expected, "{name}");
                    break;
                }
            }
            assert_eq!(engine.bytes_used(), before, "{name}, allocation {failed}");
            failed += 1;
            assert!(failed < ENOUGH, "{name}");
        }
        engine.sabotage(Fault::OutOfMemory { after: u64::MAX });
        assert!(failed > 0, "{name}");
        eprintln!("{name}: {failed} allocations");
    }
}

#[test]
fn every_allocation_on_the_cpu_may_fail() {
    every_allocation_fails(&Engine::cpu());
}

#[test]
fn every_allocation_on_a_gpu_may_fail() {
    if common::gpu().is_some() {
        // One of its own: what it holds is counted.
        every_allocation_fails(&Engine::gpu(Selector::Best).unwrap());
    }
}

/// The operation to fail after this one: the next where `GASPARD_EVERY_FAULT` is set, which takes
/// minutes because each needs a device of its own; else where there are many, a tenth later.
fn next(operation: u64) -> u64 {
    let every = std::env::var_os("GASPARD_EVERY_FAULT").is_some();
    operation + 1 + if every { 0 } else { operation / 10 }
}

#[test]
fn a_device_may_be_lost_at_any_time() {
    if common::gpu().is_none() {
        return;
    }
    for (name, solve) in SYSTEMS {
        let mut after = 0;
        loop {
            let engine = Engine::gpu(Selector::Best).unwrap();
            engine.sabotage(Fault::DeviceLost { after });
            match solve(&engine) {
                Err(Error::DeviceLost { .. }) => {}
                Err(error) => panic!("{name}, operation {after}: {error}"),
                Ok(_) => break,
            }
            assert_eq!(engine.bytes_used(), 0, "{name}, operation {after}");
            // It stays lost, and says so.
            let again = solve(&engine).unwrap_err();
            assert!(matches!(again, Error::DeviceLost { .. }), "{name}: {again}");
            after = next(after);
            assert!(after < ENOUGH, "{name}");
        }
        eprintln!("{name}: {after} operations");
    }
}
