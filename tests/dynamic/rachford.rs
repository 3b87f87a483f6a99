//! The method of Douglas and Rachford on full matrices: the same discrete problem, solved
//! in another way and by no code of the library.

use gaspard::Engine;
use gaspard::dynamic::{Control, Domain, Map, Problem, Space};
use nalgebra::{DMatrix, DVector, Matrix2, Vector2};

use super::{gaussian, run};

const CELLS: [usize; 2] = [5, 4];
const STEPS: usize = 4;

/// Unknowns: m_1, m_2 and rho at the faces inside, then all three at the centres.
struct Places;

impl Places {
    const FACES: [usize; 3] = [
        (CELLS[0] - 1) * CELLS[1] * STEPS,
        CELLS[0] * (CELLS[1] - 1) * STEPS,
        CELLS[0] * CELLS[1] * (STEPS - 1),
    ];

    fn centres() -> usize {
        CELLS[0] * CELLS[1] * STEPS
    }

    fn staggered() -> usize {
        Self::FACES.iter().sum()
    }

    /// The face below a cell along an axis (2 is time), if it is inside.
    fn face(axis: usize, cell: [usize; 3]) -> Option<usize> {
        let mut lengths = [CELLS[0], CELLS[1], STEPS];
        let mut at = cell;
        if at[axis] == 0 || at[axis] == lengths[axis] {
            return None;
        }
        at[axis] -= 1;
        lengths[axis] -= 1;
        let before: usize = Self::FACES[..axis].iter().sum();
        Some(before + (at[2] * lengths[0] + at[0]) * lengths[1] + at[1])
    }

    fn centre(component: usize, cell: [usize; 3]) -> usize {
        Self::staggered()
            + component * Self::centres()
            + (cell[2] * CELLS[0] + cell[0]) * CELLS[1]
            + cell[1]
    }

    fn cells() -> impl Iterator<Item = [usize; 3]> {
        (0..STEPS)
            .flat_map(|t| (0..CELLS[0]).flat_map(move |x| (0..CELLS[1]).map(move |y| [x, y, t])))
    }
}

/// A x = c: no divergence, and centres are the means of their faces.
fn constraints(start: &[f64], end: &[f64]) -> (DMatrix<f64>, DVector<f64>) {
    let (count, unknowns) = (Places::centres(), Places::staggered() + 3 * Places::centres());
    let mut matrix = DMatrix::zeros(4 * count, unknowns);
    let mut right = DVector::zeros(4 * count);
    let rates = [CELLS[0] as f64, CELLS[1] as f64, STEPS as f64];
    for (row, cell) in Places::cells().enumerate() {
        for axis in 0..3 {
            let mut above = cell;
            above[axis] += 1;
            let mean_row = (axis + 1) * count + row;
            matrix[(mean_row, Places::centre(axis, cell))] = 1.0;
            for (face, sign) in [(cell, -1.0), (above, 1.0)] {
                match Places::face(axis, face) {
                    Some(place) => {
                        matrix[(row, place)] += sign * rates[axis];
                        matrix[(mean_row, place)] -= 0.5;
                    }
                    // At the border: what is given there.
                    None if axis == 2 => {
                        let ends = if sign < 0.0 { start } else { end };
                        let value = ends[cell[0] * CELLS[1] + cell[1]];
                        right[row] -= sign * rates[axis] * value;
                        right[mean_row] += 0.5 * value;
                    }
                    None => {}
                }
            }
        }
    }
    (matrix, right)
}

/// argmin |m - m'|²/2 + (rho - rho')²/2 + gamma m^T G m / rho, by bisection of equation 3.2.
fn prox(gamma: f64, metric: &Matrix2<f64>, m: Vector2<f64>, rho: f64) -> (Vector2<f64>, f64) {
    let inverse = |r: f64| {
        let matrix = Matrix2::identity() * r + metric * (2.0 * gamma);
        matrix.try_inverse().expect("positive definite")
    };
    let excess = |r: f64| {
        let half = inverse(r) * m;
        r - rho - gamma * half.dot(&(metric * half))
    };
    if excess(0.0) >= 0.0 {
        return (Vector2::zeros(), 0.0);
    }
    let (mut low, mut high) = (0.0, 1.0);
    while excess(high) < 0.0 {
        high *= 2.0;
    }
    for _ in 0..100 {
        let middle = 0.5 * (low + high);
        if excess(middle) < 0.0 { low = middle } else { high = middle }
    }
    (inverse(low) * m * low, low)
}

#[test]
fn douglas_and_rachford_find_the_same_motion() {
    let domain = Domain::new(&CELLS, STEPS).unwrap();
    let from = gaussian(&domain, &[0.35, 0.4], 0.22);
    let to = gaussian(&domain, &[0.65, 0.55], 0.25);
    let hill = Map::from_fn(&domain, |x| vec![(2.0 * x[0] - x[1]).sin(), x[0] * x[1]]).unwrap();
    let beta = 0.8;
    let problem = Problem::new(&domain, from.view(), to.view()).unwrap();
    let problem = problem.space(Space::particles(hill.clone()), beta).unwrap();
    let control = Control { tolerance: 1e-7, max_iterations: 20_000, ..Control::default() };
    let solution = run(&problem, &control, &Engine::cpu());
    assert!(solution.outcome.converged, "{:?}", solution.residuals);

    let [start, end] = [&from, &to].map(|ends| ends.iter().copied().collect::<Vec<_>>());
    let (matrix, right) = constraints(&start, &end);
    let inverse = matrix.clone().pseudo_inverse(1e-9).unwrap();
    let projector = DMatrix::identity(matrix.ncols(), matrix.ncols()) - &inverse * &matrix;
    let offset = &inverse * right;
    let metrics: Vec<Matrix2<f64>> = (0..CELLS[0] * CELLS[1])
        .map(|cell| {
            let jacobian = hill.jacobian().index_axis(ndarray::Axis(0), cell);
            let square = jacobian.t().dot(&jacobian) * beta;
            Matrix2::from_fn(|i, j| square[[i, j]] + f64::from(u8::from(i == j)))
        })
        .collect();
    let (gamma, relaxation) = (0.5, 1.5);
    let mut z = offset.clone();
    let mut projected = z.clone();
    for _ in 0..6000 {
        projected = &projector * &z + &offset;
        let mut reflected = 2.0 * &projected - &z;
        for cell in Places::cells() {
            let [a, b, c] = [0, 1, 2].map(|component| Places::centre(component, cell));
            let metric = &metrics[cell[0] * CELLS[1] + cell[1]];
            let momentum = Vector2::new(reflected[a], reflected[b]);
            let (m, rho) = prox(gamma, metric, momentum, reflected[c]);
            (reflected[a], reflected[b], reflected[c]) = (m[0], m[1], rho);
        }
        z += relaxation * (reflected - &projected);
    }
    let mut cost = 0.0;
    for cell in Places::cells() {
        let [a, b, c] = [0, 1, 2].map(|component| projected[Places::centre(component, cell)]);
        let m = Vector2::new(a, b);
        cost += m.dot(&(metrics[cell[0] * CELLS[1] + cell[1]] * m)) / c;
    }
    cost /= Places::centres() as f64;
    assert!((solution.total / cost - 1.0).abs() < 1e-5, "{} {cost}", solution.total);
    for cell in Places::cells().filter(|cell| cell[2] > 0) {
        let expected = projected[Places::face(2, cell).unwrap()];
        let found = solution.density[[cell[2], cell[0], cell[1]]];
        assert!((found - expected).abs() < 1e-3, "{cell:?}: {found} {expected}");
    }
}
