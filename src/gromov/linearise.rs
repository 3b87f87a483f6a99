//! The linearised problem on an engine: a tree whose edge costs follow the plan.

use ndarray::Array1;

use super::Problem;
use super::distances::Distances;
use super::plan::Plan;
use crate::engine::{Array, Engine};
use crate::error::Result;
use crate::geometry::Operator;
use crate::kernels::gromov::RowPlan;
use crate::kernels::gromov::blend::blend;
use crate::kernels::gromov::coupling_dense::coupling_dense;
use crate::kernels::gromov::fold_columns::fold_columns;
use crate::kernels::gromov::linearised_cost::{EdgeLabels, Product, linearised_cost};
use crate::kernels::gromov::matrix_product::Place;
use crate::kernels::linear::coupling_rows::{Summand, coupling_rows};
use crate::kernels::linear::segment_sum::compensated_sum;
use crate::kernels::tiles::Blocks;
use crate::linear::tree::{Forest, NodeValues};

/// A batch of linearised problems that differ in the plan they are linearised at. All costs are
/// those of the plan scaled to mass 1, so that epsilon and the laws stay as they are (spec 3.1,
/// divided by the mass).
pub(super) struct Linearised {
    pub forest: Forest,
    engine: Engine,
    alpha: f64,
    nodes: Vec<Distances>,
    edges: Vec<EdgeWork>,
    /// Holds one product on the way to the other.
    scratch: Array,
    /// log nu of every node, for one problem.
    log_references: Vec<Vec<f64>>,
    count: usize,
}

struct EdgeWork {
    rows: usize,
    cols: usize,
    weight: f64,
    plan: RowPlan,
    /// The plan, its product with the distances, and in the end the costs of the next problem.
    fresh: Array,
    /// The plan and its product without copies of columns, where there are copies.
    folded: Option<Array>,
    labels: EdgeLabels,
    label_costs: Option<LabelCosts>,
}

/// What is needed to sum label costs over a plan.
struct LabelCosts {
    rows: Vec<usize>,
    /// t_e (1 - alpha) Lab.
    costs: ndarray::Array2<f64>,
    /// For every label, which columns have it: 1 or 0, label by label.
    members: Array,
}

/// What the plan of a linearised problem is worth.
pub(super) struct Found {
    pub plan: Plan,
    /// The quadratic part of F between the plan that the problem was linearised at, scaled to
    /// mass 1, and this one.
    pub cross_energy: f64,
    /// Potentials over epsilon of every node.
    pub potentials: Vec<Vec<f64>>,
}

