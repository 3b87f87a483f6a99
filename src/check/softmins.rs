//! Softmins along matrices, points and axes, and the joining of their partial results.

use ndarray::Array2;

use super::random::{Random, single};
use super::{Case, ROUNDOFF, Unit};
use crate::engine::Engine;
use crate::error::Result;
use crate::geometry::{Cost, Geometry, Operator, Side};
use crate::kernels::NOTHING;
use crate::kernels::linear::join_partials::{Partials, join_partials};
use crate::kernels::linear::softmin_axis::{Axis, softmin_axis};

pub(super) fn cases(random: &mut Random) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    partials(&mut cases, random);
    matrices(&mut cases, random)?;
    points(&mut cases, random)?;
    axes(&mut cases, random);
    batches(&mut cases, random)?;
    Ok(cases)
}

/// A softmin of a batch onto one side.
struct Softmin {
    kernel: &'static str,
    name: String,
    geometries: Vec<Geometry>,
    onto: Side,
    epsilon: f64,
    bias: Vec<f64>,
    /// Which problems run; the others must keep what they have.
    running: Vec<f64>,
}

impl Softmin {
    /// A score is rounded when the bias and the rate go to base 2, when the cost is computed,
    /// multiplied and added, and when the logarithm goes back: each time by a roundoff of its
    /// size. Exponentials, sums and logarithms of numbers of size one add a few more. Along a grid
    /// all this happens once an axis.
    fn allowed(&self) -> f64 {
        let real = |bias: &&f64| **bias > -1e20;
        let bias = self.bias.iter().filter(real).fold(0.0_f64, |most, bias| most.max(bias.abs()));
        let cost = self.geometries.iter().map(Geometry::cost_bound).fold(0.0, f64::max);
        let steps = match &self.geometries[0] {
            Geometry::Separable(axes) => axes.len(),
            Geometry::Matrix(_) | Geometry::Points { .. } => 1,
        };
        4.0 * ROUNDOFF * steps as f64 * (2.0 + bias + cost / self.epsilon)
    }

    fn case(self) -> Case {
        let allowed = self.allowed();
        Case {
            kernel: self.kernel,
            name: self.name.clone(),
            unit: Unit::Absolute,
            allowed,
            work: Box::new(move |engine| {
                let mut operator =
                    Operator::new(engine, &self.geometries.iter().collect::<Vec<_>>())?;
                let bias = engine.upload("bias", &self.bias)?;
                let running = engine.upload("running", &self.running)?;
                let mut out = engine.filled("softmin", operator.len(self.onto), 7.0)?;
                operator.softmin_running(
                    engine,
                    self.onto,
                    self.epsilon,
                    &bias,
                    &running,
                    &mut out,
                )?;
                engine.download(&out)
            }),
        }
    }
}

