//! Sinkhorn's iteration between several spectrograms, frequency by frequency.

use bytemuck::{Pod, Zeroable};
use multiversion::multiversion;
use multiversion::target::target_cfg_f;
use rayon::prelude::*;

use super::band_sinkhorn::lag_masses;
use super::lags::BLOCK;
use super::scaling::{Account, scale, total};
use super::{
    ACCOUNT, Extent, Held, LagRow, LagTable, Rounds, plus, product, times, workgroup_size,
};
use crate::engine::{Array, Backend, Engine, Launch, Shader, shader};
use crate::error::{Error, Result};
use crate::kernels::vector::{NOTHING, ln};
use crate::kernels::{MULTIPLY_ADDS_PER_EXPONENTIAL, check_length, index};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    first: u32,
    groups: u32,
    frequencies: u32,
    frames: u32,
    width: u32,
    iterations: u32,
    fresh: u32,
    law: u32,
    rho: f32,
    outlier: f32,
    sources: u32,
    microphones: u32,
}

pub(crate) static SHADER: Shader = shader!(
    "audio/star_sinkhorn",
    Params,
    [Read, Read, Read, Write, Write, Write],
    &[
        &[("LOGS", 0), ("HELD", 384), ("THREADS", 128), ("MICROPHONES", 32)],
        &[("LOGS", 1), ("HELD", 384), ("THREADS", 128), ("MICROPHONES", 32)]
    ]
);

/// Numbers that a workgroup holds for every frame.
const SLOTS: usize = 3;
/// Microphones that it has room for.
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
#[expect(clippy::too_many_arguments, reason = "the operands of the formula")]
pub(crate) fn star_sinkhorn(
    engine: &Engine,
    extent: &Extent,
    rounds: &Rounds,
    columns: &Array,
    masses: &Array,
    lags: &LagTable,
    scalings: &mut Array,
    messages: &mut Array,
    profiles: &mut Array,
) -> Result<()> {
    let Extent { plans, scenes, frequencies, frames, microphones, sources } = *extent;
    let kernels = extent.kernels();
    let width = kernels * lags.width() + ACCOUNT;
    check_length("the columns", columns.len(), extent.column_numbers())?;
    check_length("the masses", masses.len(), scenes * frequencies)?;
    check_length("the scalings", scalings.len(), extent.scaling_numbers())?;
    check_length("the profiles", profiles.len(), extent.groups() * width)?;
    lags.check(plans * kernels)?;
    let Backend::Gpu(gpu) = engine.backend() else {
        let twin = Twin { rounds, extent, columns: columns.host()?, masses: masses.host()? };
        let rows = lags.rows()?;
        let (scalings, profiles) = (scalings.host_mut()?, profiles.host_mut()?);
        engine.run_twin(SHADER.name, || {
            scalings
                .par_chunks_mut(microphones * frames)
                .zip(profiles.par_chunks_mut(width))
                .enumerate()
                .for_each(|(group, (scalings, profile))| {
                    let rows = &rows[group / frequencies * kernels..][..kernels];
                    let place = rows[0].scene * frequencies + group % frequencies;
                    if !rows[0].lags().is_empty() && twin.masses[place] > 0.0 {
                        run(&twin, rows, place, scalings, profile);
                    }
                });
        });
        return Ok(());
    };
    check_length("the messages", messages.len(), extent.groups() * kernels * frames)?;
    if microphones > MICROPHONES {
        let problem = format!("{microphones} are more than {MICROPHONES}");
        return Err(Error::parameter("microphones", problem, "use fewer, or --device cpu"));
    }
    let (held, threads) = workgroup_size(frames, SLOTS, MICROPHONES)?;
    let cost = if rounds.logs { 2.0 } else { 1.0 / MULTIPLY_ADDS_PER_EXPONENTIAL };
    let work = cost * (2 * (rounds.iterations + 2) * kernels * frames * lags.width()) as f64;
    let at_once = ((gpu.work_per_launch() / work) as usize).max(1);
    let (law, rho) = rounds.law.code();
    for first in (0..extent.groups()).step_by(at_once) {
        let groups = at_once.min(extent.groups() - first);
        engine.launch(
            gpu,
            &Launch {
                shader: &SHADER,
                constants: &[
                    ("LOGS", u32::from(rounds.logs)),
                    ("HELD", held * SLOTS as u32),
                    ("THREADS", threads),
                    ("MICROPHONES", MICROPHONES as u32),
                ],
                bindings: &[
                    columns.buffer()?.into(),
                    masses.buffer()?.into(),
                    lags.array().buffer()?.into(),
                    scalings.buffer()?.into(),
                    messages.buffer()?.into(),
                    profiles.buffer()?.into(),
                ],
                immediates: bytemuck::bytes_of(&Params {
                    first: index("plans", first)?,
                    groups: index("plans", first + groups)?,
                    frequencies: index("frequencies", frequencies)?,
                    frames: index("frames", frames)?,
                    width: index("lags", lags.width())?,
                    iterations: index("iterations", rounds.iterations)?,
                    fresh: u32::from(rounds.fresh),
                    law,
                    rho,
                    outlier: rounds.outlier_weight() as f32,
                    sources: index("sources", sources)?,
                    microphones: index("microphones", microphones)?,
                }),
                workgroups: groups as u64,
                work: work * groups as f64,
            },
        )?;
    }
    Ok(())
}

