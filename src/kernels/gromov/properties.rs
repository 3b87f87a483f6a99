//! Kernels against the definitions of what they compute, on both engines; no twin is used as truth.

use proptest::prelude::*;

use super::RowPlan;
use super::blend::blend;
use super::coupling_dense::coupling_dense;
use super::fold_columns::fold_columns;
use super::linearised_cost::{EdgeLabels, Product, linearised_cost};
use super::matrix_product::{Place, matrix_product};
use super::squared_sums::squared_sums;
use crate::engine::{Array, Engine, EngineOptions, Selector};
use crate::kernels::properties::{engines, same_cases};
use crate::kernels::tiles::Blocks;

/// Numbers between -1 and 1 that a device holds exactly.
pub(crate) fn numbers(seed: usize, count: usize) -> Vec<f64> {
    let mix = |i: usize| (i + 1).wrapping_mul(2_654_435_761).wrapping_add(seed * 97) >> 7;
    (0..count).map(|i| (mix(i * i + i + seed) % 2001) as f64 / 1024.0 - 0.976_562_5).collect()
}

fn close(engine: &Engine, found: &[f64], wanted: &[f64], scale: f64) {
    assert_eq!(found.len(), wanted.len());
    let allowed = 8.0 * engine.unit_roundoff() * scale;
    for (i, (found, wanted)) in found.iter().zip(wanted).enumerate() {
        assert!((found - wanted).abs() <= allowed, "{engine:?} at {i}: {found}, not {wanted}");
    }
}

pub(super) fn upload(engine: &Engine, values: &[f64]) -> Array {
    engine.upload("values", values).unwrap()
}

pub(super) fn naive_product(a: &[f64], b: &[f64], inner: usize, cols: usize) -> Vec<f64> {
    let entry = |i: usize, j: usize| -> f64 {
        (0..inner).map(|k| a[i * inner + k] * b[k * cols + j]).sum()
    };
    let rows = a.len() / inner;
    (0..rows * cols).map(|place| entry(place / cols, place % cols)).collect()
}

/// A product between matrices that start somewhere in their arrays.
fn check_product(engine: &Engine, (rows, inner, cols): (usize, usize, usize), skip: usize) {
    let (a, b) = (numbers(1, rows * inner), numbers(2, inner * cols));
    let padded = |values: &[f64]| [&vec![9.0; skip], values].concat();
    let (a_array, b_array) = (upload(engine, &padded(&a)), upload(engine, &padded(&b)));
    let mut c = upload(engine, &vec![7.0; skip + rows * cols]);
    matrix_product(
        engine,
        (&a_array, Place::new(skip, rows, inner)),
        (&b_array, Place::new(skip, inner, cols)),
        (&mut c, Place::new(skip, rows, cols)),
    )
    .unwrap();
    let found = engine.download(&c).unwrap();
    assert!(found[..skip].iter().all(|&untouched| untouched == 7.0));
    close(engine, &found[skip..], &naive_product(&a, &b, inner, cols), inner as f64);
}

