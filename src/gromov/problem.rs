//! Multi-marginal Gromov-Wasserstein problems: spaces at the nodes of a tree.

use std::sync::Arc;

use ndarray::{Array1, Array2};

use crate::error::{Error, Result};
use crate::geometry::{Cost, Geometry};
use crate::linear::Law;
use crate::linear::tree::{Reference, Tree};
use crate::validate::positive;

/// Squares of differences of squares of larger ones are beyond what f32 holds.
const LARGEST_DISTANCE: f64 = 1e9;

/// Relative asymmetry of a distance matrix that counts as rounding.
const ASYMMETRY: f64 = 1e-6;

/// A metric measure space: points that are known by their distances, and their weights.
///
/// ```
/// use gaspard::gromov::Space;
/// use gaspard::{Cost, Geometry, Measure};
/// use ndarray::array;
///
/// // Points with their distances, of which the largest becomes 1.
/// let points = Measure::uniform("a", array![[0.0, 0.0], [3.0, 0.0], [0.0, 4.0]])?;
/// let distances = Geometry::between(points.support(), points.support(), Cost::Euclidean)?;
/// let space = Space::new(distances, points.weights().clone())?.in_units_of(5.0)?;
/// assert_eq!(space.distance(1, 2), 1.0);
/// # Ok::<(), gaspard::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Space {
    /// The distances between its points, as the cost of the support to itself. Squared Euclidean
    /// and any other symmetric dissimilarity will do.
    pub distances: Arc<Geometry>,
    /// What the distances are divided by.
    pub unit: f64,
    /// How many copies of every point there are, at no distance from each other; copy after copy,
    /// all points of it. A product with so many labels has one for each.
    pub copies: usize,
    /// One weight a point, of every copy.
    pub weights: Array1<f64>,
    /// The label of every point, for [`Fused`] problems.
    pub labels: Option<Vec<usize>>,
    /// Where the points are cells of a grid, which makes products with the distances cheap.
    pub(super) layout: Option<Layout>,
}

/// The cells of a grid that the points of a space are.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Layout {
    pub surface: Surface,
    /// The distance of two points, before it is divided by the unit.
    pub cost: Cost,
    /// Rows and columns of the grid.
    pub shape: [usize; 2],
    /// The cell of every point.
    pub cells: Vec<usize>,
}

/// What a grid is a grid on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Surface {
    /// Cells of side 1.
    Plane,
    /// Cells of equal angles.
    Sphere,
}

impl Space {
    /// A space from its distances and weights.
    ///
    /// # Errors
    /// [`Error::Shape`] where the sizes do not fit, [`Error::Data`] for distances that are
    /// negative, infinite or not symmetric.
    pub fn new(distances: impl Into<Arc<Geometry>>, weights: Array1<f64>) -> Result<Self> {
        let distances = distances.into();
        let space = Self { distances, unit: 1.0, copies: 1, weights, labels: None, layout: None };
        space.validate("the space")?;
        Ok(space)
    }

    /// The same space with its distances divided by a unit.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a unit that is not positive.
    pub fn in_units_of(mut self, unit: f64) -> Result<Self> {
        positive("the unit of the distances", unit, "give for example their largest")?;
        self.unit = unit;
        Ok(self)
    }

    /// The distance between two points.
    pub fn distance(&self, i: usize, j: usize) -> f64 {
        let points = self.distances.shape().0;
        self.distances.cost(i % points, j % points) / self.unit
    }

    /// The distances between all points, copies included.
    pub(super) fn dense_distances(&self) -> Result<Array2<f64>> {
        let one = self.distances.dense()? / self.unit;
        if self.copies == 1 {
            return Ok(one);
        }
        let points = one.nrows();
        let all = (self.len(), self.len());
        Ok(Array2::from_shape_fn(all, |(i, j)| one[[i % points, j % points]]))
    }

    /// A space from a matrix of distances.
    ///
    /// # Errors
    /// As [`Space::new`].
    pub fn from_matrix(distances: Array2<f64>, weights: Array1<f64>) -> Result<Self> {
        Self::new(Geometry::matrix(distances)?, weights)
    }

    /// A space of points and the distances between them.
    ///
    /// # Errors
    /// As [`Space::new`].
    pub fn from_points(points: Array2<f64>, metric: Cost, weights: Array1<f64>) -> Result<Self> {
        Self::new(Geometry::points(points.clone(), points, metric)?, weights)
    }

    /// The same space with labels.
    pub fn labelled(mut self, labels: Vec<usize>) -> Self {
        self.labels = Some(labels);
        self
    }

