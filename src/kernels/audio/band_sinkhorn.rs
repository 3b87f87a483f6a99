//! Sinkhorn's iteration between two spectrograms, frequency by frequency.

use bytemuck::{Pod, Zeroable};
use multiversion::multiversion;
use multiversion::target::target_cfg_f;
use rayon::prelude::*;

use super::lags::BLOCK;
use super::scaling::{Account, plain, scale, total};
use super::{ACCOUNT, Extent, Held, LagRow, LagTable, Rounds, product, times, workgroup_size};
use crate::engine::{Array, Backend, Engine, Launch, Shader, shader};
use crate::error::Result;
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
}

pub(crate) static SHADER: Shader = shader!(
    "audio/band_sinkhorn",
    Params,
    [Read, Read, Read, Write, Write],
    &[
        &[("LOGS", 0), ("HELD", 256), ("THREADS", 128)],
        &[("LOGS", 1), ("HELD", 256), ("THREADS", 128)]
    ]
);

/// Numbers that a workgroup holds for every frame.
const SLOTS: usize = 2;

/// So many iterations of
///
/// ```text
/// a_i = r_i / (sum_d G_d b_(i + d) + g sum_j b_j),  b_j = s_j / (sum_d G_d a_(j - d) + g sum_i a_i)
/// ```
///
/// between the columns r and s of two microphones, for every plan and frequency, with the kernel G that
/// the row of lags of the plan lists and the outlier's weight g; laws other than fixed marginals change
/// the quotients ([`super::Marginal`]). `masses` are weights (scenes, frequencies). Leaves in
/// `profiles` (plans, frequencies, width + [`ACCOUNT`]), weighted, G_d sum_i a_i b_(i + d) for every
/// lag and an account.
#[expect(clippy::too_many_arguments, reason = "the operands of the formula")]
pub(crate) fn band_sinkhorn(
    engine: &Engine,
    extent: &Extent,
    rounds: &Rounds,
    columns: &Array,
    masses: &Array,
    lags: &LagTable,
    scalings: &mut Array,
    profiles: &mut Array,
) -> Result<()> {
    let Extent { scenes, frequencies, frames, .. } = *extent;
    let width = lags.width() + ACCOUNT;
    check_length("the microphones", extent.microphones, 2)?;
    check_length("the columns", columns.len(), extent.column_numbers())?;
    check_length("the masses", masses.len(), scenes * frequencies)?;
    check_length("the scalings", scalings.len(), extent.scaling_numbers())?;
    check_length("the profiles", profiles.len(), extent.groups() * width)?;
    lags.check(extent.plans)?;
    let Backend::Gpu(gpu) = engine.backend() else {
        let twin = Twin { rounds, frames, columns: columns.host()?, masses: masses.host()? };
        let rows = lags.rows()?;
        let (scalings, profiles) = (scalings.host_mut()?, profiles.host_mut()?);
        engine.run_twin(SHADER.name, || {
            scalings
                .par_chunks_mut(2 * frames)
                .zip(profiles.par_chunks_mut(width))
                .enumerate()
                .for_each(|(group, (scalings, profile))| {
                    let row = &rows[group / frequencies];
                    let place = row.scene * frequencies + group % frequencies;
                    if !row.lags().is_empty() && twin.masses[place] > 0.0 {
                        run(&twin, row, place, scalings, profile);
                    }
                });
        });
        return Ok(());
    };
    let (held, threads) = workgroup_size(frames, SLOTS, 0)?;
    let cost = if rounds.logs { 2.0 } else { 1.0 / MULTIPLY_ADDS_PER_EXPONENTIAL };
    let work = cost * (2 * (rounds.iterations + 2) * frames * lags.width()) as f64;
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
                ],
                bindings: &[
                    columns.buffer()?.into(),
                    masses.buffer()?.into(),
                    lags.array().buffer()?.into(),
                    scalings.buffer()?.into(),
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
    frames: usize,
    columns: &'a [f64],
    masses: &'a [f64],
}

#[multiversion(targets("x86_64+avx512f+avx512vl+fma", "x86_64+avx2+fma"))]
fn run(twin: &Twin<'_>, row: &LagRow, place: usize, scalings: &mut [f64], profile: &mut [f64]) {
    if target_cfg_f!(any(target_feature = "fma", target_arch = "aarch64")) {
        match twin.rounds.logs {
            true => twin.run::<true, true>(row, place, scalings, profile),
            false => twin.run::<false, true>(row, place, scalings, profile),
        }
    } else {
        match twin.rounds.logs {
            true => twin.run::<true, false>(row, place, scalings, profile),
            false => twin.run::<false, false>(row, place, scalings, profile),
        }
    }
}

