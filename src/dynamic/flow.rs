//! The unknowns of one space on an engine, and the steps of an iteration over them.

use crate::engine::{Array, Engine};
use crate::error::Result;
use crate::kernels::dynamic::Layout;
use crate::kernels::dynamic::divergence::divergence;
use crate::kernels::dynamic::dual::{DualStep, dual};
use crate::kernels::dynamic::poisson::Poisson;
use crate::kernels::dynamic::primal::primal;
use crate::kernels::dynamic::primal_dual::primal_dual;
use crate::kernels::dynamic::residuals::{Sums, residuals};
use crate::kernels::dynamic::shift::shift;

/// Staggered fields U and centred fields y, before and after an iteration.
pub(super) struct Flow {
    engine: Engine,
    layout: Layout,
    poisson: Poisson,
    end: Array,
    metric: Array,
    reaction: f64,
    states: [Array; 2],
    duals: [Array; 2],
    roots: Array,
    pressure: Array,
    /// Another state, where an iteration needs one.
    aside: Option<Array>,
}

/// The steps of an iteration.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Steps {
    /// Of the dual variable.
    pub sigma: f64,
    /// Of the state.
    pub tau: f64,
    pub relaxation: f64,
}

/// The forces on the density at both ends of an iteration: the derivative of a smooth cost.
#[derive(Clone, Copy)]
pub(super) struct Gradients<'a> {
    pub before: &'a Array,
    pub after: &'a Array,
}

/// The projected points of the last iteration, on the host.
pub(super) struct Points {
    /// ~U: mass is kept, up to rounding.
    pub state: Vec<f64>,
    /// ~y: on the paraboloids.
    pub dual: Vec<f64>,
    pub roots: Vec<f64>,
}

impl Flow {
    /// `state` is what starts, with its border; `metric` the eigenbases of all fields. Only with
    /// `aside` may iterations have gradients.
    pub(super) fn new(
        engine: &Engine,
        layout: Layout,
        reaction: Option<f64>,
        metric: &[f64],
        (end, state): (&[f64], &[f64]),
        aside: bool,
    ) -> Result<Self> {
        engine.require(
            "the problem",
            predicted_bytes(engine, &layout, aside),
            "use a coarser grid, fewer spaces with momenta of their own, or another device",
        )?;
        let numbers = layout.numbers();
        Ok(Self {
            poisson: poisson(engine, &layout)?,
            end: engine.upload("the end", end)?,
            metric: engine.upload("metric", metric)?,
            reaction: reaction.unwrap_or(1.0),
            states: [engine.upload("state", state)?, engine.zeros("state", numbers)?],
            duals: [engine.zeros("dual", numbers)?, engine.zeros("dual", numbers)?],
            roots: engine.zeros("roots", layout.grid.cells())?,
            pressure: engine.zeros("pressure", layout.fields * layout.grid.cells())?,
            aside: if aside { Some(engine.zeros("state", numbers)?) } else { None },
            engine: engine.clone(),
            layout,
        })
    }

    pub(super) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The state, before and after the last iteration.
    pub(super) fn states(&self) -> (&Array, &Array) {
        (&self.states[0], &self.states[1])
    }

    /// The density at the end of time.
    pub(super) fn end(&self) -> &Array {
        &self.end
    }

    /// Projects the state on the fields that keep mass.
    pub(super) fn project(&mut self) -> Result<()> {
        self.move_state(Steps { sigma: 1.0, tau: 0.0, relaxation: 1.0 }, None)?;
        self.states.swap(0, 1);
        Ok(())
    }

    /// An over-relaxed step of the primal-dual method of Chambolle and Pock, state first,
    /// with a force on the density: as of Condat and Vu where it is a gradient.
    pub(super) fn iterate(&mut self, steps: Steps, force: Option<&Array>) -> Result<()> {
        let engine = self.engine.clone();
        engine.in_a_row(|| self.step(steps, force))
    }

