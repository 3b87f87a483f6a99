//! Another space, and how it moves along with the primary one.

use super::{Bins, JointLaw, Map, Places};
use crate::error::{Error, Result};

/// How the motion in another space follows from that in the primary one, in the words of the paper
/// and of the command line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// [`Space::particles`].
    #[default]
    Monge,
    /// [`Space::density`].
    Shared,
    /// [`Space::coupled`].
    Coupled,
    /// [`Space::frames`].
    Kantorovich,
}

impl Form {
    /// The space that a map leads to, tied in this form. Coupled and Kantorovich spaces have their
    /// density on `bins`, by default the usual ones ([`Bins::usual`]).
    ///
    /// # Errors
    /// As [`Bins::around`].
    pub fn space(self, map: Map, bins: Option<Bins>) -> Result<Space> {
        match self {
            Self::Monge => Ok(Space::particles(map)),
            Self::Shared => Ok(Space::density(map)),
            Self::Coupled => {
                let bins = bins.map_or_else(|| Bins::usual(&map), Ok)?;
                Ok(Space::coupled(JointLaw::deposit(&map, &bins)?, bins)?.known_as(map))
            }
            Self::Kantorovich => Ok(Space::frames(Frames::of_map(&map, bins)?)?.known_as(map)),
        }
    }
}

/// Another space and its tie to the primary one.
///
/// ```
/// use gaspard::Engine;
/// use gaspard::dynamic::{Bins, Control, Domain, JointLaw, Map, Problem, Space};
///
/// // Along a line, and on a scale of it that is twice as long: the density alone is tied.
/// let domain = Domain::new(&[16], 8)?;
/// let bump = |centre: f64| domain.density(|x| (-(x[0] - centre).powi(2) / 0.02).exp());
/// let long = Map::from_fn(&domain, |x| vec![2.0 * x[0]])?;
/// let bins = Bins::new(&[16], &[0.0], &[2.0])?;
/// let law = JointLaw::deposit(&long, &bins)?;
/// let problem = Problem::new(&domain, bump(0.35).view(), bump(0.65).view())?
///     .space(Space::coupled(law, bins)?.known_as(long), 0.5)?;
/// let solution = problem.solve(&Control::default(), &Engine::cpu())?;
/// // What moves twice as far costs four times as much.
/// assert!((solution.costs[1] / (4.0 * solution.costs[0]) - 1.0).abs() < 0.02);
/// # Ok::<(), gaspard::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Space {
    pub(super) tie: Tie,
    /// T, where it is known.
    pub(super) map: Option<Map>,
}

/// How the motion in another space follows from that in the primary one.
#[derive(Clone, Debug)]
pub(super) enum Tie {
    /// Particles move in both at once.
    Particles,
    /// The density is the same, each space moves it as it likes.
    Density,
    /// The other space has a grid of its own, on which the density is S rho.
    Coupled { law: JointLaw, bins: Bins },
    /// The other space has the cost of static transport from frame to frame of S rho.
    Frames(Frames),
}

impl Space {
    /// Particles move in both spaces at once: x moves there as T(x), so that moving costs
    /// v^T J^T J v (the Monge form; paper section 3.1).
    pub fn particles(map: Map) -> Self {
        Self { tie: Tie::Particles, map: Some(map) }
    }

    /// Only the density moves along, and has there its own, cheapest momentum, on the grid of the
    /// primary space: the Kantorovich form for injective maps.
    pub fn density(map: Map) -> Self {
        Self { tie: Tie::Density, map: Some(map) }
    }

    /// Only the density moves along, by a joint law, and has its own, cheapest momentum on a grid of
    /// its own: the Kantorovich form for any law.
    ///
    /// # Errors
    /// [`Error::Shape`] for a law that leads elsewhere than to these bins.
    pub fn coupled(law: JointLaw, bins: Bins) -> Result<Self> {
        check_points(&law, bins.len())?;
        Ok(Self { tie: Tie::Coupled { law, bins }, map: None })
    }

    /// Only the density moves along, by a joint law, at the cost of static transport from frame to
    /// frame: the Kantorovich form as the paper solves it (section 5).
    ///
    /// # Errors
    /// [`Error::Shape`] for a law that leads to another number of places.
    pub fn frames(frames: Frames) -> Result<Self> {
        check_points(&frames.law, frames.places.len())?;
        frames.places.validate()?;
        Ok(Self { tie: Tie::Frames(frames), map: None })
    }

    /// Says what map the law stands for: solves then start from the motion of particles, and
    /// pictures show where they go.
    pub fn known_as(mut self, map: Map) -> Self {
        self.map = Some(map);
        self
    }

    /// T, where it is known.
    pub fn map(&self) -> Option<&Map> {
        self.map.as_ref()
    }

