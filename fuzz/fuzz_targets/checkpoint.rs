//! Checkpoints of dynamic transport: a real one, with numbers, lengths and names changed.
#![no_main]

use std::cell::RefCell;

use gaspard::Engine;
use gaspard::dynamic::{Checkpoint, Control, Domain, Problem};
use gaspard_fuzz as _;
use ndarray::{Array1, ArrayD};

/// One change: of which array, where, and to what.
type Change = (u8, u16, Option<f64>);

fn problem() -> Problem {
    let domain = Domain::new(&[2, 2], 2).unwrap();
    let [start, end] = [0.2, 0.8].map(|centre| domain.density(|x| 1.1 - (x[0] - centre).abs()));
    let scaled = |density: ArrayD<f64>| density.clone() / density.mean().unwrap();
    let shape = domain.cells().to_vec();
    let [start, end] = [start, end]
        .map(|density| scaled(density.into_shape_with_order(shape.clone()).unwrap().into_dyn()));
    Problem::new(&domain, start.view(), end.view()).unwrap()
}

fn control(iterations: usize) -> Control {
    Control { max_iterations: iterations, check_every: 1, ..Control::default() }
}

thread_local! {
    static KNOWN: RefCell<Option<(Problem, Engine, Vec<(String, ArrayD<f64>)>)>> = const { RefCell::new(None) };
}

libfuzzer_sys::fuzz_target!(|changes: Vec<Change>| {
    KNOWN.with_borrow_mut(|known| {
        let (problem, engine, arrays) = known.get_or_insert_with(|| {
            let (problem, engine) = (problem(), Engine::cpu());
            let mut arrays = Vec::new();
            let mut keep = |checkpoint: &Checkpoint| {
                arrays = checkpoint.arrays().to_vec();
                Ok(())
            };
            problem.solve_from(None, &control(1), &engine, &mut (), Some(&mut keep)).unwrap();
            (problem, engine, arrays)
        });
        let mut arrays = arrays.clone();
        for (which, place, value) in changes {
            let count = arrays.len().max(1);
            let Some((name, array)) = arrays.get_mut(usize::from(which) % count) else { break };
            let mut values: Vec<f64> = array.iter().copied().collect();
            match (value, values.len()) {
                (Some(value), length) if usize::from(place) < length => {
                    values[usize::from(place)] = value
                }
                (Some(value), _) if place < 0x100 => values.push(value),
                (Some(_), _) => name.push('0'),
                (None, length) => values.truncate(usize::from(place) % length.max(1)),
            }
            *array = Array1::from(values).into_dyn();
        }
        let checkpoint = Checkpoint::from_arrays(arrays);
        problem.solve_from(Some(&checkpoint), &control(2), engine, &mut (), None).ok();
    });
});