    fn step(&mut self, steps: Steps, force: Option<&Array>) -> Result<()> {
        self.find_pressure(steps.tau, force)?;
        let Self { engine, layout, end, metric, states, duals, roots, pressure, .. } = self;
        let ([state, next], [before, after]) = (states, duals);
        let step = dual_step(steps, 2.0 / steps.relaxation, self.reaction);
        primal_dual(
            engine,
            layout,
            (state, before),
            pressure,
            force,
            end,
            metric,
            steps.tau,
            step,
            roots,
            (next, after),
        )
    }

    /// ~U = Proj(U - tau (I^T y + force)), and U' = U + relaxation (~U - U).
    pub(super) fn move_state(&mut self, steps: Steps, force: Option<&Array>) -> Result<()> {
        let Steps { tau, relaxation, .. } = steps;
        self.find_pressure(tau, force)?;
        let Self { engine, layout, states: [state, next], duals, pressure, .. } = self;
        primal(engine, layout, state, &duals[0], pressure, force, (tau, relaxation), next)
    }

    /// y' from y and I (2 ~U - U).
    pub(super) fn move_dual(&mut self, steps: Steps) -> Result<()> {
        let Self { engine, layout, end, metric, states: [state, next], duals, roots, .. } = self;
        let [before, after] = duals;
        // 2 ~U - U, from U and U + relaxation (~U - U).
        let step = dual_step(steps, 2.0 / steps.relaxation, self.reaction);
        dual(engine, layout, (state, next), before, end, metric, step, roots, after)
    }

    /// y' from y and I (2 U' - U + tau (g - g')): the third step of Yan.
    pub(super) fn move_dual_by(&mut self, steps: Steps, gradients: Gradients<'_>) -> Result<()> {
        let first = self.layout.density() * self.layout.grid.cells();
        let Self { engine, layout, end, metric, states: [state, next], duals, roots, .. } = self;
        let [before, after] = duals;
        let aside = self.aside.as_mut().expect("made for gradients");
        engine.copy(next, aside)?;
        // U + 2 (aside - U) is what is wanted.
        let both = (gradients.before, gradients.after);
        shift(engine, both, 0.5 * steps.tau, first, aside)?;
        let step = dual_step(steps, 2.0, self.reaction);
        dual(engine, layout, (state, aside), before, end, metric, step, roots, after)
    }

    /// y' from y and I Proj(U' - tau (I^T y + force')): the second projection of PDFP.
    pub(super) fn move_dual_projected(&mut self, steps: Steps, force: &Array) -> Result<()> {
        let Self { engine, layout, poisson, end, metric, states, duals, pressure, roots, .. } =
            self;
        let [before, after] = duals;
        let next = &states[1];
        let aside = self.aside.as_mut().expect("made for gradients");
        let force = Some(force);
        divergence(engine, layout, next, before, end, force, steps.tau, pressure)?;
        poisson.solve(engine, pressure)?;
        primal(engine, layout, next, before, pressure, force, (steps.tau, 1.0), aside)?;
        let step = dual_step(steps, 0.0, self.reaction);
        dual(engine, layout, (aside, aside), before, end, metric, step, roots, after)
    }

    /// Takes the last iteration as the point to go on from.
    pub(super) fn accept(&mut self) {
        self.states.swap(0, 1);
        self.duals.swap(0, 1);
    }

    /// How far the last iteration, which is not accepted yet, is from a solution.
    pub(super) fn residuals(
        &mut self,
        steps: Steps,
        gradients: Option<Gradients<'_>>,
    ) -> Result<Sums> {
        let first = self.layout.density() * self.layout.grid.cells();
        let mut state = &self.states[0];
        if let (Some(gradients), Some(aside)) = (gradients, &mut self.aside) {
            // The step counts without the change of the gradient: (U - U')/tau - (g - g').
            self.engine.copy(state, aside)?;
            let both = (gradients.before, gradients.after);
            shift(&self.engine, both, -steps.tau, first, aside)?;
            state = aside;
        }
        residuals(
            &self.engine,
            &self.layout,
            (state, &self.states[1]),
            (&self.duals[0], &self.duals[1]),
            &self.end,
            &self.metric,
            &self.roots,
            steps.tau,
            dual_step(steps, 2.0 / steps.relaxation, self.reaction),
        )
    }