    /// Cells of the primary space that it was made for.
    pub(super) fn cells(&self) -> usize {
        match &self.tie {
            Tie::Coupled { law, .. } | Tie::Frames(Frames { law, .. }) => law.cells(),
            Tie::Particles | Tie::Density => {
                self.map.as_ref().map_or(0, |map| map.values().nrows())
            }
        }
    }

    /// True where particles move in both spaces at once.
    pub(super) fn has_particles(&self) -> bool {
        matches!(self.tie, Tie::Particles)
    }

    /// True where the space has a grid of its own.
    pub(super) fn is_coupled(&self) -> bool {
        matches!(self.tie, Tie::Coupled { .. })
    }

    /// True where the space has a momentum of its own on the grid of the primary one.
    pub(super) fn has_field(&self) -> bool {
        matches!(self.tie, Tie::Density)
    }
}

fn check_points(law: &JointLaw, points: usize) -> Result<()> {
    if law.points() == points {
        return Ok(());
    }
    let expected = format!("{points} points, as the other space has");
    Err(Error::shape("a law", expected, law.points().to_string()))
}

/// The cost of moving the density of another space from frame to frame, each move a static
/// transport (equation 3.15 of the paper):
///
/// ```text
/// sum_k W²(S rho(s_k), S rho(s_k+1)) / (s_k+1 - s_k)
/// ```
///
/// Along one axis of bins W² is exact; elsewhere it is the debiased entropic divergence.
#[derive(Clone, Debug)]
pub struct Frames {
    pub(super) law: JointLaw,
    pub(super) places: Places,
    pub(super) stride: usize,
    pub(super) epsilon: Option<f64>,
    pub(super) floor: Option<f64>,
    pub(super) sweeps: usize,
}

impl Frames {
    /// A frame at every node of time.
    pub fn new(law: JointLaw, places: Places) -> Self {
        Self { law, places, stride: 1, epsilon: None, floor: None, sweeps: 10 }
    }

    /// Frames of the space that a map leads to, on `bins`, by default the usual ones.
    ///
    /// # Errors
    /// As [`Bins::usual`] and [`JointLaw::deposit`].
    pub fn of_map(map: &Map, bins: Option<Bins>) -> Result<Self> {
        let bins = bins.map_or_else(|| Bins::usual(map), Ok)?;
        Ok(Self::new(JointLaw::deposit(map, &bins)?, Places::Bins(bins)))
    }

    /// Frames of the cells themselves, where a map takes them.
    pub fn of_cells(map: &Map) -> Self {
        let cells = map.values().nrows();
        Self::new(JointLaw::identity(cells), Places::Points(map.values().clone()))
    }

    /// A frame at every so many nodes of time only; it has to divide the steps of time.
    pub fn stride(mut self, stride: usize) -> Self {
        self.stride = stride;
        self
    }

    /// The epsilon of the entropic divergence; by default twice the square of the distance of
    /// neighbouring points.
    pub fn epsilon(mut self, epsilon: f64) -> Self {
        self.epsilon = Some(epsilon);
        self
    }

    /// The share of the mass that is spread over all points before transport, 1e-2 by default: the
    /// steps that are stable shrink with the least density.
    pub fn floor(mut self, floor: f64) -> Self {
        self.floor = Some(floor);
        self
    }

    /// Sweeps of Sinkhorn in each iteration; potentials are kept from one to the next.
    pub fn sweeps(mut self, sweeps: usize) -> Self {
        self.sweeps = sweeps;
        self
    }

    /// The bins of transport along one axis, which is exact.
    pub(super) fn on_a_line(&self) -> Option<&Bins> {
        match &self.places {
            Places::Bins(bins) if bins.counts().len() == 1 => Some(bins),
            _ => None,
        }
    }

    pub(super) fn floor_or_default(&self) -> f64 {
        /// Of a cost that is off by as much; with 1e-6 even exact potentials jump from one
        /// iteration to the next, and nothing converges.
        const USUAL: f64 = 1e-2;
        self.floor.unwrap_or(USUAL)
    }

    pub(super) fn epsilon_or_default(&self) -> f64 {
        self.epsilon.unwrap_or_else(|| 2.0 * self.places.squared_spacing())
    }

    /// Refuses parameters that make no sense with so many steps of time.
    pub(super) fn validate(&self, steps: usize) -> Result<()> {
        if self.stride == 0 || !steps.is_multiple_of(self.stride) {
            let problem = format!("{} does not divide {steps} steps of time", self.stride);
            return Err(Error::parameter("stride", problem, "give a divisor of the steps"));
        }
        let floor = self.floor_or_default();
        if !(floor > 0.0 && floor < 1.0) {
            let problem = format!("{floor} is not between 0 and 1");
            return Err(Error::parameter("floor", problem, "give a small share, 1e-2 for example"));
        }
        if self.sweeps == 0 {
            return Err(Error::parameter("sweeps", "there are none", "give at least 1"));
        }
        crate::validate::positive(
            "epsilon",
            self.epsilon_or_default(),
            "give the entropic strength of static transport",
        )
    }
}
