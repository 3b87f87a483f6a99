//! Products by transforms against products with the distances written out, on both engines.

use std::f64::consts::PI;

use proptest::prelude::*;

use super::{GridDistances, GridSizes, Structure, Workspace};
use crate::engine::{Engine, EngineOptions, Selector};
use crate::error::Result;
use crate::kernels::gromov::matrix_product::Place;
use crate::kernels::gromov::properties::{naive_product, numbers, upload};
use crate::kernels::properties::{engines, same_cases};

/// A grid and its points.
#[derive(Clone, Debug)]
struct Case {
    structure: Structure,
    shape: [usize; 2],
    cells: Option<Vec<usize>>,
}

impl Case {
    fn new(structure: Structure, shape: [usize; 2], cells: Option<Vec<usize>>) -> Self {
        Self { structure, shape, cells }
    }

    /// With a point in about one of `every` cells, `shuffled` or in order.
    fn masked(structure: Structure, shape: [usize; 2], every: usize, shuffled: bool) -> Self {
        let count = shape[0] * shape[1];
        let keep = |cell: &usize| ((cell * 2_654_435_761) >> 5).is_multiple_of(every);
        let mut cells: Vec<usize> = (0..count).filter(keep).collect();
        if cells.is_empty() {
            cells.push(count - 1);
        }
        if shuffled {
            cells.sort_by_key(|cell| cell * 7919 % 1009);
        }
        Self::new(structure, shape, Some(cells))
    }

    fn radial(&self, dy: usize, dx: usize) -> f64 {
        let [rows, cols] = self.shape;
        (dy as f64).hypot(1.5 * dx as f64).powf(1.3) / (rows + cols) as f64
    }

    /// Along great circles, in half circumferences.
    fn circular(&self, a: usize, b: usize, steps: usize) -> f64 {
        let [rows, cols] = self.shape;
        let latitude = |row: usize| PI * ((row as f64 + 0.5) / rows as f64 - 0.5);
        let (a, b) = (latitude(a), latitude(b));
        let half = |angle: f64| (0.5 * angle).sin().powi(2);
        let around = half(2.0 * PI * steps as f64 / cols as f64);
        2.0 * (half(a - b) + a.cos() * b.cos() * around).sqrt().min(1.0).asin() / PI
    }

    fn matrix(&self) -> Vec<f64> {
        let [rows, cols] = self.shape;
        let all: Vec<usize> = (0..rows * cols).collect();
        let cells = self.cells.as_ref().unwrap_or(&all);
        let entry = |i: usize, j: usize| {
            let (a, b) = (i / cols, j / cols);
            let across = (i % cols).abs_diff(j % cols);
            match self.structure {
                Structure::Radial => self.radial(a.abs_diff(b), across),
                Structure::Circular => self.circular(a, b, across.min(cols - across)),
            }
        };
        cells.iter().flat_map(|&i| cells.iter().map(move |&j| entry(i, j))).collect()
    }

    fn build(&self, engine: &Engine) -> Result<GridDistances> {
        let cells = self.cells.as_deref();
        match self.structure {
            Structure::Radial => {
                let distance = |dy, dx| self.radial(dy, dx);
                GridDistances::radial(engine, self.shape, cells, distance)
            }
            Structure::Circular => {
                let distance = |a, b, steps| self.circular(a, b, steps);
                GridDistances::circular(engine, self.shape, cells, distance)
            }
        }
    }
}

fn transposed(values: &[f64], cols: usize) -> Vec<f64> {
    (0..cols).flat_map(|col| values.iter().skip(col).step_by(cols).copied()).collect()
}

fn absolute(values: &[f64]) -> Vec<f64> {
    values.iter().map(|value| value.abs()).collect()
}

/// The largest error of a product (points, k), in roundoffs of the largest sum |D| |M| of its image:
/// its own column or that which travels with it.
fn worst_error(engine: &Engine, k: usize, found: &[f64], wanted: &[f64], sums: &[f64]) -> f64 {
    assert_eq!(found.len(), wanted.len());
    let mut scales = vec![0.0_f64; k.div_ceil(2)];
    for (place, &sum) in sums.iter().enumerate() {
        let scale = &mut scales[place % k / 2];
        *scale = scale.max(sum);
    }
    let errors = found.iter().zip(wanted).enumerate().map(|(place, (found, wanted))| {
        let scale = engine.unit_roundoff() * scales[place % k / 2];
        // A single point is at distance zero from itself: products vanish but for rounding.
        (found - wanted).abs() / scale.max(1e-30)
    });
    errors.fold(0.0, f64::max)
}

