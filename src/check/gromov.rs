//! Kernels of Gromov-Wasserstein: plans, costs, and products with distances.

use super::random::{Random, single};
use super::{Case, ROUNDOFF, Unit, Work};
use crate::error::Result;
use crate::kernels::Blocks;
use crate::kernels::gromov::RowPlan;
use crate::kernels::gromov::blend::blend;
use crate::kernels::gromov::coupling_dense::coupling_dense;
use crate::kernels::gromov::fold_columns::fold_columns;
use crate::kernels::gromov::grid::{GridDistances, GridSizes, Structure, Workspace};
use crate::kernels::gromov::linearised_cost::{EdgeLabels, Product, linearised_cost};
use crate::kernels::gromov::matrix_product::{Place, matrix_product};
use crate::kernels::gromov::squared_sums::squared_sums;

/// The sizes of two problems of a batch, of one, and of one with short rows.
const BATCHES: [&[(usize, usize)]; 3] = [&[(37, 90), (5, 300)], &[(200, 130)], &[(70, 3)]];

pub(super) fn cases(random: &mut Random) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for sizes in BATCHES {
        entries(&mut cases, random, sizes);
    }
    folds(&mut cases, random);
    for (rows, inner, cols) in [(1, 1, 1), (130, 9, 260), (65, 200, 33)] {
        products(&mut cases, random, (rows, inner, cols));
    }
    for points in [1, 77, 300] {
        squares(&mut cases, random, points);
    }
    grids(&mut cases, random);
    Ok(cases)
}

fn case(kernel: &'static str, name: String, unit: Unit, allowed: f64, work: Work) -> Case {
    Case { kernel, name, unit, allowed, work }
}

/// What goes entry by entry.
fn entries(cases: &mut Vec<Case>, random: &mut Random, sizes: &'static [(usize, usize)]) {
    let blocks = Blocks::of(sizes.iter().copied());
    let (rows, cols, pairs) = (blocks.total_rows(), blocks.total_cols(), blocks.pairs() as usize);
    let costs = random.vector(pairs, 0.0, 1.0);
    let (f, g) = (random.vector(rows, -5.0, 0.0), random.vector(cols, -5.0, 0.0));
    let shares = random.vector(sizes.len(), 0.1, 1.0);
    let table = random.vector(9, 0.0, 1.0);
    let name = |what: &str| format!("{what} of {sizes:?}");

    let (rate, plan) = (20.0, blocks.clone());
    let (c, a, b) = (costs.clone(), f.clone(), g.clone());
    // An exponential makes the absolute error of a score a relative one.
    let scores = 4.0 * ROUNDOFF * (12.0 + rate);
    cases.push(case(
        "gromov/coupling_dense",
        name("plans"),
        Unit::Relative,
        scores,
        Box::new(move |engine| {
            let plan = RowPlan::new(engine, &plan)?;
            let (c, a, b) =
                (engine.upload("C", &c)?, engine.upload("f", &a)?, engine.upload("g", &b)?);
            let mut out = engine.zeros("out", pairs)?;
            coupling_dense(engine, &plan, &c, &a, &b, rate, &mut out)?;
            engine.download(&out)
        }),
    ));

    let (plan, c, share) = (blocks.clone(), costs.clone(), shares.clone());
    let fresh = random.vector(pairs, 0.0, 1.0);
    cases.push(case(
        "gromov/blend",
        name("steps between costs"),
        Unit::Absolute,
        4.0 * ROUNDOFF,
        Box::new(move |engine| {
            let plan = RowPlan::new(engine, &plan)?;
            let (fresh, share) = (engine.upload("fresh", &fresh)?, engine.upload("s", &share)?);
            let mut costs = engine.upload("C", &c)?;
            blend(engine, &plan, &fresh, &share, &mut costs)?;
            engine.download(&costs)
        }),
    ));

    let labels: Vec<u32> = (0..rows + cols).map(|place| (place * 5 % 3) as u32).collect();
    cases.push(case(
        "gromov/linearised_cost",
        name("costs"),
        Unit::Absolute,
        // Sums of four numbers of size 5 at most.
        4.0 * ROUNDOFF * 12.0,
        Box::new(move |engine| {
            let plan = RowPlan::new(engine, &blocks)?;
            let labels = EdgeLabels {
                labels: engine.table("labels", &labels)?,
                costs: engine.upload("label costs", &table)?,
                kinds: 3,
            };
            let (f, g) = (engine.upload("rows", &f)?, engine.upload("columns", &g)?);
            let scales = engine.upload("scales", &shares)?;
            let mut costs = engine.upload("C", &costs)?;
            let product = Product::InPlace;
            linearised_cost(engine, &plan, &f, &g, &scales, product, &labels, &mut costs)?;
            engine.download(&costs)
        }),
    ));
}

