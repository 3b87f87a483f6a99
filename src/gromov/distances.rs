//! Distances of a space in the form that products with them are cheapest.

use ndarray::{Array2, Axis, concatenate};

use super::Space;
use crate::engine::{Array, Engine};
use crate::error::Result;
use crate::geometry::{Cost, Geometry};
use crate::kernels::gromov::RowPlan;
use crate::kernels::gromov::matrix_product::{Place, matrix_product};
use crate::kernels::gromov::squared_sums::squared_sums;
use crate::kernels::tiles::Blocks;

/// The distances of one space.
pub(super) enum Distances {
    /// A stored matrix.
    Dense(Dense),
    /// A product of two thin matrices on the host.
    Factors(Factors),
}

/// A stored matrix of distances.
pub(super) struct Dense {
    points: usize,
    matrix: Array,
    plan: RowPlan,
}

/// D = F G^T. For squared Euclidean distances in d dimensions, |x - x'|² = r + r' - 2 <x, x'> has
/// d + 2 columns: F = (r, 1, -2 X) and G = (1, r, X) (spec 10).
pub(super) struct Factors {
    pub f: Array2<f64>,
    pub g: Array2<f64>,
}

impl Distances {
    /// The distances between the first so many points of a space: one copy of them, or all.
    pub(super) fn new(
        engine: &Engine,
        space: &Space,
        points: usize,
        factored: bool,
    ) -> Result<Self> {
        match &*space.distances {
            Geometry::Points { x, cost: Cost::SquaredEuclidean, .. } if factored => {
                Ok(Self::Factors(Factors::of_points(x, space.unit)))
            }
            _ => Ok(Self::Dense(Dense::new(engine, space, points)?)),
        }
    }

    /// True if the distances of a space have factors.
    pub(super) fn have_factors(space: &Space) -> bool {
        let squared =
            matches!(&*space.distances, Geometry::Points { cost: Cost::SquaredEuclidean, .. });
        squared && space.copies == 1
    }

    /// How many points.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Dense(dense) => dense.points,
            Self::Factors(factors) => factors.f.nrows(),
        }
    }

    /// (D∘D) v for vectors that lie one after another.
    pub(super) fn squares(&self, engine: &Engine, vectors: &[f64]) -> Result<Vec<f64>> {
        match self {
            Self::Dense(dense) => {
                let v = engine.upload("vectors", vectors)?;
                let mut out = engine.zeros("squares", vectors.len())?;
                squared_sums(engine, &dense.plan, &dense.matrix, &v, &mut out)?;
                engine.download(&out)
            }
            Self::Factors(factors) => {
                Ok(vectors.chunks(self.len()).flat_map(|v| factors.squares(v)).collect())
            }
        }
    }

    /// D M for a few columns on the host.
    pub(super) fn times_columns(&self, engine: &Engine, m: &Array2<f64>) -> Result<Array2<f64>> {
        match self {
            Self::Factors(factors) => Ok(factors.f.dot(&factors.g.t().dot(m))),
            Self::Dense(dense) => {
                let place = Place::new(0, m.nrows(), m.ncols());
                let values: Vec<f64> = m.iter().copied().collect();
                let mut out = engine.zeros("product", values.len())?;
                let m = engine.upload("columns", &values)?;
                dense.times(engine, (&m, place), (&mut out, place))?;
                let shape = (place.rows, place.cols);
                Ok(Array2::from_shape_vec(shape, engine.download(&out)?).expect("as it was"))
            }
        }
    }
}

impl Dense {
    fn new(engine: &Engine, space: &Space, points: usize) -> Result<Self> {
        let pairs = (0..points).flat_map(|i| (0..points).map(move |j| (i, j)));
        let values = pairs.map(|(i, j)| space.distance(i, j));
        Ok(Self {
            points,
            matrix: engine.collect("distances", points * points, values)?,
            plan: RowPlan::new(engine, &Blocks::single(points, points))?,
        })
    }

    /// out = D M.
    pub(super) fn times(
        &self,
        engine: &Engine,
        (m, m_place): (&Array, Place),
        (out, out_place): (&mut Array, Place),
    ) -> Result<()> {
        let whole = Place::new(0, self.points, self.points);
        matrix_product(engine, (&self.matrix, whole), (m, m_place), (out, out_place))
    }

    /// out = M D.
    pub(super) fn times_from_right(
        &self,
        engine: &Engine,
        (m, m_place): (&Array, Place),
        (out, out_place): (&mut Array, Place),
    ) -> Result<()> {
        let whole = Place::new(0, self.points, self.points);
        matrix_product(engine, (m, m_place), (&self.matrix, whole), (out, out_place))
    }
}

impl Factors {
    fn of_points(x: &Array2<f64>, unit: f64) -> Self {
        let x = x - &x.mean_axis(Axis(0)).expect("there are points");
        let r = x.mapv(|value| value * value).sum_axis(Axis(1)).insert_axis(Axis(1));
        let ones = Array2::ones((x.nrows(), 1));
        let join = |parts: &[ndarray::ArrayView2<'_, f64>]| {
            concatenate(Axis(1), parts).expect("a row for each point")
        };
        let f = join(&[r.view(), ones.view(), (-2.0 * &x).view()]) / unit;
        Self { f, g: join(&[ones.view(), r.view(), x.view()]) }
    }

    /// sum_j D_ij² v_j = F_i (sum_j v_j G_j G_j^T) F_i^T.
    fn squares(&self, v: &[f64]) -> Vec<f64> {
        let weighted = &self.g * &ndarray::ArrayView1::from(v).insert_axis(Axis(1));
        let moments = self.g.t().dot(&weighted);
        let images = self.f.dot(&moments);
        (&images * &self.f).sum_axis(Axis(1)).to_vec()
    }

    /// P^T F from P^T G, or P F from P G: the same columns in another order, scaled.
    pub(super) fn swapped(&self, of_g: &Array2<f64>, unit: f64) -> Array2<f64> {
        let mut of_f = of_g.clone();
        of_f.column_mut(0).assign(&of_g.column(1));
        of_f.column_mut(1).assign(&of_g.column(0));
        of_f.slice_mut(ndarray::s![.., 2..]).mapv_inplace(|value| -2.0 * value);
        of_f / unit
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, array};

    use super::*;

    #[test]
    fn factors_are_the_squared_distances() {
        let points = array![[0.1, 0.2], [0.5, -0.4], [2.0, 1.0], [0.3, 0.3]];
        let weights = Array1::from_elem(4, 0.25);
        let space = Space::from_points(points, Cost::SquaredEuclidean, weights).unwrap();
        let space = space.in_units_of(1.7).unwrap();
        let engine = Engine::cpu();
        let thin = Distances::new(&engine, &space, 4, true).unwrap();
        let thick = Distances::new(&engine, &space, 4, false).unwrap();
        assert!(matches!(thin, Distances::Factors(_)) && matches!(thick, Distances::Dense(_)));
        let m = array![[1.0, 0.0], [0.5, -2.0], [0.0, 3.0], [1.0, 1.0]];
        let [a, b] = [&thin, &thick].map(|d| d.times_columns(&engine, &m).unwrap());
        assert!((&a - &b).mapv(f64::abs).sum() < 1e-13);
        let v = [0.1, 0.7, 0.2, -0.3];
        let [a, b] = [&thin, &thick].map(|d| d.squares(&engine, &v).unwrap());
        assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-13));
        let Distances::Factors(factors) = thin else { unreachable!() };
        let swapped = factors.swapped(&factors.g, 1.7);
        assert!((swapped - factors.f).mapv(f64::abs).sum() < 1e-13);
    }
}
