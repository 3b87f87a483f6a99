//! An edge whose costs have factors: neither they nor the plan are ever stored.
//!
//! Where D = F G^T at one end, the product D P D' has the factors F and H = G^T P D'. Its inner
//! products phi_i . psi_j are squared distances of points, but for parts that depend on i or j
//! alone: -2 phi_i . psi_j = |phi_i - psi_j|² - |phi_i|² - |psi_j|². So the linearised problem is
//! transport between points with squared Euclidean costs, which the linear core computes on the
//! fly; the rest goes into the references of the nodes.

use nalgebra::{DMatrix, SymmetricEigen};
use ndarray::{Array1, Array2, Axis};

use super::{EdgeTerms, Ends, StartRows};
use crate::engine::{Array, Engine};
use crate::error::Result;
use crate::geometry::{Cost, Geometry, Operator, Side};
use crate::gromov::distances::{Distances, Factors};
use crate::gromov::{Edge, Problem};
use crate::kernels::gromov::grid::Workspace;

/// Directions in which factors vary less than this, beside the one in which they vary most, are
/// left out.
const NEGLIGIBLE: f64 = 1e-13;

/// Work space of an edge whose costs have factors.
pub(super) struct Factored {
    /// t_e.
    share: f64,
    /// The end whose factors are used: 0 for the rows, 1 for the columns.
    low: usize,
    /// Points of the rows and of the columns.
    sizes: [usize; 2],
    /// Columns of the factors, and coordinates of the points that are made from them.
    columns: usize,
    coordinates: usize,
    unit: f64,
    basis: Basis,
    /// G of the end that has factors, column by column, for all problems.
    values: Array,
    current: Vec<Linear>,
    fresh: Vec<Linear>,
    /// The points of rows and columns of every problem.
    points: Vec<[Array2<f64>; 2]>,
    /// What costs depend on one point only: rows and columns, all problems.
    unary: [Vec<f64>; 2],
}

/// F without its mean, in an orthonormal basis: F = 1 mean^T + columns back^T.
struct Basis {
    mean: Array1<f64>,
    columns: Array2<f64>,
    back: Array2<f64>,
}

/// What the linearised costs are made of, for a plan of mass 1; linear in the plan.
#[derive(Clone)]
struct Linear {
    /// (D∘D) times the marginals.
    squares: [Array1<f64>; 2],
    /// H = G^T P D'.
    h: Array2<f64>,
}

impl Factored {
    pub(super) fn new(
        engine: &Engine,
        problem: &Problem,
        edge: Edge,
        distances: [&Distances; 2],
        count: usize,
    ) -> Result<(Self, Operator)> {
        let columns_of = |side: usize| match distances[side] {
            Distances::Factors(factors) => factors.f.ncols(),
            Distances::Dense(_) | Distances::Grid(_) => usize::MAX,
        };
        let low = usize::from(columns_of(1) < columns_of(0));
        let factors = factors_of(distances[low]);
        let sizes = distances.map(Distances::len);
        let columns = factors.f.ncols();
        let coordinates = columns - 1;
        let nowhere = |points: usize| Array2::zeros((points, coordinates));
        let geometry =
            Geometry::points(nowhere(sizes[0]), nowhere(sizes[1]), Cost::SquaredEuclidean)?;
        let mut operator = Operator::new(engine, &vec![&geometry; count])?;
        operator.absorb(engine);
        let values: Vec<f64> = factors
            .g
            .columns()
            .into_iter()
            .flat_map(|column| column.to_vec().repeat(count))
            .collect();
        let node = if low == 0 { edge.rows } else { edge.cols };
        let nothing = Linear {
            squares: sizes.map(Array1::zeros),
            h: Array2::zeros((columns, sizes[1 - low])),
        };
        let factored = Self {
            share: edge.weight,
            low,
            sizes,
            columns,
            coordinates,
            unit: problem.nodes[node].space.unit,
            basis: Basis::of(&factors.f),
            values: engine.upload("factors", &values)?,
            current: vec![nothing.clone(); count],
            fresh: vec![nothing; count],
            points: vec![sizes.map(nowhere); count],
            unary: sizes.map(|points| vec![0.0; count * points]),
        };
        Ok((factored, operator))
    }

