//! From the product D_p P D_c to the linearised cost of an edge.

use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;

use super::RowPlan;
use crate::engine::{Array, Backend, Engine, Shader, Table, shader};
use crate::error::Result;
use crate::kernels::{check_length, index};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    first_tile: u32,
    tiles: u32,
    rows: u32,
    kinds: u32,
    width: u32,
}

pub(crate) static SHADER: Shader = shader!(
    "gromov/linearised_cost",
    Params,
    [Read, Read, Read, Read, Read, Read, Read, Write],
    &[&[("REPEATED", 0)], &[("REPEATED", 1)]]
);

/// The labels at the ends of an edge, and what it costs to match them.
pub(crate) struct EdgeLabels {
    /// The label of every row of the batch, then of every column.
    pub labels: Table,
    /// The cost of a pair of labels: a square matrix, row by row.
    pub costs: Array,
    /// How many labels there are.
    pub kinds: usize,
}

/// Where the product lies.
#[derive(Clone, Copy)]
pub(crate) enum Product<'a> {
    /// Where the costs go.
    InPlace,
    /// In an array with so many columns, which are those of every copy of the points.
    Repeated(&'a Array, usize),
}

/// costs_ij <- r_i + c_j + scale product_ij + labels[l_i, l_j], with a scale for each problem.
#[expect(clippy::too_many_arguments, reason = "the operands of the formula")]
pub(crate) fn linearised_cost(
    engine: &Engine,
    plan: &RowPlan,
    row_parts: &Array,
    col_parts: &Array,
    scales: &Array,
    product: Product<'_>,
    labels: &EdgeLabels,
    costs: &mut Array,
) -> Result<()> {
    let blocks = &plan.blocks;
    let (rows, pairs) = (blocks.total_rows(), blocks.pairs() as usize);
    check_length("the parts of the rows", row_parts.len(), rows)?;
    check_length("the parts of the columns", col_parts.len(), blocks.total_cols())?;
    check_length("the scales", scales.len(), blocks.count())?;
    check_length("the labels", labels.labels.len(), rows + blocks.total_cols())?;
    check_length("the costs of the labels", labels.costs.len(), labels.kinds * labels.kinds)?;
    check_length("the costs", costs.len(), pairs)?;
    if let Product::Repeated(product, width) = product {
        check_length("the product", product.len(), rows * width)?;
    }
    let Backend::Gpu(gpu) = engine.backend() else {
        let (row_parts, col_parts) = (row_parts.host()?, col_parts.host()?);
        let (row_labels, col_labels) = labels.labels.host()?.split_at(rows);
        let (scales, table) = (scales.host()?, labels.costs.host()?);
        let product = match product {
            Product::InPlace => None,
            Product::Repeated(product, width) => Some((product.host()?, width)),
        };
        let costs = costs.host_mut()?;
        engine.run_twin(SHADER.name, || {
            let elements = blocks.elements();
            for (problem, &scale) in scales.iter().enumerate() {
                let (_, columns) = blocks.size(problem);
                let range = elements[problem] as usize..elements[problem + 1] as usize;
                let (first_row, first_col) = (blocks.rows[problem], blocks.cols[problem]);
                costs[range].par_chunks_mut(columns).enumerate().for_each(|(row, costs)| {
                    let row = first_row + row;
                    let kind = row_labels[row] as usize * labels.kinds;
                    for (j, cost) in costs.iter_mut().enumerate() {
                        let column = first_col + j;
                        let value = match product {
                            None => *cost,
                            Some((product, width)) => product[row * width + j % width],
                        };
                        let structure = row_parts[row] + col_parts[column] + scale * value;
                        *cost = structure + table[kind + col_labels[column] as usize];
                    }
                });
            }
        });
        return Ok(());
    };
    let (constants, array, width) = match product {
        // A binding that is not read.
        Product::InPlace => ([("REPEATED", 0)], scales, 0),
        Product::Repeated(product, width) => ([("REPEATED", 1)], product, width),
    };
    let (rows, kinds) = (index("the rows", rows)?, index("the labels", labels.kinds)?);
    let width = index("the product", width)?;
    plan.launch(
        engine,
        gpu,
        &SHADER,
        &constants,
        |panel| {
            Ok(vec![
                row_parts.buffer()?.into(),
                col_parts.buffer()?.into(),
                scales.buffer()?.into(),
                labels.labels.buffer()?.into(),
                labels.costs.buffer()?.into(),
                array.buffer()?.into(),
                panel.window(costs)?,
            ])
        },
        |first_tile, tiles| Params { first_tile, tiles, rows, kinds, width },
    )
}