impl Twin<'_> {
    #[inline(always)]
    fn run<const LOGS: bool, const FUSED: bool>(
        &self,
        row: &LagRow,
        place: usize,
        scalings: &mut [f64],
        profile: &mut [f64],
    ) {
        let Rounds { law, iterations, fresh, .. } = *self.rounds;
        let outlier = self.rounds.outlier.map(|_| self.rounds.outlier_weight());
        let columns = &self.columns[2 * place * self.frames..2 * (place + 1) * self.frames];
        let mut targets = columns.to_vec();
        if LOGS {
            for target in &mut targets {
                *target = if *target > 0.0 { ln::<FUSED>(*target) } else { NOTHING };
            }
        }
        let (here, there) = targets.split_at(self.frames);
        let mut a = Held::new(self.frames, row.reach(), LOGS);
        let mut b = a.clone();
        let mut seen = vec![0.0; self.frames.next_multiple_of(BLOCK)];
        let (first, second) = scalings.split_at_mut(self.frames);
        match fresh {
            true => b.get_mut().fill(if LOGS { 0.0 } else { 1.0 }),
            false => b.get_mut().copy_from_slice(second),
        }
        for _ in 0..iterations {
            product::<LOGS, FUSED>(row, 1, &b, &mut seen);
            let behind = background::<LOGS, FUSED>(outlier, &b);
            scale::<LOGS, FUSED>(law, here, &seen, behind, a.get_mut());
            product::<LOGS, FUSED>(row, -1, &a, &mut seen);
            let ahead = background::<LOGS, FUSED>(outlier, &a);
            scale::<LOGS, FUSED>(law, there, &seen, ahead, b.get_mut());
        }
        first.copy_from_slice(a.get());
        second.copy_from_slice(b.get());

        let mut accounts = [Account::default(); 2];
        for (account, (sign, target, u, other)) in
            accounts.iter_mut().zip([(1, here, &a, &b), (-1, there, &b, &a)])
        {
            product::<LOGS, FUSED>(row, sign, other, &mut seen);
            let behind = background::<LOGS, FUSED>(outlier, other);
            account.add_all::<LOGS, FUSED>(law, target, u.get(), &seen, behind);
        }
        let [rows, cols] = accounts;
        let share = self.masses[place];
        let (masses, account) = profile.split_at_mut(profile.len() - ACCOUNT);
        // Of a plan that is not done, the mass that the columns see is right.
        account.copy_from_slice(&[
            share * (rows.dual + cols.dual - cols.mass),
            share * rows.residual,
            share * cols.mass,
            share * (rows.price + cols.price),
        ]);
        lag_masses::<LOGS, FUSED>(row, a.get(), b.get(), share, masses);
    }
}

/// What the outlier source makes everywhere of the scalings of the other microphone.
#[inline(always)]
fn background<const LOGS: bool, const FUSED: bool>(outlier: Option<f64>, held: &Held) -> f64 {
    match outlier {
        Some(weight) => times::<LOGS>(weight, total::<LOGS, FUSED>(held.get())),
        None if LOGS => NOTHING,
        None => 0.0,
    }
}

/// share weight_d sum_i a_i b_(i + d) for every lag d of a row.
#[inline(always)]
pub(super) fn lag_masses<const LOGS: bool, const FUSED: bool>(
    row: &LagRow,
    a: &[f64],
    b: &[f64],
    share: f64,
    out: &mut [f64],
) {
    /// Sums that run side by side.
    const LANES: usize = 16;
    for ((lag, weight), out) in row.lags().iter().zip(row.weights()).zip(out) {
        let pairs = a.len() - lag.unsigned_abs() as usize;
        let a = &a[(-lag).max(0) as usize..][..pairs];
        let b = &b[(*lag).max(0) as usize..][..pairs];
        let mut sums = [0.0; LANES];
        for (a, b) in a.chunks(LANES).zip(b.chunks(LANES)) {
            for lane in 0..a.len() {
                sums[lane] += match LOGS {
                    true => plain::<true, FUSED>(a[lane] + b[lane] + weight),
                    false => a[lane] * b[lane],
                };
            }
        }
        let sum: f64 = sums.iter().sum();
        *out = share * if LOGS { sum } else { weight * sum };
    }
}