impl Linearised {
    pub(super) fn new(engine: &Engine, problem: &Problem, count: usize) -> Result<Self> {
        engine.require(
            "the problem",
            predicted_bytes(engine, problem, count),
            "use fewer points, fewer starts at once, or another device",
        )?;
        let blocks = |edge: &super::Edge| {
            let size = |node: usize| problem.nodes[node].space.len();
            Blocks::of((0..count).map(|_| (size(edge.rows), size(edge.cols))))
        };
        let operators = problem.edges.iter().map(|edge| Operator::stored(engine, &blocks(edge)));
        let operators = operators.collect::<Result<Vec<_>>>()?;
        // The costs on the engine have the weights of the edges in them.
        let mut tree = problem.linear_tree()?;
        tree.edges.iter_mut().for_each(|edge| edge.weight = 1.0);
        let trees = vec![&tree; count];
        let forest = Forest::with_operators(engine, &trees, operators)?;
        let edges = problem
            .edges
            .iter()
            .map(|edge| EdgeWork::new(engine, problem, *edge, &blocks(edge)))
            .collect::<Result<Vec<_>>>()?;
        let nodes = problem
            .nodes
            .iter()
            .enumerate()
            .map(|(node, spec)| Distances::new(engine, &spec.space, distinct_points(problem, node)))
            .collect::<Result<Vec<_>>>()?;
        let product = |edge: &EdgeWork| edge.plan.blocks.size(0).0 * nodes[edge.cols].len();
        let largest = edges.iter().map(product).max().unwrap_or(0);
        let log_references = (0..problem.nodes.len())
            .map(|node| {
                let all = engine.download(&forest.nodes[node].arrays.log_reference)?;
                Ok(all[..problem.nodes[node].space.len()].to_vec())
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Self {
            nodes,
            scratch: engine.zeros("product", largest)?,
            engine: engine.clone(),
            alpha: problem.fused.as_ref().map_or(1.0, |fused| fused.alpha),
            forest,
            edges,
            log_references,
            count,
        })
    }

    /// Puts plans of mass 1 where those of the tree would be, edge by edge, problem by problem.
    pub(super) fn set_plans(
        &mut self,
        mut entry: impl FnMut(usize, usize) -> Vec<f64>,
    ) -> Result<()> {
        for edge in 0..self.edges.len() {
            let mut all = Vec::with_capacity(self.edges[edge].fresh.len());
            for problem in 0..self.count {
                all.extend(entry(edge, problem));
            }
            self.engine.write(&mut self.edges[edge].fresh, &all)?;
        }
        Ok(())
    }

    /// The costs of the linearised problem around the plans that [`Linearised::set_plans`] put in
    /// place, whose marginals these are.
    pub(super) fn linearise(&mut self, marginals: &[Vec<[Array1<f64>; 2]>]) -> Result<()> {
        for (edge, marginals) in marginals.iter().enumerate() {
            let masses = vec![1.0; self.count];
            let EdgeWork { rows, cols, .. } = self.edges[edge];
            let [row_squares, col_squares] = [(rows, 0), (cols, 1)].map(|(node, side)| {
                let each = marginals.iter().map(|sides| sides[side].view());
                self.squares(node, each.flatten().copied().collect())
            });
            self.costs_from_product(edge, &row_squares?, &col_squares?, &masses)?;
        }
        Ok(())
    }

    /// D_i² a for vectors that lie one after another.
    fn squares(&self, node: usize, vectors: Vec<f64>) -> Result<Vec<f64>> {
        let points = self.nodes[node].len();
        let copies = vectors.len() / self.count / points;
        let folded = vectors.chunks(points * copies).flat_map(|vector| {
            (0..points).map(|point| vector.iter().skip(point).step_by(points).sum::<f64>())
        });
        let v = self.engine.upload("marginals", &folded.collect::<Vec<_>>())?;
        let mut out = self.engine.zeros("squares", v.len())?;
        self.nodes[node].squared(&self.engine, &v, &mut out)?;
        let squares = self.engine.download(&out)?;
        Ok(squares.chunks(points).flat_map(|squares| squares.repeat(copies)).collect())
    }

    /// The plan of the tree's potentials, and the costs of the problem linearised at it. Messages
    /// must be up to date.
    pub(super) fn evaluate(&mut self, epsilon: f64) -> Result<Vec<Found>> {
        let (engine, count) = (self.engine.clone(), self.count);
        let mut found = self.marginals()?;
        let squares = (0..self.nodes.len())
            .map(|node| {
                let all = found.iter().flat_map(|one| &one.plan.marginals[node]);
                self.squares(node, all.copied().collect())
            })
            .collect::<Result<Vec<_>>>()?;
        let masses: Vec<f64> = found.iter().map(|one| one.plan.mass).collect();
        for edge in 0..self.edges.len() {
            let work = &mut self.edges[edge];
            let (operator, f, g) = self.forest.edge(edge)?;
            let costs = operator.costs().expect("stored");
            let sums = |summand: Summand<'_>| -> Result<Vec<f64>> {
                let rows = work.plan.blocks.total_rows();
                let mut out = engine.zeros("sums", rows * summand.columns())?;
                let blocks = &work.plan.blocks;
                coupling_rows(&engine, blocks, costs, f, g, 1.0 / epsilon, summand, &mut out)?;
                engine.download(&out)
            };
            let by_problem = |sums: &[f64]| -> Vec<f64> {
                sums.chunks(sums.len() / count).map(compensated_sum).collect()
            };
            let before = by_problem(&sums(Summand::Cost)?);
            let labels = match &work.label_costs {
                Some(labels) => {
                    let kinds = labels.costs.ncols();
                    labels.sums(&sums(Summand::Values(&labels.members, kinds))?, count)
                }
                None => vec![0.0; count],
            };
            coupling_dense(&engine, &work.plan, costs, f, g, 1.0 / epsilon, &mut work.fresh)?;
            let (rows, cols) = (work.rows, work.cols);
            self.costs_from_product(edge, &squares[rows], &squares[cols], &masses)?;
            let work = &self.edges[edge];
            let (operator, f, g) = self.forest.edge(edge)?;
            let costs = operator.costs().expect("stored");
            let mut out = engine.zeros("sums", work.plan.blocks.total_rows())?;
            let summand = Summand::Matrix(&work.fresh);
            let blocks = &work.plan.blocks;
            coupling_rows(&engine, blocks, costs, f, g, 1.0 / epsilon, summand, &mut out)?;
            let after = by_problem(&engine.download(&out)?);
            for (index, one) in found.iter_mut().enumerate() {
                let half_labels = 0.5 * labels[index];
                one.plan.labels += labels[index];
                one.plan.energy += one.plan.mass * (after[index] - half_labels);
                one.cross_energy += before[index] - half_labels;
                // sum Q log(Q / nu) = sum of potentials - costs / epsilon.
                one.plan.entropy -= before[index] / epsilon;
            }
        }
        Ok(found)
    }

