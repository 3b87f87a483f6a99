//! Two densities, the spaces that move along, and how they are tied together.

use ndarray::{Array2, ArrayD, ArrayViewD};

use super::metric::eigenbasis;
use super::{Domain, Map};
use crate::error::{Error, Result};
use crate::kernels::dynamic::Layout;

/// How the motion in the other spaces follows from that in the primary one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// Particles move in all spaces at once: the Monge form, one momentum with the metric
    /// G = I + sum beta_i J_i^T J_i (paper section 3.1, spec 1.1).
    #[default]
    Monge,
    /// Only densities move together, and each space finds its cheapest velocity: one density with a
    /// momentum for every space, the Kantorovich form for injective maps (spec 5.2 A).
    Shared,
}

/// The motion of one density into another at the least kinetic cost over several spaces.
///
/// ```
/// use gaspard::dynamic::{Control, Domain, Problem, solve};
/// use gaspard::Engine;
///
/// let domain = Domain::new(&[24], 12)?;
/// let bump = |centre: f64| domain.density(|x| (-(x[0] - centre).powi(2) / 0.005).exp());
/// let problem = Problem::new(&domain, bump(0.35).view(), bump(0.65).view())?;
/// let solution = solve(&problem, &Control::default(), &Engine::cpu(), &mut ())?;
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
    pub(super) spaces: Vec<(Map, f64)>,
    pub(super) form: Form,
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
            form: Form::default(),
            reaction: None,
        })
    }

    /// A space that moves along, with its weight beta.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a weight that is negative or not finite, [`Error::Shape`] for a map
    /// on another domain.
    pub fn space(mut self, map: Map, beta: f64) -> Result<Self> {
        if !(beta >= 0.0 && beta.is_finite()) {
            let problem = format!("{beta} is not a number from 0 up");
            return Err(Error::parameter("beta", problem, "give the weight of the space"));
        }
        let (expected, found) = (self.domain.grid.places(), map.values().nrows());
        if expected != found {
            return Err(Error::shape("a map", format!("{expected} cells"), found.to_string()));
        }
        self.spaces.push((map, beta));
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

    /// How the spaces are tied together.
    pub fn form(mut self, form: Form) -> Self {
        self.form = form;
        self
    }

    /// Lets mass be made and lost, at a cost of `kappa` times the squared rate of growth (spec 7);
    /// masses may then differ. kappa is the square of the length scale of the
    /// Wasserstein-Fisher-Rao metric.
    ///
    /// # Errors
    /// [`Error::Parameter`] unless it is positive.
    pub fn unbalanced(mut self, kappa: f64) -> Result<Self> {
        crate::linear::schedule::positive("kappa", kappa, "give the cost of making mass")?;
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
                "scale them to one mass, or let mass be made and lost",
            ));
        }
        if self.reaction.is_some() && self.form == Form::Shared {
            return Err(Error::parameter(
                "form",
                "mass cannot be made and lost where spaces share a density only",
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
            fields: match self.form {
                Form::Monge => 1,
                Form::Shared => 1 + self.spaces.len(),
            },
            source: self.reaction.is_some(),
        }
    }

    /// What moving costs in a space, 0 being the primary one, without its weight: J^T J at a cell.
    pub(super) fn metric_of(&self, space: usize, cell: usize) -> Array2<f64> {
        match space {
            0 => Array2::eye(self.domain.dimension()),
            _ => self.spaces[space - 1].0.metric(cell),
        }
    }

    /// The weight of a space.
    pub(super) fn weight_of(&self, space: usize) -> f64 {
        if space == 0 { 1.0 } else { self.spaces[space - 1].1 }
    }

    /// The eigenbases of the metrics of all fields.
    pub(super) fn metric(&self) -> Result<Vec<f64>> {
        let dimension = self.domain.dimension();
        let spaces = 0..=self.spaces.len();
        let cells = 0..self.domain.grid.places();
        let weighted =
            |space: usize, cell: usize| self.metric_of(space, cell) * self.weight_of(space);
        match self.form {
            Form::Monge => {
                let sum = |cell: usize| {
                    let zero = Array2::zeros((dimension, dimension));
                    spaces.clone().fold(zero, |sum, space| sum + weighted(space, cell))
                };
                eigenbasis(&cells.map(sum).collect::<Vec<_>>(), 0.0)
            }
            Form::Shared => {
                let mut numbers = Vec::new();
                for space in spaces {
                    let metrics: Vec<_> = cells.clone().map(|cell| weighted(space, cell)).collect();
                    let traces = metrics.iter().map(|metric| metric.diag().sum());
                    let floor = LEAST_EIGENVALUE * traces.fold(LEAST_EIGENVALUE, f64::max);
                    numbers.extend(eigenbasis(&metrics, floor)?);
                }
                Ok(numbers)
            }
        }
    }
}
