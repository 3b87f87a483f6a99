//! Sums over the rows of a coupling that is never stored, for stored costs.

use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;

use super::softmin_rows::row_panels;
use crate::engine::{Array, Backend, Engine, Shader, shader};
use crate::error::Result;
use crate::kernels::check_length;
use crate::kernels::panels::Panels;
use crate::kernels::tiles::Blocks;
use crate::kernels::vector::{CHUNK, masses, weighted_sum};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub(super) struct Params {
    pub first_tile: u32,
    pub tiles: u32,
    pub outputs: u32,
    pub inputs: u32,
    pub first: u32,
    pub count: u32,
    pub rate: f32,
}

pub(crate) static SHADER: Shader = shader!(
    "linear/coupling_rows",
    Params,
    [Read, Read, Read, Read, Read, Write],
    &[&variant(0), &variant(1), &variant(2)]
);

/// Columns of values that one launch takes.
pub(super) const AT_ONCE: usize = 4;

const fn variant(summand: u32) -> [(&'static str, u32); 3] {
    [
        ("VALUES", (summand == 0) as u32),
        ("COST", (summand == 1) as u32),
        ("MATRIX", (summand == 2) as u32),
    ]
}

/// What is summed against the coupling.
#[derive(Clone, Copy)]
pub(crate) enum Summand<'a> {
    /// So many columns of values, one after another.
    Values(&'a Array, usize),
    /// The cost itself: the linear part of the objective.
    Cost,
    /// Another matrix, entry by entry.
    Matrix(&'a Array),
}

impl Summand<'_> {
    pub(crate) fn columns(&self) -> usize {
        match self {
            Self::Values(_, columns) => *columns,
            Self::Cost | Self::Matrix(_) => 1,
        }
    }
}

/// out_ik = sum_j exp(f_i + g_j - rate C_ij) V_jk, or V_ij in place of V_jk, with V the summand.
#[expect(clippy::too_many_arguments, reason = "the operands of the formula")]
pub(crate) fn coupling_rows(
    engine: &Engine,
    blocks: &Blocks,
    costs: &Array,
    f: &Array,
    g: &Array,
    rate: f64,
    summand: Summand<'_>,
    out: &mut Array,
) -> Result<()> {
    let (rows, cols) = (blocks.total_rows(), blocks.total_cols());
    check_length("the potential of the rows", f.len(), rows)?;
    check_length("the potential of the columns", g.len(), cols)?;
    check_length("the sums", out.len(), rows * summand.columns())?;
    if let Summand::Values(values, columns) = summand {
        check_length("the values", values.len(), cols * columns)?;
    }
    let Backend::Gpu(gpu) = engine.backend() else {
        let (costs, f, g) = (costs.host()?, f.host()?, g.host()?);
        let factor = match summand {
            Summand::Values(values, _) => Factor::Columns(values.host()?),
            Summand::Cost => Factor::Matrix(costs),
            Summand::Matrix(matrix) => Factor::Matrix(matrix.host()?),
        };
        let out = out.host_mut()?;
        engine.run_twin(SHADER.name, || twin(blocks, costs, f, g, rate, factor, out));
        return Ok(());
    };
    let panels: Panels = row_panels(engine, gpu, blocks)?;
    let constants = match summand {
        Summand::Values(..) => variant(0),
        Summand::Cost => variant(1),
        Summand::Matrix(_) => variant(2),
    };
    for first in (0..summand.columns()).step_by(AT_ONCE) {
        let count = AT_ONCE.min(summand.columns() - first);
        panels.launch(
            engine,
            gpu,
            (&SHADER, &constants),
            |panel| {
                let summand = match summand {
                    Summand::Values(values, _) => values.buffer()?.into(),
                    Summand::Cost => g.buffer()?.into(),
                    Summand::Matrix(matrix) => panel.window(matrix)?,
                };
                let [f, g] = [f.buffer()?.into(), g.buffer()?.into()];
                Ok(vec![panel.window(costs)?, f, g, summand, out.buffer()?.into()])
            },
            |first_tile, tiles| Params {
                first_tile,
                tiles,
                outputs: rows as u32,
                inputs: cols as u32,
                first: first as u32,
                count: count as u32,
                rate: rate as f32,
            },
        )?;
    }
    Ok(())
}

/// The summand on the CPU.
#[derive(Clone, Copy)]
enum Factor<'a> {
    /// Columns of values, one after another.
    Columns(&'a [f64]),
    /// One value a pair.
    Matrix(&'a [f64]),
}

fn twin(
    blocks: &Blocks,
    costs: &[f64],
    f: &[f64],
    g: &[f64],
    rate: f64,
    factor: Factor<'_>,
    out: &mut [f64],
) {
    let (rows, cols) = (blocks.total_rows(), blocks.total_cols());
    let elements = blocks.elements();
    for (problem, bounds) in elements.windows(2).enumerate() {
        let (problem_rows, columns) = blocks.size(problem);
        let first_row = blocks.rows[problem];
        let first_col = blocks.cols[problem];
        let g = &g[first_col..first_col + columns];
        let sums: Vec<Vec<f64>> = (0..problem_rows)
            .into_par_iter()
            .with_min_len(1 + 8192 / columns)
            .map(|i| {
                let start = bounds[0] as usize + i * columns;
                let mut sums = vec![0.0; out.len() / rows];
                let mut mass = [0.0; CHUNK];
                for begin in (0..columns).step_by(CHUNK) {
                    let chunk = begin..(begin + CHUNK).min(columns);
                    let mass = &mut mass[..chunk.len()];
                    let here = start + chunk.start..start + chunk.end;
                    masses(f[first_row + i], &g[chunk.clone()], &costs[here.clone()], rate, mass);
                    for (k, sum) in sums.iter_mut().enumerate() {
                        let values = match factor {
                            Factor::Columns(values) => {
                                &values[k * cols + first_col..][chunk.clone()]
                            }
                            Factor::Matrix(values) => &values[here.clone()],
                        };
                        *sum += weighted_sum(mass, values);
                    }
                }
                sums
            })
            .collect();
        for (i, sums) in sums.iter().enumerate() {
            for (k, sum) in sums.iter().enumerate() {
                out[k * rows + first_row + i] = *sum;
            }
        }
    }
}
