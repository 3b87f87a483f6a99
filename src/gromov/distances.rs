//! Distances of a space in the form that products with them are cheapest.

use std::ops::ControlFlow;

use ndarray::{Array2, Axis, concatenate};

use super::Space;
use super::problem::{Layout, Surface};
use crate::engine::{Array, Engine};
use crate::error::Result;
use crate::geometry::{Cost, Geometry, sphere};
use crate::kernels::gromov::RowPlan;
use crate::kernels::gromov::grid::{GridDistances, GridSizes, Room, Structure, Workspace};
use crate::kernels::gromov::matrix_product::{Place, matrix_product, rows_at_a_time};
use crate::kernels::gromov::squared_sums::squared_sums;
use crate::kernels::tiles::Blocks;
use crate::observer::Observer;

/// The distances of one space.
pub(super) enum Distances {
    /// A stored matrix.
    Dense(Dense),
    /// Cells of a grid: products by Fourier transforms.
    Grid(Box<GridDistances>),
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
/// d + 2 columns: F = (r, 1, -2 X) and G = (1, r, X).
pub(super) struct Factors {
    pub f: Array2<f64>,
    pub g: Array2<f64>,
}

/// The form that the distances of a space take: which is cheapest, and what it needs.
pub(super) enum Form {
    /// So many points.
    Dense(usize),
    /// The cells of a grid.
    Grid(GridSizes),
    /// So many columns.
    Factors,
}

impl Form {
    /// The cheapest form for a space of which the first so many points count: one copy of them, or
    /// all. Factors are for edges that make use of them.
    pub(super) fn of(space: &Space, points: usize, factored: bool) -> Result<Self> {
        if factored && Distances::have_factors(space) {
            return Ok(Self::Factors);
        }
        if let Some(layout) = space.layout.as_ref().filter(|layout| layout.cells.len() == points) {
            let sizes = sizes_of(layout)?;
            if sizes.work() < (points as f64).powi(2) {
                return Ok(Self::Grid(sizes));
            }
        }
        Ok(Self::Dense(points))
    }

    /// Bytes that it takes on an engine.
    pub(super) fn bytes(&self, engine: &Engine) -> u64 {
        match self {
            Self::Dense(points) => (*points as u64).pow(2) * engine.bytes_per_number(),
            Self::Grid(sizes) => sizes.bytes(engine),
            Self::Factors => 0,
        }
    }

    /// The room that products with so many columns need.
    pub(super) fn room(&self, engine: &Engine, columns: usize) -> Room {
        match self {
            Self::Grid(sizes) => sizes.room(engine, columns),
            Self::Dense(_) | Self::Factors => Room::default(),
        }
    }

