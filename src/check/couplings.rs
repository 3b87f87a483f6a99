//! Couplings that are never stored: applied to values, to the cost and to its slope.

use ndarray::Array2;

use super::random::{Random, single};
use super::{Case, ROUNDOFF, Unit};
use crate::error::Result;
use crate::geometry::{Cost, Geometry, Operator, Side};

pub(super) fn cases(random: &mut Random) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    matrices(&mut cases, random)?;
    points(&mut cases, random)?;
    Ok(cases)
}

/// What is summed against the coupling.
#[derive(Clone, Copy, Debug)]
enum Summand {
    /// So many columns of values.
    Values(usize),
    Cost,
    Slope,
}

/// A coupling of a batch, summed onto one side.
struct Sums {
    kernel: &'static str,
    name: String,
    geometries: Vec<Geometry>,
    onto: Side,
    epsilon: f64,
    f: Vec<f64>,
    g: Vec<f64>,
    summand: Summand,
    /// What one entry's error is a multiple of: see [`Sums::allowed`].
    scores: f64,
}

impl Sums {
    /// An exponential makes the absolute error of a score a relative one: a few roundoffs of the
    /// size of the potentials and the cost over epsilon. Sums of up to a few hundred terms and
    /// the factors add a few roundoffs more.
    fn allowed(&self) -> f64 {
        2.0 * ROUNDOFF * (4.0 + self.scores)
    }

    fn case(self, values: Vec<f64>) -> Case {
        let unit = match self.summand {
            Summand::Slope => Unit::Terms(self.slope_terms()),
            _ => Unit::Relative,
        };
        Case {
            kernel: self.kernel,
            name: self.name.clone(),
            unit,
            allowed: self.allowed(),
            work: Box::new(move |engine| {
                let geometries: Vec<_> = self.geometries.iter().collect();
                let mut operator = Operator::new(engine, &geometries)?;
                let f = engine.upload("f", &self.f)?;
                let g = engine.upload("g", &self.g)?;
                let count = operator.len(self.onto);
                let out = match self.summand {
                    Summand::Values(columns) => {
                        let values = engine.upload("values", &values)?;
                        let mut out = engine.zeros("sums", count * columns)?;
                        operator.apply(
                            engine,
                            self.onto,
                            self.epsilon,
                            &f,
                            &g,
                            &values,
                            columns,
                            &mut out,
                        )?;
                        out
                    }
                    Summand::Cost => {
                        let mut out = engine.zeros("sums", count)?;
                        operator.linear(engine, self.epsilon, &f, &g, &mut out)?;
                        out
                    }
                    Summand::Slope => {
                        let mut out = engine.zeros("sums", count * self.dimension())?;
                        operator.slope(engine, self.onto, self.epsilon, &f, &g, &mut out)?;
                        out
                    }
                };
                engine.download(&out)
            }),
        }
    }

    fn dimension(&self) -> usize {
        match &self.geometries[0] {
            Geometry::Points { x, .. } => x.ncols(),
            _ => 1,
        }
    }

    /// The sum of the lengths of the slopes that each point's sums are made of. Near antipodes the
    /// angle's slope divides by a difference that cancels, one minus the square of half the chord.
    fn slope_terms(&self) -> Vec<f64> {
        let geometry = &self.geometries[0];
        let Geometry::Points { x, y, cost } = geometry else { return Vec::new() };
        let length = |i: usize, j: usize| {
            let square: f64 =
                x.row(i).into_iter().zip(y.row(j)).map(|(x, y)| (x - y).powi(2)).sum();
            let score = self.f[i] + self.g[j] - geometry.cost(i, j) / self.epsilon;
            let cancelled = match cost {
                Cost::GreatCircle(_) => f64::max(1.0 - 0.25 * square, 1e-6),
                _ => 1.0,
            };
            score.exp() * cost.slope(square) * square.sqrt() / cancelled
        };
        let (n, m) = geometry.shape();
        let sums: Vec<f64> = match self.onto {
            Side::Rows => (0..n).map(|i| (0..m).map(|j| length(i, j)).sum()).collect(),
            Side::Cols => (0..m).map(|j| (0..n).map(|i| length(i, j)).sum()).collect(),
        };
        sums.repeat(self.dimension())
    }
}

