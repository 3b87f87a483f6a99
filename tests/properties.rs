//! Softmins of random sizes, on both engines against naive sums.

mod common;

use common::{engines, naive};
use gaspard::{Cost, Geometry, Side};
use ndarray::Array2;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Compares the softmins onto both sides with the naive ones.
fn agrees(geometry: &Geometry, epsilon: f64, scale: f64, rng: &mut ChaCha8Rng) {
    let costs = geometry.dense().unwrap();
    let (rows, cols) = geometry.shape();
    for (onto, inputs, outputs) in [(Side::Rows, cols, rows), (Side::Cols, rows, cols)] {
        let bias: Vec<f64> = (0..inputs)
            .map(|_| {
                let hole = rng.random_range(0.0..1.0) < 0.2;
                if hole { gaspard::kernels::NOTHING } else { rng.random_range(-scale..scale) }
            })
            .collect();
        let expected = naive::softmin(&costs, onto, epsilon, &bias);
        for engine in engines() {
            let mut operator = geometry.operator(&engine).unwrap();
            let bias = engine.upload("bias", &bias).unwrap();
            let mut out = engine.zeros("out", outputs).unwrap();
            operator.softmin(&engine, onto, epsilon, &bias, &mut out).unwrap();
            // Scores are as large as potentials and cost over epsilon, and rounded a few times; the
            // result is larger by the logarithm of their number.
            let count = (inputs as f64).ln();
            let magnitude = 2.0 + scale + geometry.cost_bound() / epsilon + count;
            let allowed = 8.0 * engine.unit_roundoff() * magnitude;
            for (i, (found, expected)) in
                engine.download(&out).unwrap().iter().zip(&expected).enumerate()
            {
                let both_nothing = *found < -1e20 && *expected < -1e20;
                assert!(
                    both_nothing || (found - expected).abs() <= allowed,
                    "{engine:?} {onto:?} [{i}]: {found} is not {expected} (within {allowed:e})"
                );
            }
        }
    }
}

fn uniform(rng: &mut ChaCha8Rng, rows: usize, cols: usize) -> Array2<f64> {
    Array2::from_shape_simple_fn((rows, cols), || rng.random_range(0.0..1.0))
}

/// The same cases every time: what fails once fails again.
fn same_cases() -> ProptestConfig {
    ProptestConfig {
        cases: 24,
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(same_cases())]

    #[test]
    fn softmins_along_matrices(
        rows in 1..600_usize, cols in 1..600_usize, epsilon in 0.01..10.0,
        scale in 0.1..100.0, forbidden in 0.0..0.5, seed: u64
    ) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let costs = uniform(&mut rng, rows, cols)
            .mapv(|cost| if rng.random_range(0.0..1.0) < forbidden { f64::INFINITY } else { cost });
        agrees(&Geometry::matrix(costs).unwrap(), epsilon, scale, &mut rng);
    }

    #[test]
    fn softmins_over_points(
        rows in 1..400_usize, cols in 1..400_usize,
        // Each of the first ten dimensions is a kernel of its own; compiling all takes minutes.
        dimension in prop_oneof![Just(1), Just(2), Just(3), 11..80_usize],
        cost in prop_oneof![
            Just(Cost::SquaredEuclidean), Just(Cost::Euclidean), Just(Cost::Power(1.5))
        ],
        sharpness in 1.0..60.0, scale in 0.1..100.0, seed: u64
    ) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (x, y) = (uniform(&mut rng, rows, dimension), uniform(&mut rng, cols, dimension));
        let geometry = Geometry::points(x, y, cost).unwrap();
        let epsilon = f64::max(geometry.cost_bound() / sharpness, 1e-6);
        agrees(&geometry, epsilon, scale, &mut rng);
    }

    #[test]
    fn softmins_along_axes(
        shapes in prop::collection::vec((1..6_usize, 1..6_usize), 1..4),
        stretched in (1..70_usize, 1..70_usize), epsilon in 0.01..10.0, scale in 0.1..100.0,
        seed: u64
    ) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut shapes = shapes;
        shapes[0] = stretched;
        let axes = shapes.into_iter().map(|(n, m)| uniform(&mut rng, n, m)).collect();
        agrees(&Geometry::Separable(axes), epsilon, scale, &mut rng);
    }
}