    /// Makes H of plans that are given row by row, problem by problem; returns their marginals.
    pub(super) fn start(
        &mut self,
        engine: &Engine,
        plans: Vec<StartRows<'_>>,
        distances: [&Distances; 2],
        workspace: &mut Workspace,
    ) -> Result<Vec<[Vec<f64>; 2]>> {
        let [n, m] = self.sizes;
        let g = &factors_of(distances[self.low]).g;
        let mut marginals = Vec::new();
        for (problem, mut rows) in plans.into_iter().enumerate() {
            // P^T G or P G: what the other end gets of every column of G.
            let mut received = Array2::<f64>::zeros((self.sizes[1 - self.low], self.columns));
            let mut sums = [vec![0.0; n], vec![0.0; m]];
            let mut entries = vec![0.0; m];
            for row in 0..n {
                rows(row, &mut entries);
                sums[0][row] = entries.iter().sum();
                sums[1].iter_mut().zip(&entries).for_each(|(sum, entry)| *sum += entry);
                if self.low == 0 {
                    for (mut received, entry) in received.rows_mut().into_iter().zip(&entries) {
                        received.scaled_add(*entry, &g.row(row));
                    }
                } else {
                    received.row_mut(row).assign(&Array1::from(entries.clone()).dot(g));
                }
            }
            let total: f64 = sums[0].iter().sum();
            for sums in &mut sums {
                sums.iter_mut().for_each(|sum| *sum /= total);
            }
            received /= total;
            let h = distances[1 - self.low].times_columns(engine, workspace, &received)?;
            self.fresh[problem].h = h.reversed_axes();
            marginals.push(sums);
        }
        Ok(marginals)
    }

    /// Takes over the squares' sums of the starts, which have mass 1.
    pub(super) fn set_squares(&mut self, ends: &Ends<'_>) {
        for (problem, fresh) in self.fresh.iter_mut().enumerate() {
            fresh.squares =
                [0, 1].map(|side| part(ends.squares[side], problem, self.sizes[side]).to_owned());
        }
    }

    /// What the plans of the tree's potentials are worth along this edge, and their energies for a
    /// mass of 1; prepares the costs around them.
    pub(super) fn measure(
        &mut self,
        engine: &Engine,
        epsilon: f64,
        (operator, f, g): (&mut Operator, &Array, &Array),
        distances: [&Distances; 2],
        ends: &Ends<'_>,
        workspace: &mut Workspace,
    ) -> Result<(Vec<EdgeTerms>, Vec<f64>)> {
        let (count, other) = (self.fresh.len(), self.sizes[1 - self.low]);
        let mut sums = engine.zeros("linear part", f.len())?;
        operator.linear(engine, epsilon, f, g, &mut sums)?;
        let linear = engine.download(&sums)?;
        let onto = if self.low == 0 { Side::Cols } else { Side::Rows };
        let mut received = engine.zeros("moments", self.columns * count * other)?;
        operator.apply(engine, onto, epsilon, f, g, &self.values, self.columns, &mut received)?;
        let received = engine.download(&received)?;
        let (mut terms, mut energies) = (Vec::new(), Vec::new());
        for problem in 0..count {
            let of_g = Array2::from_shape_fn((other, self.columns), |(point, column)| {
                received[(column * count + problem) * other + point]
            });
            let mass = ends.masses[problem];
            let h =
                distances[1 - self.low].times_columns(engine, workspace, &of_g)?.reversed_axes();
            let of_f = factors_of(distances[self.low]).swapped(&of_g, self.unit);
            let product = (&of_f * &h.t()).sum();
            let mut energy = -2.0 * product;
            let mut unary = 0.0;
            let fresh = &mut self.fresh[problem];
            for side in 0..2 {
                let marginal = part(ends.marginals[side], problem, self.sizes[side]);
                let squares = part(ends.squares[side], problem, self.sizes[side]);
                energy += marginal.dot(&squares);
                unary += marginal.dot(&part(&self.unary[side], problem, self.sizes[side]));
                fresh.squares[side] = &squares / mass;
            }
            fresh.h = h / mass;
            let linear = part(&linear, problem, self.sizes[0]).sum();
            terms.push(EdgeTerms { linear, unary, labels: 0.0 });
            energies.push(self.share * energy / mass);
        }
        Ok((terms, energies))
    }

    /// Moves the costs of every problem by its share towards the fresh ones.
    pub(super) fn step(
        &mut self,
        engine: &Engine,
        shares: &[f64],
        operator: &mut Operator,
    ) -> Result<()> {
        for (problem, &share) in shares.iter().enumerate() {
            if share == 0.0 {
                continue;
            }
            let (fresh, current) = (&self.fresh[problem], &mut self.current[problem]);
            for side in 0..2 {
                current.squares[side] =
                    (1.0 - share) * &current.squares[side] + share * &fresh.squares[side];
            }
            current.h = (1.0 - share) * &current.h + share * &fresh.h;
            self.place(problem);
        }
        let coordinates = |side: usize| -> Vec<f64> {
            (0..self.coordinates)
                .flat_map(|axis| {
                    self.points.iter().flat_map(move |points| points[side].column(axis).to_vec())
                })
                .collect()
        };
        operator.set_points(engine, &coordinates(0), &coordinates(1))
    }

