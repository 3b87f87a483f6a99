//! `gaspard check` covers every shader, and passes here.

mod common;

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use gaspard::{Engine, check};

#[test]
fn every_kernel_agrees_with_its_twin() {
    let Some(engine) = common::gpu() else { return };
    let mut watched = 0;
    let rows = check::run(&engine, 1, &mut |row| {
        println!(
            "{:24} {:70} {:9.2e} {:9.2e} {:5.2} {:6.2}s",
            row.kernel,
            row.case,
            row.error,
            row.allowed,
            row.error / row.allowed,
            row.seconds
        );
        watched += 1;
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(watched, rows.len());
    let failed: Vec<_> = rows.iter().filter(|row| !row.passed).collect();
    assert!(failed.is_empty(), "{failed:#?}");

    let checked: BTreeSet<_> = rows.iter().map(|row| row.kernel.as_str()).collect();
    for (shader, _, _) in gaspard::kernels::expanded_shaders() {
        assert!(checked.contains(shader.as_str()), "{shader} is not checked");
    }
    assert!(checked.contains("solve"));
}

#[test]
fn the_observer_can_stop() {
    let mut left = 3;
    let rows = check::run(&Engine::cpu(), 1, &mut |_| {
        left -= 1;
        if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
    .unwrap();
    assert_eq!(rows.len(), 3);
    assert!(rows.iter().all(|row| row.passed && row.error == 0.0));
}
