//! Where particles go: curves along the velocity of a motion, and what maps make of them.

mod field;

use ndarray::{Array2, Array3, ArrayD, ArrayView2, Axis};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use self::field::{Between, Field, corners};
use super::{Domain, Map, Problem, Solution};
use crate::error::{Error, Result};

/// Particles that move with the mass, dx/dt = v(x, t) with v = m / rho in the primary space.
///
/// Momenta live at the faces of cells in the middle of steps, densities at the centres at nodes of
/// time. Between them the density is linear along every axis and over time. The momentum along an
/// axis is the same all through a step, a quadratic spline along that axis and linear along the
/// others:
///
/// ```text
/// rho(x, t) = sum_c  l_t(c) l_1(c) ... l_D(c) rho(c)       l: linear, q: quadratic B-splines
/// m_a(x, t) = sum_f  q_a(f) prod_{b != a} l_b(f) m_a(f)
/// ```
///
/// So the continuity equation holds between grid points as it does on them, and particles that
/// are spread as the start density end as the end density, but for the steps that are taken: the
/// midpoint rule, 8 times in a step of time. Where the density all but vanishes, particles stay
/// put. None leaves the box.
///
/// ```
/// use gaspard::Engine;
/// use gaspard::dynamic::{Control, Domain, Map, Particles, Problem};
///
/// let domain = Domain::new(&[24], 12)?;
/// let bump = |centre: f64| domain.density(|x| (-(x[0] - centre).powi(2) / 0.005).exp());
/// let problem = Problem::new(&domain, bump(0.35).view(), bump(0.65).view())?;
/// let solution = problem.solve(&Control::default(), &Engine::cpu())?;
/// let particles = Particles::trace(&solution, &problem, 10, 0)?;
/// assert_eq!(particles.paths().dim(), (13, 10, 1));
/// // All move by as much as the bump does.
/// for particle in particles.paths().axis_iter(ndarray::Axis(1)) {
///     assert!((particle[[12, 0]] - particle[[0, 0]] - 0.3).abs() < 0.03);
/// }
/// // The same curves on a scale that is twice as long.
/// let long = Map::scaling(&domain, 2.0)?;
/// assert!((particles.through(&long)[[5, 3, 0]] - 2.0 * particles.paths()[[5, 3, 0]]).abs() < 1e-12);
/// # Ok::<(), gaspard::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Particles {
    domain: Domain,
    /// (steps + 1, particles, D).
    paths: Array3<f64>,
}

impl Particles {
    /// So many particles that are drawn from the start density, along the whole motion. The same
    /// seed draws the same ones; they are spread evenly over the mass, one drawn from each of
    /// `count` equal parts of it.
    ///
    /// # Errors
    /// [`Error::Shape`] for the solution of a problem on another grid.
    pub fn trace(solution: &Solution, problem: &Problem, count: usize, seed: u64) -> Result<Self> {
        let seeds = draw(&problem.domain, &problem.start, count, seed);
        Self::trace_from(solution, problem, seeds.view())
    }

    /// Particles that start at these places: (particles, D), in the units of the box.
    ///
    /// # Errors
    /// [`Error::Shape`] for places of another dimension, or the solution of a problem on another
    /// grid; [`Error::Data`] for a place that is not finite.
    pub fn trace_from(
        solution: &Solution,
        problem: &Problem,
        seeds: ArrayView2<'_, f64>,
    ) -> Result<Self> {
        let domain = problem.domain().clone();
        let (dimension, steps) = (domain.dimension(), domain.steps());
        if seeds.ncols() != dimension {
            let (expected, found) = (dimension.to_string(), seeds.ncols().to_string());
            return Err(Error::shape("the coordinates of a particle", expected, found));
        }
        if !seeds.iter().all(|x| x.is_finite()) {
            let remedy = "give places in the box";
            return Err(Error::data("the particles", "a place is not finite", remedy));
        }
        let field = Field::new(solution, &domain)?;
        let count = seeds.nrows();
        let rows: Vec<usize> = (0..count).collect();
        let all: Vec<Vec<f64>> = rows
            .into_par_iter()
            .map(|row| {
                let mut place = [0.0; 3];
                seeds.row(row).iter().zip(&mut place).for_each(|(from, to)| *to = *from);
                field.path(place)
            })
            .collect();
        let mut paths = Array3::zeros((steps + 1, count, dimension));
        for (mut path, numbers) in paths.axis_iter_mut(Axis(1)).zip(&all) {
            path.iter_mut().zip(numbers).for_each(|(to, from)| *to = *from);
        }
        Ok(Self { domain, paths })
    }

