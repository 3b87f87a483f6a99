//! All unknowns of a problem together: the primary space, coupled ones, and costs of frames.

use super::control::Method;
use super::coupled::{Coupled, SHARE};
use super::flow::{Flow, Gradients, Points, Steps};
use super::frames::FrameCost;
use super::setting::Setting;
use super::space::Tie;
use super::{Problem, Residuals};
use crate::engine::{Array, Engine};
use crate::error::Result;
use crate::numeric::larger;

/// Dual variables of this share of the state, and gradients, are nothing: potentials do not settle
/// to more than that.
const STILL: f64 = 1e-6;

pub(super) struct System {
    engine: Engine,
    method: Method,
    primary: Flow,
    coupled: Vec<Coupled>,
    frames: Vec<FrameCost>,
    forces: Option<Forces>,
}

/// Forces on the density of the primary space, a number for every face in time.
struct Forces {
    zeros: Array,
    /// The derivative of the costs of frames, before and after an iteration.
    gradients: [Array; 2],
    /// That, and what multipliers of coupled spaces say.
    all: Array,
}

/// What [`System::note`] finds at the last iteration.
pub(super) struct Note {
    pub residuals: Residuals,
    /// The cost over all spaces, each with its weight.
    pub total: f64,
}

impl System {
    /// From the state and dual variable of the primary space, with the metrics of its fields.
    pub(super) fn new(
        problem: &Problem,
        method: Method,
        engine: &Engine,
        metric: &[f64],
        state: &[f64],
    ) -> Result<Self> {
        let layout = problem.layout();
        let end: Vec<f64> = problem.end.iter().copied().collect();
        let (mut coupled, mut frames) = (Vec::new(), Vec::new());
        for (space, beta) in &problem.spaces {
            match &space.tie {
                Tie::Coupled { law, .. } => {
                    let setting = Setting::of(problem, space, *beta).expect("it is coupled");
                    coupled.push(Coupled::new(engine, law, &setting)?);
                }
                Tie::Frames(parts) => {
                    frames.push(FrameCost::new(engine, parts, *beta, layout.grid.time)?);
                }
                Tie::Particles | Tie::Density => {}
            }
        }
        let cells = layout.grid.cells();
        let forces = if coupled.is_empty() && frames.is_empty() {
            None
        } else {
            let zeros = || engine.zeros("forces", cells);
            Some(Forces { zeros: zeros()?, gradients: [zeros()?, zeros()?], all: zeros()? })
        };
        let aside = !frames.is_empty();
        let (reaction, ends) = (problem.reaction, (end.as_slice(), state));
        let primary = Flow::new(engine, layout, reaction, metric, ends, aside)?;
        Ok(Self { engine: engine.clone(), method, primary, coupled, frames, forces })
    }

    /// Projects the state on those that keep mass, and finds the forces that act on it.
    pub(super) fn start(&mut self, stop: &dyn Fn() -> bool) -> Result<()> {
        self.primary.project()?;
        self.settle(stop)
    }

    /// Finds the forces on the state as it is, from potentials that have settled, or have been told
    /// to `stop`.
    fn settle(&mut self, stop: &dyn Fn() -> bool) -> Result<()> {
        let Self { primary, frames, .. } = self;
        let rate = primary.layout().rates[0];
        for cost in frames {
            cost.look(primary.layout(), primary.states().0, primary.end())?;
            cost.settled_value(rate, stop)?;
        }
        self.find_gradient(0)
    }

    /// The derivative of the costs of frames at the state before (0) or after (1) an iteration.
    fn find_gradient(&mut self, which: usize) -> Result<()> {
        let (Some(forces), false) = (&mut self.forces, self.frames.is_empty()) else {
            return Ok(());
        };
        let gradient = &mut forces.gradients[which];
        self.engine.copy(&forces.zeros, gradient)?;
        let (here, next) = self.primary.states();
        let state = if which == 0 { here } else { next };
        for cost in &mut self.frames {
            cost.look(self.primary.layout(), state, self.primary.end())?;
            cost.add_gradient(self.primary.layout(), gradient)?;
        }
        Ok(())
    }

    /// The force on the density: the gradient before or after, and the pull of coupled spaces.
    fn find_force(&mut self, which: usize) -> Result<()> {
        if let Some(forces) = &mut self.forces {
            self.engine.copy(&forces.gradients[which], &mut forces.all)?;
            for space in &self.coupled {
                space.add_pull(self.primary.layout(), &mut forces.all)?;
            }
        }
        Ok(())
    }

    /// The largest tau sigma.
    pub(super) fn room(&self) -> f64 {
        if self.coupled.is_empty() { 1.0 } else { 1.0 - SHARE }
    }

    /// An iteration, to be accepted.
    pub(super) fn iterate(&mut self, steps: Steps) -> Result<()> {
        self.find_force(0)?;
        let force = self.forces.as_ref().map(|forces| &forces.all);
        if self.frames.is_empty() {
            self.primary.iterate(steps, force)?;
        } else {
            self.primary.move_state(steps, force)?;
            self.find_gradient(1)?;
            match self.method {
                Method::Relaxed | Method::CondatVu => self.primary.move_dual(steps)?,
                Method::Pdfp => {
                    self.find_force(1)?;
                    let forces = self.forces.as_ref().expect("there are frames");
                    self.primary.move_dual_projected(steps, &forces.all)?;
                }
                Method::Yan => {
                    let forces = self.forces.as_ref().expect("there are frames");
                    self.primary.move_dual_by(steps, forces.gradients())?;
                }
            }
        }
        let count = self.coupled.len();
        for space in &mut self.coupled {
            space.iterate(steps)?;
            space.move_multiplier(&self.primary, steps, count)?;
        }
        Ok(())
    }