    /// The distances of the space in this form.
    pub(super) fn build(&self, engine: &Engine, space: &Space) -> Result<Distances> {
        match (self, &*space.distances, &space.layout) {
            (Self::Factors, Geometry::Points { x, .. }, _) => {
                Ok(Distances::Factors(Factors::of_points(x, space.unit)))
            }
            (Self::Grid(_), _, Some(layout)) => {
                Ok(Distances::Grid(Box::new(on_grid(engine, space, layout)?)))
            }
            (Self::Dense(points), ..) => Ok(Distances::Dense(Dense::new(engine, space, *points)?)),
            _ => unreachable!("the form was chosen by the space"),
        }
    }
}

fn sizes_of(layout: &Layout) -> Result<GridSizes> {
    let structure = match layout.surface {
        Surface::Plane => Structure::Radial,
        Surface::Sphere => Structure::Circular,
    };
    GridSizes::new(structure, layout.shape, Some(&layout.cells))
}

fn on_grid(engine: &Engine, space: &Space, layout: &Layout) -> Result<GridDistances> {
    let (shape, cells, unit) = (layout.shape, Some(&layout.cells[..]), space.unit);
    match layout.surface {
        Surface::Plane => GridDistances::radial(engine, shape, cells, |down, across| {
            layout.cost.of_square((down * down + across * across) as f64) / unit
        }),
        Surface::Sphere => {
            let (support, _) = sphere::grid(shape[0], shape[1])?;
            let vectors = support.places()?;
            GridDistances::circular(engine, shape, cells, |row, other, steps| {
                let (a, b) = (vectors.row(row * shape[1]), vectors.row(other * shape[1] + steps));
                let chord = a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum();
                layout.cost.of_square(chord) / unit
            })
        }
    }
}

impl Distances {
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
            Self::Grid(grid) => grid.len(),
            Self::Factors(factors) => factors.f.nrows(),
        }
    }

    /// (D∘D) v for vectors that lie one after another.
    pub(super) fn squares(
        &self,
        engine: &Engine,
        workspace: &mut Workspace,
        vectors: &[f64],
    ) -> Result<Vec<f64>> {
        if let Self::Factors(factors) = self {
            return Ok(vectors.chunks(self.len()).flat_map(|v| factors.squares(v)).collect());
        }
        let v = engine.upload("vectors", vectors)?;
        let mut out = engine.zeros("squares", vectors.len())?;
        match self {
            Self::Grid(grid) => grid.squared(engine, workspace, &v, &mut out)?,
            Self::Dense(dense) => squared_sums(engine, &dense.plan, &dense.matrix, &v, &mut out)?,
            Self::Factors(_) => {}
        }
        engine.download(&out)
    }

    /// D M for a few columns on the host.
    pub(super) fn times_columns(
        &self,
        engine: &Engine,
        workspace: &mut Workspace,
        m: &Array2<f64>,
    ) -> Result<Array2<f64>> {
        if let Self::Factors(factors) = self {
            return Ok(factors.f.dot(&factors.g.t().dot(m)));
        }
        let place = Place::new(0, m.nrows(), m.ncols());
        let values: Vec<f64> = m.iter().copied().collect();
        let mut out = engine.zeros("product", values.len())?;
        let m = engine.upload("columns", &values)?;
        let _ = self.times(engine, workspace, (&m, place), (&mut out, place), &())?;
        let shape = (place.rows, place.cols);
        Ok(Array2::from_shape_vec(shape, engine.download(&out)?).expect("as it was"))
    }

    /// out = D M on the engine, or a part of it where the observer wants to stop.
    pub(super) fn times(
        &self,
        engine: &Engine,
        workspace: &mut Workspace,
        (m, m_place): (&Array, Place),
        (out, out_place): (&mut Array, Place),
        observer: &dyn Observer,
    ) -> Result<ControlFlow<()>> {
        match self {
            Self::Dense(dense) => {
                product(engine, dense.whole(), (m, m_place), (out, out_place), observer)
            }
            Self::Grid(grid) => {
                grid.times(engine, workspace, (m, m_place), (out, out_place))?;
                Ok(unless_interrupted(observer))
            }
            Self::Factors(_) => unreachable!("factors are multiplied on the host"),
        }
    }

    /// out = M D on the engine, or a part of it where the observer wants to stop.
    pub(super) fn times_from_right(
        &self,
        engine: &Engine,
        workspace: &mut Workspace,
        (m, m_place): (&Array, Place),
        (out, out_place): (&mut Array, Place),
        observer: &dyn Observer,
    ) -> Result<ControlFlow<()>> {
        match self {
            Self::Dense(dense) => {
                product(engine, (m, m_place), dense.whole(), (out, out_place), observer)
            }
            Self::Grid(grid) => {
                grid.times_from_right(engine, workspace, (m, m_place), (out, out_place))?;
                Ok(unless_interrupted(observer))
            }
            Self::Factors(_) => unreachable!("factors are multiplied on the host"),
        }
    }
}

