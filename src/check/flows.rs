//! Kernels of dynamic transport: the steps of its iteration on staggered fields.

use super::random::Random;
use super::{Case, ROUNDOFF, Unit, Work};
use crate::engine::{Array, Engine};
use crate::error::Result;
use crate::kernels::dynamic::divergence::divergence;
use crate::kernels::dynamic::dual::{DualStep, dual};
use crate::kernels::dynamic::primal::primal;
use crate::kernels::dynamic::primal_dual::primal_dual;
use crate::kernels::dynamic::residuals::residuals;
use crate::kernels::dynamic::{Layout, SpaceTime};

const TAU: f64 = 0.75;
const STEP: DualStep =
    DualStep { sigma: 1.25, relaxation: 1.875, extrapolation: 1.0625, reaction: 0.5 };

/// Numbers for everything that the kernels read.
#[derive(Clone)]
struct Fields {
    layout: Layout,
    state: Vec<f64>,
    next: Vec<f64>,
    dual: Vec<f64>,
    next_dual: Vec<f64>,
    pressure: Vec<f64>,
    end: Vec<f64>,
    metric: Vec<f64>,
    roots: Vec<f64>,
}

pub(super) fn cases(random: &mut Random) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for (time, space, fields, source) in [
        (33, vec![90], 1, false),
        (12, vec![20, 17], 1, true),
        (9, vec![14, 21], 2, false),
        (5, vec![8, 9, 10], 1, false),
    ] {
        let rates = [time].into_iter().chain(space.iter().copied()).map(|n| n as f64).collect();
        let layout = Layout { grid: SpaceTime { time, space }, rates, fields, source };
        steps(&mut cases, &Fields::new(random, layout));
    }
    Ok(cases)
}

impl Fields {
    fn new(random: &mut Random, layout: Layout) -> Self {
        let (cells, places) = (layout.grid.cells(), layout.grid.places());
        let mut state = random.vector(layout.numbers(), -1.0, 1.0);
        let next = state.clone();
        // Nothing flows through the border.
        for (component, axis) in layout.staggered().filter(|(_, axis)| *axis > 0) {
            for cell in 0..cells {
                if (cell / layout.stride(axis)).is_multiple_of(layout.grid.lengths()[axis]) {
                    state[component * cells + cell] = 0.0;
                }
            }
        }
        let mut metric = random.vector(layout.metric_numbers() * places, 0.5, 2.0);
        // The kernels take any matrix for the eigenvectors: these keep results of size one.
        metric.iter_mut().for_each(|number| *number = super::random::single(*number * 0.5 + 0.25));
        Self {
            dual: random.vector(layout.numbers(), -1.0, 1.0),
            next_dual: random.vector(layout.numbers(), -1.0, 1.0),
            pressure: random.vector(layout.fields * cells, -0.05, 0.05),
            end: random.vector(places, 0.0, 2.0),
            roots: random.vector(cells, 0.0, 1.0),
            metric,
            next: next
                .iter()
                .zip(&state)
                .map(|(new, old)| if *old == 0.0 { 0.0 } else { 0.5 * new })
                .collect(),
            state,
            layout,
        }
    }

    fn name(&self) -> String {
        let Layout { grid, fields, source, .. } = &self.layout;
        let source = if *source { ", with a source" } else { "" };
        format!("time and space {:?}, {fields} momenta{source}", grid.lengths())
    }
}

