//! Sums over frequencies of the mass of every lag.

use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;

use crate::engine::{Array, Backend, Engine, Shader, shader};
use crate::error::Result;
use crate::kernels::launch::launch_each;
use crate::kernels::{check_length, index};
use crate::numeric::compensated_sum;

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    plans: u32,
    frequencies: u32,
    width: u32,
    block: u32,
    blocks: u32,
}

pub(crate) static SHADER: Shader = shader!("audio/lag_profile", Params, [Read, Write], &[&[]]);

/// Frequencies that the engine adds up; the host adds what comes of that.
const BLOCK: usize = 16;

/// Sums over frequencies for (plans, frequencies, width): (plans, width), the last additions in f64.
pub(crate) struct LagProfile {
    plans: usize,
    frequencies: usize,
    width: usize,
    sums: Array,
}

impl LagProfile {
    pub(crate) fn new(
        engine: &Engine,
        plans: usize,
        frequencies: usize,
        width: usize,
    ) -> Result<Self> {
        let blocks = frequencies.div_ceil(BLOCK);
        let sums = engine.zeros("profiles of lags", plans * blocks * width)?;
        Ok(Self { plans, frequencies, width, sums })
    }

    pub(crate) fn sum(&mut self, engine: &Engine, values: &Array) -> Result<Vec<f64>> {
        let Self { plans, frequencies, width, ref mut sums } = *self;
        let blocks = frequencies.div_ceil(BLOCK);
        check_length("the profiles", values.len(), plans * frequencies * width)?;
        match engine.backend() {
            Backend::Cpu => {
                let (values, sums) = (values.host()?, sums.host_mut()?);
                engine.run_twin(SHADER.name, || twin(values, frequencies, width, sums));
            }
            Backend::Gpu(gpu) => launch_each(
                engine,
                gpu,
                &SHADER,
                &[],
                &[values, sums],
                &Params {
                    plans: index("plans", plans)?,
                    frequencies: index("frequencies", frequencies)?,
                    width: index("lags", width)?,
                    block: BLOCK as u32,
                    blocks: index("blocks", blocks)?,
                },
                (plans * blocks * width, values.len() as f64 / 4.0),
            )?,
        }
        let sums = engine.download(sums)?;
        let mut terms = vec![0.0; blocks];
        let mut out = Vec::with_capacity(plans * width);
        for plan in sums.chunks(blocks * width) {
            for number in 0..width {
                for (block, term) in terms.iter_mut().enumerate() {
                    *term = plan[block * width + number];
                }
                out.push(compensated_sum(terms.iter().copied()));
            }
        }
        Ok(out)
    }
}

fn twin(values: &[f64], frequencies: usize, width: usize, sums: &mut [f64]) {
    let blocks = frequencies.div_ceil(BLOCK);
    sums.par_chunks_mut(blocks * width).zip(values.par_chunks(frequencies * width)).for_each(
        |(sums, values)| {
            for (sums, values) in sums.chunks_mut(width).zip(values.chunks(BLOCK * width)) {
                sums.fill(0.0);
                for values in values.chunks(width) {
                    sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
                }
            }
        },
    );
}
