//! What a solve found: densities, momenta and costs.

use ndarray::{Array2, ArrayD, Axis, IxDyn};

use super::evaluate::{Centred, Motion};
use super::flow::Points;
use super::frames::exact_cost;
use super::run::Run;
use super::setting::Setting;
use super::space::{Frames, Tie};
use super::start::first_state;
use super::{JointLaw, Problem, Residuals, TracePoint};
use crate::error::Result;
use crate::outcome::Outcome;

/// The motion that was found. Densities are of mean 1, or where mass may be made and lost in
/// the units that were given.
#[derive(Clone, Debug)]
pub struct Solution {
    /// The density at the nodes of time: (steps + 1, cells...). Mass is kept to rounding in f64,
    /// and the ends are those that were given.
    pub density: ArrayD<f64>,
    /// The momentum of every field along every axis at the faces between cells, one more along that
    /// axis than there are cells, in the middle of every step: (steps, cells...). The first field
    /// is that of the primary space, then comes one for each space that shares its density.
    pub momenta: Vec<Vec<ArrayD<f64>>>,
    /// The same for every other space, where it has a grid of its own.
    pub coupled: Vec<Option<CoupledMotion>>,
    /// The mass that is made, at the centres of cells and steps, where there is a source.
    pub source: Option<ArrayD<f64>>,
    /// The kinetic cost in each space, without its weight; the primary one first.
    pub costs: Vec<f64>,
    /// The cost of making and losing mass.
    pub reaction: f64,
    /// The sum of all costs, each with its weight.
    pub total: f64,
    /// The cost of a motion that keeps mass and has no negative density, so that the optimum of the
    /// discrete problem lies below it: a mixture of what was found with the straight line from one
    /// density to the other. Where densities all but vanish, that line is
    /// dear: what is above ten times the cost is left out, and so are spaces that a law leads to.
    pub upper_bound: Option<f64>,
    /// The largest |div| that is left, beside steps times the largest density.
    pub divergence: f64,
    /// How far the last iteration was from a solution.
    pub residuals: Residuals,
    /// How the solve ended: the tolerance is that of the residuals.
    pub outcome: Outcome,
    /// The iteration over time.
    pub trace: Vec<TracePoint>,
}

/// The motion in a space with a grid of its own, in densities of mean 1 on its bins.
#[derive(Clone, Debug)]
pub struct CoupledMotion {
    /// The density at the nodes of time: (steps + 1, bins...).
    pub density: ArrayD<f64>,
    /// The momentum along every axis, as in [`Solution::momenta`].
    pub momenta: Vec<ArrayD<f64>>,
}

/// What an iteration ended with.
pub(super) struct Ended {
    pub primary: Points,
    pub sigma: f64,
    /// Of the coupled spaces, each with its sigma.
    pub coupled: Vec<(Points, f64)>,
    /// Of the spaces with frames.
    pub frame_costs: Vec<f64>,
}

/// At the least share of another motion that leaves no negative density, some densities are zero
/// and velocities there without bound: more of it is better.
const SHARES: [f64; 6] = [1.01, 1.1, 1.5, 3.0, 10.0, 100.0];