    /// Takes the last iteration as the point to go on from.
    pub(super) fn accept(&mut self) {
        self.primary.accept();
        self.coupled.iter_mut().for_each(Coupled::accept);
        if let Some(forces) = &mut self.forces {
            forces.gradients.swap(0, 1);
        }
    }

    /// How far the last iteration, which is not accepted yet, is from a solution. `floor` is below
    /// what dual variables mean beside the state, `share` that of a cell in all of them.
    pub(super) fn note(&mut self, steps: Steps, floor: f64, share: f64) -> Result<Note> {
        let gradients = match (&self.forces, self.frames.is_empty()) {
            (Some(forces), false) => Some(forces.gradients()),
            _ => None,
        };
        let mut sums = vec![self.primary.residuals(steps, gradients)?];
        let mut coupling: Option<f64> = None;
        for space in &mut self.coupled {
            sums.push(space.residuals(steps)?);
            let gap = space.gap(&self.primary, steps.relaxation)?;
            coupling = Some(larger(coupling.unwrap_or(0.0), gap));
        }
        let mut residuals = Residuals { coupling, ..Residuals::of(&sums, floor) };
        if let Some(gradients) = gradients {
            // What has to vanish is a sum of y and of the gradient: it counts beside the larger.
            let gradient = self.engine.download(gradients.after)?;
            let square: f64 = gradient.iter().map(|value| value * value).sum();
            sums[0].dual_size = sums[0].dual_size.max(square);
            residuals.stationarity = Residuals::of(&sums, floor.max(STILL)).stationarity;
            residuals.gap = None;
        }
        let mut total = share * sums.iter().map(|sums| sums.energy).sum::<f64>();
        let rate = self.primary.layout().rates[0];
        for cost in &self.frames {
            total += cost.beta() * cost.value(rate)?;
        }
        Ok(Note { residuals, total })
    }

    /// The projected points of the last iteration, which is not accepted yet: of the primary space,
    /// then of the coupled ones with their sigmas.
    pub(super) fn points(&self, steps: Steps) -> Result<(Points, Vec<(Points, f64)>)> {
        let coupled =
            self.coupled.iter().map(|space| space.points(steps)).collect::<Result<_>>()?;
        Ok((self.primary.points(steps.relaxation)?, coupled))
    }

    /// The costs of all frames at the accepted state, without their weights, by potentials that have
    /// settled or have been told to `stop`.
    pub(super) fn frame_costs(&mut self, stop: &dyn Fn() -> bool) -> Result<Vec<f64>> {
        let Self { primary, frames, .. } = self;
        let rate = primary.layout().rates[0];
        let costs = frames.iter_mut().map(|cost| {
            cost.look(primary.layout(), primary.states().0, primary.end())?;
            cost.settled_value(rate, stop)
        });
        costs.collect()
    }

    /// Everything that is needed to go on, by name.
    pub(super) fn save(&self) -> Result<Vec<(String, Vec<f64>)>> {
        let mut saved = Vec::new();
        let mut keep = |name: &str, parts: Vec<Vec<f64>>| {
            let parts = parts.into_iter().enumerate();
            saved.extend(parts.map(|(part, values)| (format!("{name}_{part}"), values)));
        };
        keep("primary", self.primary.save()?.to_vec());
        for (index, space) in self.coupled.iter().enumerate() {
            keep(&format!("coupled_{index}"), space.save()?);
        }
        for (index, cost) in self.frames.iter().enumerate() {
            keep(&format!("frames_{index}"), cost.save()?);
        }
        if let (Some(forces), false) = (&self.forces, self.frames.is_empty()) {
            keep("gradient", vec![self.engine.download(&forces.gradients[0])?]);
        }
        Ok(saved)
    }

    /// Goes on from what was saved; `find` gives the parts of a name.
    pub(super) fn restore(&mut self, find: impl Fn(&str) -> Vec<Vec<f64>>) -> Result<()> {
        let primary = find("primary");
        let [state, dual, roots] = primary.as_slice() else {
            let found = primary.len().to_string();
            return Err(crate::Error::shape("the fields of a checkpoint", "3", found));
        };
        self.primary.restore([state, dual, roots])?;
        for (index, space) in self.coupled.iter_mut().enumerate() {
            space.restore(&find(&format!("coupled_{index}")))?;
        }
        for (index, cost) in self.frames.iter_mut().enumerate() {
            cost.restore(&find(&format!("frames_{index}")))?;
        }
        if let (Some(forces), false) = (&mut self.forces, self.frames.is_empty()) {
            let saved = find("gradient");
            let values = saved.first().map_or(&[][..], Vec::as_slice);
            let expected = forces.gradients[0].len();
            crate::kernels::check_length("the gradient of a checkpoint", values.len(), expected)?;
            self.engine.write(&mut forces.gradients[0], values)?;
        }
        Ok(())
    }

    /// Goes on from the state and dual variable of another problem on the same fields.
    pub(super) fn resume_from(
        &mut self,
        state: &[f64],
        dual: &[f64],
        stop: &dyn Fn() -> bool,
    ) -> Result<()> {
        let roots = vec![0.0; self.primary.layout().grid.cells()];
        self.primary.restore([state, dual, &roots])?;
        self.settle(stop)
    }
}

impl Forces {
    fn gradients(&self) -> Gradients<'_> {
        Gradients { before: &self.gradients[0], after: &self.gradients[1] }
    }
}
