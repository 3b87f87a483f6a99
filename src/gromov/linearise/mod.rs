//! The linearised problem on an engine: a tree whose edge costs follow the plan.

mod factored;
mod gauge;
mod stored;

use std::ops::ControlFlow;

use ndarray::Array2;

use super::distances::{Distances, Form, unless_interrupted};
use super::plan::Plan;
use super::{Edge, Problem};
use crate::engine::{Array, Engine};
use crate::error::Result;
use crate::geometry::Side;
use crate::kernels::NEARLY_NOTHING;
use crate::kernels::gromov::grid::{Room, Workspace};
use crate::linear::Law;
use crate::linear::tree::{Forest, NodeValues};
use crate::numeric::compensated_sum;
use crate::observer::Observer;
use factored::Factored;
use stored::Stored;

/// Writes a row of the plan that an edge starts from; what it sums to does not matter.
pub(super) type StartRows<'a> = Box<dyn FnMut(usize, &mut [f64]) + 'a>;

/// A batch of linearised problems that differ in the plan they are linearised at. All costs are
/// those of the plan scaled to mass 1, so that epsilon and the laws stay as they are
/// (proposition 4.7 of the paper, divided by the mass).
pub(super) struct Linearised {
    pub forest: Forest,
    engine: Engine,
    nodes: Vec<Distances>,
    edges: Vec<(Edge, Costs)>,
    scratch: Scratch,
    /// log nu of every node, for one problem.
    log_references: Vec<Vec<f64>>,
    /// True for nodes whose potentials make up for gauges.
    fixed: Vec<bool>,
    count: usize,
}

/// What all products share.
struct Scratch {
    /// Holds one product on the way to the other.
    product: Array,
    /// Room for the transforms of grids.
    workspace: Workspace,
}