    /// How many points.
    pub fn len(&self) -> usize {
        self.weights.len()
    }

    /// Spaces are never empty.
    pub fn is_empty(&self) -> bool {
        self.weights.is_empty()
    }

    pub(super) fn validate(&self, name: &str) -> Result<()> {
        let what = || format!("the distances of {name}");
        let (rows, cols) = self.distances.shape();
        let points = self.len() / self.copies.max(1);
        if (rows, cols) != (points, points) || points * self.copies != self.len() {
            let expected = format!("{points} x {points}, one row for each weight");
            return Err(Error::shape(what(), expected, format!("{rows} x {cols}")));
        }
        self.distances.validate()?;
        let bound = self.distances.cost_bound();
        if bound.is_nan() || bound > LARGEST_DISTANCE {
            let problem = format!("they go up to {bound:.1e}");
            return Err(Error::data(what(), problem, "scale them down: they are squared, twice"));
        }
        match &*self.distances {
            Geometry::Matrix(distances) => check_distances(&what(), distances)?,
            Geometry::Points { x, y, .. } if x != y => {
                let remedy = "give the same points on both sides";
                return Err(Error::data(what(), "they are between two sets of points", remedy));
            }
            Geometry::Separable(axes) => {
                axes.iter().try_for_each(|axis| check_distances(&what(), axis))?;
            }
            Geometry::Points { .. } => {}
        }
        if let Some(labels) = self.labels.as_ref().filter(|labels| labels.len() != self.len()) {
            let expected = format!("one for each of {} points", self.len());
            let found = labels.len().to_string();
            return Err(Error::shape(format!("the labels of {name}"), expected, found));
        }
        Ok(())
    }
}

pub(super) fn check_distances(what: &str, distances: &Array2<f64>) -> Result<()> {
    if let Some(wrong) = distances.iter().find(|value| !(value.is_finite() && **value >= 0.0)) {
        let problem = format!("one of them is {wrong}");
        return Err(Error::data(what, problem, "distances are finite and not negative"));
    }
    let scale = distances.iter().copied().fold(0.0, f64::max);
    for ((i, j), &forth) in distances.indexed_iter() {
        let back = distances[[j, i]];
        if (forth - back).abs() > ASYMMETRY * scale {
            let problem =
                format!("they are not symmetric: {forth} from point {i} to {j}, and {back} back");
            return Err(Error::data(what, problem, "use for example the mean of both directions"));
        }
    }
    Ok(())
}

/// Refuses a share of the distances that is none.
pub(super) fn check_alpha(alpha: f64) -> Result<()> {
    if (0.0..=1.0).contains(&alpha) {
        return Ok(());
    }
    let problem = format!("{alpha} is not between 0 and 1");
    Err(Error::parameter("alpha", problem, "1 is for distances alone"))
}

/// A node of a [`Problem`].
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Its space; for a free node only the number of weights counts.
    pub space: Space,
    /// What it asks of its marginal: fixed, KL or free.
    pub law: Law,
}

/// An edge of a [`Problem`]: two spaces that are compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Edge {
    /// The node whose points are the rows of the plan.
    pub rows: usize,
    /// The node whose points are the columns of the plan.
    pub cols: usize,
    /// t_e: how much the edge counts.
    pub weight: f64,
}

/// How labels count beside distances (paper section 6).
#[derive(Clone, Debug, PartialEq)]
pub struct Fused {
    /// The share of the distances, from 0 to 1; labels have the rest.
    pub alpha: f64,
    /// What it costs to match two labels: the square of their distance.
    pub label_costs: Array2<f64>,
}

/// A multi-marginal Gromov-Wasserstein problem on a tree of spaces.
///
/// Minimises over plans P on the product of all spaces
///
/// ```text
/// J(P) = sum over edges of t_e E_e(P_e) + epsilon KL(P (x) P | nu (x) nu)
///      + sum over nodes of D_i(P_i (x) P_i | mu_i (x) mu_i),
/// E_e(P) = sum |D_p(x, x') - D_c(y, y')|² P(x, y) P(x', y')
/// ```
///
/// (Beier, Beinert, Steidl 2023, section 4.) `nu` is the product of the nodes' references, and the
/// constant epsilon m(nu)² is left out of all values.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// The nodes.
    pub nodes: Vec<Node>,
    /// The edges: one fewer than nodes, without a cycle.
    pub edges: Vec<Edge>,
    /// Labels, where they count.
    pub fused: Option<Fused>,
    /// The reference measure of every node. [`Reference::Counting`], the paper's, rewards mass on
    /// fine grids where no node fixes it: take [`Reference::Uniform`] for such problems.
    pub reference: Reference,
}

