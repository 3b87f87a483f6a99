//! Solutions of the Poisson equation put into the difference operator, written as plain loops.

use proptest::prelude::*;

use super::Poisson;
use crate::engine::{Engine, Selector};
use crate::kernels::dynamic::SpaceTime;
use crate::kernels::gromov::properties::numbers;
use crate::kernels::properties::{engines, same_cases};

#[derive(Clone, Debug)]
struct Case {
    grid: SpaceTime,
    rates: Vec<f64>,
    fields: usize,
    shift: f64,
}

impl Case {
    fn new(time: usize, space: &[usize], fields: usize, shift: f64) -> Self {
        let grid = SpaceTime { time, space: space.to_vec() };
        // Boxes with other sides than one.
        let rate = |(axis, length): (usize, usize)| length as f64 / (1.0 + axis as f64 / 2.0);
        let rates = grid.lengths().into_iter().enumerate().map(rate).collect();
        Self { rates, grid, fields, shift }
    }

    fn solve(&self, engine: &Engine, d: &[f64]) -> Vec<f64> {
        let mut poisson =
            Poisson::new(engine, &self.grid, &self.rates, self.fields, self.shift).unwrap();
        let mut values = engine.upload("d", d).unwrap();
        poisson.solve(engine, &mut values).unwrap();
        engine.download(&values).unwrap()
    }

    /// (Lx + w Lt + shift) p for one field, and the largest eigenvalue of that.
    fn operator(&self, p: &[f64], weight: f64) -> (Vec<f64>, f64) {
        let lengths = self.grid.lengths();
        let mut out: Vec<f64> = p.iter().map(|p| self.shift * p).collect();
        let mut largest = self.shift;
        for (axis, (&length, &rate)) in lengths.iter().zip(&self.rates).enumerate() {
            let factor = if axis == 0 { weight } else { 1.0 } * rate * rate;
            let stride: usize = lengths[axis + 1..].iter().product();
            largest += 4.0 * factor;
            for cell in 0..p.len() {
                let place = cell / stride % length;
                if place > 0 {
                    out[cell] += factor * (p[cell] - p[cell - stride]);
                }
                if place + 1 < length {
                    out[cell] += factor * (p[cell] - p[cell + stride]);
                }
            }
        }
        (out, largest)
    }

    /// What of the right side of a field the operator can reach.
    fn reachable(&self, d: &[f64], first: bool) -> Vec<f64> {
        if self.shift > 0.0 {
            return d.to_vec();
        }
        // With a part in time only the mean is out of reach, without it that of every time.
        let piece = if first { d.len() } else { self.grid.places() };
        let less_mean = |piece: &[f64]| {
            let mean = piece.iter().sum::<f64>() / piece.len() as f64;
            piece.iter().map(move |d| d - mean).collect::<Vec<_>>()
        };
        d.chunks(piece).flat_map(less_mean).collect()
    }

    fn check(&self, seed: usize) {
        let cells = self.grid.cells();
        let d = numbers(seed, self.fields * cells);
        for engine in engines() {
            let p = self.solve(&engine, &d);
            for (field, (p, d)) in p.chunks(cells).zip(d.chunks(cells)).enumerate() {
                let weight = if field == 0 { self.fields as f64 } else { 0.0 };
                let (found, largest) = self.operator(p, weight);
                let wanted = self.reachable(d, field == 0);
                let peak = p.iter().fold(0.0_f64, |peak, p| peak.max(p.abs()));
                // Rounding of p and of d.
                let allowed = 32.0 * engine.unit_roundoff() * (largest * peak + 1.0);
                for (cell, (found, wanted)) in found.iter().zip(&wanted).enumerate() {
                    let error = (found - wanted).abs();
                    assert!(
                        error <= allowed,
                        "{self:?} on {engine:?}, field {field}, cell {cell}: {found}, not {wanted}"
                    );
                }
            }
        }
    }
}

fn a_case() -> impl Strategy<Value = Case> {
    let sides = prop::collection::vec(1usize..14, 1..4);
    let shifts = prop_oneof![Just(0.0), Just(1.0), 0.01..100.0];
    (1usize..14, sides, 1usize..4, shifts)
        .prop_map(|(time, space, fields, shift)| Case::new(time, &space, fields, shift))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..same_cases() })]

    #[test]
    fn a_solution_solves_the_equation(case in a_case(), seed in 0usize..1000) {
        case.check(seed);
    }
}

#[test]
fn larger_grids_of_every_dimension() {
    for (time, space, fields, shift) in [
        (32, vec![100], 1, 0.0),
        (31, vec![64], 2, 0.0),
        (16, vec![48, 31], 3, 0.0),
        (17, vec![32, 30], 1, 1.0),
        (8, vec![12, 10, 9], 3, 0.0),
        (7, vec![16, 16, 16], 2, 1.0),
        (1, vec![1, 1], 2, 0.0),
    ] {
        Case::new(time, &space, fields, shift).check(3);
    }
}

#[test]
fn unreachable_modes_become_zero() {
    for engine in engines() {
        let case = Case::new(6, &[5, 8], 2, 0.0);
        let found = case.solve(&engine, &vec![1.0; 2 * case.grid.cells()]);
        let allowed = 8.0 * engine.unit_roundoff();
        assert!(found.iter().all(|p| p.abs() <= allowed), "{found:?}");
    }
}

/// What a solver in f32 can count on: a right side that is noise gives a p that is off by 3e-7 of
/// its size, more or less.
#[test]
fn single_precision_keeps_six_digits() {
    let mut case = Case::new(32, &[64, 64], 1, 0.0);
    case.rates = vec![32.0, 64.0, 64.0];
    let [host, devices @ ..] = &engines()[..] else { unreachable!("the CPU is always there") };
    let squares = |values: &[f64]| values.iter().map(|value| value * value).sum::<f64>();
    for engine in devices {
        let (mut error, mut size) = (0.0, 0.0);
        for seed in 0..6 {
            let d = numbers(seed, case.grid.cells());
            let (exact, found) = (case.solve(host, &d), case.solve(engine, &d));
            let difference: Vec<f64> = found.iter().zip(&exact).map(|(a, b)| a - b).collect();
            error += squares(&difference);
            size += squares(&exact);
        }
        let relative = (error / size).sqrt();
        assert!(relative <= 4e-7, "{engine:?}: {relative:e}");
    }
}

#[test]
fn bytes_are_those_of_the_arrays() {
    // Engines of its own: what other tests allocate does not count.
    let gpu = Engine::gpu(Selector::Best).ok();
    for engine in std::iter::once(Engine::cpu()).chain(gpu) {
        for case in [Case::new(8, &[12, 10], 2, 0.0), Case::new(7, &[11, 1], 1, 1.0)] {
            let before = engine.bytes_used();
            let poisson =
                Poisson::new(&engine, &case.grid, &case.rates, case.fields, case.shift).unwrap();
            let bytes = Poisson::bytes(&engine, &case.grid, case.fields);
            assert_eq!(engine.bytes_used() - before, bytes, "{case:?} on {engine:?}");
            drop(poisson);
        }
    }
}