    /// The projected points of the last iteration, which is not accepted yet.
    pub(super) fn points(&self, relaxation: f64) -> Result<Points> {
        let projected = |arrays: &[Array; 2]| -> Result<Vec<f64>> {
            let before = self.engine.download(&arrays[0])?;
            let mut after = self.engine.download(&arrays[1])?;
            for (after, before) in after.iter_mut().zip(before) {
                *after = before + (*after - before) / relaxation;
            }
            Ok(after)
        };
        Ok(Points {
            state: projected(&self.states)?,
            dual: projected(&self.duals)?,
            roots: self.engine.download(&self.roots)?,
        })
    }

    /// The accepted state, dual and roots, to go on from later.
    pub(super) fn save(&self) -> Result<[Vec<f64>; 3]> {
        let [state, dual, roots] = [&self.states[0], &self.duals[0], &self.roots];
        let download = |array| self.engine.download(array);
        Ok([download(state)?, download(dual)?, download(roots)?])
    }

    /// Goes on from what was saved.
    pub(super) fn restore(&mut self, [state, dual, roots]: [&[f64]; 3]) -> Result<()> {
        for (array, values) in
            [(&mut self.states[0], state), (&mut self.duals[0], dual), (&mut self.roots, roots)]
        {
            crate::kernels::check_length("a saved field", values.len(), array.len())?;
            self.engine.write(array, values)?;
        }
        Ok(())
    }

    /// What makes the state that dual points and forces pull at keep mass.
    fn find_pressure(&mut self, tau: f64, force: Option<&Array>) -> Result<()> {
        let Self { engine, layout, poisson, end, states, duals, pressure, .. } = self;
        divergence(engine, layout, &states[0], &duals[0], end, force, tau, pressure)?;
        poisson.solve(engine, pressure)
    }
}

/// Projects a state, in place of its momenta and densities, on those that keep mass; the border is
/// kept.
pub(super) fn project(
    engine: &Engine,
    layout: &Layout,
    end: &[f64],
    state: &[f64],
) -> Result<Vec<f64>> {
    let end = engine.upload("the end", end)?;
    let before = engine.upload("state", state)?;
    let mut after = engine.zeros("state", layout.numbers())?;
    let mut pressure = engine.zeros("pressure", layout.fields * layout.grid.cells())?;
    // A step of length 0 along whatever dual variable.
    let nowhere = &before;
    divergence(engine, layout, &before, nowhere, &end, None, 0.0, &mut pressure)?;
    poisson(engine, layout)?.solve(engine, &mut pressure)?;
    primal(engine, layout, &before, nowhere, &pressure, None, (0.0, 1.0), &mut after)?;
    engine.download(&after)
}

fn poisson(engine: &Engine, layout: &Layout) -> Result<Poisson> {
    let shift = f64::from(u8::from(layout.source));
    Poisson::new(engine, &layout.grid, &layout.rates, layout.fields, shift)
}

fn dual_step(steps: Steps, extrapolation: f64, reaction: f64) -> DualStep {
    let Steps { sigma, relaxation, .. } = steps;
    DualStep { sigma, relaxation, extrapolation, reaction }
}

fn predicted_bytes(engine: &Engine, layout: &Layout, aside: bool) -> u64 {
    let cells = layout.grid.cells();
    let numbers = (4 + usize::from(aside)) * layout.numbers()
        + (1 + layout.fields) * cells
        + (1 + layout.metric_numbers()) * layout.grid.places();
    numbers as u64 * engine.bytes_per_number() + Poisson::bytes(engine, &layout.grid, layout.fields)
}