impl Solution {
    /// From the eigenbases of the metrics, what the iteration ended with, and how it did.
    pub(super) fn new(
        problem: &Problem,
        metric: &[f64],
        ended: Ended,
        run: Run,
        outcome: Outcome,
    ) -> Result<Self> {
        let layout = problem.layout();
        let [start, end] = [&problem.start, &problem.end]
            .map(|density| density.iter().copied().collect::<Vec<f64>>());
        let reaction = problem.reaction;
        let motion = Motion { layout: &layout, start: &start, end: &end, metric, reaction };
        let primal = motion.primal_point(&ended.primary, ended.sigma);
        let state = motion.projected(ended.primary.state)?;
        let places = layout.grid.places();
        // The metrics of the spaces on this grid, by which costs are counted.
        let metrics: Vec<Option<Vec<Array2<f64>>>> = (0..=problem.spaces.len())
            .map(|space| match space {
                0 => None,
                _ => (0..places).map(|place| problem.metric_of(space, place)).collect(),
            })
            .collect();
        let share = problem.domain.cell_share() * problem.units();
        let on_grid = |centred: &Centred, space: usize| {
            share * motion.kinetic(centred, problem.field_of(space), metrics[space].as_deref())
        };
        let mut frame_costs = ended.frame_costs.into_iter();
        let mut own_points = ended.coupled.into_iter();
        let (mut costs, mut coupled) = (vec![on_grid(&primal, 0)], Vec::new());
        for (index, (space, beta)) in problem.spaces.iter().enumerate() {
            let mut own_motion = None;
            costs.push(match &space.tie {
                Tie::Particles | Tie::Density => on_grid(&primal, index + 1),
                Tie::Frames(_) => frame_costs.next().expect("one for each"),
                Tie::Coupled { .. } => {
                    let setting = Setting::of(problem, space, *beta).expect("it is coupled");
                    let (points, sigma) = own_points.next().expect("one for each");
                    let own = Motion {
                        layout: &setting.layout,
                        start: &setting.start,
                        end: &setting.end,
                        metric: &setting.metric,
                        reaction: None,
                    };
                    let primal = own.primal_point(&points, sigma);
                    let state = own.projected(points.state)?;
                    own_motion = Some(CoupledMotion {
                        density: own.density(&state),
                        momenta: own.momenta(&state, 1.0).remove(0),
                    });
                    own.kinetic(&primal, 0, None) / setting.layout.grid.cells() as f64
                }
            });
            coupled.push(own_motion);
        }
        let reaction = share * motion.reaction(&primal);
        let weights = (0..costs.len()).map(|space| problem.weight_of(space));
        let total = reaction + weights.zip(&costs).map(|(beta, cost)| beta * cost).sum::<f64>();
        let upper_bound = if problem.spaces.iter().any(|(space, _)| space.law().is_some()) {
            None
        } else {
            let straight = motion.projected(first_state(problem))?;
            let cost = |feasible: Centred| {
                let kinetic = (0..=problem.spaces.len())
                    .map(|space| problem.weight_of(space) * on_grid(&feasible, space));
                kinetic.sum::<f64>() + share * motion.reaction(&feasible)
            };
            let own = motion.interpolated(&state);
            let other = motion.interpolated(&straight);
            let mixtures = SHARES
                .iter()
                .map(|beyond| cost(Centred::mixed(&own, &other, layout.density(), *beyond)));
            Some(mixtures.fold(f64::INFINITY, f64::min)).filter(|bound| *bound <= 10.0 * total)
        };
        let scale = problem.units();
        Ok(Self {
            density: motion.density(&state) * scale,
            momenta: motion.momenta(&state, scale),
            coupled,
            source: motion.source(&state).map(|source| source * scale),
            total,
            costs,
            reaction,
            upper_bound,
            divergence: motion.divergence(&state),
            residuals: run.residuals,
            outcome,
            trace: run.trace,
        })
    }

    /// The mean position of the mass at every node of time: (steps + 1, d), in the primary space
    /// for `space` 0, else in another one: through its map where that is known, else by its law.
    /// `None` for a space that the problem does not have.
    pub fn mean_path(&self, problem: &Problem, space: usize) -> Option<Array2<f64>> {
        let other = match space.checked_sub(1) {
            Some(index) => Some(&problem.spaces.get(index)?.0),
            None => None,
        };
        let positions = match other {
            None => {
                let centres: Vec<f64> = problem.domain.centres().flatten().collect();
                Array2::from_shape_vec(
                    (problem.domain.grid.places(), problem.domain.dimension()),
                    centres,
                )
                .expect("a centre for every cell")
            }
            Some(other) => match (other.map(), other.law()) {
                (Some(map), _) => map.values().clone(),
                (None, Some((law, points))) => conditional_means(law, &points),
                (None, None) => unreachable!("a space has a map or a law"),
            },
        };
        let mut path = Array2::zeros((self.density.shape()[0], positions.ncols()));
        for (density, mut mean) in self.density.outer_iter().zip(path.rows_mut()) {
            let mass = density.sum();
            for (value, position) in density.iter().zip(positions.rows()) {
                mean.scaled_add(value / mass, &position);
            }
        }
        Some(path)
    }