    /// Marginals, masses and the potentials' part of the entropy.
    fn marginals(&mut self) -> Result<Vec<Found>> {
        let mut found: Vec<Found> = (0..self.count)
            .map(|_| Found {
                plan: Plan {
                    mass: 0.0,
                    energy: 0.0,
                    labels: 0.0,
                    entropy: 0.0,
                    marginals: Vec::new(),
                },
                cross_energy: 0.0,
                potentials: Vec::new(),
            })
            .collect();
        for node in 0..self.nodes.len() {
            self.forest.hear(node)?;
            let values = NodeValues::download(&self.forest, node)?;
            for (index, one) in found.iter_mut().enumerate() {
                let values = values.of_tree(index);
                let marginal = values.marginal();
                let terms: Vec<f64> = marginal
                    .iter()
                    .enumerate()
                    .map(|(point, &p)| {
                        // Here the reference may have a constant of the problem in it.
                        let shift = values.log_reference[point] - self.log_references[node][point];
                        if p > 0.0 { p * (values.potential[point] + shift) } else { 0.0 }
                    })
                    .collect();
                one.plan.entropy += compensated_sum(&terms);
                one.plan.mass = marginal.sum();
                one.plan.marginals.push(marginal);
                one.potentials.push(values.potential);
            }
        }
        Ok(found)
    }

    /// From the plans that lie in an edge's work space, of these masses, to the costs of the
    /// problem linearised at them, scaled to mass 1: D_p P D_c on the device, the rest from the
    /// squares' sums.
    fn costs_from_product(
        &mut self,
        edge: usize,
        row_squares: &[f64],
        col_squares: &[f64],
        masses: &[f64],
    ) -> Result<()> {
        let Self { engine, nodes, edges, scratch, alpha, count, .. } = self;
        let EdgeWork { rows, cols, weight, plan, fresh, folded, labels, .. } = &mut edges[edge];
        let (n, m) = (row_squares.len() / *count, col_squares.len() / *count);
        let width = nodes[*cols].len();
        if let Some(folded) = folded {
            fold_columns(engine, plan, fresh, width, folded)?;
        }
        let product = folded.as_mut().unwrap_or(fresh);
        let whole = Place::new(0, n, width);
        for problem in 0..*count {
            let place = Place::new(problem * n * width, n, width);
            nodes[*rows].times(engine, (product, place), (scratch, whole))?;
            nodes[*cols].times_from_right(engine, (scratch, whole), (product, place))?;
        }
        let share = *weight * *alpha;
        let scaled = |squares: &[f64], points: usize| -> Vec<f64> {
            let each = squares.chunks(points).zip(masses);
            each.flat_map(|(squares, mass)| squares.iter().map(move |s| share * s / mass)).collect()
        };
        let row_parts = engine.upload("row parts", &scaled(row_squares, n))?;
        let col_parts = engine.upload("column parts", &scaled(col_squares, m))?;
        let scales: Vec<f64> = masses.iter().map(|mass| -2.0 * share / mass).collect();
        let scales = engine.upload("scales", &scales)?;
        let product = match folded {
            Some(folded) => Product::Repeated(folded, width),
            None => Product::InPlace,
        };
        linearised_cost(engine, plan, &row_parts, &col_parts, &scales, product, labels, fresh)
    }

    /// Moves the costs of every problem by its share towards those around the last plan.
    pub(super) fn step(&mut self, shares: &[f64]) -> Result<()> {
        let shares = self.engine.upload("shares", shares)?;
        for (index, work) in self.edges.iter().enumerate() {
            let (operator, ..) = self.forest.edge(index)?;
            let costs = operator.costs_mut().expect("stored");
            blend(&self.engine, &work.plan, &work.fresh, &shares, costs)?;
        }
        Ok(())
    }

    /// Adds a constant to the costs of every problem, by way of the first node's reference.
    pub(super) fn set_constants(&mut self, constants: &[f64], epsilon: f64) -> Result<()> {
        let reference = &self.log_references[0];
        let all: Vec<f64> = constants
            .iter()
            .flat_map(|constant| reference.iter().map(move |log| log - constant / epsilon))
            .collect();
        self.forest.set_reference(0, &all)
    }

