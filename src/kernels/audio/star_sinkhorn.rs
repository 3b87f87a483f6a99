//! Sinkhorn's iteration between several spectrograms, frequency by frequency.

use super::lags::BLOCK;
use super::scaling::{Account, scale};
use super::sinkhorn::{Column, Kernel, Params, Twin};
use super::star::Star;
use super::{Extent, Operands};
use crate::engine::{Array, Engine, Shader, shader};
use crate::error::{Error, Result};
use crate::kernels::check_length;

pub(crate) static SHADER: Shader = shader!(
    "audio/star_sinkhorn",
    Params,
    [Read, Read, Read, Write, Write, Write],
    &[
        &[("LOGS", 0), ("HELD", 384), ("THREADS", 128), ("MICROPHONES", 32)],
        &[("LOGS", 1), ("HELD", 384), ("THREADS", 128), ("MICROPHONES", 32)]
    ]
);

/// Microphones that a workgroup has room for.
const MICROPHONES: usize = 32;

/// Room for the messages of all plans, where a kernel keeps them: nothing on the CPU.
pub(crate) fn messages(engine: &Engine, extent: &Extent) -> Result<Array> {
    let numbers = extent.groups() * extent.kernels() * extent.frames;
    engine.zeros("messages", if engine.is_gpu() { numbers } else { 0 })
}

/// So many sweeps of
///
/// ```text
/// u1_i = r1_i / (sum_k prod_l q_kl_i + g prod_l sum u_l),             l = 2..L,
/// ul_j = rl_j / (sum_k sum_d G_kl_d c_kl_(j - d) + g prod_(n != l) sum u_n),  for l = 2, .., L
/// q_kl_i = sum_d G_kl_d ul_(i + d),   c_kl = u1 prod_(n != l) q_kn
/// ```
///
/// between the columns of L microphones, for every plan and frequency, with kernels G_kl that rows of
/// lags (plan, source, leaf) list and the outlier's weight g. Otherwise like
/// [`super::band_sinkhorn::band_sinkhorn`]; the profile has the lags of all kernels, (sources,
/// leaves, width), then the account.
pub(crate) fn star_sinkhorn(
    engine: &Engine,
    operands: Operands<'_>,
    messages: &mut Array,
) -> Result<()> {
    let Extent { frames, microphones, .. } = *operands.extent;
    let kernels = operands.extent.kernels();
    if engine.is_gpu() {
        let numbers = operands.extent.groups() * kernels * frames;
        check_length("the messages", messages.len(), numbers)?;
        if microphones > MICROPHONES {
            let problem = format!("{microphones} are more than {MICROPHONES}");
            return Err(Error::parameter("microphones", problem, "use fewer, or --device cpu"));
        }
    }
    let messages = Some((&*messages, MICROPHONES));
    operands.run::<Tree>(engine, &Kernel { shader: &SHADER, rows: kernels, slots: 3, messages })
}

struct Tree;

impl Twin for Tree {
    #[inline(always)]
    fn run<const LOGS: bool, const FUSED: bool>(
        column: &Column<'_>,
        scalings: &mut [f64],
        masses: &mut [f64],
    ) -> Account {
        let Column { rounds, rows, frames, .. } = *column;
        let law = rounds.law;
        let microphones = scalings.len() / frames;
        let leaves = microphones - 1;
        let mut star = Star::new::<LOGS>(rows, column.outlier(), frames, scalings);
        let mut seen = vec![0.0; frames.next_multiple_of(BLOCK)];
        star.send_all::<LOGS, FUSED>();
        for _ in 0..rounds.iterations {
            star.gather::<LOGS, FUSED>(&mut seen);
            let behind = star.background::<LOGS>(0);
            let u = star.scalings[0].get_mut();
            scale::<LOGS, FUSED>(law, column.target(0), &seen, behind, u);
            star.note_total::<LOGS, FUSED>(0);
            for leaf in 0..leaves {
                star.spread::<LOGS, FUSED>(leaf, &mut seen, None);
                let behind = star.background::<LOGS>(leaf + 1);
                let u = star.scalings[leaf + 1].get_mut();
                scale::<LOGS, FUSED>(law, column.target(leaf + 1), &seen, behind, u);
                star.send::<LOGS, FUSED>(leaf);
            }
        }
        for (held, after) in star.scalings.iter().zip(scalings.chunks_mut(frames)) {
            after.copy_from_slice(held.get());
        }

        let width = masses.len() / rows.len();
        let (mut centre, mut leaf_sums) = (Account::default(), Account::default());
        for microphone in 0..microphones {
            match microphone {
                0 => star.gather::<LOGS, FUSED>(&mut seen),
                _ => {
                    let masses = Some((&mut *masses, width, column.share));
                    star.spread::<LOGS, FUSED>(microphone - 1, &mut seen, masses);
                }
            }
            let behind = star.background::<LOGS>(microphone);
            let account = if microphone == 0 { &mut centre } else { &mut leaf_sums };
            let u = star.scalings[microphone].get();
            account.add_all::<LOGS, FUSED>(law, column.target(microphone), u, &seen, behind);
        }
        Account {
            dual: centre.dual + leaf_sums.dual,
            price: centre.price + leaf_sums.price,
            ..centre
        }
    }
}