/// out = A B, some rows at a time, until the observer wants to stop.
fn product(
    engine: &Engine,
    (a, a_place): (&Array, Place),
    (b, b_place): (&Array, Place),
    (out, out_place): (&mut Array, Place),
    observer: &dyn Observer,
) -> Result<ControlFlow<()>> {
    let at_a_time = rows_at_a_time(engine, a_place.cols, b_place.cols).min(a_place.rows);
    for row in (0..a_place.rows).step_by(at_a_time.max(1)) {
        let rows = at_a_time.min(a_place.rows - row);
        let part = |place: Place| Place::new(place.first + row * place.cols, rows, place.cols);
        matrix_product(engine, (a, part(a_place)), (b, b_place), (out, part(out_place)))?;
        if observer.interrupted() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// Asks an observer whether to stop.
pub(super) fn unless_interrupted(observer: &dyn Observer) -> ControlFlow<()> {
    if observer.interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
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

    fn whole(&self) -> (&Array, Place) {
        (&self.matrix, Place::new(0, self.points, self.points))
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
    use std::cell::Cell;

    use ndarray::{Array1, array};

    use super::*;
    use crate::gromov::GridSpace;

    #[test]
    fn factors_are_the_squared_distances() {
        let points = array![[0.1, 0.2], [0.5, -0.4], [2.0, 1.0], [0.3, 0.3]];
        let weights = Array1::from_elem(4, 0.25);
        let space = Space::from_points(points, Cost::SquaredEuclidean, weights).unwrap();
        let space = space.in_units_of(1.7).unwrap();
        let engine = Engine::cpu();
        let mut workspace = Workspace::new(&engine, Room::default()).unwrap();
        let [thin, thick] = [true, false]
            .map(|factored| Form::of(&space, 4, factored).unwrap().build(&engine, &space).unwrap());
        assert!(matches!(thin, Distances::Factors(_)) && matches!(thick, Distances::Dense(_)));
        let m = array![[1.0, 0.0], [0.5, -2.0], [0.0, 3.0], [1.0, 1.0]];
        let [a, b] = [&thin, &thick].map(|d| d.times_columns(&engine, &mut workspace, &m).unwrap());
        assert!((&a - &b).mapv(f64::abs).sum() < 1e-13);
        let v = [0.1, 0.7, 0.2, -0.3];
        let [a, b] = [&thin, &thick].map(|d| d.squares(&engine, &mut workspace, &v).unwrap());
        assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-13));
        let Distances::Factors(factors) = thin else { unreachable!() };
        let swapped = factors.swapped(&factors.g, 1.7);
        assert!((swapped - factors.f).mapv(f64::abs).sum() < 1e-13);
    }

    /// Asked after every part of a product, and stops it then.
    struct Asked(Cell<usize>, usize);

    impl Observer for Asked {
        fn progress(&mut self, _: &crate::Progress) -> ControlFlow<()> {
            ControlFlow::Continue(())
        }

        fn interrupted(&self) -> bool {
            self.0.set(self.0.get() + 1);
            self.0.get() >= self.1
        }
    }

    #[test]
    fn a_product_in_parts_is_the_product_and_can_be_left() {
        let engine = Engine::cpu();
        let (rows, inner, cols) = (300, 3000, 3000);
        let at_a_time = rows_at_a_time(&engine, inner, cols);
        let values = |count: usize| engine.upload("a factor", &vec![0.5; count]).unwrap();
        let (a, b) = (values(rows * inner), values(inner * cols));
        for stop_at in [1, usize::MAX] {
            let mut out = engine.zeros("the product", rows * cols).unwrap();
            let observer = Asked(Cell::new(0), stop_at);
            let [of_a, of_b, of_out] =
                [(rows, inner), (inner, cols), (rows, cols)].map(|(n, m)| Place::new(0, n, m));
            let flow = product(&engine, (&a, of_a), (&b, of_b), (&mut out, of_out), &observer);
            let parts = rows.div_ceil(at_a_time).min(stop_at);
            assert_eq!((flow.unwrap().is_break(), observer.0.get()), (stop_at == 1, parts));
            let made = (parts * at_a_time).min(rows) * cols;
            let out = engine.download(&out).unwrap();
            assert!(out[..made].iter().all(|value| *value == 0.25 * inner as f64));
            assert!(out[made..].iter().all(|value| *value == 0.0));
        }
    }

    /// Pictures and fields on the sphere, whole and in part: what the kernels make of the grid are
    /// the distances of the space.
    #[test]
    fn grids_are_their_distances() {
        let mask = |shape: (usize, usize)| {
            Array2::from_shape_fn(shape, |(i, j)| f64::from(u8::from((i * 7 + j * 3) % 5 < 3)))
        };
        let spaces = [
            GridSpace::whole_plane([5, 8]).unwrap(),
            GridSpace::plane(mask((9, 4)).view()).unwrap(),
            GridSpace::whole_plane([4, 6]).unwrap().measured_by(Cost::Power(1.5)).unwrap(),
            GridSpace::whole_sphere([6, 10]).unwrap(),
            GridSpace::sphere(mask((7, 9)).view()).unwrap(),
        ];
        let engine = Engine::cpu();
        for GridSpace { space, .. } in spaces {
            let layout = space.layout.as_ref().unwrap();
            let grid = on_grid(&engine, &space, layout).unwrap();
            let room = sizes_of(layout).unwrap().room(&engine, space.len());
            let mut workspace = Workspace::new(&engine, room).unwrap();
            let found = Distances::Grid(Box::new(grid))
                .times_columns(&engine, &mut workspace, &Array2::eye(space.len()))
                .unwrap();
            for ((i, j), found) in found.indexed_iter() {
                // Near antipodes an angle is known to the root of the rounding of its chord only.
                let near_antipode = *found > 0.99 && layout.surface == Surface::Sphere;
                let allowed = if near_antipode { 3e-8 } else { 1e-13 };
                assert!((found - space.distance(i, j)).abs() < allowed, "{i}, {j}: {found}");
            }
        }
    }
}
