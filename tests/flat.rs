//! The flat metric against its closed forms, its definition and its properties.

use gaspard::Error;
use gaspard::flat::{Cloud, dirac, exact, lower_bound};
use ndarray::{Array1, Array2, array};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn cloud(seed: u64, count: usize, dimension: usize, spread: f64) -> Cloud {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let points =
        Array2::from_shape_simple_fn((count, dimension), || random.random_range(-spread..spread));
    // Some points have no mass.
    let weights = Array1::from_shape_simple_fn(count, || {
        let mass: f64 = random.random_range(-0.2..2.0);
        mass.max(0.0)
    });
    Cloud::new("a cloud", points, weights).unwrap()
}

fn value(a: &Cloud, b: &Cloud) -> f64 {
    let found = exact(a, b, &mut || false).unwrap();
    let size = a.mass() + b.mass();
    let distance = found.distance;
    assert!(distance.lower <= distance.value && distance.value <= distance.upper);
    assert!(distance.upper - distance.lower <= 1e-11 * size, "{distance:?}");
    // The test function is one, and attains the value.
    let both = a.points().rows().into_iter().chain(b.points().rows());
    let points: Vec<_> = both.collect();
    let f: Vec<f64> = found.f_a.iter().chain(&found.f_b).copied().collect();
    let a_points = found.f_a.len();
    for (i, x) in points.iter().enumerate() {
        assert!(f[i].abs() <= 1.0 + 1e-12, "{}", f[i]);
        for (j, y) in points.iter().enumerate().skip(a_points).filter(|_| i < a_points) {
            let apart = (x - y).mapv(|t: f64| t * t).sum().sqrt();
            assert!(f[i] - f[j] <= apart + 1e-12, "{} {} {apart}", f[i], f[j]);
        }
    }
    let attained: f64 = a.weights().iter().zip(&found.f_a).map(|(m, f)| m * f).sum::<f64>()
        - b.weights().iter().zip(&found.f_b).map(|(m, f)| m * f).sum::<f64>();
    assert!((attained - distance.value).abs() <= 1e-11 * size, "{attained} {distance:?}");
    distance.value
}

/// Values worked out by hand, by the closed form and by the simplex.
#[test]
fn a_point_against_a_few() {
    for (mass, radii, expected) in [
        (1.0, vec![0.7], 0.7),
        (1.0, vec![3.0], 2.0),
        (2.0, vec![0.5, 1.5, 3.0], 3.0),
        (1.5, vec![0.5, 1.0, 1.9], 2.5),
        (5.0, vec![1.0, 1.0], 5.0),
    ] {
        let points = Array2::from_shape_fn((radii.len(), 2), |(i, axis)| {
            let angle = i as f64;
            radii[i] * if axis == 0 { angle.cos() } else { angle.sin() }
        });
        let others = Cloud::counting("others", points).unwrap();
        let closed = dirac(mass, array![0.0, 0.0].view(), &others).unwrap();
        assert!((closed.value - expected).abs() < 1e-12, "{closed:?} {expected}");
        let point = Cloud::new("point", array![[0.0, 0.0]], array![mass]).unwrap();
        assert!((value(&point, &others) - expected).abs() < 1e-12);
        assert_eq!(closed.normalised, Some(closed.value / mass.min(radii.len() as f64)));
    }
}

/// The linear program of the definition, over all pairs of points, by brute force: vertices of the
/// polytope of test functions on a few points are found by trying all tight sets.
fn by_definition(a: &Cloud, b: &Cloud) -> f64 {
    let points: Vec<_> = a.points().rows().into_iter().chain(b.points().rows()).collect();
    let masses: Vec<f64> =
        a.weights().iter().copied().chain(b.weights().iter().map(|mass| -mass)).collect();
    let count = points.len();
    // f is constrained by a node more, whose value is 0: |f| <= 1 is a distance of 1 to it.
    let apart = |i: usize, j: usize| match (i == count, j == count) {
        (false, false) => (&points[i] - &points[j]).mapv(|t: f64| t * t).sum().sqrt(),
        _ => 1.0,
    };
    // At a vertex the tight constraints hold a spanning tree of all nodes: all trees (as sequences
    // of Prüfer) with all signs.
    let nodes = count + 1;
    let mut best = f64::NEG_INFINITY;
    for code in 0..nodes.pow((nodes - 2) as u32) {
        let mut rest = code;
        let sequence: Vec<usize> = (0..nodes - 2)
            .map(|_| {
                let digit = rest % nodes;
                rest /= nodes;
                digit
            })
            .collect();
        let mut degree = vec![1; nodes];
        sequence.iter().for_each(|node| degree[*node] += 1);
        let mut edges = Vec::new();
        for &node in &sequence {
            let leaf = (0..nodes).find(|leaf| degree[*leaf] == 1).unwrap();
            edges.push((leaf, node));
            degree[leaf] = 0;
            degree[node] -= 1;
        }
        let last: Vec<usize> = (0..nodes).filter(|node| degree[*node] == 1).collect();
        edges.push((last[0], last[1]));
        for signs in 0..1_u32 << edges.len() {
            let mut f = vec![f64::NAN; nodes];
            f[count] = 0.0;
            for _ in 0..nodes {
                for (index, &(i, j)) in edges.iter().enumerate() {
                    let step = if signs >> index & 1 == 1 { apart(i, j) } else { -apart(i, j) };
                    if f[i].is_nan() && !f[j].is_nan() {
                        f[i] = f[j] + step;
                    } else if f[j].is_nan() && !f[i].is_nan() {
                        f[j] = f[i] - step;
                    }
                }
            }
            let feasible =
                (0..nodes).all(|i| (0..i).all(|j| (f[i] - f[j]).abs() <= apart(i, j) + 1e-12));
            if feasible {
                best = best.max(f.iter().zip(&masses).map(|(f, mass)| f * mass).sum());
            }
        }
    }
    best
}

