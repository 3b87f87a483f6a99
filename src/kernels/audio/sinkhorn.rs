//! What the iterations between spectrograms have in common: operands, launches, and the frame of a twin.

use bytemuck::{Pod, Zeroable};
use multiversion::multiversion;
use multiversion::target::target_cfg_f;
use rayon::prelude::*;

use super::scaling::{Account, one};
use super::{ACCOUNT, Extent, LagRow, LagTable, Rounds, workgroup_size};
use crate::engine::gpu::Gpu;
use crate::engine::{Array, Backend, Engine, Launch, Shader};
use crate::error::Result;
use crate::kernels::vector::{NOTHING, ln};
use crate::kernels::{MULTIPLY_ADDS_PER_EXPONENTIAL, check_length, index};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub(super) struct Params {
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

/// What an iteration works on.
pub(crate) struct Operands<'a> {
    pub extent: &'a Extent,
    pub rounds: &'a Rounds,
    /// Spectrograms (scenes, frequencies, microphones, frames).
    pub columns: &'a Array,
    /// Weights (scenes, frequencies).
    pub masses: &'a Array,
    /// The kernels of every plan.
    pub lags: &'a LagTable,
    /// (plans, frequencies, microphones, frames).
    pub scalings: &'a mut Array,
    /// (plans, frequencies, kernels of a plan x width + [`ACCOUNT`]).
    pub profiles: &'a mut Array,
}

/// How an iteration is done.
pub(super) struct Kernel<'a> {
    pub shader: &'static Shader,
    /// Rows of lags of every plan.
    pub rows: usize,
    /// Numbers that a workgroup holds for every frame.
    pub slots: usize,
    /// Messages, for a kernel that keeps some, and the microphones whose sums its workgroups hold.
    pub messages: Option<(&'a Array, usize)>,
}

/// One plan at one frequency.
pub(super) struct Column<'a> {
    pub rounds: &'a Rounds,
    pub rows: &'a [LagRow],
    pub frames: usize,
    /// What every microphone heard, (microphones, frames): masses, or logarithms of these.
    pub targets: &'a [f64],
    /// The weight of the masses of lags.
    pub share: f64,
}

impl Column<'_> {
    pub(super) fn target(&self, microphone: usize) -> &[f64] {
        &self.targets[microphone * self.frames..][..self.frames]
    }

    /// The weight of the outlier source, if there is one.
    pub(super) fn outlier(&self) -> Option<f64> {
        self.rounds.outlier.map(|_| self.rounds.outlier_weight())
    }
}

/// The iteration on a CPU.
pub(super) trait Twin {
    /// Goes on from the scalings (microphones, frames), leaves the mass of every lag, weighted, and
    /// returns the account. To be inlined, which lets it be compiled for wider vectors.
    fn run<const LOGS: bool, const FUSED: bool>(
        column: &Column<'_>,
        scalings: &mut [f64],
        masses: &mut [f64],
    ) -> Account;
}