/// The costs of an edge, in the form that its spaces allow.
enum Costs {
    Stored(Box<Stored>),
    Factored(Box<Factored>),
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

/// What the plan of an edge is worth, for one problem.
struct EdgeTerms {
    /// The costs of pairs, summed over the plan.
    linear: f64,
    /// What costs depend on one point only, summed over the plan.
    unary: f64,
    /// sum t_e (1 - alpha) <Lab_e, P_e>.
    labels: f64,
}

/// What is known at the ends of an edge, rows first, problem after problem.
struct Ends<'a> {
    marginals: [&'a [f64]; 2],
    /// (D∘D) times the marginals.
    squares: [&'a [f64]; 2],
    /// The mass of every problem's plan.
    masses: &'a [f64],
}

impl Linearised {
    pub(super) fn new(engine: &Engine, problem: &Problem, count: usize) -> Result<Self> {
        let forms = (problem.nodes.iter().enumerate())
            .map(|(node, spec)| {
                let points = distinct_points(problem, node);
                Form::of(&spec.space, points, problem.fused.is_none())
            })
            .collect::<Result<Vec<_>>>()?;
        engine.require(
            "the problem",
            predicted_bytes(engine, problem, &forms, count),
            "use fewer points, fewer starts at once, squared Euclidean distances, whose plans are \
             never stored, or another device",
        )?;
        let room = forms.iter().map(|form| form.room(engine, most_points(problem)));
        let room = room.fold(Room::default(), Room::or);
        let nodes = (problem.nodes.iter().zip(&forms))
            .map(|(node, form)| form.build(engine, &node.space))
            .collect::<Result<Vec<_>>>()?;
        let mut operators = Vec::new();
        let mut edges = Vec::new();
        for &edge in &problem.edges {
            let (costs, operator) = if is_factored(problem, edge) {
                let ends = [&nodes[edge.rows], &nodes[edge.cols]];
                let (factored, operator) = Factored::new(engine, problem, edge, ends, count)?;
                (Costs::Factored(Box::new(factored)), operator)
            } else {
                let distinct = distinct_points(problem, edge.cols);
                let (stored, operator) = Stored::new(engine, problem, edge, count, distinct)?;
                (Costs::Stored(Box::new(stored)), operator)
            };
            edges.push((edge, costs));
            operators.push(operator);
        }
        // The costs on the engine have the weights of the edges in them.
        let mut tree = problem.linear_tree()?;
        tree.edges.iter_mut().for_each(|edge| edge.weight = 1.0);
        let forest = Forest::with_operators(engine, &vec![&tree; count], operators)?;
        let log_references = (0..problem.nodes.len())
            .map(|node| {
                let all = engine.download(&forest.nodes[node].arrays.log_reference)?;
                Ok(all[..problem.nodes[node].space.len()].to_vec())
            })
            .collect::<Result<Vec<_>>>()?;
        let products = edges.iter().map(|(edge, costs)| match costs {
            Costs::Stored(_) => problem.nodes[edge.rows].space.len() * nodes[edge.cols].len(),
            Costs::Factored(_) => 0,
        });
        let scratch = Scratch {
            product: engine.zeros("product", products.max().unwrap_or(0))?,
            workspace: Workspace::new(engine, room)?,
        };
        Ok(Self {
            forest,
            engine: engine.clone(),
            nodes,
            edges,
            scratch,
            log_references,
            fixed: problem.nodes.iter().map(|node| node.law == Law::Fixed).collect(),
            count,
        })
    }

    /// The costs of the problems linearised at plans that are given row by row for every edge and
    /// problem. There are none where the observer wants to stop before.
    pub(super) fn start<'a>(
        &mut self,
        rows: impl Fn(usize, usize) -> StartRows<'a>,
        observer: &dyn Observer,
    ) -> Result<ControlFlow<()>> {
        let masses = vec![1.0; self.count];
        let Self { engine, nodes, edges, scratch, .. } = self;
        for (index, (edge, costs)) in edges.iter_mut().enumerate() {
            let plans = (0..masses.len()).map(|problem| rows(index, problem)).collect();
            let distances = [&nodes[edge.rows], &nodes[edge.cols]];
            let marginals = match costs {
                Costs::Stored(stored) => stored.start(engine, plans)?,
                Costs::Factored(factored) => {
                    factored.start(engine, plans, distances, &mut scratch.workspace)?
                }
            };
            let [a, b] = [0, 1].map(|side| -> Vec<f64> {
                marginals.iter().flat_map(|sums| sums[side].iter().copied()).collect()
            });
            let squares = [
                squares(engine, distances[0], &mut scratch.workspace, &a, masses.len())?,
                squares(engine, distances[1], &mut scratch.workspace, &b, masses.len())?,
            ];
            let ends =
                Ends { marginals: [&a, &b], squares: [&squares[0], &squares[1]], masses: &masses };
            let made = match costs {
                Costs::Stored(stored) => {
                    stored.linearise(engine, distances, &ends, scratch, observer)?
                }
                Costs::Factored(factored) => {
                    factored.set_squares(&ends);
                    unless_interrupted(observer)
                }
            };
            if made.is_break() {
                return Ok(made);
            }
        }
        // There is no gauge yet that an epsilon could matter to.
        self.step(&masses, 1.0)?;
        Ok(ControlFlow::Continue(()))
    }

    /// The plan of the tree's potentials, and the costs of the problem linearised at it. Messages
    /// must be up to date. `None` where the observer wants to stop before that is done: products with
    /// distances take long where they are stored.
    pub(super) fn evaluate(
        &mut self,
        epsilon: f64,
        observer: &dyn Observer,
    ) -> Result<Option<Vec<Found>>> {
        if observer.interrupted() {
            return Ok(None);
        }
        let mut found = self.marginals(epsilon)?;
        self.refresh_gauges(epsilon)?;
        let masses: Vec<f64> = found.iter().map(|one| one.plan.mass).collect();
        let Self { engine, forest, nodes, edges, scratch, .. } = self;
        let marginals: Vec<Vec<f64>> = (0..nodes.len())
            .map(|node| {
                found.iter().flat_map(|one| one.plan.marginals[node].iter().copied()).collect()
            })
            .collect();
        let squares = (nodes.iter().zip(&marginals))
            .map(|(distances, marginals)| {
                squares(engine, distances, &mut scratch.workspace, marginals, masses.len())
            })
            .collect::<Result<Vec<_>>>()?;
        for (index, (edge, costs)) in edges.iter_mut().enumerate() {
            let Edge { rows, cols, .. } = *edge;
            let ends = Ends {
                marginals: [&marginals[rows], &marginals[cols]],
                squares: [&squares[rows], &squares[cols]],
                masses: &masses,
            };
            let distances = [&nodes[rows], &nodes[cols]];
            let (terms, energies) = match costs {
                Costs::Stored(stored) => {
                    let terms = stored.measure(engine, epsilon, forest.edge(index)?, &ends)?;
                    if stored.linearise(engine, distances, &ends, scratch, observer)?.is_break() {
                        return Ok(None);
                    }
                    let parts = forest.edge(index)?;
                    let energies = stored.energies(engine, epsilon, parts, &ends, &terms)?;
                    (terms, energies)
                }
                Costs::Factored(factored) => {
                    let (parts, workspace) = (forest.edge(index)?, &mut scratch.workspace);
                    factored.measure(engine, epsilon, parts, distances, &ends, workspace)?
                }
            };
            for ((one, terms), energy) in found.iter_mut().zip(terms).zip(energies) {
                one.plan.labels += terms.labels;
                one.plan.energy += one.plan.mass * energy;
                one.cross_energy += terms.linear + terms.unary - 0.5 * terms.labels;
                // sum Q log(Q / nu) = sum of potentials - costs / epsilon.
                one.plan.entropy -= terms.linear / epsilon;
            }
        }
        Ok(Some(found))
    }

    /// Marginals, masses and the potentials' part of the entropy.
    fn marginals(&mut self, epsilon: f64) -> Result<Vec<Found>> {
        let mut found: Vec<Found> = (0..self.count).map(|_| Found::empty()).collect();
        for node in 0..self.nodes.len() {
            self.forest.hear(node)?;
            let values = NodeValues::download(&self.forest, node)?;
            let gauge = self.gauge(node);
            for (index, one) in found.iter_mut().enumerate() {
                let values = values.of_tree(index);
                let marginal = values.marginal();
                let terms: Vec<f64> = marginal
                    .iter()
                    .enumerate()
                    .map(|(point, &p)| {
                        // The reference on the engine has parts of the costs in it.
                        let shift = values.log_reference[point] - self.log_references[node][point];
                        if p > 0.0 { p * (values.potential[point] + shift) } else { 0.0 }
                    })
                    .collect();
                one.plan.entropy += compensated_sum(terms.iter().copied());
                one.plan.mass = marginal.sum();
                one.plan.marginals.push(marginal);
                let gauge = &gauge[index * values.potential.len()..];
                one.potentials.push(moved(&values.potential, gauge, -1.0 / epsilon));
            }
        }
        Ok(found)
    }

    /// Moves the costs of every problem by its share towards those around the last plan, at this
    /// epsilon.
    pub(super) fn step(&mut self, shares: &[f64], epsilon: f64) -> Result<()> {
        let before: Vec<_> = (0..self.nodes.len()).map(|node| self.gauge(node)).collect();
        let Self { engine, forest, edges, .. } = self;
        for (index, (_, costs)) in edges.iter_mut().enumerate() {
            let (operator, ..) = forest.edge(index)?;
            match costs {
                Costs::Stored(stored) => stored.step(engine, shares, operator)?,
                Costs::Factored(factored) => factored.step(engine, shares, operator)?,
            }
        }
        for (node, before) in before.iter().enumerate().filter(|(node, _)| self.fixed[*node]) {
            let after = self.gauge(node);
            let change: Vec<f64> = after.iter().zip(before).map(|(new, old)| new - old).collect();
            if change.iter().any(|change| *change != 0.0) {
                let potential = self.engine.download(&self.forest.nodes[node].arrays.potential)?;
                let potential = moved(&potential, &change, 1.0 / epsilon);
                self.forest.set_potential(node, &potential)?;
            }
        }
        Ok(())
    }

    /// The gauges of a node's edges, for all problems: what its potentials on the engine have in
    /// them beside their own.
    fn gauge(&self, node: usize) -> Vec<f64> {
        let mut sum = vec![0.0; self.log_references[node].len() * self.count];
        for (edge, costs) in &self.edges {
            if let Costs::Stored(stored) = costs {
                for (end, side) in [(edge.rows, 0), (edge.cols, 1)] {
                    if end == node {
                        let parts = sum.iter_mut().zip(stored.gauge.current(side));
                        parts.for_each(|(sum, part)| *sum += part);
                    }
                }
            }
        }
        sum
    }

    /// The gauges of the costs around the plan of the messages as they are.
    fn refresh_gauges(&mut self, epsilon: f64) -> Result<()> {
        for node in 0..self.nodes.len() {
            let ends = |(index, (edge, costs)): (usize, &(Edge, Costs))| match costs {
                Costs::Stored(_) if edge.rows == node => Some((index, Side::Rows)),
                Costs::Stored(_) if edge.cols == node => Some((index, Side::Cols)),
                _ => None,
            };
            let ends: Vec<_> = self.edges.iter().enumerate().filter_map(ends).collect();
            let mut messages = (ends.iter())
                .map(|&(edge, side)| self.engine.download(self.forest.message(edge, side)))
                .collect::<Result<Vec<_>>>()?;
            gauge::changes(&mut messages, self.fixed[node], epsilon);
            for ((edge, side), changes) in ends.into_iter().zip(messages) {
                if let Costs::Stored(stored) = &mut self.edges[edge].1 {
                    stored.gauge.refresh(usize::from(side == Side::Cols), &changes);
                }
            }
        }
        Ok(())
    }

    /// Puts what costs have beside those of pairs into the references of the nodes, at this
    /// epsilon: the parts that depend on one point only, and a constant for every problem.
    pub(super) fn set_references(&mut self, constants: &[f64], epsilon: f64) -> Result<()> {
        for node in 0..self.nodes.len() {
            let reference = &self.log_references[node];
            let mut unary: Vec<f64> = match node {
                0 => constants.iter().flat_map(|c| vec![*c; reference.len()]).collect(),
                _ => vec![0.0; self.count * reference.len()],
            };
            for (edge, costs) in &self.edges {
                if let Costs::Factored(factored) = costs {
                    for (end, side) in [(edge.rows, 0), (edge.cols, 1)] {
                        if end == node {
                            let parts = unary.iter_mut().zip(factored.unary(side));
                            parts.for_each(|(sum, part)| *sum += part);
                        }
                    }
                }
            }
            if unary.iter().any(|part| *part != 0.0) {
                let all = unary.iter().zip(reference.iter().cycle());
                let all: Vec<f64> = all.map(|(part, log)| log - part / epsilon).collect();
                self.forest.set_reference(node, &all)?;
            }
        }
        Ok(())
    }

    /// The plan of an edge of one problem, in f64: exp(f + g - C / epsilon).
    pub(super) fn plan(
        &mut self,
        edge: usize,
        problem: usize,
        epsilon: f64,
    ) -> Result<Array2<f64>> {
        let engine = &self.engine;
        let (operator, f, g) = self.forest.edge(edge)?;
        let (rows, cols) = operator.blocks().size(problem);
        let f = &engine.download(f)?[problem * rows..(problem + 1) * rows];
        let g = &engine.download(g)?[problem * cols..(problem + 1) * cols];
        let costs: Box<dyn Fn(usize, usize) -> f64> = match &self.edges[edge].1 {
            Costs::Stored(_) => {
                let all = engine.download(operator.costs().expect("stored"))?;
                let first = operator.blocks().elements()[problem] as usize;
                Box::new(move |i, j| all[first + i * cols + j])
            }
            Costs::Factored(factored) => factored.costs(problem),
        };
        Ok(Array2::from_shape_fn((rows, cols), |(i, j)| {
            (f[i] + g[j] - costs(i, j) / epsilon).exp()
        }))
    }
}

impl Found {
    fn empty() -> Self {
        let plan =
            Plan { mass: 0.0, energy: 0.0, labels: 0.0, entropy: 0.0, marginals: Vec::new() };
        Self { plan, cross_energy: 0.0, potentials: Vec::new() }
    }
}

/// Potentials and some parts of these changes; what reaches nothing stays so.
fn moved(potential: &[f64], changes: &[f64], part: f64) -> Vec<f64> {
    let both = potential.iter().zip(changes);
    both.map(|(&g, change)| if g < NEARLY_NOTHING { g } else { g + part * change }).collect()
}

/// (D∘D) a for vectors that lie one after another, each of some copies of the points.
fn squares(
    engine: &Engine,
    distances: &Distances,
    workspace: &mut Workspace,
    vectors: &[f64],
    count: usize,
) -> Result<Vec<f64>> {
    let points = distances.len();
    let copies = vectors.len() / count / points;
    if copies == 1 {
        return distances.squares(engine, workspace, vectors);
    }
    let folded = vectors.chunks(points * copies).flat_map(|vector| {
        (0..points).map(|point| vector.iter().skip(point).step_by(points).sum::<f64>())
    });
    let squares = distances.squares(engine, workspace, &folded.collect::<Vec<_>>())?;
    Ok(squares.chunks(points).flat_map(|squares| squares.repeat(copies)).collect())
}

/// True where one of the ends has factors: then the costs of the edge have them too, and neither
/// they nor the plan need be stored. Labels have no factors.
fn is_factored(problem: &Problem, edge: Edge) -> bool {
    let has = |node: usize| Distances::have_factors(&problem.nodes[node].space);
    problem.fused.is_none() && (has(edge.rows) || has(edge.cols))
}

/// Points of a node whose distances are stored: one copy of them, unless the node is on the rows
/// of an edge, where copies are not folded.
fn distinct_points(problem: &Problem, node: usize) -> usize {
    let space = &problem.nodes[node].space;
    let on_rows = problem.edges.iter().any(|edge| edge.rows == node);
    if on_rows { space.len() } else { space.len() / space.copies }
}

/// Points of the largest space.
fn most_points(problem: &Problem) -> usize {
    problem.nodes.iter().map(|node| node.space.len()).max().unwrap_or(0)
}

fn predicted_bytes(engine: &Engine, problem: &Problem, forms: &[Form], count: usize) -> u64 {
    let size = |node: usize| problem.nodes[node].space.len() as u64;
    let stored = problem.edges.iter().filter(|edge| !is_factored(problem, **edge));
    let pairs = stored.map(|edge| size(edge.rows) * size(edge.cols));
    let largest = pairs.clone().max().unwrap_or(0);
    let edges = (2 * pairs.sum::<u64>() * count as u64 + largest) * engine.bytes_per_number();
    let rooms = forms.iter().map(|form| form.room(engine, most_points(problem)));
    let room = rooms.fold(Room::default(), Room::or).bytes(engine);
    edges + room + forms.iter().map(|form| form.bytes(engine)).sum::<u64>()
}
