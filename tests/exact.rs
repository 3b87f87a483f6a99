//! The exact solver against brute force, closed forms and linear programming duality.

use gaspard::Error;
use gaspard::linear::exact::{ExactPlan, exact};
use proptest::prelude::*;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn solve(a: &[f64], b: &[f64], cost: &[f64]) -> ExactPlan {
    exact(a, b, cost, &mut || false).unwrap()
}

fn fails(a: &[f64], b: &[f64], cost: &[f64]) -> Error {
    exact(a, b, cost, &mut || false).unwrap_err()
}

fn uniform(n: usize) -> Vec<f64> {
    vec![1.0 / n as f64; n]
}

fn weights(rng: &mut impl Rng, n: usize) -> Vec<f64> {
    let raw: Vec<f64> = (0..n).map(|_| rng.random::<f64>()).collect();
    let total: f64 = raw.iter().sum();
    raw.iter().map(|weight| weight / total).collect()
}

fn points(rng: &mut impl Rng, n: usize) -> Vec<[f64; 2]> {
    (0..n).map(|_| [rng.random(), rng.random()]).collect()
}

fn squared_distances(x: &[[f64; 2]], y: &[[f64; 2]]) -> Vec<f64> {
    let pair = |p: &[f64; 2], q: &[f64; 2]| (p[0] - q[0]).powi(2) + (p[1] - q[1]).powi(2);
    x.iter().flat_map(|p| y.iter().map(move |q| pair(p, q))).collect()
}

/// Everything that makes a plan optimal: it transports `a` to `b`, its potentials are feasible and
/// tight where it has mass, and the two values agree.
fn assert_optimal(a: &[f64], b: &[f64], cost: &[f64], plan: &ExactPlan) {
    assert!(plan.optimal);
    assert_feasible(a, b, cost, plan);
    let (m, mass) = (b.len(), a.iter().sum::<f64>());
    let scale = cost.iter().fold(0.0f64, |scale, cost| scale.max(cost.abs()));
    for &(row, column, _) in &plan.coupling {
        let (row, column) = (row as usize, column as usize);
        let slack = cost[row * m + column] - plan.potential_a[row] - plan.potential_b[column];
        assert!(slack.abs() <= 1e-9 * scale, "slack {slack} at ({row}, {column})");
    }
    let gap = plan.value - plan.dual_value;
    assert!(gap.abs() <= 1e-11 * scale * mass, "gap {gap}");
}

/// The plan has the right marginals, the potentials satisfy their inequalities, and both values
/// are what plan and potentials say.
fn assert_feasible(a: &[f64], b: &[f64], cost: &[f64], plan: &ExactPlan) {
    let (n, m) = (a.len(), b.len());
    assert_eq!((plan.potential_a.len(), plan.potential_b.len()), (n, m));
    assert!(plan.coupling.len() < n + m);
    assert!(plan.coupling.is_sorted_by(|x, y| (x.0, x.1) < (y.0, y.1)));
    let (mut rows, mut columns, mut value) = (vec![0.0; n], vec![0.0; m], 0.0);
    for &(row, column, mass) in &plan.coupling {
        assert!(mass > 0.0);
        rows[row as usize] += mass;
        columns[column as usize] += mass;
        value += mass * cost[row as usize * m + column as usize];
    }
    let mass = a.iter().sum::<f64>();
    let ratio = mass / b.iter().sum::<f64>();
    for (found, wanted) in rows.iter().zip(a) {
        assert!((found - wanted).abs() <= 1e-12 * mass, "row mass {found} for {wanted}");
    }
    for (found, wanted) in columns.iter().zip(b) {
        assert!((found - wanted * ratio).abs() <= 1e-12 * mass, "column {found} for {wanted}");
    }
    let scale = cost.iter().fold(0.0f64, |scale, cost| scale.max(cost.abs()));
    for (index, cost) in cost.iter().enumerate() {
        let sum = plan.potential_a[index / m] + plan.potential_b[index % m];
        assert!(sum <= cost + 1e-12 * scale, "{sum} > {cost} at {index}");
    }
    let inner = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
    let dual = inner(&plan.potential_a, a) + ratio * inner(&plan.potential_b, b);
    assert!((value - plan.value).abs() <= 1e-12 * scale * mass);
    assert!((dual - plan.dual_value).abs() <= 1e-11 * scale * mass);
}

/// The least sum of costs over all permutations of 0..n.
fn best_permutation(n: usize, cost: &[f64]) -> f64 {
    fn extend(row: usize, n: usize, used: u32, cost: &[f64]) -> f64 {
        if row == n {
            return 0.0;
        }
        (0..n)
            .filter(|column| used & (1 << column) == 0)
            .map(|column| cost[row * n + column] + extend(row + 1, n, used | 1 << column, cost))
            .fold(f64::INFINITY, f64::min)
    }
    extend(0, n, 0, cost)
}