struct Twin<'a> {
    rounds: &'a Rounds,
    extent: &'a Extent,
    columns: &'a [f64],
    masses: &'a [f64],
}

#[multiversion(targets("x86_64+avx512f+avx512vl+fma", "x86_64+avx2+fma"))]
fn run(twin: &Twin<'_>, rows: &[LagRow], place: usize, scalings: &mut [f64], profile: &mut [f64]) {
    if target_cfg_f!(any(target_feature = "fma", target_arch = "aarch64")) {
        match twin.rounds.logs {
            true => twin.run::<true, true>(rows, place, scalings, profile),
            false => twin.run::<false, true>(rows, place, scalings, profile),
        }
    } else {
        match twin.rounds.logs {
            true => twin.run::<true, false>(rows, place, scalings, profile),
            false => twin.run::<false, false>(rows, place, scalings, profile),
        }
    }
}

/// The scalings of a plan at one frequency, and what goes between them.
struct Star<'a> {
    rows: &'a [LagRow],
    leaves: usize,
    /// The weight of the outlier source, if there is one.
    outlier: Option<f64>,
    /// Of every microphone.
    scalings: Vec<Held>,
    totals: Vec<f64>,
    /// Of every source and leaf.
    messages: Vec<Vec<f64>>,
    /// What goes from the centre to a leaf.
    beside: Held,
    scratch: Vec<f64>,
}

impl Star<'_> {
    /// The messages that a leaf sends, and the sum of its scalings.
    #[inline(always)]
    fn send<const LOGS: bool, const FUSED: bool>(&mut self, leaf: usize) {
        self.note_total::<LOGS, FUSED>(leaf + 1);
        for kernel in (leaf..self.rows.len()).step_by(self.leaves) {
            let message = &mut self.messages[kernel];
            product::<LOGS, FUSED>(&self.rows[kernel], 1, &self.scalings[leaf + 1], message);
        }
    }

    #[inline(always)]
    fn note_total<const LOGS: bool, const FUSED: bool>(&mut self, microphone: usize) {
        if self.outlier.is_some() {
            self.totals[microphone] = total::<LOGS, FUSED>(self.scalings[microphone].get());
        }
    }

    /// What the outlier source makes of the scalings of all microphones but one.
    #[inline(always)]
    fn background<const LOGS: bool>(&self, without: usize) -> f64 {
        let Some(weight) = self.outlier else { return if LOGS { NOTHING } else { 0.0 } };
        let mut product = weight;
        for (microphone, sum) in self.totals.iter().enumerate() {
            if microphone != without {
                product = times::<LOGS>(product, *sum);
            }
        }
        product
    }

    /// `start` times the messages of a source, of all leaves but one.
    #[inline(always)]
    fn heard<const LOGS: bool>(&self, source: usize, without: usize, out: &mut [f64]) {
        for leaf in (0..self.leaves).filter(|leaf| *leaf != without) {
            let message = &self.messages[source * self.leaves + leaf];
            for (out, message) in out.iter_mut().zip(message) {
                *out = times::<LOGS>(*out, *message);
            }
        }
    }

    /// What all sources make at the centre.
    #[inline(always)]
    fn gather<const LOGS: bool, const FUSED: bool>(&mut self, seen: &mut [f64]) {
        let one = if LOGS { 0.0 } else { 1.0 };
        for source in 0..self.rows.len() / self.leaves {
            let mut scratch = std::mem::take(&mut self.scratch);
            scratch.fill(one);
            self.heard::<LOGS>(source, self.leaves, &mut scratch);
            join::<LOGS, FUSED>(source == 0, &scratch, seen);
            self.scratch = scratch;
        }
    }

    /// What comes to a leaf from all sources; and the mass of every lag, if asked for, weighted, so
    /// many numbers for every kernel.
    #[inline(always)]
    fn spread<const LOGS: bool, const FUSED: bool>(
        &mut self,
        leaf: usize,
        seen: &mut [f64],
        mut masses: Option<(&mut [f64], usize, f64)>,
    ) {
        for kernel in (leaf..self.rows.len()).step_by(self.leaves) {
            let mut beside = std::mem::replace(&mut self.beside, Held::new(0, 0, LOGS));
            beside.get_mut().copy_from_slice(self.scalings[0].get());
            self.heard::<LOGS>(kernel / self.leaves, leaf, beside.get_mut());
            let row = &self.rows[kernel];
            product::<LOGS, FUSED>(row, -1, &beside, &mut self.scratch);
            join::<LOGS, FUSED>(kernel == leaf, &self.scratch, seen);
            if let Some((masses, width, share)) = &mut masses {
                let out = &mut masses[kernel * *width..][..*width];
                let u = self.scalings[leaf + 1].get();
                lag_masses::<LOGS, FUSED>(row, beside.get(), u, *share, out);
            }
            self.beside = beside;
        }
    }
}

