//! Joins the partial log-sum-exps of several tiles.

use bytemuck::{Pod, Zeroable};

use crate::engine::{Array, Backend, Engine, Shader, Table, shader};
use crate::error::Result;
use crate::kernels::launch::launch_each;
use crate::kernels::tiles::problem_of_points;
use crate::kernels::vector::{LogSum, NOTHING};
use crate::kernels::{check_length, index};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    outputs: u32,
    slots: u32,
}

pub(crate) static SHADER: Shader =
    shader!("linear/join_partials", Params, [Read, Read, Read, Write], &[&[]]);

/// Partial results of several tiles an output: pairs (peak, sum), slot by slot.
pub(crate) struct Partials {
    /// (peak, sum) of slot s and output i at 2 (s outputs + i).
    pub pairs: Array,
    slots: u32,
    /// The problem that each output belongs to.
    problem: Table,
}

impl Partials {
    /// Partial results that join to nothing: what slots hold that no tile writes. The outputs of
    /// the problems lie between `offsets`.
    pub(crate) fn empty(engine: &Engine, slots: u32, offsets: &[usize]) -> Result<Self> {
        let outputs = *offsets.last().unwrap_or(&0);
        let pairs = [NOTHING, 0.0].repeat(slots as usize * outputs);
        Ok(Self {
            pairs: engine.upload("partial sums", &pairs)?,
            slots,
            problem: problem_of_points(engine, offsets)?,
        })
    }
}

/// out_i = log of the sum over slots of the partials, for the problems that are running.
pub(crate) fn join_partials(
    engine: &Engine,
    partials: &Partials,
    running: &Array,
    out: &mut Array,
) -> Result<()> {
    let Partials { pairs, slots, problem } = partials;
    let outputs = out.len();
    check_length("the outputs of the partial sums", problem.len(), outputs)?;
    match engine.backend() {
        Backend::Cpu => {
            let (pairs, problem, running) = (pairs.host()?, problem.host()?, running.host()?);
            let out = out.host_mut()?;
            let slots = *slots as usize;
            engine.run_twin(SHADER.name, || twin(pairs, slots, problem, running, out));
            Ok(())
        }
        Backend::Gpu(gpu) => launch_each(
            engine,
            gpu,
            &SHADER,
            &[],
            &[pairs, problem, running, out],
            &Params { outputs: index("the outputs", outputs)?, slots: *slots },
            (outputs, outputs as f64 * f64::from(*slots)),
        ),
    }
}

fn twin(pairs: &[f64], slots: usize, problem: &[u32], running: &[f64], out: &mut [f64]) {
    let outputs = out.len();
    for (i, out) in out.iter_mut().enumerate() {
        if running[problem[i] as usize] == 0.0 {
            continue;
        }
        *out = (0..slots)
            .map(|slot| 2 * (slot * outputs + i))
            .map(|place| LogSum { peak: pairs[place], sum: pairs[place + 1] })
            .fold(LogSum::EMPTY, LogSum::join::<false>)
            .logarithm::<false>();
    }
}
