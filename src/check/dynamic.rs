//! Kernels of dynamic transport: cosine transforms, and the Poisson equation in space and time.

use super::random::Random;
use super::{Case, ROUNDOFF, Unit};
use crate::error::Result;
use crate::kernels::dynamic::SpaceTime;
use crate::kernels::dynamic::cosine::{Axis, Cosines, Direction};
use crate::kernels::dynamic::cosine_product::{CosineMatrix, cosine_product};
use crate::kernels::dynamic::cosine_transform::cosine_transform;
use crate::kernels::dynamic::poisson::Poisson;

pub(super) fn cases(random: &mut Random) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for (outer, length, inner) in [(5, 64, 33), (300, 90, 1), (1, 1000, 9)] {
        transforms(&mut cases, random, Axis { outer, length, inner });
    }
    for (outer, length, inner) in [(3, 37, 50), (130, 77, 1)] {
        products(&mut cases, random, Axis { outer, length, inner });
    }
    // The second one's time has no Fourier transform on a device.
    equations(&mut cases, random, "dynamic/cosine_solve", (16, &[24, 20]));
    equations(&mut cases, random, "dynamic/spectral_divide", (11, &[9, 8, 13]));
    Ok(cases)
}

/// What rounding makes of a coefficient of noise between -1 and 1: so much at every step, of which
/// there are a few for every halving of a line.
fn noise(length: usize) -> f64 {
    4.0 * ROUNDOFF * (length as f64).sqrt() * (1.0 + (length as f64).log2())
}

fn transforms(cases: &mut Vec<Case>, random: &mut Random, axis: Axis) {
    let values = random.vector(axis.lines() * axis.length, -1.0, 1.0);
    for (direction, scale) in
        [(Direction::Forward, 1.0), (Direction::Inverse, 1.0 / axis.length as f64)]
    {
        let values = values.clone();
        cases.push(Case {
            kernel: "dynamic/cosine_transform",
            name: name(direction, axis),
            unit: Unit::Absolute,
            allowed: scale * noise(axis.length),
            work: Box::new(move |engine| {
                let cosines = Cosines::new(engine, axis.length)?;
                let mut values = engine.upload("lines", &values)?;
                cosine_transform(engine, &cosines, axis, direction, &mut values)?;
                engine.download(&values)
            }),
        });
    }
}

fn products(cases: &mut Vec<Case>, random: &mut Random, axis: Axis) {
    let values = random.vector(axis.lines() * axis.length, -1.0, 1.0);
    cases.push(Case {
        kernel: "dynamic/cosine_product",
        name: name(Direction::Forward, axis),
        unit: Unit::Absolute,
        allowed: noise(axis.length),
        work: Box::new(move |engine| {
            let matrix = CosineMatrix::new(engine, axis.length, Direction::Forward)?;
            let values = engine.upload("lines", &values)?;
            let mut out = engine.zeros("out", values.len())?;
            cosine_product(engine, &matrix, axis, &values, &mut out)?;
            engine.download(&out)
        }),
    });
}

fn name(direction: Direction, Axis { outer, length, inner }: Axis) -> String {
    let way = match direction {
        Direction::Forward => "there",
        Direction::Inverse => "back",
    };
    format!("{way}, along the middle of {outer} x {length} x {inner}")
}

/// Whole equations of two fields.
fn equations(
    cases: &mut Vec<Case>,
    random: &mut Random,
    kernel: &'static str,
    (time, space): (usize, &[usize]),
) {
    let grid = SpaceTime { time, space: space.to_vec() };
    let rates: Vec<f64> = grid.lengths().iter().map(|&length| length as f64).collect();
    for shift in [0.0, 1.0] {
        let (grid, rates) = (grid.clone(), rates.clone());
        let d = random.vector(2 * grid.cells(), -1.0, 1.0);
        let lowest = if shift > 0.0 { shift } else { 8.0 };
        cases.push(Case {
            kernel,
            name: format!("time and space {:?}, shift {shift}", grid.lengths()),
            unit: Unit::Absolute,
            // There, over the least eigenvalue, and back; the second field has nothing along time.
            allowed: 2.0 * noise(grid.places()) / (grid.places() as f64 * lowest),
            work: Box::new(move |engine| {
                let mut poisson = Poisson::new(engine, &grid, &rates, 2, shift)?;
                let mut values = engine.upload("d", &d)?;
                poisson.solve(engine, &mut values)?;
                engine.download(&values)
            }),
        });
    }
}