    /// Where every particle is at the nodes of time: (steps + 1, particles, D), in the units of the
    /// box.
    pub fn paths(&self) -> &Array3<f64> {
        &self.paths
    }

    /// Where they are in another space, T(x): (steps + 1, particles, d), in the units of the map.
    /// Its values at the centres of the cells are interpolated linearly along every axis; between
    /// the border and the outermost centres they stay as they are there.
    pub fn through(&self, map: &Map) -> Array3<f64> {
        let (nodes, count, _) = self.paths.dim();
        let mut carried = Array3::zeros((nodes, count, map.dimension()));
        for (from, mut to) in self.paths.outer_iter().zip(carried.outer_iter_mut()) {
            to.assign(&map.at(&self.domain, from));
        }
        carried
    }
}

impl Map {
    /// T at any points (points, D) of the box, interpolated linearly along every axis from its
    /// values at the centres of the cells, and beyond those as at the nearest: (points, d).
    pub(crate) fn at(&self, domain: &Domain, points: ArrayView2<'_, f64>) -> Array2<f64> {
        let rates = domain.rates();
        let mut values = Array2::zeros((points.nrows(), self.dimension()));
        for (point, mut value) in points.outer_iter().zip(values.outer_iter_mut()) {
            let mut between = [Between::default(); 3];
            for (axis, &cells) in domain.cells().iter().enumerate() {
                between[axis] = Between::new(point[axis] * rates[axis + 1] - 0.5, cells);
            }
            for (cell, share) in corners(&between, domain.cells()) {
                value.scaled_add(share, &self.values().row(cell));
            }
        }
        values
    }
}