/// All products, with matrices that start somewhere in their arrays.
fn check(engine: &Engine, case: &Case, k: usize, planned: usize) {
    let skip = 3 * k;
    let matrix = case.matrix();
    let points = matrix.len().isqrt();
    let squares: Vec<f64> = matrix.iter().map(|d| d * d).collect();
    let distances = case.build(engine).unwrap();
    assert_eq!(distances.len(), points);
    let mut workspace = Workspace::new(engine, distances.sizes.room(engine, planned)).unwrap();

    // Columns of very different sizes, two by two as they travel.
    let mut m = numbers(points + k, points * k);
    m.iter_mut()
        .enumerate()
        .for_each(|(place, m)| *m *= 0.5_f64.powi((place % k / 2 * 11 % 31) as i32));
    let products = naive_product(&matrix, &m, points, k);
    let sums = naive_product(&matrix, &absolute(&m), points, k);
    let square_products = naive_product(&squares, &m, points, k);
    let square_sums = naive_product(&squares, &absolute(&m), points, k);
    let padded = |values: &[f64]| [&vec![9.0; skip], values].concat();
    let judge = |what: &str, found: &[f64], wanted: &[f64], sums: &[f64]| {
        let error = worst_error(engine, k, found, wanted, sums);
        assert!(error <= ALLOWED, "{engine:?} {case:?} {k} columns, {what}: {error} roundoffs");
    };

    let input = upload(engine, &padded(&m));
    let mut out = upload(engine, &vec![7.0; skip + points * k]);
    let place = Place::new(skip, points, k);
    distances.times(engine, &mut workspace, (&input, place), (&mut out, place)).unwrap();
    let found = engine.download(&out).unwrap();
    assert!(found[..skip].iter().all(|&untouched| untouched == 7.0));
    judge("D M", &found[skip..], &products, &sums);

    let input = upload(engine, &padded(&transposed(&m, k)));
    let mut out = upload(engine, &vec![7.0; skip + points * k]);
    let place = Place::new(skip, k, points);
    distances.times_from_right(engine, &mut workspace, (&input, place), (&mut out, place)).unwrap();
    let found = engine.download(&out).unwrap();
    assert!(found[..skip].iter().all(|&untouched| untouched == 7.0));
    judge("M D", &transposed(&found[skip..], points), &products, &sums);

    let input = upload(engine, &transposed(&m, k));
    let mut out = engine.zeros("out", points * k).unwrap();
    distances.squared(engine, &mut workspace, &input, &mut out).unwrap();
    let found = engine.download(&out).unwrap();
    judge("(D o D) v", &transposed(&found, points), &square_products, &square_sums);
}

/// Roundoffs of the largest sum |D| |M| of an image by which its entries may be off. Those of the
/// sums that are compared with, in f64, are among them: on the CPU they make up most.
const ALLOWED: f64 = 12.0;

fn structures() -> impl Strategy<Value = Structure> {
    prop_oneof![Just(Structure::Radial), Just(Structure::Circular)]
}

proptest! {
    #![proptest_config(same_cases())]

    #[test]
    fn products_with_whole_grids(
        structure in structures(), rows in 1usize..20, cols in 1usize..20, k in 1usize..12,
        planned in 1usize..12
    ) {
        for engine in engines() {
            check(&engine, &Case::new(structure, [rows, cols], None), k, planned);
        }
    }

    #[test]
    fn products_with_some_cells(
        structure in structures(), rows in 1usize..25, cols in 1usize..25, k in 1usize..12,
        every in 1usize..6, shuffled: bool
    ) {
        for engine in engines() {
            check(&engine, &Case::masked(structure, [rows, cols], every, shuffled), k, k);
        }
    }
}

#[test]
fn long_thin_grids_and_every_radix() {
    // Padded lengths 1, 3, 375 = 3 5^3, 1024, 1458 = 2 3^6 and 2048 along one axis or the other.
    for engine in engines() {
        for long in [1, 2, 185, 512, 725, 1024] {
            for shape in [[1, long], [long, 1], [2, long], [long, 2]] {
                let case = Case::masked(Structure::Radial, shape, 5, false);
                check(&engine, &case, 3, 3);
            }
        }
        for around in [1, 7, 22, 64, 90, 97, 120, 360] {
            check(&engine, &Case::masked(Structure::Circular, [3, around], 2, false), 3, 3);
        }
    }
}

#[test]
fn grids_larger_than_a_tile_of_matrices() {
    for engine in engines() {
        check(&engine, &Case::masked(Structure::Circular, [70, 12], 2, false), 70, 70);
        check(&engine, &Case::masked(Structure::Radial, [33, 40], 2, false), 61, 61);
    }
}

/// A GPU that no other test allocates on.
fn own_gpu(max_binding_bytes: Option<u64>) -> Option<Engine> {
    let options = EngineOptions { max_binding_bytes, ..EngineOptions::default() };
    match Engine::gpu_with(Selector::Best, &options) {
        Err(error) if std::env::var_os("GASPARD_REQUIRE_GPU").is_some() => panic!("{error}"),
        found => found.ok(),
    }
}