/// Adds to what is there, unless it is the first.
#[inline(always)]
fn join<const LOGS: bool, const FUSED: bool>(first: bool, more: &[f64], sum: &mut [f64]) {
    if first {
        sum.copy_from_slice(more);
        return;
    }
    for (sum, more) in sum.iter_mut().zip(more) {
        *sum = plus::<LOGS, FUSED>(*sum, *more);
    }
}

impl Twin<'_> {
    #[inline(always)]
    fn run<const LOGS: bool, const FUSED: bool>(
        &self,
        rows: &[LagRow],
        place: usize,
        scalings: &mut [f64],
        profile: &mut [f64],
    ) {
        let Extent { frames, microphones, .. } = *self.extent;
        let Rounds { law, iterations, fresh, .. } = *self.rounds;
        let leaves = microphones - 1;
        let size = microphones * frames;
        let mut targets = self.columns[place * size..(place + 1) * size].to_vec();
        if LOGS {
            for target in &mut targets {
                *target = if *target > 0.0 { ln::<FUSED>(*target) } else { NOTHING };
            }
        }
        let target = |microphone: usize| &targets[microphone * frames..(microphone + 1) * frames];
        let reach = rows.iter().map(LagRow::reach).max().unwrap_or(0);
        let empty = Held::new(frames, reach, LOGS);
        let blocks = vec![0.0; frames.next_multiple_of(BLOCK)];
        let mut seen = blocks.clone();
        let mut star = Star {
            rows,
            leaves,
            outlier: self.rounds.outlier.map(|_| self.rounds.outlier_weight()),
            scalings: vec![empty.clone(); microphones],
            totals: vec![0.0; microphones],
            messages: vec![blocks.clone(); rows.len()],
            beside: empty,
            scratch: blocks,
        };
        for (held, before) in star.scalings.iter_mut().zip(scalings.chunks(frames)) {
            match fresh {
                true => held.get_mut().fill(if LOGS { 0.0 } else { 1.0 }),
                false => held.get_mut().copy_from_slice(before),
            }
        }
        star.note_total::<LOGS, FUSED>(0);
        for leaf in 0..leaves {
            star.send::<LOGS, FUSED>(leaf);
        }
        for _ in 0..iterations {
            star.gather::<LOGS, FUSED>(&mut seen);
            let behind = star.background::<LOGS>(0);
            let u = star.scalings[0].get_mut();
            scale::<LOGS, FUSED>(law, target(0), &seen, behind, u);
            star.note_total::<LOGS, FUSED>(0);
            for leaf in 0..leaves {
                star.spread::<LOGS, FUSED>(leaf, &mut seen, None);
                let behind = star.background::<LOGS>(leaf + 1);
                let u = star.scalings[leaf + 1].get_mut();
                scale::<LOGS, FUSED>(law, target(leaf + 1), &seen, behind, u);
                star.send::<LOGS, FUSED>(leaf);
            }
        }
        for (held, after) in star.scalings.iter().zip(scalings.chunks_mut(frames)) {
            after.copy_from_slice(held.get());
        }

        let share = self.masses[place];
        let (masses, numbers) = profile.split_at_mut(profile.len() - ACCOUNT);
        let width = masses.len() / rows.len();
        let (mut centre, mut leaf_sums) = (Account::default(), Account::default());
        for microphone in 0..microphones {
            match microphone {
                0 => star.gather::<LOGS, FUSED>(&mut seen),
                _ => {
                    let masses = Some((&mut *masses, width, share));
                    star.spread::<LOGS, FUSED>(microphone - 1, &mut seen, masses);
                }
            }
            let behind = star.background::<LOGS>(microphone);
            let account = if microphone == 0 { &mut centre } else { &mut leaf_sums };
            let u = star.scalings[microphone].get();
            account.add_all::<LOGS, FUSED>(law, target(microphone), u, &seen, behind);
        }
        numbers.copy_from_slice(&[
            share * (centre.dual + leaf_sums.dual - centre.mass),
            share * centre.residual,
            share * centre.mass,
            share * (centre.price + leaf_sums.price),
        ]);
    }
}