impl Default for Problem {
    fn default() -> Self {
        Self { nodes: Vec::new(), edges: Vec::new(), fused: None, reference: Reference::Counting }
    }
}

impl Problem {
    /// Two spaces and one edge.
    pub fn pair(a: Space, b: Space) -> Self {
        let mut problem = Self::default();
        let (a, b) = (problem.node(a, Law::Fixed), problem.node(b, Law::Fixed));
        problem.edge(a, b, 1.0);
        problem
    }

    /// Adds a node and returns its index.
    pub fn node(&mut self, space: Space, law: Law) -> usize {
        self.nodes.push(Node { space, law });
        self.nodes.len() - 1
    }

    /// Adds an edge and returns its index.
    pub fn edge(&mut self, rows: usize, cols: usize, weight: f64) -> usize {
        self.edges.push(Edge { rows, cols, weight });
        self.edges.len() - 1
    }

    /// Checks structure, sizes, values, and that the laws can be met.
    ///
    /// # Errors
    /// [`Error::Data`], [`Error::Shape`] or [`Error::Parameter`] that name the node or edge.
    pub fn validate(&self) -> Result<()> {
        for (index, node) in self.nodes.iter().enumerate() {
            let name = format!("node {index}");
            node.space.validate(&name)?;
            if !matches!(node.law, Law::Fixed | Law::Kl { .. } | Law::Free) {
                return Err(Error::parameter(
                    format!("the law of {name}"),
                    format!("{} has no quadratic form", node.law),
                    "use fixed, kl:RHO or free",
                ));
            }
        }
        if let Some(fused) = &self.fused {
            self.check_labels(fused)?;
        }
        self.linear_tree()?.validate()
    }

    fn check_labels(&self, fused: &Fused) -> Result<()> {
        check_alpha(fused.alpha)?;
        let (kinds, cols) = fused.label_costs.dim();
        if kinds != cols {
            let expected = "a square matrix, a row and a column for each label";
            return Err(Error::shape("the label costs", expected, format!("{kinds} x {cols}")));
        }
        check_distances("the label costs", &fused.label_costs)?;
        for (index, node) in self.nodes.iter().enumerate() {
            let Some(labels) = &node.space.labels else {
                return Err(Error::data(
                    format!("node {index}"),
                    "it has no labels, and the problem counts them",
                    "give every node labels, or alpha = 1",
                ));
            };
            if let Some(label) = labels.iter().find(|label| **label >= kinds) {
                return Err(Error::data(
                    format!("the labels of node {index}"),
                    format!("one of them is {label}, outside the label space"),
                    format!("there are costs for the labels 0 to {}", kinds.saturating_sub(1)),
                ));
            }
        }
        Ok(())
    }

    /// The linear problem on the same tree, with no costs yet.
    pub(super) fn linear_tree(&self) -> Result<Tree> {
        let mut tree = Tree { reference: self.reference, ..Tree::default() };
        for node in &self.nodes {
            tree.node(node.space.weights.clone(), node.law);
        }
        for edge in &self.edges {
            // Points that all lie in one place: a cost of zero that takes no memory. The real one
            // is made on the engine.
            let nowhere = |node: usize| {
                let points = self.nodes.get(node).map_or(1, |node| node.space.len());
                Array2::zeros((points, 1))
            };
            let geometry =
                Geometry::points(nowhere(edge.rows), nowhere(edge.cols), Cost::SquaredEuclidean)?;
            let index = tree.edge(edge.rows, edge.cols, geometry);
            tree.edges[index].weight = edge.weight;
        }
        Ok(tree)
    }

    /// The square of the largest mean distance in a space that is given: what epsilon is small or
    /// large beside. From at most about 10⁶ pairs of points.
    pub fn scale(&self) -> f64 {
        let given = self.nodes.iter().filter(|node| node.law != Law::Free);
        let means = given.map(|node| {
            let Space { distances, unit, weights, .. } = &node.space;
            let one_copy: Vec<f64> = weights.iter().take(distances.shape().0).copied().collect();
            distances.mean_cost(&one_copy, &one_copy) / unit
        });
        means.fold(0.0, f64::max).powi(2)
    }

    /// True if some node fixes the mass of the plan.
    pub(super) fn mass_is_fixed(&self) -> bool {
        self.nodes.iter().any(|node| node.law.fixes_mass())
    }
}