#[test]
fn bytes_are_predicted() {
    for engine in std::iter::once(Engine::cpu()).chain(own_gpu(None)) {
        for structure in [Structure::Radial, Structure::Circular] {
            for (case, columns) in [
                (Case::new(structure, [13, 22], None), 7),
                (Case::masked(structure, [9, 30], 4, false), 1),
                (Case::new(structure, [40, 50], None), 30_000),
            ] {
                let sizes = GridSizes::new(structure, case.shape, case.cells.as_deref()).unwrap();
                let _distances = case.build(&engine).unwrap();
                assert_eq!(engine.bytes_used(), sizes.bytes(&engine), "{case:?}");
                let room = sizes.room(&engine, columns);
                let _workspace = Workspace::new(&engine, room).unwrap();
                let all = sizes.bytes(&engine) + room.bytes(&engine);
                assert_eq!(engine.bytes_used(), all, "{case:?}");
                assert!(room.bytes(&engine) <= 64 << 20);
            }
        }
    }
}

#[test]
fn spaces_share_a_workspace() {
    for engine in engines() {
        let cases = [
            Case::new(Structure::Radial, [6, 9], None),
            Case::new(Structure::Circular, [5, 8], None),
        ];
        let all = cases.each_ref().map(|case| case.build(&engine).unwrap());
        let rooms = all.each_ref().map(|distances| distances.sizes.room(&engine, 6));
        let mut workspace = Workspace::new(&engine, rooms[0].or(rooms[1])).unwrap();
        for (case, distances) in cases.iter().zip(&all) {
            let v = numbers(2, distances.len());
            let input = upload(&engine, &v);
            let mut out = engine.zeros("out", v.len()).unwrap();
            let squares: Vec<f64> = case.matrix().iter().map(|d| d * d).collect();
            let wanted = naive_product(&squares, &v, v.len(), 1);
            let sums = naive_product(&squares, &absolute(&v), v.len(), 1);
            distances.squared(&engine, &mut workspace, &input, &mut out).unwrap();
            let found = engine.download(&out).unwrap();
            assert!(worst_error(&engine, 1, &found, &wanted, &sums) <= ALLOWED);
        }
        // What the first needs has no room for the products of the second.
        let mut workspace = Workspace::new(&engine, rooms[0]).unwrap();
        let (v, mut out) = (upload(&engine, &[0.0; 40]), engine.zeros("out", 40).unwrap());
        assert!(all[1].squared(&engine, &mut workspace, &v, &mut out).is_err());
    }
}

#[test]
fn matrices_larger_than_a_binding_are_walked_in_panels() {
    let Some(engine) = own_gpu(Some(16 << 10)) else { return };
    check(&engine, &Case::new(Structure::Radial, [20, 25], None), 57, 57);
    check(&engine, &Case::masked(Structure::Radial, [20, 25], 2, false), 57, 57);
    check(&engine, &Case::new(Structure::Circular, [14, 24], None), 57, 57);
    check(&engine, &Case::masked(Structure::Circular, [14, 23], 3, false), 57, 57);
}

#[test]
fn work_for_several_launches_is_cut() {
    // A device that has not run anything yet is taken for a slow one.
    let Some(engine) = own_gpu(None) else { return };
    check(&engine, &Case::masked(Structure::Radial, [200, 200], 40, false), 64, 64);
    let Some(engine) = own_gpu(None) else { return };
    check(&engine, &Case::masked(Structure::Circular, [150, 60], 9, false), 64, 64);
}

#[test]
fn grids_that_are_too_large_for_a_device_are_refused() {
    for engine in engines() {
        let distances = GridDistances::radial(&engine, [1, 1025], None, |_, dx| dx as f64);
        assert_eq!(distances.is_err(), engine.is_gpu());
    }
}

#[test]
fn matrices_of_other_sizes_are_refused() {
    let engine = Engine::cpu();
    let distances = Case::new(Structure::Radial, [3, 4], None).build(&engine).unwrap();
    let mut workspace = Workspace::new(&engine, distances.sizes.room(&engine, 2)).unwrap();
    let m = engine.zeros("m", 100).unwrap();
    let mut out = engine.zeros("out", 100).unwrap();
    assert!(distances.squared(&engine, &mut workspace, &m, &mut out).is_err());
    let mut times = |m_place: Place, out_place: Place| {
        distances.times(&engine, &mut workspace, (&m, m_place), (&mut out, out_place))
    };
    assert!(times(Place::new(4, 12, 8), Place::new(0, 12, 8)).is_ok());
    assert!(times(Place::new(5, 12, 8), Place::new(0, 12, 8)).is_err());
    assert!(times(Place::new(0, 12, 8), Place::new(0, 12, 7)).is_err());
    assert!(times(Place::new(0, 11, 8), Place::new(0, 11, 8)).is_err());
}