fn steps(cases: &mut Vec<Case>, fields: &Fields) {
    let largest = fields.layout.rates.iter().fold(0.0_f64, |most, rate| most.max(*rate));
    let mut add =
        |kernel: &'static str, allowed: f64, work: fn(&Fields, &Engine) -> Result<Vec<f64>>| {
            let (name, fields) = (fields.name(), fields.clone());
            let work: Work = Box::new(move |engine| work(&fields, engine));
            cases.push(Case { kernel, name, unit: Unit::Absolute, allowed, work });
        };
    // Differences of numbers of size two, times the cells per unit, for every axis.
    add("dynamic/divergence", 32.0 * ROUNDOFF * largest, |fields, engine| {
        let mut out = engine.zeros("out", fields.pressure.len())?;
        let [state, dual, end] = upload(engine, [&fields.state, &fields.dual, &fields.end])?;
        divergence(engine, &fields.layout, &state, &dual, &end, None, TAU, &mut out)?;
        engine.download(&out)
    });
    add("dynamic/primal", 16.0 * ROUNDOFF * (2.0 + largest), |fields, engine| {
        let mut out = engine.zeros("out", fields.state.len())?;
        let [state, dual, pressure] =
            upload(engine, [&fields.state, &fields.dual, &fields.pressure])?;
        let steps = (TAU, STEP.relaxation);
        primal(engine, &fields.layout, &state, &dual, &pressure, None, steps, &mut out)?;
        engine.download(&out)
    });
    // The root is found to four roundings of the terms of its equation, and divided by.
    add("dynamic/dual", 512.0 * ROUNDOFF, |fields, engine| {
        let mut out = engine.zeros("out", fields.state.len())?;
        let [state, next, dual_before, end] =
            upload(engine, [&fields.state, &fields.next, &fields.dual, &fields.end])?;
        let [metric, mut roots] = upload(engine, [&fields.metric, &fields.roots])?;
        dual(
            engine,
            &fields.layout,
            (&state, &next),
            &dual_before,
            &end,
            &metric,
            STEP,
            &mut roots,
            &mut out,
        )?;
        engine.download(&out)
    });
    // What the first step errs by is in the points that the second one projects.
    let both = 512.0 * ROUNDOFF + 2.0 * STEP.relaxation * 16.0 * ROUNDOFF * (2.0 + largest);
    add("dynamic/primal_dual", both, |fields, engine| {
        let mut next = engine.zeros("next", fields.state.len())?;
        let mut next_dual = engine.zeros("next dual", fields.state.len())?;
        let [state, dual, pressure, end] =
            upload(engine, [&fields.state, &fields.dual, &fields.pressure, &fields.end])?;
        let [metric, mut roots] = upload(engine, [&fields.metric, &fields.roots])?;
        primal_dual(
            engine,
            &fields.layout,
            (&state, &dual),
            &pressure,
            None,
            &end,
            &metric,
            TAU,
            STEP,
            &mut roots,
            (&mut next, &mut next_dual),
        )?;
        let mut out = engine.download(&next)?;
        out.extend(engine.download(&next_dual)?);
        Ok(out)
    });
    // Sums of about thirty terms of size ten a cell, in pairs.
    let cells = fields.layout.grid.cells() as f64;
    add("dynamic/residuals", 64.0 * ROUNDOFF * cells, |fields, engine| {
        let [state, next, before, after] =
            upload(engine, [&fields.state, &fields.next, &fields.dual, &fields.next_dual])?;
        let [end, metric, roots] = upload(engine, [&fields.end, &fields.metric, &fields.roots])?;
        let sums = residuals(
            engine,
            &fields.layout,
            (&state, &next),
            (&before, &after),
            &end,
            &metric,
            &roots,
            TAU,
            STEP,
        )?;
        let crate::kernels::dynamic::residuals::Sums {
            gap,
            size,
            unrest,
            dual_size,
            energy,
            paired,
        } = sums;
        Ok(vec![gap, size, unrest, dual_size, energy, paired])
    });
}

fn upload<const COUNT: usize>(engine: &Engine, arrays: [&[f64]; COUNT]) -> Result<[Array; COUNT]> {
    let all = arrays.into_iter().map(|values| engine.upload("values", values));
    let all = all.collect::<Result<Vec<_>>>()?;
    Ok(all.try_into().unwrap_or_else(|_| unreachable!("one for each")))
}