#[test]
fn assignments_match_brute_force() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for n in 1..=7 {
        for round in 0..40 {
            // Every other round has few distinct costs, hence ties everywhere.
            let cost: Vec<f64> = (0..n * n)
                .map(|_| {
                    let uniform: f64 = rng.random_range(-1.0..1.0);
                    if round % 2 == 0 { uniform } else { (uniform * 2.0).round() }
                })
                .collect();
            let a = uniform(n);
            let plan = solve(&a, &a, &cost);
            assert_optimal(&a, &a, &cost, &plan);
            assert!((plan.value - best_permutation(n, &cost) / n as f64).abs() < 1e-14);
            assert_eq!(plan.coupling.len(), n, "a vertex of the polytope is a permutation");
        }
    }
}

#[test]
fn huge_cost_ranges_match_brute_force() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    for n in 2..=7 {
        for _ in 0..40 {
            let cost: Vec<f64> =
                (0..n * n).map(|_| 10f64.powf(rng.random_range(-12.0..12.0))).collect();
            let a = vec![1.0; n];
            let plan = solve(&a, &a, &cost);
            assert_optimal(&a, &a, &cost, &plan);
            let best = best_permutation(n, &cost);
            assert!((plan.value - best).abs() <= 1e-12 * best, "{} for {best}", plan.value);
        }
    }
}

#[test]
fn cheap_blocks_are_resolved_beside_prohibitive_costs() {
    // Leaving the diagonal blocks of size three costs 1e12, costs inside are about 1e-6.
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let blocks = 5;
    let n = 3 * blocks;
    let mut cost = vec![1e12; n * n];
    let mut wanted = 0.0;
    for block in 0..blocks {
        let inside: Vec<f64> = (0..9).map(|_| rng.random_range(0.0..1e-6)).collect();
        wanted += best_permutation(3, &inside);
        for (index, value) in inside.iter().enumerate() {
            cost[(3 * block + index / 3) * n + 3 * block + index % 3] = *value;
        }
    }
    let a = vec![1.0; n];
    let plan = solve(&a, &a, &cost);
    assert!((plan.value - wanted).abs() < 1e-18, "{} for {wanted}", plan.value);
}

#[test]
fn one_dimension_is_monotone() {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    for _ in 0..50 {
        let (n, m) = (rng.random_range(1..60), rng.random_range(1..60));
        let (a, b) = (weights(&mut rng, n), weights(&mut rng, m));
        let mut x: Vec<f64> = (0..n).map(|_| rng.random_range(-1.0..1.0)).collect();
        let mut y: Vec<f64> = (0..m).map(|_| rng.random_range(-1.0..1.0)).collect();
        x.sort_by(f64::total_cmp);
        y.sort_by(f64::total_cmp);
        let cost: Vec<f64> =
            x.iter().flat_map(|x| y.iter().map(move |y| (x - y).abs().powf(1.5))).collect();
        // The quantile coupling: fill up from the left.
        let (mut i, mut j, mut left_a, mut left_b, mut wanted) = (0, 0, a[0], b[0], 0.0);
        loop {
            let mass = left_a.min(left_b);
            wanted += mass * cost[i * m + j];
            (left_a, left_b) = (left_a - mass, left_b - mass);
            if left_a <= left_b {
                i += 1;
                let Some(&next) = a.get(i) else { break };
                left_a = next;
            } else {
                j += 1;
                let Some(&next) = b.get(j) else { break };
                left_b = next;
            }
        }
        let plan = solve(&a, &b, &cost);
        assert_optimal(&a, &b, &cost, &plan);
        assert!((plan.value - wanted).abs() < 1e-13, "{} for {wanted}", plan.value);
    }
}

#[test]
fn a_translation_is_its_own_plan() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let n = 200;
    let (x, shift) = (points(&mut rng, n), [3.0, -4.0]);
    let y: Vec<[f64; 2]> = x.iter().map(|p| [p[0] + shift[0], p[1] + shift[1]]).collect();
    let (a, cost) = (weights(&mut rng, n), squared_distances(&x, &y));
    let plan = solve(&a, &a, &cost);
    assert_optimal(&a, &a, &cost, &plan);
    assert!((plan.value - 25.0).abs() < 1e-12);
    assert!(plan.coupling.iter().all(|&(row, column, _)| row == column));
    let masses: Vec<f64> = plan.coupling.iter().map(|&(_, _, mass)| mass).collect();
    assert!(masses.iter().zip(&a).all(|(mass, a)| (mass - a).abs() < 1e-16));
}