/// Both directions of one geometry.
fn both_ways(
    cases: &mut Vec<Case>,
    kernels: [&'static str; 2],
    name: &str,
    geometry: &Geometry,
    epsilon: f64,
    mut bias: impl FnMut(usize) -> Vec<f64>,
) {
    let (rows, cols) = geometry.shape();
    for (kernel, onto, count) in [(kernels[0], Side::Rows, cols), (kernels[1], Side::Cols, rows)] {
        cases.push(
            Softmin {
                kernel,
                name: name.to_owned(),
                geometries: vec![geometry.clone()],
                onto,
                epsilon,
                bias: bias(count),
                running: vec![1.0],
            }
            .case(),
        );
    }
}

const MATRIX: [&str; 2] = ["linear/softmin_rows", "linear/softmin_columns"];
const POINTS: [&str; 2] = ["linear/softmin_points"; 2];

fn matrices(cases: &mut Vec<Case>, random: &mut Random) -> Result<()> {
    let sizes = [
        (1, 1),
        (1, 257),
        (257, 1),
        (7, 64),
        (8, 65),
        (9, 63),
        (127, 129),
        (255, 256),
        (256, 255),
        (257, 513),
    ];
    for (rows, cols) in sizes {
        let geometry = Geometry::matrix(random.matrix(rows, cols, 0.0, 1.0))?;
        for (name, holes) in [("", false), (", zero weights", true)] {
            let name = format!("{rows} x {cols}{name}");
            both_ways(cases, MATRIX, &name, &geometry, 0.1, |count| random.logs(count, 5.0, holes));
        }
    }
    let geometry = Geometry::matrix(random.matrix(257, 300, 0.0, 1.0))?;
    for scale in [1e4, 1e6] {
        let name = format!("257 x 300, potentials up to {scale:e}");
        both_ways(cases, MATRIX, &name, &geometry, 1e-2, |count| random.logs(count, scale, true));
    }
    both_ways(cases, MATRIX, "257 x 300, no mass", &geometry, 0.1, |count| vec![NOTHING; count]);
    let mut costs = random.matrix(130, 270, 0.0, 1.0);
    for ((row, col), cost) in costs.indexed_iter_mut() {
        if row == 3 || col == 5 || (7 * row + 3 * col) % 5 == 0 {
            *cost = f64::INFINITY;
        }
    }
    let geometry = Geometry::matrix(costs)?;
    for epsilon in [1e-3, 1.0, 1e4] {
        let name = format!("130 x 270, infinite costs, epsilon {epsilon:e}");
        both_ways(cases, MATRIX, &name, &geometry, epsilon, |count| random.logs(count, 5.0, true));
    }
    Ok(())
}

fn points(cases: &mut Vec<Case>, random: &mut Random) -> Result<()> {
    let mut clouds = vec![
        (Cost::SquaredEuclidean, 1, 1, 1),
        (Cost::SquaredEuclidean, 1, 257, 1),
        (Cost::SquaredEuclidean, 257, 129, 1),
    ];
    for dimension in [1, 2, 3, 10, 11, 70] {
        clouds.push((Cost::SquaredEuclidean, 129, 257, dimension));
    }
    for cost in [Cost::Euclidean, Cost::Power(0.5), Cost::Power(1.5), Cost::Power(3.0)] {
        clouds.push((cost, 255, 300, 2));
    }
    clouds.push((Cost::Euclidean, 64, 127, 70));
    for (cost, rows, cols, dimension) in clouds {
        let x = random.matrix(rows, dimension, -1.0, 1.0);
        let y = random.matrix(cols, dimension, -1.0, 1.0);
        let geometry = Geometry::points(x, y, cost)?;
        let epsilon = single(geometry.cost_bound() / 50.0).max(1e-3);
        let name = format!("{cost}, {rows} x {cols} in {dimension}-D");
        both_ways(cases, POINTS, &name, &geometry, epsilon, |count| random.logs(count, 5.0, true));
    }
    let x = random.matrix(200, 3, -1.0, 1.0);
    for cost in [Cost::SquaredEuclidean, Cost::Euclidean, Cost::Power(0.5)] {
        let geometry = Geometry::points(x.clone(), x.clone(), cost)?;
        let name = format!("{cost}, points that meet");
        both_ways(cases, POINTS, &name, &geometry, 0.05, |count| random.logs(count, 5.0, false));
    }
    let mut x = random.directions(150);
    let y = random.directions(300);
    x.row_mut(0).assign(&y.row(0));
    x.row_mut(1).assign(&y.row(1).mapv(|coordinate| -coordinate));
    for power in [1.0, 2.0] {
        let geometry = Geometry::points(x.clone(), y.clone(), Cost::GreatCircle(power))?;
        let name = format!("great-circle:{power}, poles and antipodes");
        both_ways(cases, POINTS, &name, &geometry, 0.1, |count| random.logs(count, 5.0, true));
    }
    let geometry = Geometry::points(
        random.matrix(257, 2, -1.0, 1.0),
        random.matrix(300, 2, -1.0, 1.0),
        Cost::SquaredEuclidean,
    )?;
    for scale in [1e4, 1e6] {
        let name = format!("sqeuclidean, potentials up to {scale:e}");
        both_ways(cases, POINTS, &name, &geometry, 1e-2, |count| random.logs(count, scale, true));
    }
    both_ways(cases, POINTS, "no mass", &geometry, 0.1, |count| vec![NOTHING; count]);
    Ok(())
}

fn axes(cases: &mut Vec<Case>, random: &mut Random) {
    for shapes in [
        vec![(1, 1)],
        vec![(255, 257)],
        vec![(16, 16), (9, 33)],
        vec![(65, 3), (2, 40)],
        vec![(63, 65), (127, 64)],
        vec![(5, 4), (3, 3), (2, 7)],
    ] {
        let axes = shapes.iter().map(|&(n, m)| random.matrix(n, m, 0.0, 1.0)).collect();
        let geometry = Geometry::Separable(axes);
        for (scale, epsilon) in [(5.0, 0.05), (1e4, 1e-2)] {
            let name = format!("{shapes:?}, potentials up to {scale:e}");
            both_ways(cases, ["linear/softmin_axis"; 2], &name, &geometry, epsilon, |count| {
                random.logs(count, scale, true)
            });
        }
    }
    for (sources, targets, outer, inner) in [(33, 17, 3, 65), (129, 15, 70, 1)] {
        let axis = Axis { outer, sources, targets, inner, batch: 1 };
        let mut costs = random.vector(sources * targets, 0.0, 1.0);
        costs.iter_mut().step_by(4).for_each(|cost| *cost = 0.0);
        let values = random.logs(outer * sources * inner, 5.0, true);
        let rate = 10.0;
        cases.push(Case {
            kernel: "linear/softmin_axis",
            name: format!("{outer} x ({sources} to {targets}) x {inner}, weighted by the cost"),
            unit: Unit::Absolute,
            // As for any softmin; the logarithm of the cost joins the score.
            allowed: 4.0 * ROUNDOFF * (2.0 + 5.0 + rate),
            work: Box::new(move |engine| {
                let costs = engine.upload("costs", &costs)?;
                let values = engine.upload("values", &values)?;
                let running = engine.upload("running", &[1.0])?;
                let mut out = engine.zeros("softmin", outer * targets * inner)?;
                softmin_axis(engine, axis, &costs, &values, rate, true, &running, &mut out)?;
                engine.download(&out)
            }),
        });
    }
}

/// Batches of problems of different sizes, some of which have stopped.
fn batches(cases: &mut Vec<Case>, random: &mut Random) -> Result<()> {
    let sizes = [(3, 5), (40, 1), (1, 9), (300, 20), (70, 300), (513, 2)];
    let running = vec![1.0, 0.0, 1.0, 0.0, 1.0, 0.0];
    let matrices = sizes
        .iter()
        .map(|&(n, m)| Geometry::matrix(random.matrix(n, m, 0.0, 1.0)))
        .collect::<Result<Vec<_>>>()?;
    let mut clouds = |dimension| {
        sizes
            .iter()
            .map(|&(n, m)| {
                let x = random.matrix(n, dimension, -1.0, 1.0);
                let y = random.matrix(m, dimension, -1.0, 1.0);
                Geometry::points(x, y, Cost::SquaredEuclidean)
            })
            .collect::<Result<Vec<_>>>()
    };
    let (plane, space) = (clouds(2)?, clouds(12)?);
    // Arrays so small that one tile holds many members; the first and the last have stopped.
    let axis: Array2<f64> = random.matrix(5, 4, 0.0, 1.0);
    let grids = vec![Geometry::Separable(vec![axis.clone(), axis]); 20];
    let some: Vec<f64> = (0..20).map(|member| f64::from(u8::from(member % 19 % 3 == 1))).collect();
    for (kernels, geometries, running) in [
        (MATRIX, matrices, &running),
        (POINTS, plane, &running),
        (POINTS, space, &running),
        (["linear/softmin_axis"; 2], grids, &some),
    ] {
        for (kernel, onto) in [(kernels[0], Side::Rows), (kernels[1], Side::Cols)] {
            let inputs = geometries.iter().map(|geometry| match onto {
                Side::Rows => geometry.shape().1,
                Side::Cols => geometry.shape().0,
            });
            cases.push(
                Softmin {
                    kernel,
                    name: format!("a batch of {}, some stopped", geometries.len()),
                    bias: random.logs(inputs.sum(), 5.0, true),
                    geometries: geometries.clone(),
                    onto,
                    epsilon: 0.1,
                    running: running.clone(),
                }
                .case(),
            );
        }
    }
    Ok(())
}

fn partials(cases: &mut Vec<Case>, random: &mut Random) {
    for (slots, sizes) in
        [(1, vec![1]), (2, vec![255, 2]), (7, vec![3, 64, 1, 190]), (40, vec![65])]
    {
        let offsets: Vec<usize> = std::iter::once(0)
            .chain(sizes.iter().scan(0, |end, size| {
                *end += size;
                Some(*end)
            }))
            .collect();
        let outputs = offsets[sizes.len()];
        let running: Vec<f64> = (0..sizes.len()).map(|i| f64::from(u8::from(i % 2 == 0))).collect();
        let mut pairs = Vec::new();
        for place in 0..slots * outputs {
            let empty = place % 5 == 1;
            pairs.push(if empty { NOTHING } else { random.number(-50.0, 50.0) });
            pairs.push(if empty { 0.0 } else { random.number(1.0, 100.0) });
        }
        cases.push(Case {
            kernel: "linear/join_partials",
            name: format!("{slots} slots of {outputs}, some empty, some stopped"),
            unit: Unit::Absolute,
            // Peaks of up to 50 in base 2 go to base e; sums of up to 40 terms are of size one.
            allowed: 4.0 * ROUNDOFF * 50.0,
            work: Box::new(move |engine: &Engine| {
                let mut partials = Partials::empty(engine, slots as u32, &offsets)?;
                engine.write(&mut partials.pairs, &as_held(engine, &pairs))?;
                let running = engine.upload("running", &running)?;
                let mut out = engine.filled("softmin", outputs, 7.0)?;
                join_partials(engine, &partials, &running, &mut out)?;
                engine.download(&out)
            }),
        });
    }
}

/// Peaks as the engine's kernels write them: in base 2 on a GPU, in base e on the CPU.
fn as_held(engine: &Engine, pairs: &[f64]) -> Vec<f64> {
    let unit = if engine.is_gpu() { std::f64::consts::LOG2_E } else { 1.0 };
    pairs.chunks(2).flat_map(|pair| [pair[0] * unit, pair[1]]).collect()
}
