//! The unknowns of a dynamic problem on an engine, and an iteration over them.

use crate::engine::{Array, Engine};
use crate::error::Result;
use crate::kernels::dynamic::Layout;
use crate::kernels::dynamic::divergence::divergence;
use crate::kernels::dynamic::dual::DualStep;
use crate::kernels::dynamic::poisson::Poisson;
use crate::kernels::dynamic::primal::primal;
use crate::kernels::dynamic::primal_dual::primal_dual;
use crate::kernels::dynamic::residuals::{Sums, residuals};

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
}

/// The steps of an iteration.
#[derive(Clone, Copy, Debug)]
pub(super) struct Steps {
    pub sigma: f64,
    pub relaxation: f64,
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
    /// `state` is what starts, with its border; `metric` the eigenbases of all fields.
    pub(super) fn new(
        engine: &Engine,
        layout: Layout,
        reaction: Option<f64>,
        metric: &[f64],
        end: &[f64],
        state: &[f64],
    ) -> Result<Self> {
        engine.require(
            "the problem",
            predicted_bytes(engine, &layout),
            "use a coarser grid, fewer spaces with momenta of their own, or another device",
        )?;
        let shift = f64::from(u8::from(layout.source));
        let numbers = layout.numbers();
        Ok(Self {
            poisson: Poisson::new(engine, &layout.grid, &layout.rates, layout.fields, shift)?,
            end: engine.upload("the end", end)?,
            metric: engine.upload("metric", metric)?,
            reaction: reaction.unwrap_or(1.0),
            states: [engine.upload("state", state)?, engine.zeros("state", numbers)?],
            duals: [engine.zeros("dual", numbers)?, engine.zeros("dual", numbers)?],
            roots: engine.zeros("roots", layout.grid.cells())?,
            pressure: engine.zeros("pressure", layout.fields * layout.grid.cells())?,
            engine: engine.clone(),
            layout,
        })
    }

    /// Projects the state on the fields that keep mass.
    pub(super) fn project(&mut self) -> Result<()> {
        self.move_state(0.0, 1.0)?;
        self.states.swap(0, 1);
        Ok(())
    }

    /// Goes on from the last iteration: an over-relaxed step of the primal-dual method of Chambolle
    /// and Pock, state first (spec 4.2).
    pub(super) fn iterate(&mut self, steps: Steps) -> Result<()> {
        let engine = self.engine.clone();
        engine.in_a_row(|| self.step(steps))
    }

    fn step(&mut self, steps: Steps) -> Result<()> {
        let tau = 1.0 / steps.sigma;
        self.find_pressure(tau)?;
        let Self { engine, layout, end, metric, states, duals, roots, pressure, .. } = self;
        let [state, next] = states;
        let [before, after] = duals;
        let step = dual_step(steps, self.reaction);
        primal_dual(
            engine,
            layout,
            (state, before),
            pressure,
            None,
            end,
            metric,
            tau,
            step,
            roots,
            (next, after),
        )
    }

    /// Takes the last iteration as the point to go on from.
    pub(super) fn accept(&mut self) {
        self.states.swap(0, 1);
        self.duals.swap(0, 1);
    }

    /// How far the last iteration, which is not accepted yet, is from a solution.
    pub(super) fn residuals(&self, steps: Steps) -> Result<Sums> {
        residuals(
            &self.engine,
            &self.layout,
            (&self.states[0], &self.states[1]),
            (&self.duals[0], &self.duals[1]),
            &self.end,
            &self.metric,
            &self.roots,
            1.0 / steps.sigma,
            dual_step(steps, self.reaction),
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

    /// The state as it stands.
    pub(super) fn state(&self) -> Result<Vec<f64>> {
        self.engine.download(&self.states[0])
    }

    /// Projects the state and nothing else.
    fn move_state(&mut self, tau: f64, relaxation: f64) -> Result<()> {
        self.find_pressure(tau)?;
        let Self { engine, layout, states, duals, pressure, .. } = self;
        let [state, next] = states;
        primal(engine, layout, state, &duals[0], pressure, None, (tau, relaxation), next)
    }

    /// What makes the state that dual points pull at keep mass.
    fn find_pressure(&mut self, tau: f64) -> Result<()> {
        let Self { engine, layout, poisson, end, states, duals, pressure, .. } = self;
        divergence(engine, layout, &states[0], &duals[0], end, None, tau, pressure)?;
        poisson.solve(engine, pressure)
    }
}

fn dual_step(steps: Steps, reaction: f64) -> DualStep {
    let Steps { sigma, relaxation } = steps;
    // 2 ~U - U, from U and U + relaxation (~U - U).
    DualStep { sigma, relaxation, extrapolation: 2.0 / relaxation, reaction }
}

fn predicted_bytes(engine: &Engine, layout: &Layout) -> u64 {
    let cells = layout.grid.cells();
    let numbers = 4 * layout.numbers()
        + (1 + layout.fields) * cells
        + (1 + layout.metric_numbers()) * layout.grid.places();
    numbers as u64 * engine.bytes_per_number() + Poisson::bytes(engine, &layout.grid, layout.fields)
}
