//! Cosine transforms against their sums, on both engines and both ways.

use std::f64::consts::PI;

use proptest::prelude::*;

use super::{Axis, Cosines, Direction};
use crate::engine::Engine;
use crate::kernels::dynamic::cosine_product::{CosineMatrix, cosine_product};
use crate::kernels::dynamic::cosine_transform::cosine_transform;
use crate::kernels::gromov::properties::numbers;
use crate::kernels::properties::{engines, same_cases};
use crate::kernels::transform::smooth_length;

const DIRECTIONS: [Direction; 2] = [Direction::Forward, Direction::Inverse];

/// The sums as they are written.
fn naive(axis: Axis, direction: Direction, values: &[f64]) -> Vec<f64> {
    let Axis { outer, length, inner } = axis;
    // Angles less whole turns: what is left is exact in f64.
    let cosine = |k: usize, n: usize| {
        let steps = k * (2 * n + 1) % (4 * length);
        (PI * steps as f64 / (2 * length) as f64).cos()
    };
    let term = |to: usize, from: usize| match (direction, from) {
        (Direction::Forward, _) => cosine(to, from),
        (Direction::Inverse, 0) => 1.0 / length as f64,
        (Direction::Inverse, _) => 2.0 * cosine(from, to) / length as f64,
    };
    let mut out = vec![0.0; values.len()];
    for block in 0..outer {
        for to in 0..length {
            for i in 0..inner {
                out[(block * length + to) * inner + i] = (0..length)
                    .map(|from| term(to, from) * values[(block * length + from) * inner + i])
                    .sum();
            }
        }
    }
    out
}

fn by_fourier(engine: &Engine, axis: Axis, direction: Direction, values: &[f64]) -> Vec<f64> {
    let cosines = Cosines::new(engine, axis.length).unwrap();
    let mut array = engine.upload("values", values).unwrap();
    cosine_transform(engine, &cosines, axis, direction, &mut array).unwrap();
    engine.download(&array).unwrap()
}

fn by_product(engine: &Engine, axis: Axis, direction: Direction, values: &[f64]) -> Vec<f64> {
    let matrix = CosineMatrix::new(engine, axis.length, direction).unwrap();
    let array = engine.upload("values", values).unwrap();
    let mut out = engine.zeros("out", values.len()).unwrap();
    cosine_product(engine, &matrix, axis, &array, &mut out).unwrap();
    engine.download(&out).unwrap()
}

/// The size of a transform of numbers up to one, times the steps that round it.
fn scale(axis: Axis, direction: Direction) -> f64 {
    let size = match direction {
        Direction::Forward => (axis.length as f64).sqrt(),
        Direction::Inverse => 1.0 / (axis.length as f64).sqrt(),
    };
    size * (1.0 + (axis.length as f64).log2())
}

fn close(engine: &Engine, what: &str, found: &[f64], wanted: &[f64], scale: f64) {
    assert_eq!(found.len(), wanted.len());
    let allowed = 16.0 * engine.unit_roundoff() * scale;
    for (i, (found, wanted)) in found.iter().zip(wanted).enumerate() {
        let error = (found - wanted).abs();
        assert!(error <= allowed, "{what}, {engine:?} at {i}: {found}, not {wanted}");
    }
}

fn check(axis: Axis, seed: usize) {
    let values = numbers(seed, axis.lines() * axis.length);
    for direction in DIRECTIONS {
        let wanted = naive(axis, direction, &values);
        let scale = scale(axis, direction);
        for engine in engines() {
            let what = format!("{axis:?} {direction:?}");
            if Cosines::covers(&engine, axis.length) {
                let found = by_fourier(&engine, axis, direction, &values);
                close(&engine, &what, &found, &wanted, scale);
            }
            let found = by_product(&engine, axis, direction, &values);
            close(&engine, &what, &found, &wanted, scale);
        }
    }
}

proptest! {
    #![proptest_config(same_cases())]

    #[test]
    fn transforms_are_their_sums(
        outer in 1usize..5, length in 1usize..140, inner in 1usize..40, seed in 0usize..1000
    ) {
        check(Axis { outer, length, inner }, seed);
        check(Axis { outer, length: smooth_length(length), inner }, seed);
        check(Axis { outer: outer * inner, length: smooth_length(length), inner: 1 }, seed);
    }

    #[test]
    fn long_lines(outer in 1usize..4, length in 300usize..900, inner in 1usize..4, seed in 0usize..1000) {
        let length = smooth_length(length);
        check(Axis { outer, length, inner }, seed);
    }

    #[test]
    fn there_and_back(
        outer in 1usize..40, length in 1usize..2049, inner in 1usize..20, seed in 0usize..1000
    ) {
        let axis = Axis { outer: outer.div_ceil(inner), length: smooth_length(length), inner };
        let values = numbers(seed, axis.lines() * axis.length);
        for engine in engines().into_iter().filter(|engine| Cosines::covers(engine, axis.length)) {
            let coefficients = by_fourier(&engine, axis, Direction::Forward, &values);
            let found = by_fourier(&engine, axis, Direction::Inverse, &coefficients);
            close(&engine, &format!("{axis:?}"), &found, &values, 1.0);
        }
    }
}

#[test]
fn lengths_of_one_two_primes_and_the_longest() {
    for length in [1, 2, 3, 5, 7, 97, 211, 2048] {
        check(Axis { outer: 3, length, inner: 1 }, 1);
        check(Axis { outer: 1, length, inner: 11 }, 2);
    }
    for engine in engines() {
        assert!(Cosines::covers(&engine, 2048) && !Cosines::covers(&engine, 211));
        assert_eq!(Cosines::covers(&engine, 2160), !engine.is_gpu());
    }
}

#[test]
fn zeros_stay_zero_and_powers_of_two_come_out_again() {
    let axis = Axis { outer: 3, length: 60, inner: 7 };
    let values = numbers(4, axis.lines() * axis.length);
    let large: Vec<f64> = values.iter().map(|value| value * 2.0_f64.powi(100)).collect();
    for engine in engines() {
        for transform in [by_fourier, by_product] {
            for direction in DIRECTIONS {
                let zeros = transform(&engine, axis, direction, &vec![0.0; values.len()]);
                assert!(zeros.iter().all(|&zero| zero == 0.0));
                let found = transform(&engine, axis, direction, &large);
                let wanted = transform(&engine, axis, direction, &values);
                let equal = |(found, wanted): (&f64, &f64)| *found == wanted * 2.0_f64.powi(100);
                assert!(found.iter().zip(&wanted).all(equal));
            }
        }
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let axis = Axis { outer: 5, length: 45, inner: 21 };
    let values = numbers(5, axis.lines() * axis.length);
    let engine = Engine::cpu();
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            [by_fourier, by_product]
                .map(|transform| transform(&engine, axis, Direction::Forward, &values))
        })
    };
    let one = with(1);
    assert!((0..10).all(|_| with(3) == one));
}