#[test]
fn clouds_satisfy_duality() {
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    for (n, m) in [(300, 300), (400, 150), (30, 500), (500, 7), (3, 400)] {
        let cost = squared_distances(&points(&mut rng, n), &points(&mut rng, m));
        let (a, b) = (weights(&mut rng, n), weights(&mut rng, m));
        assert_optimal(&a, &b, &cost, &solve(&a, &b, &cost));
        let (a, b) = (uniform(n), uniform(m));
        assert_optimal(&a, &b, &cost, &solve(&a, &b, &cost));
    }
}

#[test]
fn a_thousand_points() {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let n = 1000;
    let cost = squared_distances(&points(&mut rng, n), &points(&mut rng, n));
    let a = uniform(n);
    let plan = solve(&a, &a, &cost);
    assert_optimal(&a, &a, &cost, &plan);
    assert_eq!(plan.coupling.len(), n);
}

#[test]
fn points_without_mass_have_potentials_only() {
    let mut rng = ChaCha8Rng::seed_from_u64(8);
    let (n, m) = (40, 50);
    let cost = squared_distances(&points(&mut rng, n), &points(&mut rng, m));
    let (mut a, mut b) = (weights(&mut rng, n), vec![0.0; m]);
    for row in (0..n).step_by(3) {
        a[row] = 0.0;
    }
    let mass: f64 = a.iter().sum();
    for column in (0..m).step_by(7) {
        b[column] = mass / 8.0;
    }
    let plan = solve(&a, &b, &cost);
    assert_optimal(&a, &b, &cost, &plan);
    let weighty = |&(row, column, _): &(u32, u32, f64)| row % 3 != 0 && column % 7 == 0;
    assert!(plan.coupling.iter().all(weighty));
    // Only the rows, only the columns.
    let b = vec![mass / m as f64; m];
    assert_optimal(&a, &b, &cost, &solve(&a, &b, &cost));
    let (a, mut b) = (vec![7.0 / n as f64; n], b);
    b.fill(0.0);
    b[13] = 7.0;
    assert_optimal(&a, &b, &cost, &solve(&a, &b, &cost));
}

#[test]
fn degenerate_problems_end() {
    let n = 120;
    let a = uniform(n);
    // All points in one place.
    let plan = solve(&a, &a, &vec![0.0; n * n]);
    assert_eq!((plan.value, plan.dual_value, plan.pivots), (0.0, 0.0, 0));
    // A grid against itself: every mass stays, and many potentials would do.
    let grid: Vec<[f64; 2]> = (0..n).map(|k| [(k % 12) as f64, (k / 12) as f64]).collect();
    let cost = squared_distances(&grid, &grid);
    let plan = solve(&a, &a, &cost);
    assert_optimal(&a, &a, &cost, &plan);
    assert_eq!(plan.value, 0.0);
    // A cost f(x) + g(y): every plan is optimal.
    let cost: Vec<f64> = (0..n * n).map(|k| (k / n) as f64 - 2.0 * (k % n) as f64).collect();
    let plan = solve(&a, &a, &cost);
    assert_optimal(&a, &a, &cost, &plan);
    assert!((plan.value + 59.5).abs() < 1e-12);
}

#[test]
fn single_points_and_lines() {
    let plan = solve(&[2.0], &[2.0], &[-3.0]);
    assert_eq!((plan.value, plan.coupling), (-6.0, vec![(0, 0, 2.0)]));
    assert_eq!(plan.potential_a[0] + plan.potential_b[0], -3.0);

    let line = [3.0, -1.0, 0.0, 2.0];
    let (one, four) = ([1.0], [0.5, 0.25, 0.0, 0.25]);
    let plan = solve(&one, &four, &line);
    assert_optimal(&one, &four, &line, &plan);
    assert_eq!(plan.value, 1.75);
    let plan = solve(&four, &one, &line);
    assert_optimal(&four, &one, &line, &plan);
    assert_eq!(plan.value, 1.75);
}

#[test]
fn masses_that_almost_match_are_matched() {
    let third = 1.0 / 3.0;
    let (a, b, cost) = ([third; 3], [1.0 / 9.0; 9], [1.0; 27]);
    let plan = solve(&a, &b, &cost);
    assert_optimal(&a, &b, &cost, &plan);
    let (a, b, cost) = ([1.0, 1.0], [1.0, 1.0 + 1e-7], [0.0, 1.0, 1.0, 0.0]);
    let plan = solve(&a, &b, &cost);
    assert_optimal(&a, &b, &cost, &plan);
    assert!((plan.value - 0.5e-7).abs() < 1e-14);
}

#[test]
fn masses_in_any_unit() {
    let cost = [0.0, 1.0, 1.0, 0.0];
    for unit in [1e-320, 1e-300, 1e-12, 1.0, 1e12, 1e300] {
        let (a, b) = ([3.0 * unit, unit], [unit, 3.0 * unit]);
        let plan = solve(&a, &b, &cost);
        assert_eq!(plan.coupling.len(), 3);
        assert!((plan.value / (2.0 * unit) - 1.0).abs() < 1e-3);
    }
}

