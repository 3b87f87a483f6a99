//! Two densities, the spaces that move along, and how they are tied together.

use ndarray::{Array2, ArrayD, ArrayViewD};

use super::metric::eigenbasis;
use super::space::Tie;
use super::{Domain, Map, Space};
use crate::error::{Error, Result};
use crate::kernels::dynamic::Layout;
use crate::validate::{from_zero, positive};

/// The motion of one density into another at the least kinetic cost over several spaces.
///
/// ```
/// use gaspard::dynamic::{Control, Domain, Problem};
/// use gaspard::Engine;
///
/// let domain = Domain::new(&[24], 12)?;
/// let bump = |centre: f64| domain.density(|x| (-(x[0] - centre).powi(2) / 0.005).exp());
/// let problem = Problem::new(&domain, bump(0.35).view(), bump(0.65).view())?;
/// let solution = problem.solve(&Control::default(), &Engine::cpu())?;
/// // A shift by 0.3 costs its square.
/// assert!((solution.total - 0.09).abs() < 2e-3);
/// # Ok::<(), gaspard::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Problem {
    pub(super) domain: Domain,
    /// Of mean 1 together.
    pub(super) start: ArrayD<f64>,
    pub(super) end: ArrayD<f64>,
    /// What densities were divided by.
    pub(super) scale: f64,
    /// Each with its weight beta.
    pub(super) spaces: Vec<(Space, f64)>,
    /// kappa: what making or losing mass costs.
    pub(super) reaction: Option<f64>,
}

/// The least eigenvalue of the metric of a space that has a momentum of its own, beside the largest
/// trace: where moving costs nothing, the paraboloid degenerates.
const LEAST_EIGENVALUE: f64 = 1e-3;

impl Domain {
    /// A density that is sampled at the centres of the cells.
    pub fn density(&self, value: impl Fn(&[f64]) -> f64) -> ArrayD<f64> {
        let values = self.centres().map(|centre| value(&centre)).collect();
        ArrayD::from_shape_vec(self.cells(), values).expect("a value for every cell")
    }
}

impl Problem {
    /// The motion of `start` into `end`: densities at the centres of the cells. They are scaled to
    /// mean 1, and the solution with them, unless mass may be made and lost.
    ///
    /// # Errors
    /// [`Error::Shape`] for other shapes than that of the domain, [`Error::Data`] for values that
    /// are negative or not finite and for no mass.
    pub fn new(
        domain: &Domain,
        start: ArrayViewD<'_, f64>,
        end: ArrayViewD<'_, f64>,
    ) -> Result<Self> {
        domain.check_density("the start", &start)?;
        domain.check_density("the end", &end)?;
        let mean = |density: &ArrayViewD<'_, f64>| density.sum() / density.len() as f64;
        let scale = 0.5 * (mean(&start) + mean(&end));
        Ok(Self {
            domain: domain.clone(),
            start: start.to_owned() / scale,
            end: end.to_owned() / scale,
            scale,
            spaces: Vec::new(),
            reaction: None,
        })
    }

    /// A space that moves along, with its weight beta.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a weight that is negative or not finite, and for frames that do not
    /// fit the steps of time; [`Error::Shape`] for a space of another domain.
    pub fn space(mut self, space: Space, beta: f64) -> Result<Self> {
        from_zero("beta", beta, "give the weight of the space")?;
        let (expected, found) = (self.domain.grid.places(), space.cells());
        if expected != found {
            return Err(Error::shape("a space", format!("{expected} cells"), found.to_string()));
        }
        if let Tie::Frames(frames) = &space.tie {
            frames.validate(self.domain.steps())?;
        }
        self.spaces.push((space, beta));
        Ok(self)
    }

    /// The box and its cells.
    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    /// The weights of the spaces that move along.
    pub fn betas(&self) -> Vec<f64> {
        self.spaces.iter().map(|(_, beta)| *beta).collect()
    }

    /// The map into a space that moves along, the first being 1, where it is known.
    pub fn map_of(&self, space: usize) -> Option<&Map> {
        self.spaces.get(space.checked_sub(1)?)?.0.map()
    }

    /// True where a space has a cost of frames, whose gradient the iteration needs.
    pub fn has_frames(&self) -> bool {
        self.frames_weight().is_some()
    }

    /// True where a space has a grid of its own.
    pub fn has_coupled(&self) -> bool {
        self.spaces.iter().any(|(space, _)| space.is_coupled())
    }

    /// Lets mass be made and lost, at a cost of `kappa` times the squared rate of growth;
    /// masses may then differ. kappa is the square of the length scale of the
    /// Wasserstein-Fisher-Rao metric.
    ///
    /// # Errors
    /// [`Error::Parameter`] unless it is positive.
    pub fn unbalanced(mut self, kappa: f64) -> Result<Self> {
        positive("kappa", kappa, "give the cost of making mass")?;
        self.reaction = Some(kappa);
        Ok(self)
    }