    /// What costs depend on one point of a side only, problem after problem.
    pub(super) fn unary(&self, side: usize) -> &[f64] {
        &self.unary[side]
    }

    /// The costs of pairs of one problem.
    pub(super) fn costs(&self, problem: usize) -> Box<dyn Fn(usize, usize) -> f64> {
        let [x, y] = self.points[problem].clone();
        Box::new(move |i, j| {
            x.row(i).iter().zip(y.row(j)).map(|(x, y)| (x - y) * (x - y)).sum::<f64>()
        })
    }

    /// The points and the parts of one point of a problem, from its costs: with the means taken
    /// out, t_e (squares_i + squares_j - 2 F_i . H_j) = |phi_i - psi_j|² + unary_i + unary_j.
    fn place(&mut self, problem: usize) {
        let Self { share, low, sizes, coordinates, basis, current, .. } = self;
        let Linear { squares, h } = &current[problem];
        let h_mean = h.mean_axis(Axis(1)).expect("there are points");
        let centred = h - &h_mean.view().insert_axis(Axis(1));
        // F H = columns (back^T H), both factors as large as each other in each direction.
        let images = basis.back.t().dot(&centred);
        let (turn, lengths) = principal(&images.dot(&images.t()));
        let longest = lengths.first().copied().unwrap_or(0.0);
        let (mut phi, mut psi) = (
            Array2::<f64>::zeros((sizes[*low], *coordinates)),
            Array2::<f64>::zeros((sizes[1 - *low], *coordinates)),
        );
        for (axis, &length) in lengths.iter().enumerate().take(*coordinates) {
            if length > NEGLIGIBLE * longest && length > 0.0 {
                // `length` is the square of the singular value.
                let root = length.sqrt().sqrt();
                let direction = turn.column(axis);
                phi.column_mut(axis)
                    .assign(&(basis.columns.dot(&direction) * (root * share.sqrt())));
                psi.column_mut(axis).assign(&(images.t().dot(&direction) * (share.sqrt() / root)));
            }
        }
        let norms = |points: &Array2<f64>| points.mapv(|x| x * x).sum_axis(Axis(1));
        let from_low = basis.columns.dot(&basis.back.t().dot(&h_mean));
        let from_other = h.t().dot(&basis.mean);
        let unary_low = *share * (&squares[*low] - 2.0 * &from_low) - norms(&phi);
        let unary_other = *share * (&squares[1 - *low] - 2.0 * &from_other) - norms(&psi);
        for (side, unary) in [(*low, unary_low), (1 - *low, unary_other)] {
            let first = problem * sizes[side];
            self.unary[side][first..first + sizes[side]]
                .copy_from_slice(unary.as_slice().expect("just made"));
        }
        self.points[problem] = if *low == 0 { [phi, psi] } else { [psi, phi] };
    }
}

impl Basis {
    fn of(f: &Array2<f64>) -> Self {
        let mean = f.mean_axis(Axis(0)).expect("there are points");
        let centred = f - &mean;
        let (turn, lengths) = principal(&centred.t().dot(&centred));
        let longest = lengths.first().copied().unwrap_or(0.0);
        let kept: Vec<usize> = (0..lengths.len())
            .filter(|&axis| lengths[axis] > NEGLIGIBLE * longest && lengths[axis] > 0.0)
            .collect();
        let turn = turn.select(Axis(1), &kept);
        let roots: Array1<f64> = kept.iter().map(|&axis| lengths[axis].sqrt()).collect();
        Self { mean, columns: centred.dot(&turn) / &roots, back: turn * &roots }
    }
}

/// Eigenvectors, one a column, and eigenvalues of a small symmetric matrix, the largest first.
fn principal(matrix: &Array2<f64>) -> (Array2<f64>, Vec<f64>) {
    let side = matrix.nrows();
    let eigen = SymmetricEigen::new(DMatrix::from_fn(side, side, |i, j| matrix[[i, j]]));
    let mut order: Vec<usize> = (0..side).collect();
    order.sort_by(|&a, &b| eigen.eigenvalues[b].total_cmp(&eigen.eigenvalues[a]));
    let vectors =
        Array2::from_shape_fn((side, side), |(i, axis)| eigen.eigenvectors[(i, order[axis])]);
    (vectors, order.into_iter().map(|axis| eigen.eigenvalues[axis]).collect())
}

fn factors_of(distances: &Distances) -> &Factors {
    match distances {
        Distances::Factors(factors) => factors,
        _ => unreachable!("chosen because it has factors"),
    }
}

/// The part of one problem of values that lie problem after problem.
fn part(values: &[f64], problem: usize, points: usize) -> ndarray::ArrayView1<'_, f64> {
    ndarray::ArrayView1::from(&values[problem * points..(problem + 1) * points])
}
