//! Kernels of dynamic transport between spaces that a law ties: sparse products and frames.

use super::random::Random;
use super::{Case, ROUNDOFF, Unit, Work};
use crate::engine::Engine;
use crate::error::Result;
use crate::kernels::dynamic::frame_logs::frame_logs;
use crate::kernels::dynamic::frame_update::frame_update;
use crate::kernels::dynamic::law_product::{Planes, Source, Sparse, Sum, law_product};
use crate::kernels::dynamic::shift::shift;

/// Planes or frames, and points of each.
const FRAMES: usize = 7;
const POINTS: usize = 300;
/// Cells that lead to the points, each to so many.
const CELLS: usize = 200;
const ENTRIES: usize = 5;

pub(super) fn cases(random: &mut Random) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    let mut add = |kernel: &'static str, allowed: f64, work: Work| {
        let name = format!("{FRAMES} frames of {POINTS}");
        cases.push(Case { kernel, name, unit: Unit::Absolute, allowed, work });
    };
    let values = random.vector(FRAMES * POINTS, -0.5, 1.0);
    let others = random.vector(FRAMES * POINTS, -0.5, 1.0);
    let cells = random.vector(FRAMES * CELLS, -1.0, 1.0);
    let more_cells = random.vector(FRAMES * CELLS, -1.0, 1.0);
    let law = Sparse {
        starts: (0..=CELLS).map(|cell| (ENTRIES * cell) as u32).collect(),
        columns: (0..CELLS * ENTRIES).map(|entry| (entry * 37 % POINTS) as u32).collect(),
        weights: random.vector(CELLS * ENTRIES, 0.0, 1.0),
        width: POINTS,
    };
    let onto = law.transposed();

    let (before, taken) = (values.clone(), others.clone());
    // Sums of a few products of size one.
    let product = move |engine: &Engine| {
        let up = |values: &[f64]| engine.upload("values", values);
        let (cells, more) = (up(&cells)?, up(&more_cells)?);
        let (taken, mut out) = (up(&taken)?, up(&before)?);
        let matrix = onto.upload(engine)?;
        let source = Planes { first: 0, stride: CELLS };
        let place = Planes { first: 0, stride: POINTS };
        let source = Source { here: &cells, next: &more, planes: source };
        let less = Source::plain(&taken, place);
        let sum = Sum { keep: 0.5, factor: -1.5, extrapolation: 1.25 };
        law_product(engine, &matrix, FRAMES, source, Some(less), sum, place, &mut out)?;
        engine.download(&out)
    };
    add("dynamic/law_product", 64.0 * ROUNDOFF, Box::new(product));

    let moved = values.clone();
    let other = others.clone();
    let shifted = move |engine: &Engine| {
        let (a, b) = (engine.upload("a", &moved[POINTS..])?, engine.upload("b", &other[POINTS..])?);
        let mut out = engine.upload("values", &other)?;
        shift(engine, (&a, &b), 0.75, POINTS, &mut out)?;
        engine.download(&out)
    };
    add("dynamic/shift", 8.0 * ROUNDOFF, Box::new(shifted));

    let frames = values.clone();
    // Logarithms of down to 1e-2 over the points: of size ten, and of sums of many.
    let logs = move |engine: &Engine| {
        let frames = engine.upload("frames", &frames)?;
        let mut out = engine.zeros("logarithms", FRAMES * POINTS)?;
        frame_logs(engine, FRAMES, &frames, 1e-2, &mut out)?;
        engine.download(&out)
    };
    add("dynamic/frame_logs", 64.0 * ROUNDOFF, Box::new(logs));

    let update = move |engine: &Engine| {
        let logs = engine.upload("logarithms", &values)?;
        let messages = engine.upload("messages", &others[POINTS..])?;
        let mut out = engine.upload("potentials", &values[..values.len() - POINTS])?;
        frame_update(engine, &logs, POINTS, &messages, 0.5, &mut out)?;
        engine.download(&out)
    };
    add("dynamic/frame_update", 8.0 * ROUNDOFF, Box::new(update));
    Ok(cases)
}