#[test]
fn minus_the_cost_turns_round() {
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let (n, m) = (60, 45);
    let cost = squared_distances(&points(&mut rng, n), &points(&mut rng, m));
    let (a, b) = (weights(&mut rng, n), weights(&mut rng, m));
    let most: Vec<f64> = cost.iter().map(|cost| -cost).collect();
    let plan = solve(&a, &b, &most);
    assert_optimal(&a, &b, &most, &plan);
    assert!(-plan.value > solve(&a, &b, &cost).value);
}

#[test]
fn cancelling_leaves_bounds() {
    let mut rng = ChaCha8Rng::seed_from_u64(10);
    let n = 150;
    let cost = squared_distances(&points(&mut rng, n), &points(&mut rng, n));
    let (a, b) = (weights(&mut rng, n), weights(&mut rng, n));
    let best = solve(&a, &b, &cost);
    for polls in [0, 2] {
        let mut asked = 0;
        let mut cancel = || {
            asked += 1;
            asked > polls
        };
        let plan = exact(&a, &b, &cost, &mut cancel).unwrap();
        assert!(!plan.optimal && plan.pivots < best.pivots);
        assert_feasible(&a, &b, &cost, &plan);
        assert!(plan.dual_value < best.value && best.value < plan.value);
    }
}

#[test]
fn unusable_input_is_named() {
    let data = |error: Error, part: &str| {
        assert!(matches!(error, Error::Data { .. }), "{error}");
        assert!(error.to_string().contains(part), "{error}");
    };
    let (one, two, cost) = ([1.0], [0.5, 0.5], [1.0, 2.0]);
    data(fails(&[], &one, &[]), "a: there are no points");
    data(fails(&one, &[], &[]), "b: there are no points");
    data(fails(&[0.0], &two, &cost), "a: there is no mass");
    data(fails(&one, &[0.0, 0.0], &cost), "b: there is no mass");
    data(fails(&one, &[1.5, -0.5], &cost), "b: weight 1 is -0.5");
    data(fails(&[f64::NAN], &two, &cost), "a: weight 0 is NaN");
    data(fails(&[f64::INFINITY], &two, &cost), "a: weight 0 is inf");
    data(fails(&[1e308, 1e308], &[1e308, 1e308], &[0.0; 4]), "total mass overflows");
    data(fails(&[1.0 + 1e-5], &two, &cost), "differ");
    data(fails(&one, &two, &[1.0, f64::NAN]), "row 0, column 1 is NaN");
    data(fails(&two, &one, &[1.0, f64::NEG_INFINITY]), "row 1, column 0 is -inf");
    data(fails(&one, &two, &[1.0, f64::MAX]), "overflow");
    assert!(matches!(fails(&one, &two, &[1.0]), Error::Shape { .. }));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn integer_problems(
        (a, b, cost) in (1usize..=40, 1usize..=40).prop_flat_map(|(n, m)| {
            (
                prop::collection::vec(0u32..5, n),
                prop::collection::vec(0u32..5, m),
                prop::collection::vec(-3i32..=6, n * m),
            )
        })
    ) {
        // Small integers times the other total: equal masses, and many partial sums that agree.
        let (mass_a, mass_b) = (a.iter().sum::<u32>(), b.iter().sum::<u32>());
        prop_assume!(mass_a > 0 && mass_b > 0);
        let a: Vec<f64> = a.iter().map(|&weight| f64::from(weight * mass_b)).collect();
        let b: Vec<f64> = b.iter().map(|&weight| f64::from(weight * mass_a)).collect();
        let cost: Vec<f64> = cost.iter().map(|&cost| f64::from(cost)).collect();
        let plan = solve(&a, &b, &cost);
        assert_optimal(&a, &b, &cost, &plan);
        // With integer data every vertex is integral.
        prop_assert_eq!(plan.value, plan.value.round());
        prop_assert!(plan.coupling.iter().all(|&(_, _, mass)| mass == mass.round()));
    }

    #[test]
    fn transposing_changes_nothing(n in 1usize..20, m in 1usize..20, seed: u64) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (a, b) = (weights(&mut rng, n), weights(&mut rng, m));
        let cost = squared_distances(&points(&mut rng, n), &points(&mut rng, m));
        let turned: Vec<f64> = (0..n * m).map(|k| cost[k % n * m + k / n]).collect();
        let plan = solve(&a, &b, &cost);
        assert_optimal(&a, &b, &cost, &plan);
        prop_assert!((plan.value - solve(&b, &a, &turned).value).abs() < 1e-14);
    }
}