fn matrices(cases: &mut Vec<Case>, random: &mut Random) -> Result<()> {
    let mut forbidding = random.matrix(130, 70, 0.0, 1.0);
    for ((row, col), cost) in forbidding.indexed_iter_mut() {
        if row == 3 || col == 5 || (row + col) % 4 == 0 {
            *cost = f64::INFINITY;
        }
    }
    let mut plain = |n, m| Geometry::matrix(random.matrix(n, m, 0.0, 1.0));
    let batches = [
        ("1 x 1", vec![plain(1, 1)?]),
        ("1 x 257", vec![plain(1, 257)?]),
        ("257 x 1", vec![plain(257, 1)?]),
        ("9 x 63", vec![plain(9, 63)?]),
        ("127 x 129", vec![plain(127, 129)?]),
        ("255 x 65", vec![plain(255, 65)?]),
        ("130 x 70, infinite costs", vec![Geometry::matrix(forbidding)?]),
        ("a batch of 3", vec![plain(3, 5)?, plain(70, 1)?, plain(64, 300)?]),
    ];
    for (name, geometries) in batches {
        let rows: usize = geometries.iter().map(|geometry| geometry.shape().0).sum();
        let cols: usize = geometries.iter().map(|geometry| geometry.shape().1).sum();
        // Potentials that nearly cancel, as those of a solve do: their sum is exact, so that their
        // size does not count, unless a device adds in another order.
        for (height, summand, onto) in [
            (0.0, Summand::Values(1), Side::Rows),
            (0.0, Summand::Values(5), Side::Rows),
            (1e4, Summand::Values(2), Side::Rows),
            (0.0, Summand::Cost, Side::Rows),
            (0.0, Summand::Values(1), Side::Cols),
            (0.0, Summand::Values(5), Side::Cols),
            (1e4, Summand::Values(2), Side::Cols),
        ] {
            let inputs = if onto == Side::Rows { cols } else { rows };
            let columns = if let Summand::Values(columns) = summand { columns } else { 0 };
            let values = random.vector(inputs * columns, 0.0, 1.0);
            cases.push(
                Sums {
                    kernel: match onto {
                        Side::Rows => "linear/coupling_rows",
                        Side::Cols => "linear/coupling_columns",
                    },
                    name: format!("{name}, {summand:?}, potentials up to {:e}", height + 3.0),
                    geometries: geometries.clone(),
                    onto,
                    epsilon: 0.2,
                    f: shifted(random.logs(rows, 3.0, true), height),
                    g: shifted(random.logs(cols, 3.0, true), -height),
                    summand,
                    scores: 6.0 + 1.0 / 0.2,
                }
                .case(values),
            );
        }
    }
    Ok(())
}

fn points(cases: &mut Vec<Case>, random: &mut Random) -> Result<()> {
    let mut clouds = Vec::new();
    for dimension in [1, 2, 3, 10, 11, 70] {
        clouds.push((Cost::SquaredEuclidean, 127, 65, dimension));
    }
    for cost in [Cost::Euclidean, Cost::Power(1.5), Cost::Power(3.0)] {
        clouds.push((cost, 129, 130, 2));
    }
    clouds.push((Cost::SquaredEuclidean, 1, 1, 5));
    clouds.push((Cost::GreatCircle(2.0), 128, 129, 3));
    for (cost, rows, cols, dimension) in clouds {
        let mut cloud = |count| -> Array2<f64> {
            match cost {
                Cost::GreatCircle(_) => random.directions(count),
                _ => random.matrix(count, dimension, -1.0, 1.0),
            }
        };
        let geometry = Geometry::points(cloud(rows), cloud(cols), cost)?;
        let epsilon = single(geometry.cost_bound() / 8.0);
        for (summand, onto) in [
            (Summand::Values(1), Side::Rows),
            (Summand::Values(6), Side::Cols),
            (Summand::Cost, Side::Rows),
            (Summand::Slope, Side::Rows),
            (Summand::Slope, Side::Cols),
        ] {
            let inputs = if onto == Side::Rows { cols } else { rows };
            let columns = if let Summand::Values(columns) = summand { columns } else { 0 };
            let values = random.vector(inputs * columns, 0.0, 1.0);
            cases.push(
                Sums {
                    kernel: "linear/coupling_points",
                    name: format!("{cost}, {rows} x {cols} in {dimension}-D, {summand:?} {onto:?}"),
                    geometries: vec![geometry.clone()],
                    onto,
                    epsilon,
                    f: random.logs(rows, 3.0, true),
                    g: random.logs(cols, 3.0, true),
                    summand,
                    scores: 6.0 + 8.0,
                }
                .case(values),
            );
        }
    }
    Ok(())
}

fn shifted(logs: Vec<f64>, height: f64) -> Vec<f64> {
    logs.into_iter().map(|log| single(log + height)).collect()
}