fn folds(cases: &mut Vec<Case>, random: &mut Random) {
    for (rows, width, copies) in [(40, 33, 4), (3, 1, 7)] {
        let blocks = Blocks::of([(rows, width * copies), (2, width * copies)]);
        let matrix = random.vector(blocks.pairs() as usize, 0.0, 1.0);
        cases.push(case(
            "gromov/fold_columns",
            format!("{copies} copies of {width} columns"),
            Unit::Relative,
            8.0 * ROUNDOFF,
            Box::new(move |engine| {
                let plan = RowPlan::new(engine, &blocks)?;
                let matrix = engine.upload("matrix", &matrix)?;
                let mut out = engine.zeros("out", blocks.total_rows() * width)?;
                fold_columns(engine, &plan, &matrix, width, &mut out)?;
                engine.download(&out)
            }),
        ));
    }
}

/// Sums of so many products of numbers from 0 to 1, without cancellation.
fn summed(terms: usize) -> f64 {
    ROUNDOFF * (4.0 + terms as f64)
}

fn products(
    cases: &mut Vec<Case>,
    random: &mut Random,
    (rows, inner, cols): (usize, usize, usize),
) {
    let (a, b) = (random.vector(rows * inner, 0.0, 1.0), random.vector(inner * cols, 0.0, 1.0));
    cases.push(case(
        "gromov/matrix_product",
        format!("{rows} x {inner} x {cols}"),
        Unit::Relative,
        summed(inner),
        Box::new(move |engine| {
            let (a, b) = (engine.upload("A", &a)?, engine.upload("B", &b)?);
            let mut out = engine.zeros("C", rows * cols)?;
            matrix_product(
                engine,
                (&a, Place::new(0, rows, inner)),
                (&b, Place::new(0, inner, cols)),
                (&mut out, Place::new(0, rows, cols)),
            )?;
            engine.download(&out)
        }),
    ));
}

fn squares(cases: &mut Vec<Case>, random: &mut Random, points: usize) {
    let (d, v) = (random.vector(points * points, 0.0, 1.0), random.vector(2 * points, 0.0, 1.0));
    cases.push(case(
        "gromov/squared_sums",
        format!("{points} points, two vectors"),
        Unit::Relative,
        // 32 lanes and a tree.
        summed(points.div_ceil(32) + 8),
        Box::new(move |engine| {
            let plan = RowPlan::new(engine, &Blocks::single(points, points))?;
            let (d, v) = (engine.upload("D", &d)?, engine.upload("v", &v)?);
            let mut out = engine.zeros("out", 2 * points)?;
            squared_sums(engine, &plan, &d, &v, &mut out)?;
            engine.download(&out)
        }),
    ));
}

/// Products with distances on grids: each runs the three passes, gather, act between rows, scatter.
fn grids(cases: &mut Vec<Case>, random: &mut Random) {
    let all = [
        ("gromov/fourier_convolve", Structure::Radial, [24, 15], false),
        ("gromov/fourier_gather", Structure::Radial, [7, 40], true),
        ("gromov/frequency_product", Structure::Circular, [12, 30], false),
        ("gromov/fourier_scatter", Structure::Circular, [5, 33], true),
    ];
    for (kernel, structure, shape, from_right) in all {
        let points: usize = shape.iter().product();
        let m = random.vector(points * 3, 0.0, 1.0);
        // Rounding is seen relative to the largest sum of an image.
        let largest = points as f64;
        let surface = match structure {
            Structure::Radial => "picture",
            Structure::Circular => "sphere",
        };
        let side = if from_right { "M D" } else { "D M" };
        cases.push(case(
            kernel,
            format!("{side}, {surface} of {} x {}", shape[0], shape[1]),
            Unit::Absolute,
            12.0 * ROUNDOFF * largest,
            Box::new(move |engine| {
                let distances = match structure {
                    Structure::Radial => {
                        let k = |down: usize, across: usize| {
                            single((down as f64).hypot(across as f64) / 50.0)
                        };
                        GridDistances::radial(engine, shape, None, k)?
                    }
                    Structure::Circular => {
                        let k = |a: usize, b: usize, steps: usize| {
                            single((b - a) as f64 / 30.0 + steps as f64 / 40.0)
                        };
                        GridDistances::circular(engine, shape, None, k)?
                    }
                };
                let room = GridSizes::new(structure, shape, None)?.room(engine, 3);
                let mut workspace = Workspace::new(engine, room)?;
                let m = engine.upload("M", &m)?;
                let mut out = engine.zeros("out", points * 3)?;
                if from_right {
                    let place = Place::new(0, 3, points);
                    let (m, out) = ((&m, place), (&mut out, place));
                    distances.times_from_right(engine, &mut workspace, m, out)?;
                } else {
                    let place = Place::new(0, points, 3);
                    distances.times(engine, &mut workspace, (&m, place), (&mut out, place))?;
                }
                engine.download(&out)
            }),
        ));
    }
}