    /// The plan of an edge of one problem: exp(f + g - C / epsilon), in f64.
    pub(super) fn plan(
        &mut self,
        edge: usize,
        problem: usize,
        epsilon: f64,
    ) -> Result<ndarray::Array2<f64>> {
        let engine = self.engine.clone();
        let work = &mut self.edges[edge];
        let (operator, f, g) = self.forest.edge(edge)?;
        let costs = operator.costs().expect("stored");
        coupling_dense(&engine, &work.plan, costs, f, g, 1.0 / epsilon, &mut work.fresh)?;
        let all = engine.download(&work.fresh)?;
        let (n, m) = work.plan.blocks.size(problem);
        let first = work.plan.blocks.elements()[problem] as usize;
        Ok(ndarray::Array2::from_shape_vec((n, m), all[first..first + n * m].to_vec())
            .expect("as many as there are pairs"))
    }
}

impl EdgeWork {
    fn new(engine: &Engine, problem: &Problem, edge: super::Edge, blocks: &Blocks) -> Result<Self> {
        let count = blocks.count();
        let distinct = distinct_points(problem, edge.cols);
        let none = |node: usize| vec![0; problem.nodes[node].space.len()];
        let labels_of = |node: usize| {
            let labels = problem.fused.as_ref().and(problem.nodes[node].space.labels.clone());
            labels.unwrap_or_else(|| none(node))
        };
        let (rows, cols) = (labels_of(edge.rows), labels_of(edge.cols));
        let both = [&rows, &cols].into_iter().flat_map(|labels| labels.repeat(count));
        let both: Vec<u32> = both.map(|label| label as u32).collect();
        // In the costs each label counts half, in F(P, Q) once for P and once for Q.
        let weighted = problem
            .fused
            .as_ref()
            .map(|fused| &fused.label_costs * (edge.weight * (1.0 - fused.alpha)));
        let half: Vec<f64> = match &weighted {
            Some(costs) => costs.iter().map(|cost| 0.5 * cost).collect(),
            None => vec![0.0],
        };
        let labels = EdgeLabels {
            labels: engine.table("labels", &both)?,
            kinds: weighted.as_ref().map_or(1, |costs| costs.nrows()),
            costs: engine.upload("label costs", &half)?,
        };
        let label_costs = match weighted {
            Some(costs) => {
                let member = |label| cols.iter().map(move |&l| f64::from(u8::from(l == label)));
                let members: Vec<f64> = (0..costs.ncols())
                    .flat_map(|label| member(label).collect::<Vec<_>>().repeat(count))
                    .collect();
                let members = engine.upload("members of labels", &members)?;
                Some(LabelCosts { rows, costs, members })
            }
            None => None,
        };
        Ok(Self {
            rows: edge.rows,
            cols: edge.cols,
            weight: edge.weight,
            plan: RowPlan::new(engine, blocks)?,
            fresh: engine.zeros("linearised costs", blocks.pairs() as usize)?,
            folded: (distinct < blocks.size(0).1)
                .then(|| engine.zeros("folded plan", blocks.total_rows() * distinct))
                .transpose()?,
            labels,
            label_costs,
        })
    }
}

impl LabelCosts {
    /// sum t_e (1 - alpha) <Lab, P> of each problem, from the mass that every row sends to every
    /// label.
    fn sums(&self, masses: &[f64], count: usize) -> Vec<f64> {
        let all_rows = self.rows.len() * count;
        let mut sums = vec![0.0; count];
        for (label, masses) in masses.chunks(all_rows).enumerate() {
            for (sum, masses) in sums.iter_mut().zip(masses.chunks(self.rows.len())) {
                let costs = self.rows.iter().map(|&row| self.costs[[row, label]]);
                *sum += masses.iter().zip(costs).map(|(mass, cost)| mass * cost).sum::<f64>();
            }
        }
        sums
    }
}

/// Points of a node whose distances are stored: one copy of them, unless the node is on the rows
/// of an edge, where copies are not folded.
fn distinct_points(problem: &Problem, node: usize) -> usize {
    let space = &problem.nodes[node].space;
    let on_rows = problem.edges.iter().any(|edge| edge.rows == node);
    if on_rows { space.len() } else { space.len() / space.copies }
}

fn predicted_bytes(engine: &Engine, problem: &Problem, count: usize) -> u64 {
    let size = |node: usize| problem.nodes[node].space.len();
    let pairs = problem.edges.iter().map(|edge| size(edge.rows) as u64 * size(edge.cols) as u64);
    let largest = pairs.clone().max().unwrap_or(0);
    let edges = (2 * pairs.sum::<u64>() * count as u64 + largest) * engine.bytes_per_number();
    let distances: u64 = (0..problem.nodes.len())
        .map(|node| Distances::bytes(engine, distinct_points(problem, node)))
        .sum();
    edges + distances
}