proptest! {
    #![proptest_config(same_cases())]

    #[test]
    fn products_of_matrices(
        rows in 1usize..200, inner in 1usize..150, cols in 1usize..200, skip in 0usize..100
    ) {
        for engine in engines() {
            check_product(&engine, (rows, inner, cols), skip);
        }
    }

    #[test]
    fn couplings_costs_and_blends_of_batches(
        sizes in prop::collection::vec((1usize..40, 1usize..80), 1..4), seed in 0usize..1000
    ) {
        let blocks = Blocks::of(sizes.iter().copied());
        let (rows, cols, pairs) =
            (blocks.total_rows(), blocks.total_cols(), blocks.pairs() as usize);
        let costs = numbers(seed, pairs);
        let (f, g) = (numbers(seed + 1, rows), numbers(seed + 2, cols));
        let per_problem = numbers(seed + 3, sizes.len());
        let labels = |count: usize| (0..count).map(|i| (i * 7 % 3) as u32).collect::<Vec<_>>();
        let (row_labels, col_labels, table) = (labels(rows), labels(cols), numbers(seed, 9));
        // (problem, row, column) of every pair, as they lie.
        let places: Vec<(usize, usize, usize)> = sizes
            .iter()
            .enumerate()
            .flat_map(|(problem, &(n, m))| {
                let (row, col) = (blocks.rows[problem], blocks.cols[problem]);
                (0..n * m).map(move |place| (problem, row + place / m, col + place % m))
            })
            .collect();
        let all = |entry: &dyn Fn(usize, usize, usize, f64) -> f64| -> Vec<f64> {
            places.iter().zip(&costs).map(|(&(b, i, j), &cost)| entry(b, i, j, cost)).collect()
        };
        for engine in engines() {
            let plan = RowPlan::new(&engine, &blocks).unwrap();
            let costs_array = upload(&engine, &costs);
            let (f_array, g_array) = (upload(&engine, &f), upload(&engine, &g));
            let mut out = engine.zeros("out", pairs).unwrap();
            coupling_dense(&engine, &plan, &costs_array, &f_array, &g_array, 3.0, &mut out)
                .unwrap();
            let wanted = all(&|_, i, j, cost| (f[i] + g[j] - 3.0 * cost).exp());
            let scale = wanted.iter().copied().fold(0.0, f64::max) * 5.0;
            close(&engine, &engine.download(&out).unwrap(), &wanted, scale);

            let shares = upload(&engine, &per_problem);
            let mut mixed = upload(&engine, &costs);
            blend(&engine, &plan, &out, &shares, &mut mixed).unwrap();
            let found = engine.download(&mixed).unwrap();
            let mix = |b: usize, cost: f64, fresh: f64| {
                (1.0 - per_problem[b]) * cost + per_problem[b] * fresh
            };
            let blended: Vec<f64> = places
                .iter()
                .zip(costs.iter().zip(&wanted))
                .map(|(&(b, ..), (&cost, &fresh))| mix(b, cost, fresh))
                .collect();
            close(&engine, &found, &blended, 2.0 * scale + 2.0);

            let labels = EdgeLabels {
                labels: engine.table("labels", &[&row_labels[..], &col_labels].concat()).unwrap(),
                costs: upload(&engine, &table),
                kinds: 3,
            };
            let mut linearised = upload(&engine, &costs);
            linearised_cost(
                &engine,
                &plan,
                &f_array,
                &g_array,
                &shares,
                Product::InPlace,
                &labels,
                &mut linearised,
            )
            .unwrap();
            let wanted = all(&|b, i, j, cost| {
                let label = table[row_labels[i] as usize * 3 + col_labels[j] as usize];
                f[i] + g[j] + per_problem[b] * cost + label
            });
            close(&engine, &engine.download(&linearised).unwrap(), &wanted, 4.0);
        }
    }

    #[test]
    fn copies_of_columns_are_folded_and_repeated(
        sizes in prop::collection::vec(1usize..20, 1..4), width in 1usize..50, copies in 1usize..4
    ) {
        let blocks = Blocks::of(sizes.iter().map(|&rows| (rows, width * copies)));
        let (rows, cols) = (blocks.total_rows(), blocks.total_cols());
        let matrix = numbers(5, blocks.pairs() as usize);
        let folded: Vec<f64> = matrix
            .chunks(width * copies)
            .flat_map(|row| (0..width).map(|j| row.iter().skip(j).step_by(width).sum::<f64>()))
            .collect();
        let repeated: Vec<f64> =
            folded.chunks(width).flat_map(|row| row.repeat(copies)).map(|v| 2.0 * v).collect();
        for engine in engines() {
            let plan = RowPlan::new(&engine, &blocks).unwrap();
            let mut out = engine.zeros("folded", folded.len()).unwrap();
            let mut matrix = upload(&engine, &matrix);
            fold_columns(&engine, &plan, &matrix, width, &mut out).unwrap();
            close(&engine, &engine.download(&out).unwrap(), &folded, copies as f64);
            let labels = EdgeLabels {
                labels: engine.table("labels", &vec![0; rows + cols]).unwrap(),
                costs: upload(&engine, &[0.0]),
                kinds: 1,
            };
            let (row_parts, col_parts) =
                (engine.zeros("parts", rows).unwrap(), engine.zeros("parts", cols).unwrap());
            let scales = upload(&engine, &vec![2.0; sizes.len()]);
            let product = Product::Repeated(&out, width);
            linearised_cost(
                &engine, &plan, &row_parts, &col_parts, &scales, product, &labels, &mut matrix,
            )
            .unwrap();
            close(&engine, &engine.download(&matrix).unwrap(), &repeated, 2.0 * copies as f64);
        }
    }

    #[test]
    fn sums_of_squares(points in 1usize..150, vectors in 1usize..4) {
        let distances = numbers(3, points * points);
        let v = numbers(4, points * vectors);
        let squares: Vec<f64> = distances.iter().map(|d| d * d).collect();
        let wanted: Vec<f64> = v
            .chunks(points)
            .flat_map(|v| naive_product(&squares, v, points, 1))
            .collect();
        for engine in engines() {
            let plan = RowPlan::new(&engine, &Blocks::single(points, points)).unwrap();
            let mut out = engine.zeros("out", v.len()).unwrap();
            let (matrix, v) = (upload(&engine, &distances), upload(&engine, &v));
            squared_sums(&engine, &plan, &matrix, &v, &mut out).unwrap();
            close(&engine, &engine.download(&out).unwrap(), &wanted, points as f64);
        }
    }
}

#[test]
fn matrices_larger_than_a_binding_are_multiplied_in_panels() {
    let options = EngineOptions { max_binding_bytes: Some(16 << 10), ..EngineOptions::default() };
    let engine = match Engine::gpu_with(Selector::Best, &options) {
        Err(error) if std::env::var_os("GASPARD_REQUIRE_GPU").is_some() => panic!("{error}"),
        Err(_) => return,
        Ok(engine) => engine,
    };
    check_product(&engine, (150, 130, 70), 13);
    check_product(&engine, (3, 300, 200), 64);
}
