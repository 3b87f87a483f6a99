//! An edge whose costs are stored.

use std::ops::ControlFlow;

use ndarray::Array2;

use super::gauge::Gauge;
use super::{EdgeTerms, Ends, Scratch, StartRows};
use crate::engine::{Array, Engine};
use crate::error::Result;
use crate::geometry::Operator;
use crate::gromov::distances::Distances;
use crate::gromov::{Edge, Problem};
use crate::kernels::gromov::RowPlan;
use crate::kernels::gromov::blend::blend;
use crate::kernels::gromov::coupling_dense::coupling_dense;
use crate::kernels::gromov::fold_columns::fold_columns;
use crate::kernels::gromov::linearised_cost::{EdgeLabels, Product, linearised_cost};
use crate::kernels::gromov::matrix_product::Place;
use crate::kernels::linear::coupling_rows::{Summand, coupling_rows};
use crate::kernels::tiles::Blocks;
use crate::numeric::compensated_sum;
use crate::observer::Observer;

/// Work space of an edge whose costs are stored.
pub(super) struct Stored {
    /// t_e alpha.
    share: f64,
    pub gauge: Gauge,
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
    costs: Array2<f64>,
    /// For every label, which columns have it: 1 or 0, label by label.
    members: Array,
}

impl Stored {
    pub(super) fn new(
        engine: &Engine,
        problem: &Problem,
        edge: Edge,
        count: usize,
        distinct: usize,
    ) -> Result<(Self, Operator)> {
        let size = |node: usize| problem.nodes[node].space.len();
        let blocks = Blocks::of((0..count).map(|_| (size(edge.rows), size(edge.cols))));
        let labels_of = |node: usize| {
            let labels = problem.fused.as_ref().and(problem.nodes[node].space.labels.clone());
            labels.unwrap_or_else(|| vec![0; size(node)])
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
        let operator = Operator::stored(engine, &blocks)?;
        let stored = Self {
            share: edge.weight * problem.fused.as_ref().map_or(1.0, |fused| fused.alpha),
            gauge: Gauge::none([blocks.total_rows(), blocks.total_cols()]),
            fresh: engine.zeros("linearised costs", blocks.pairs() as usize)?,
            folded: (distinct < size(edge.cols))
                .then(|| engine.zeros("folded plan", blocks.total_rows() * distinct))
                .transpose()?,
            plan: RowPlan::new(engine, &blocks)?,
            labels,
            label_costs,
        };
        Ok((stored, operator))
    }

    /// Makes the linearised costs around plans that are given row by row, problem by problem;
    /// returns their marginals.
    pub(super) fn start(
        &mut self,
        engine: &Engine,
        mut plans: Vec<StartRows<'_>>,
    ) -> Result<Vec<[Vec<f64>; 2]>> {
        let mut all = vec![0.0; self.fresh.len()];
        let mut marginals = Vec::new();
        for (problem, rows) in plans.iter_mut().enumerate() {
            let (n, m) = self.plan.blocks.size(problem);
            let first = self.plan.blocks.elements()[problem] as usize;
            let entries = &mut all[first..first + n * m];
            for (row, entries) in entries.chunks_mut(m).enumerate() {
                rows(row, entries);
            }
            let sum: f64 = entries.iter().sum();
            let mut sums = [vec![0.0; n], vec![0.0; m]];
            for (place, entry) in entries.iter_mut().enumerate() {
                *entry /= sum;
                sums[0][place / m] += *entry;
                sums[1][place % m] += *entry;
            }
            marginals.push(sums);
        }
        engine.write(&mut self.fresh, &all)?;
        Ok(marginals)
    }

    /// What the plans of the tree's potentials are worth along this edge; leaves them in the work
    /// space for [`Stored::linearise`].
    pub(super) fn measure(
        &mut self,
        engine: &Engine,
        epsilon: f64,
        (operator, f, g): (&mut Operator, &Array, &Array),
        ends: &Ends<'_>,
    ) -> Result<Vec<EdgeTerms>> {
        let costs = operator.costs().expect("stored");
        let count = self.plan.blocks.count();
        let sums = |summand| self.sums(engine, (costs, f, g), epsilon, summand);
        let linear = by_problem(&sums(Summand::Cost)?, count);
        let labels = match &self.label_costs {
            Some(labels) => {
                let kinds = labels.costs.ncols();
                labels.sums(&sums(Summand::Values(&labels.members, kinds))?, count)
            }
            None => vec![0.0; count],
        };
        coupling_dense(engine, &self.plan, costs, f, g, 1.0 / epsilon, &mut self.fresh)?;
        let gauges = worth([0, 1].map(|side| self.gauge.current(side)), ends);
        let terms = linear.into_iter().zip(labels).zip(gauges);
        let terms =
            terms.map(|((linear, labels), gauge)| EdgeTerms { linear, unary: -gauge, labels });
        Ok(terms.collect())
    }

    /// From the plans that lie in the work space, of these masses, to the costs of the problem
    /// linearised at them, scaled to mass 1: D_p P D_c on the device, the rest from the squares'
    /// sums. Not all of it where the observer wants to stop.
    pub(super) fn linearise(
        &mut self,
        engine: &Engine,
        distances: [&Distances; 2],
        ends: &Ends<'_>,
        scratch: &mut Scratch,
        observer: &dyn Observer,
    ) -> Result<ControlFlow<()>> {
        let [rows, cols] = distances;
        let Scratch { product: half, workspace } = scratch;
        let Self { share, gauge, plan, fresh, folded, labels, .. } = self;
        let (count, width) = (plan.blocks.count(), distances[1].len());
        let (n, m) = plan.blocks.size(0);
        if let Some(folded) = folded {
            fold_columns(engine, plan, fresh, width, folded)?;
        }
        let product = folded.as_mut().unwrap_or(fresh);
        let whole = Place::new(0, n, width);
        for problem in 0..count {
            let place = Place::new(problem * n * width, n, width);
            let left = rows.times(engine, workspace, (product, place), (half, whole), observer)?;
            if left.is_break() {
                return Ok(left);
            }
            let to = (&mut *product, place);
            let both = cols.times_from_right(engine, workspace, (half, whole), to, observer)?;
            if both.is_break() {
                return Ok(both);
            }
        }
        let parts = |side: usize, points: usize| -> Vec<f64> {
            let all = ends.squares[side].iter().zip(gauge.fresh(side)).enumerate();
            all.map(|(place, (square, gauge))| {
                *share * square / ends.masses[place / points] + gauge
            })
            .collect()
        };
        let row_parts = engine.upload("row parts", &parts(0, n))?;
        let col_parts = engine.upload("column parts", &parts(1, m))?;
        let scales: Vec<f64> = ends.masses.iter().map(|mass| -2.0 * *share / mass).collect();
        let scales = engine.upload("scales", &scales)?;
        let product = match folded {
            Some(folded) => Product::Repeated(folded, width),
            None => Product::InPlace,
        };
        linearised_cost(engine, plan, &row_parts, &col_parts, &scales, product, labels, fresh)?;
        Ok(ControlFlow::Continue(()))
    }

    /// The energy of each plan with its share, for a mass of 1: what its own costs sum to over it,
    /// less half of the labels.
    pub(super) fn energies(
        &self,
        engine: &Engine,
        epsilon: f64,
        (operator, f, g): (&mut Operator, &Array, &Array),
        ends: &Ends<'_>,
        terms: &[EdgeTerms],
    ) -> Result<Vec<f64>> {
        let costs = operator.costs().expect("stored");
        let sums = self.sums(engine, (costs, f, g), epsilon, Summand::Matrix(&self.fresh))?;
        let own = by_problem(&sums, self.plan.blocks.count());
        let gauges = worth([0, 1].map(|side| self.gauge.fresh(side)), ends);
        let all = own.iter().zip(terms).zip(gauges);
        Ok(all.map(|((own, terms), gauge)| own - gauge - 0.5 * terms.labels).collect())
    }

    /// Moves the costs of every problem by its share towards the fresh ones.
    pub(super) fn step(
        &mut self,
        engine: &Engine,
        shares: &[f64],
        operator: &mut Operator,
    ) -> Result<()> {
        self.gauge.step(shares);
        let shares = engine.upload("shares", shares)?;
        let costs = operator.costs_mut().expect("stored");
        blend(engine, &self.plan, &self.fresh, &shares, costs)
    }

    /// sum_j P_ij V_ij of every row.
    fn sums(
        &self,
        engine: &Engine,
        (costs, f, g): (&Array, &Array, &Array),
        epsilon: f64,
        summand: Summand<'_>,
    ) -> Result<Vec<f64>> {
        let blocks = &self.plan.blocks;
        let mut out = engine.zeros("sums", blocks.total_rows() * summand.columns())?;
        coupling_rows(engine, blocks, costs, f, g, 1.0 / epsilon, summand, &mut out)?;
        engine.download(&out)
    }
}

/// What a gauge sums to over each problem's plan.
fn worth(gauge: [&[f64]; 2], ends: &Ends<'_>) -> Vec<f64> {
    let count = ends.masses.len();
    let sides = gauge.iter().zip(ends.marginals).map(|(gauge, marginals)| {
        let terms: Vec<f64> = gauge.iter().zip(marginals).map(|(part, p)| part * p).collect();
        by_problem(&terms, count)
    });
    let zero = vec![0.0; count];
    sides.fold(zero, |sum, side| sum.iter().zip(side).map(|(a, b)| a + b).collect())
}

fn by_problem(sums: &[f64], count: usize) -> Vec<f64> {
    sums.chunks(sums.len() / count).map(|part| compensated_sum(part.iter().copied())).collect()
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