#[test]
fn the_simplex_solves_the_definition() {
    for seed in 0..6 {
        let (a, b) = (cloud(seed, 2, 2, 1.5), cloud(seed + 100, 2, 2, 1.5));
        let (found, expected) = (value(&a, &b), by_definition(&a, &b));
        assert!((found - expected).abs() < 1e-10, "{found} {expected}");
    }
}

/// The lower bound of one point against anything is the distance, whatever potential it starts from.
#[test]
fn one_point_needs_no_good_potential() {
    let mut random = ChaCha8Rng::seed_from_u64(3);
    for seed in 0..40 {
        let others = cloud(seed, 30, 2, 2.0);
        let point = Cloud::new("point", array![[0.3, 0.1]], array![0.5 * seed as f64]).unwrap();
        let expected = dirac(point.mass(), array![0.3, 0.1].view(), &others).unwrap().value;
        let psi: Vec<f64> = (0..30).map(|_| random.random_range(-1.0..1.0)).collect();
        let bound = lower_bound(&point, &others, &psi).unwrap();
        assert!((bound.value - expected).abs() < 1e-12 * (1.0 + expected), "{seed}: {expected}");
        let bound = lower_bound(&others, &point, &[0.1]).unwrap().value;
        assert!((bound - expected).abs() < 1e-12 * (1.0 + expected), "{seed}: {expected}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 60,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_point_against_a_cloud(seed in 0..1000_u64, count in 1..40_usize, mass in 0.0..30.0_f64) {
        let dimension = 1 + (seed % 4) as usize;
        let others = cloud(seed, count, dimension, 2.5);
        let place = Array1::from_elem(dimension, 0.1);
        let closed = dirac(mass, place.view(), &others).unwrap().value;
        let row = place.insert_axis(ndarray::Axis(0));
        let point = Cloud::new("point", row, array![mass]).unwrap();
        prop_assert!((value(&point, &others) - closed).abs() <= 1e-11 * (1.0 + closed));
    }

    #[test]
    fn it_is_a_metric(seed in 0..1000_u64, n in 1..12_usize, m in 1..12_usize, k in 1..12_usize) {
        let clouds = [cloud(seed, n, 2, 1.5), cloud(seed + 1, m, 2, 1.5), cloud(seed + 2, k, 2, 1.5)];
        let [ab, bc, ac] = [(0, 1), (1, 2), (0, 2)].map(|(i, j)| value(&clouds[i], &clouds[j]));
        prop_assert!((ab - value(&clouds[1], &clouds[0])).abs() < 1e-11);
        prop_assert!(ac <= ab + bc + 1e-11);
        prop_assert!(value(&clouds[0], &clouds[0]) < 1e-11);
        let [a, b] = [clouds[0].mass(), clouds[1].mass()];
        prop_assert!(ab <= a + b + 1e-12 && ab >= (a - b).abs() - 1e-12);
        // Any potential bounds it from below.
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let psi: Vec<f64> = (0..m).map(|_| random.random_range(-2.0..2.0)).collect();
        let bound = lower_bound(&clouds[0], &clouds[1], &psi).unwrap().value;
        prop_assert!(bound <= ab + 1e-11, "{bound} {ab}");
        // Masses scale it, motions leave it.
        let tripled = |cloud: &Cloud| {
            let moved = cloud.points().mapv(|x| x + 4.0);
            Cloud::new("moved", moved, cloud.weights() * 3.0).unwrap()
        };
        let scaled = value(&tripled(&clouds[0]), &tripled(&clouds[1]));
        prop_assert!((scaled - 3.0 * ab).abs() < 1e-10, "{scaled} {ab}");
    }
}

#[test]
fn clouds_that_make_no_sense_are_refused() {
    let points = array![[0.0, 1.0], [2.0, 3.0]];
    for weights in [array![1.0, -1.0], array![f64::NAN, 1.0], array![f64::INFINITY, 1.0]] {
        let refused = Cloud::new("cloud", points.clone(), weights);
        assert!(matches!(refused, Err(Error::Data { .. })));
    }
    let refused = Cloud::new("cloud", points.clone(), array![1.0]);
    assert!(matches!(refused, Err(Error::Shape { .. })));
    let refused = Cloud::counting("cloud", Array2::zeros((0, 2)));
    assert!(matches!(refused, Err(Error::Data { .. })));
    let cloud = Cloud::counting("cloud", points).unwrap();
    let line = Cloud::counting("line", array![[1.0]]).unwrap();
    assert!(matches!(exact(&cloud, &line, &mut || false), Err(Error::Shape { .. })));
    assert!(lower_bound(&cloud, &cloud, &[0.0]).is_err());
    assert!(lower_bound(&cloud, &cloud, &[0.0, f64::NAN]).is_err());
    assert!(dirac(-1.0, array![0.0, 0.0].view(), &cloud).is_err());
    assert!(dirac(1.0, array![0.0].view(), &cloud).is_err());
    // Nothing against something: all of it has to be made.
    let nothing = Cloud::new("nothing", array![[0.0, 0.0]], array![0.0]).unwrap();
    let found = exact(&nothing, &cloud, &mut || false).unwrap().distance;
    assert_eq!((found.value, found.normalised), (2.0, None));
}