    /// Checks what depends on more than one part.
    ///
    /// # Errors
    /// [`Error::Data`] for masses that differ where mass is kept; [`Error::Parameter`] for a form
    /// that does not go with what is asked for.
    pub fn validate(&self) -> Result<()> {
        let (start, end) = (self.start.sum(), self.end.sum());
        if self.reaction.is_none() && (start - end).abs() > 1e-6 * start.max(end) {
            return Err(Error::data(
                "the densities",
                format!("their masses differ by a factor of {:.6}", end / start),
                "scale them to one mass (--normalise), or let mass be made and lost (--kappa)",
            ));
        }
        if self.reaction.is_some() && !self.spaces.iter().all(|(space, _)| space.has_particles()) {
            return Err(Error::parameter(
                "kappa",
                "mass can be made and lost only where particles move in all spaces",
                "use the Monge form",
            ));
        }
        Ok(())
    }

    /// From densities of mean 1 to those of the solution.
    pub(super) fn units(&self) -> f64 {
        if self.reaction.is_some() { self.scale } else { 1.0 }
    }

    /// What the kernels are told of the unknowns.
    pub(super) fn layout(&self) -> Layout {
        Layout {
            grid: self.domain.grid.clone(),
            rates: self.domain.rates(),
            fields: 1 + self.spaces.iter().filter(|(space, beta)| has_field(space, *beta)).count(),
            source: self.reaction.is_some(),
        }
    }

    /// What moving costs in a space, 0 being the primary one, without its weight: J^T J at a cell.
    /// `None` where the space has no map.
    pub(super) fn metric_of(&self, space: usize, cell: usize) -> Option<Array2<f64>> {
        match space {
            0 => Some(Array2::eye(self.domain.dimension())),
            _ => self.spaces[space - 1].0.map().map(|map| map.metric(cell)),
        }
    }

    /// The weight of all frames together, if there are any.
    pub(super) fn frames_weight(&self) -> Option<f64> {
        let all = self.spaces.iter().filter(|(space, _)| matches!(space.tie, Tie::Frames(_)));
        all.map(|(_, beta)| *beta).reduce(|sum, beta| sum + beta)
    }

    /// The same with particles in place of frames wherever a map is known, and without the spaces
    /// that are not on the grid of the primary one.
    pub(super) fn of_particles(&self) -> Self {
        let mut other = self.clone();
        other.spaces = self
            .spaces
            .iter()
            .filter_map(|(space, beta)| match (&space.tie, space.map()) {
                (Tie::Particles | Tie::Density, _) => Some((space.clone(), *beta)),
                (Tie::Frames(_), Some(map)) => Some((Space::particles(map.clone()), *beta)),
                (Tie::Frames(_), None) | (Tie::Coupled { .. }, _) => None,
            })
            .collect();
        other
    }

    /// The weight of a space.
    pub(super) fn weight_of(&self, space: usize) -> f64 {
        if space == 0 { 1.0 } else { self.spaces[space - 1].1 }
    }

    /// The momentum that a space moves with, 0 being the primary one: its own in
    /// [`super::Solution::momenta`], or 0, that of the primary one.
    pub fn field_of(&self, space: usize) -> usize {
        let before = |space: usize| {
            let spaces = &self.spaces[..space];
            spaces.iter().filter(|(space, beta)| has_field(space, *beta)).count()
        };
        match space {
            0 => 0,
            _ if before(space) > before(space - 1) => before(space),
            _ => 0,
        }
    }

    /// The eigenbases of the metrics of all fields. The first one is that of the primary space and
    /// of all whose particles move along.
    pub(super) fn metric(&self) -> Result<Vec<f64>> {
        let cells = 0..self.domain.grid.places();
        let dimension = self.domain.dimension();
        let along: Vec<(&Space, f64)> = self
            .spaces
            .iter()
            .map(|(space, beta)| (space, *beta))
            .filter(|(space, _)| space.has_particles())
            .collect();
        let sum = |cell: usize| {
            along.iter().fold(Array2::eye(dimension), |sum, (space, beta)| match space.map() {
                Some(map) => sum + map.metric(cell) * *beta,
                None => sum,
            })
        };
        let mut numbers = eigenbasis(&cells.clone().map(sum).collect::<Vec<_>>(), 0.0)?;
        for (space, beta) in self.spaces.iter().filter(|(space, beta)| has_field(space, *beta)) {
            let Some(map) = space.map() else { continue };
            let metrics: Vec<_> = cells.clone().map(|cell| map.metric(cell) * *beta).collect();
            let traces = metrics.iter().map(|metric| metric.diag().sum());
            let floor = LEAST_EIGENVALUE * traces.fold(LEAST_EIGENVALUE, f64::max);
            numbers.extend(eigenbasis(&metrics, floor)?);
        }
        Ok(numbers)
    }
}

/// Where moving costs nothing, nothing would hold a momentum of its own: such a space is carried
/// along.
fn has_field(space: &Space, beta: f64) -> bool {
    space.has_field() && beta > 0.0
}
