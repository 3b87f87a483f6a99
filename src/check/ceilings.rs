//! The kernels that measure what a device can do at most: that they do what is counted.

use super::random::Random;
use super::{Case, ROUNDOFF, Unit};
use crate::error::Result;
use crate::kernels::ceiling::copy::copy;
use crate::kernels::ceiling::exponential::exponential;
use crate::kernels::ceiling::multiply_add::multiply_add;

pub(super) fn cases(random: &mut Random) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for length in [4, 1020, 4096, 70_000] {
        let source = random.logs(length, 5.0, false);
        cases.push(Case {
            kernel: "ceiling/copy",
            name: format!("{length} numbers"),
            unit: Unit::Absolute,
            allowed: 0.0,
            work: Box::new(move |engine| {
                let source = engine.upload("source", &source)?;
                let mut out = engine.zeros("copy", length)?;
                copy(engine, &source, &mut out)?;
                engine.download(&out)
            }),
        });
    }
    for (length, steps) in [(1, 1), (257, 40)] {
        cases.push(Case {
            kernel: "ceiling/exponential",
            name: format!("{length} threads, {steps} steps"),
            unit: Unit::Relative,
            // Each step halves what the steps before were off by and adds up to five roundoffs.
            allowed: 16.0 * ROUNDOFF,
            work: Box::new(move |engine| {
                let mut out = engine.zeros("chains", length)?;
                exponential(engine, steps, &mut out)?;
                engine.download(&out)
            }),
        });
        cases.push(Case {
            kernel: "ceiling/multiply_add",
            name: format!("{length} threads, {steps} steps"),
            unit: Unit::Relative,
            allowed: 16.0 * ROUNDOFF,
            work: Box::new(move |engine| {
                let mut out = engine.zeros("chains", length)?;
                multiply_add(engine, steps, 0.5, 0.25, &mut out)?;
                engine.download(&out)
            }),
        });
    }
    Ok(cases)
}