impl Operands<'_> {
    /// Runs the kernel on the engine.
    pub(super) fn run<T: Twin>(self, engine: &Engine, kernel: &Kernel<'_>) -> Result<()> {
        let Extent { plans, scenes, frequencies, .. } = *self.extent;
        let width = kernel.rows * self.lags.width() + ACCOUNT;
        check_length("the columns", self.columns.len(), self.extent.column_numbers())?;
        check_length("the masses", self.masses.len(), scenes * frequencies)?;
        check_length("the scalings", self.scalings.len(), self.extent.scaling_numbers())?;
        check_length("the profiles", self.profiles.len(), self.extent.groups() * width)?;
        self.lags.check(plans * kernel.rows)?;
        match engine.backend() {
            Backend::Cpu => self.run_twins::<T>(engine, kernel),
            Backend::Gpu(gpu) => self.launch(engine, gpu, kernel),
        }
    }

    fn run_twins<T: Twin>(self, engine: &Engine, kernel: &Kernel<'_>) -> Result<()> {
        let Extent { frequencies, frames, microphones, .. } = *self.extent;
        let size = microphones * frames;
        let width = kernel.rows * self.lags.width() + ACCOUNT;
        let (columns, all_masses) = (self.columns.host()?, self.masses.host()?);
        let all_rows = self.lags.rows()?;
        let (scalings, profiles) = (self.scalings.host_mut()?, self.profiles.host_mut()?);
        engine.run_twin(kernel.shader.name, || {
            scalings.par_chunks_mut(size).zip(profiles.par_chunks_mut(width)).enumerate().for_each(
                |(group, (scalings, profile))| {
                    let rows = &all_rows[group / frequencies * kernel.rows..][..kernel.rows];
                    let place = rows[0].scene * frequencies + group % frequencies;
                    let (targets, share) = (&columns[place * size..][..size], all_masses[place]);
                    let column = Column { rounds: self.rounds, rows, frames, targets, share };
                    if !rows[0].lags().is_empty() && share > 0.0 {
                        run::<T>(column, scalings, profile);
                    }
                },
            );
        });
        Ok(())
    }

    fn launch(self, engine: &Engine, gpu: &Gpu, kernel: &Kernel<'_>) -> Result<()> {
        let Self { extent, rounds, .. } = self;
        let held_sums = kernel.messages.map_or(0, |(_, microphones)| microphones);
        let (held, threads) = workgroup_size(extent.frames, kernel.slots, held_sums)?;
        let mut constants = vec![
            ("LOGS", u32::from(rounds.logs)),
            ("HELD", held * kernel.slots as u32),
            ("THREADS", threads),
        ];
        let mut bindings = vec![
            self.columns.buffer()?.into(),
            self.masses.buffer()?.into(),
            self.lags.array().buffer()?.into(),
            self.scalings.buffer()?.into(),
            self.profiles.buffer()?.into(),
        ];
        if let Some((messages, microphones)) = kernel.messages {
            constants.push(("MICROPHONES", microphones as u32));
            bindings.push(messages.buffer()?.into());
        }
        let cost = if rounds.logs { 2.0 } else { 1.0 / MULTIPLY_ADDS_PER_EXPONENTIAL };
        let sums = 2 * (rounds.iterations + 2) * kernel.rows;
        let work = cost * (sums * extent.frames * self.lags.width()) as f64;
        let at_once = ((gpu.work_per_launch() / work) as usize).max(1);
        let (law, rho) = rounds.law.code();
        for first in (0..extent.groups()).step_by(at_once) {
            let groups = at_once.min(extent.groups() - first);
            engine.launch(
                gpu,
                &Launch {
                    shader: kernel.shader,
                    constants: &constants,
                    bindings: &bindings,
                    immediates: bytemuck::bytes_of(&Params {
                        first: index("plans", first)?,
                        groups: index("plans", first + groups)?,
                        frequencies: index("frequencies", extent.frequencies)?,
                        frames: index("frames", extent.frames)?,
                        width: index("lags", self.lags.width())?,
                        iterations: index("iterations", rounds.iterations)?,
                        fresh: u32::from(rounds.fresh),
                        law,
                        rho,
                        outlier: rounds.outlier_weight() as f32,
                        sources: index("sources", extent.sources)?,
                        microphones: index("microphones", extent.microphones)?,
                    }),
                    workgroups: groups as u64,
                    work: work * groups as f64,
                },
            )?;
        }
        Ok(())
    }
}

#[multiversion(targets("x86_64+avx512f+avx512vl+fma", "x86_64+avx2+fma"))]
fn run<T: Twin>(column: Column<'_>, scalings: &mut [f64], profile: &mut [f64]) {
    if target_cfg_f!(any(target_feature = "fma", target_arch = "aarch64")) {
        match column.rounds.logs {
            true => run_as::<T, true, true>(column, scalings, profile),
            false => run_as::<T, false, true>(column, scalings, profile),
        }
    } else {
        match column.rounds.logs {
            true => run_as::<T, true, false>(column, scalings, profile),
            false => run_as::<T, false, false>(column, scalings, profile),
        }
    }
}

#[inline(always)]
fn run_as<T: Twin, const LOGS: bool, const FUSED: bool>(
    column: Column<'_>,
    scalings: &mut [f64],
    profile: &mut [f64],
) {
    let mut targets = column.targets.to_vec();
    if LOGS {
        for target in &mut targets {
            *target = if *target > 0.0 { ln::<FUSED>(*target) } else { NOTHING };
        }
    }
    if column.rounds.fresh {
        scalings.fill(one::<LOGS>());
    }
    let column = Column { targets: &targets, ..column };
    let (masses, numbers) = profile.split_at_mut(profile.len() - ACCOUNT);
    let Account { dual, residual, mass, price } = T::run::<LOGS, FUSED>(&column, scalings, masses);
    let account = [dual - mass, residual, mass, price];
    numbers.iter_mut().zip(account).for_each(|(out, number)| *out = column.share * number);
}