/// One place from each of `count` equal parts of the mass, the density being linear between the
/// centres of cells.
fn draw(domain: &Domain, density: &ArrayD<f64>, count: usize, seed: u64) -> Array2<f64> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let sums: Vec<f64> = density
        .iter()
        .scan(0.0, |sum, mass| {
            *sum += mass;
            Some(*sum)
        })
        .collect();
    let all = sums.last().copied().unwrap_or(0.0);
    let last = sums.partition_point(|sum| *sum < all);
    let rates = domain.rates();
    let mut seeds = Array2::zeros((count, domain.dimension()));
    for (part, mut place) in seeds.outer_iter_mut().enumerate() {
        let wanted = (part as f64 + random.random_range(0.0..1.0)) / count as f64 * all;
        // The sum of a cell without mass is that of the one before, so that it is never the first
        // above; rounding may leave nothing above.
        let mut cell = sums.partition_point(|sum| *sum <= wanted).min(last);
        for (axis, &cells) in domain.cells().iter().enumerate().rev() {
            // The hat around a centre is the sum of two even spreads; the border reflects.
            let hat = random.random_range(0.0..1.0) + random.random_range(0.0..1.0) - 0.5;
            let within = ((cell % cells) as f64 + hat).abs();
            let within = within.min(2.0 * cells as f64 - within);
            place[axis] = within / rates[axis + 1];
            cell /= cells;
        }
    }
    seeds
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Engine;
    use crate::dynamic::Control;

    fn solved(domain: &Domain, start: &ArrayD<f64>, end: &ArrayD<f64>) -> (Problem, Solution) {
        let end = end * (start.sum() / end.sum());
        let problem = Problem::new(domain, start.view(), end.view()).unwrap();
        let control = Control { tolerance: 1e-4, max_iterations: 4000, ..Control::default() };
        let solution = problem.solve(&control, &Engine::cpu()).unwrap();
        (problem, solution)
    }

    fn gaussian(domain: &Domain, centre: &[f64], width: f64) -> ArrayD<f64> {
        domain.density(|x| {
            let square: f64 = x.iter().zip(centre).map(|(x, c)| (x - c).powi(2)).sum();
            (-square / (2.0 * width * width)).exp()
        })
    }

    fn mean_and_spread(values: impl Iterator<Item = (f64, f64)> + Clone) -> (f64, f64) {
        let mass: f64 = values.clone().map(|(_, mass)| mass).sum();
        let mean = values.clone().map(|(x, mass)| x * mass).sum::<f64>() / mass;
        let square = values.map(|(x, mass)| (x - mean).powi(2) * mass).sum::<f64>() / mass;
        (mean, square.sqrt())
    }

    #[test]
    fn particles_of_a_shifted_bump_move_by_the_shift() {
        let cells: [&[usize]; 3] = [&[64], &[32, 40], &[16, 16, 20]];
        for (cells, (from, to, width)) in
            cells.into_iter().zip([(0.3, 0.7, 0.08), (0.3, 0.6, 0.09), (0.35, 0.6, 0.12)])
        {
            let axes = cells.len();
            let lengths: Vec<f64> = [1.0, 1.25, 1.25][..axes].to_vec();
            let domain = Domain::new(cells, 16).unwrap().sides(&lengths).unwrap();
            let [start, end] = [from, to].map(|c| gaussian(&domain, &vec![c; axes], width));
            let (problem, solution) = solved(&domain, &start, &end);
            let particles = Particles::trace(&solution, &problem, 200, 7).unwrap();
            let paths = particles.paths();
            assert_eq!(paths.dim(), (17, 200, axes));
            let (mut worst, mut sum) = (0.0_f64, 0.0);
            for path in paths.axis_iter(Axis(1)) {
                for axis in 0..axes {
                    for node in [8, 16] {
                        let shift = (to - from) * node as f64 / 16.0;
                        let off = (path[[node, axis]] - path[[0, axis]] - shift).abs();
                        worst = worst.max(off);
                        sum += off / (400 * axes) as f64;
                    }
                }
            }
            // Measured: 1e-4 on the line, 1e-3 in space; in the thin tails, where little is there
            // to converge, up to a cell.
            assert!(sum < 2e-3 && worst < 0.1, "{axes} axes: worst {worst}, mean {sum}");
        }
    }

    #[test]
    fn on_a_line_quantiles_are_kept() {
        let domain = Domain::new(&[128], 32).unwrap();
        let start = gaussian(&domain, &[0.3], 0.08);
        let end = domain.density(|x| {
            let bump = |c: f64, s: f64| (-(x[0] - c).powi(2) / (2.0 * s * s)).exp() / s;
            0.4 * bump(0.45, 0.05) + 0.6 * bump(0.75, 0.07) + 0.2
        });
        let (problem, solution) = solved(&domain, &start, &end);
        let particles = Particles::trace(&solution, &problem, 300, 1).unwrap();
        // The mass below a place, the density being linear between centres.
        let below = |density: &ArrayD<f64>, x: f64| {
            let at = |place: f64| {
                let Between { below, above } = Between::new(place, 128);
                (1.0 - above) * density[[below]] + above * density[[below + 1]]
            };
            let halves = (0..256).map(|half| {
                let (low, high) = (half as f64 / 2.0, (half as f64 + 1.0) / 2.0);
                let high = high.min(x * 128.0);
                (high - low).max(0.0) * 0.5 * (at(low - 0.5) + at(high - 0.5))
            });
            halves.sum::<f64>() / density.sum()
        };
        let (mut worst, mut sum) = (0.0_f64, 0.0);
        for path in particles.paths().axis_iter(Axis(1)) {
            let off = (below(&start, path[[0, 0]]) - below(&end, path[[32, 0]])).abs();
            worst = worst.max(off);
            sum += off / 300.0;
        }
        // Measured: 2e-4 and 4e-5; a cell has up to 4e-2 of the mass.
        assert!(worst < 1e-3 && sum < 2e-4, "worst {worst}, mean {sum}");
    }

    #[test]
    fn the_cloud_ends_as_the_end_density() {
        let domain = Domain::new(&[32, 32], 16).unwrap();
        let start = gaussian(&domain, &[0.3, 0.4], 0.08);
        let end = domain.density(|x| {
            let [a, b] = [(x[0] - 0.65) / 0.12, (x[1] - 0.55) / 0.06];
            (-0.5 * (a * a + b * b)).exp()
        });
        let (problem, solution) = solved(&domain, &start, &end);
        let particles = Particles::trace(&solution, &problem, 2000, 3).unwrap();
        for axis in 0..2 {
            let cells = end.indexed_iter();
            let cells = cells.map(|(cell, mass)| ((cell[axis] as f64 + 0.5) / 32.0, *mass));
            let (mean, spread) = mean_and_spread(cells);
            let last = particles.paths().index_axis(Axis(0), 16);
            let (found, width) = mean_and_spread(last.column(axis).iter().map(|x| (*x, 1.0)));
            // Between centres the density is linear, which is wider by a sixth of a squared cell.
            let spread = (spread.powi(2) + 1.0 / (6.0 * 32.0 * 32.0)).sqrt();
            assert!((found - mean).abs() < 1e-3, "axis {axis}: mean {found} for {mean}");
            assert!((width / spread - 1.0).abs() < 5e-3, "axis {axis}: {width} for {spread}");
        }
    }

    #[test]
    fn nothing_moves_where_there_is_nothing() {
        let domain = Domain::new(&[16, 16], 8).unwrap();
        let block =
            |low: f64| domain.density(|x| f64::from(x.iter().all(|x| *x > low && *x < low + 0.3)));
        let (problem, solution) = solved(&domain, &block(0.05), &block(0.6));
        let seeds = ndarray::array![[0.97, 0.03], [2.0, -1.0], [0.2, 0.2], [0.0, 0.0]];
        let particles = Particles::trace_from(&solution, &problem, seeds.view()).unwrap();
        let paths = particles.paths();
        assert!(paths.iter().all(|x| (0.0..=1.0).contains(x)), "{paths}");
        assert_eq!(paths[[8, 0, 0]], 0.97);
        assert_eq!([paths[[8, 1, 0]], paths[[8, 1, 1]]], [1.0, 0.0]);
        assert!((paths[[8, 2, 0]] - 0.75).abs() < 0.03, "{paths}");
        assert!(Particles::trace(&solution, &problem, 0, 0).unwrap().paths().is_empty());
        let other = Domain::new(&[16, 17], 8).unwrap();
        let other =
            Problem::new(&other, other.density(|_| 1.0).view(), other.density(|_| 1.0).view());
        assert!(Particles::trace(&solution, &other.unwrap(), 1, 0).is_err());
        let misplaced = ndarray::array![[0.5, f64::NAN]];
        assert!(Particles::trace_from(&solution, &problem, misplaced.view()).is_err());
        assert!(Particles::trace_from(&solution, &problem, Array2::zeros((1, 3)).view()).is_err());
    }

    #[test]
    fn maps_carry_particles_along() {
        let domain = Domain::new(&[8, 10], 4).unwrap().sides(&[1.0, 2.0]).unwrap();
        let density = domain.density(|_| 1.0);
        let (problem, solution) = solved(&domain, &density, &density);
        let seeds = ndarray::array![[0.3, 0.9], [0.01, 1.99], [0.5, 1.0]];
        let particles = Particles::trace_from(&solution, &problem, seeds.view()).unwrap();
        // A product of linear functions is kept between the centres, and beyond them clamped.
        let map = Map::from_fn(&domain, |x| vec![x[0] * x[1], x[1] - x[0], 1.0]).unwrap();
        let carried = particles.through(&map);
        assert_eq!(carried.dim(), (5, 3, 3));
        for (index, [x, y]) in [[0.3, 0.9], [1.0 / 16.0, 1.9], [0.5, 1.0]].into_iter().enumerate() {
            for (axis, value) in [x * y, y - x, 1.0].into_iter().enumerate() {
                assert!((carried[[4, index, axis]] - value).abs() < 1e-9, "{carried}");
            }
        }
    }

    #[test]
    fn the_same_seed_draws_the_same_particles_of_the_density() {
        let domain = Domain::new(&[6, 5], 4).unwrap();
        let mut density = domain.density(|x| x[0] * x[1] * x[1]);
        density[[2, 2]] = 0.0;
        let seeds = draw(&domain, &density, 4000, 5);
        assert_eq!(seeds, draw(&domain, &density, 4000, 5));
        assert_ne!(seeds, draw(&domain, &density, 4000, 6));
        for axis in 0..2 {
            let sides = [6.0, 5.0];
            let cells = density.indexed_iter();
            let cells = cells.map(|(cell, mass)| ((cell[axis] as f64 + 0.5) / sides[axis], *mass));
            let (mean, spread) = mean_and_spread(cells);
            let (found, width) = mean_and_spread(seeds.column(axis).iter().map(|x| (*x, 1.0)));
            // The border reflects a little of the mass beside it.
            assert!((found - mean).abs() < 0.02, "{found} {mean}");
            assert!((width / spread - 1.0).abs() < 0.05, "{width} {spread}");
        }
    }
}
