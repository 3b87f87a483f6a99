//! A space with a grid of its own, whose density is tied to the primary one by a law.

use super::JointLaw;
use super::flow::{Flow, Points, Steps};
use super::joint_law::squared_norm;
use super::setting::Setting;
use super::start::straight;
use crate::engine::{Array, Engine};
use crate::error::Result;
use crate::kernels::dynamic::Layout;
use crate::kernels::dynamic::law_product::{Planes, Source, SparseArray, Sum, law_product};
use crate::kernels::dynamic::residuals::Sums;

/// What is left of step sizes for the rows S rho_1 = rho_2: the steps of a space with coupled ones
/// and of those satisfy tau sigma <= 1 - SHARE.
pub(super) const SHARE: f64 = 0.5;

/// The unknowns of such a space on an engine.
pub(super) struct Coupled {
    engine: Engine,
    flow: Flow,
    weight: f64,
    onto: SparseArray,
    given: SparseArray,
    square: f64,
    /// Of the rows rho_2 - S rho_1 at the nodes inside: a force on rho_2.
    multiplier: Array,
    gap: Array,
}

impl Coupled {
    pub(super) fn new(engine: &Engine, law: &JointLaw, setting: &Setting) -> Result<Self> {
        let Setting { layout, metric, start, end, weight } = setting;
        let (onto, given) = law.on_densities();
        let cells = layout.grid.cells();
        engine.require(
            "the law of a space",
            onto.bytes(engine) + given.bytes(engine) + 2 * cells as u64 * engine.bytes_per_number(),
            "use a sparser law, or fewer bins",
        )?;
        let state = straight(layout, start, end);
        let mut flow = Flow::new(engine, layout.clone(), None, metric, (end, &state), false)?;
        flow.project()?;
        Ok(Self {
            flow,
            weight: *weight,
            square: squared_norm(&onto, &given),
            onto: onto.upload(engine)?,
            given: given.upload(engine)?,
            multiplier: engine.zeros("multiplier", cells)?,
            gap: engine.zeros("gap", cells)?,
            engine: engine.clone(),
        })
    }

    /// The steps of this space beside those of the primary one: multiplying a metric and sigma by
    /// the same number leaves an iteration as it is.
    fn steps(&self, steps: Steps) -> Steps {
        let sigma = steps.sigma * self.weight;
        Steps { sigma, tau: (1.0 - SHARE) / sigma, relaxation: steps.relaxation }
    }

    /// Adds the force on the density of the primary space: what the multiplier says, through S^T.
    pub(super) fn add_pull(&self, primary: &Layout, out: &mut Array) -> Result<()> {
        let (here, there) = (self.inner_planes(0), inner_planes(primary, 0));
        let source = Source::plain(&self.multiplier, here);
        let planes = primary.grid.time - 1;
        let sum = Sum::added(-1.0);
        law_product(&self.engine, &self.given, planes, source, None, sum, there, out)
    }

    /// A step of the state and the dual variable, before the multiplier moves.
    pub(super) fn iterate(&mut self, steps: Steps) -> Result<()> {
        self.flow.iterate(self.steps(steps), Some(&self.multiplier))
    }

    /// Moves the multiplier along rho_2 - S rho_1 of the extrapolated states. `count` spaces share
    /// what steps leave.
    pub(super) fn move_multiplier(
        &mut self,
        primary: &Flow,
        steps: Steps,
        count: usize,
    ) -> Result<()> {
        let own = self.steps(steps);
        let step = SHARE / (count as f64 * self.square * steps.tau + own.tau);
        let sum = Sum {
            keep: 1.0,
            factor: -steps.relaxation * step,
            extrapolation: 2.0 / steps.relaxation,
        };
        let planes = self.inner_planes(0);
        tie(&self.engine, &self.onto, primary, &self.flow, sum, planes, &mut self.multiplier)
    }

    /// |S rho_1 - rho_2| beside |rho_2|, in L1 over all nodes inside.
    pub(super) fn gap(&mut self, primary: &Flow, relaxation: f64) -> Result<f64> {
        let sum = Sum { keep: 0.0, factor: 1.0, extrapolation: 1.0 / relaxation };
        let planes = self.inner_planes(0);
        tie(&self.engine, &self.onto, primary, &self.flow, sum, planes, &mut self.gap)?;
        let gap: f64 = self.engine.download(&self.gap)?.iter().map(|gap| gap.abs()).sum();
        let grid = &self.flow.layout().grid;
        // Densities are of mean 1.
        Ok(gap / ((grid.time - 1) * grid.places()) as f64)
    }

    pub(super) fn residuals(&mut self, steps: Steps) -> Result<Sums> {
        self.flow.residuals(self.steps(steps), None)
    }

    pub(super) fn accept(&mut self) {
        self.flow.accept();
    }

    /// The projected points of the last iteration, and its sigma.
    pub(super) fn points(&self, steps: Steps) -> Result<(Points, f64)> {
        Ok((self.flow.points(steps.relaxation)?, self.steps(steps).sigma))
    }

    pub(super) fn save(&self) -> Result<Vec<Vec<f64>>> {
        let mut saved = self.flow.save()?.to_vec();
        saved.push(self.engine.download(&self.multiplier)?);
        Ok(saved)
    }

    pub(super) fn restore(&mut self, saved: &[Vec<f64>]) -> Result<()> {
        let [state, dual, roots, multiplier] = saved else {
            let found = saved.len().to_string();
            return Err(crate::Error::shape("the fields of a coupled space", "4", found));
        };
        self.flow.restore([state, dual, roots])?;
        crate::kernels::check_length("a multiplier", multiplier.len(), self.multiplier.len())?;
        self.engine.write(&mut self.multiplier, multiplier)
    }

    fn inner_planes(&self, first: usize) -> Planes {
        inner_planes(self.flow.layout(), first)
    }
}

/// S rho_1 - rho_2 of the extrapolated states, at the nodes inside.
fn tie(
    engine: &Engine,
    onto: &SparseArray,
    primary: &Flow,
    own: &Flow,
    sum: Sum,
    place: Planes,
    out: &mut Array,
) -> Result<()> {
    let densities = |flow: &Flow| {
        let layout = flow.layout();
        inner_planes(layout, layout.density() * layout.grid.cells())
    };
    let (here, next) = primary.states();
    let source = Source { here, next, planes: densities(primary) };
    let (here, next) = own.states();
    let less = Source { here, next, planes: densities(own) };
    let planes = own.layout().grid.time - 1;
    law_product(engine, onto, planes, source, Some(less), sum, place, out)
}

/// The planes of the nodes inside, in an array that has those of a component from `first` on.
fn inner_planes(layout: &Layout, first: usize) -> Planes {
    let places = layout.grid.places();
    Planes { first: first + places, stride: places }
}