    /// The density in a space that a law leads to, at the nodes of time: (steps + 1, points), of sum
    /// 1; `None` for other spaces. It is S rho, also where the space has a grid of its own.
    pub fn density_of(&self, problem: &Problem, space: usize) -> Option<ArrayD<f64>> {
        let (law, _) = problem.spaces.get(space.checked_sub(1)?)?.0.law()?;
        let nodes = self.density.shape()[0];
        let mut all = ArrayD::zeros(IxDyn(&[nodes, law.points()]));
        for (density, mut out) in self.density.outer_iter().zip(all.outer_iter_mut()) {
            let mass = density.sum();
            let masses: Vec<f64> = density.iter().map(|value| value / mass).collect();
            out.assign(&ArrayD::from_shape_vec(IxDyn(&[law.points()]), law.apply(&masses)).ok()?);
        }
        Some(all)
    }

    /// The cost of a space with frames by exact transport from frame to frame, without its weight;
    /// `None` for other spaces, and if it was cancelled. On one axis of bins that is transport of histograms, elsewhere a
    /// linear program between points, solved by the network simplex: where a move is shorter than
    /// the points are apart it says more than the move costs.
    ///
    /// # Errors
    /// As [`crate::linear::exact::exact`].
    pub fn exact_cost(
        &self,
        problem: &Problem,
        space: usize,
        cancel: &mut dyn FnMut() -> bool,
    ) -> Result<Option<f64>> {
        let other = space.checked_sub(1).and_then(|index| problem.spaces.get(index));
        let Some(Tie::Frames(frames)) = other.map(|(space, _)| &space.tie) else {
            return Ok(None);
        };
        let Some(density) = self.density_of(problem, space) else { return Ok(None) };
        let chosen: Vec<Vec<f64>> = density
            .axis_iter(Axis(0))
            .step_by(frames.stride)
            .map(|frame| frame.iter().copied().collect())
            .collect();
        let rate = problem.domain.steps() as f64 / frames.stride as f64;
        Ok(exact_cost(&frames.places, &chosen, cancel)?.map(|sum| rate * sum))
    }
}

/// The mean of the law of every cell: (cells, d).
fn conditional_means(law: &JointLaw, points: &Array2<f64>) -> Array2<f64> {
    let (_, given) = law.on_masses();
    let mut means = Array2::zeros((law.cells(), points.ncols()));
    for (cell, mut mean) in means.rows_mut().into_iter().enumerate() {
        given.row(cell).for_each(|(point, share)| mean.scaled_add(share, &points.row(point)));
    }
    means
}

impl super::Space {
    /// The law that leads there and the points, where it is tied by one.
    pub(super) fn law(&self) -> Option<(&JointLaw, Array2<f64>)> {
        match &self.tie {
            Tie::Coupled { law, bins } => Some((law, bins.centres())),
            Tie::Frames(Frames { law, places, .. }) => Some((law, places.points())),
            Tie::Particles | Tie::Density => None,
        }
    }
}

impl Centred {
    /// The mixture with so many times the least of the other that leaves no negative density.
    fn mixed(own: &Self, other: &Self, density: usize, beyond: f64) -> Self {
        let pairs = own.values[density].iter().zip(&other.values[density]);
        let share = pairs
            .filter(|(own, other)| **own < 0.0 && *other > *own)
            .map(|(own, other)| own / (own - other))
            .fold(0.0_f64, f64::max);
        let share = (beyond * share).min(1.0);
        let values = own.values.iter().zip(&other.values);
        let values = values.map(|(own, other)| {
            let both = own.iter().zip(other);
            both.map(|(own, other)| (1.0 - share) * own + share * other).collect()
        });
        Self { values: values.collect() }
    }
}
