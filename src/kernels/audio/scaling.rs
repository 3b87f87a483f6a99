//! The steps of Sinkhorn's iteration on scalings, or on their logarithms where `LOGS`.

use crate::kernels::vector::{NEARLY_NOTHING, NOTHING, exp, larger, ln};

/// Below any number that means something.
const TINY: f64 = 1e-300;

/// What is asked of a marginal p that should be r, with strengths rho over epsilon.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Marginal {
    /// p = r.
    Fixed,
    /// rho KL(p | r) is paid.
    Kl(f64),
    /// rho |p - r| is paid.
    Tv(f64),
}

impl Marginal {
    /// How shaders know it.
    pub(crate) fn code(self) -> (u32, f32) {
        match self {
            Self::Fixed => (0, 0.0),
            Self::Kl(rho) => (1, rho as f32),
            Self::Tv(rho) => (2, rho as f32),
        }
    }
}

/// The number zero as it is held.
#[inline(always)]
pub(super) fn zero<const LOGS: bool>() -> f64 {
    if LOGS { NOTHING } else { 0.0 }
}

/// The number one as it is held.
#[inline(always)]
pub(super) fn one<const LOGS: bool>() -> f64 {
    if LOGS { 0.0 } else { 1.0 }
}

#[inline(always)]
pub(super) fn times<const LOGS: bool>(a: f64, b: f64) -> f64 {
    if LOGS { (a + b).max(NOTHING) } else { a * b }
}

#[inline(always)]
pub(super) fn plus<const LOGS: bool, const FUSED: bool>(a: f64, b: f64) -> f64 {
    if LOGS {
        let peak = a.max(b);
        peak + ln::<FUSED>(1.0 + exp::<FUSED>(a.min(b) - peak))
    } else {
        a + b
    }
}

/// A plain number from what is held.
#[inline(always)]
pub(super) fn plain<const LOGS: bool, const FUSED: bool>(value: f64) -> f64 {
    match LOGS {
        true if value < -700.0 => 0.0,
        true => exp::<FUSED>(value),
        false => value,
    }
}

/// Sums that run side by side, so that additions need not wait for one another.
const LANES: usize = 16;

/// The sum of all scalings.
#[inline(always)]
pub(super) fn total<const LOGS: bool, const FUSED: bool>(scalings: &[f64]) -> f64 {
    let groups = scalings.chunks_exact(LANES);
    let rest = groups.remainder();
    let mut peak = 0.0;
    if LOGS {
        let mut peaks = [NOTHING; LANES];
        for values in groups.clone() {
            for lane in 0..LANES {
                peaks[lane] = larger(peaks[lane], values[lane]);
            }
        }
        peak = rest.iter().chain(&peaks).copied().fold(NOTHING, larger);
        if peak < NEARLY_NOTHING {
            return NOTHING;
        }
    }
    let mut sums = [0.0; LANES];
    for (sum, value) in sums.iter_mut().zip(rest) {
        *sum = if LOGS { exp::<FUSED>(value - peak) } else { *value };
    }
    for values in groups {
        for lane in 0..LANES {
            let value = values[lane];
            sums[lane] += if LOGS { exp::<FUSED>(value - peak) } else { value };
        }
    }
    let sum = sums.into_iter().sum();
    if LOGS { peak + ln::<FUSED>(sum) } else { sum }
}

/// The scaling that gives a frame of mass r what its law asks for, where all others make `seen`. Where
/// `LOGS`, `r` is a logarithm too.
#[inline(always)]
pub(super) fn scaling<const LOGS: bool, const FUSED: bool>(
    law: Marginal,
    r: f64,
    seen: f64,
) -> f64 {
    if LOGS {
        let ratio = if r < NEARLY_NOTHING { NOTHING } else { r - seen };
        let value = match law {
            Marginal::Fixed => ratio,
            Marginal::Kl(rho) => (rho / (rho + 1.0) * ratio).max(NOTHING),
            Marginal::Tv(rho) => ratio.clamp(-rho, rho),
        };
        // Where nothing gets, it does not matter.
        return if seen < NEARLY_NOTHING { 0.0 } else { value };
    }
    let ratio = r / seen.max(TINY);
    match law {
        Marginal::Fixed => ratio,
        Marginal::Kl(rho) if r > 0.0 => exp::<FUSED>(rho / (rho + 1.0) * ln::<FUSED>(ratio)),
        Marginal::Kl(_) => 0.0,
        Marginal::Tv(rho) => ratio.clamp((-rho).exp(), rho.exp()),
    }
}

/// [`scaling`] of every frame, where `behind` is seen too.
#[inline(always)]
pub(super) fn scale<const LOGS: bool, const FUSED: bool>(
    law: Marginal,
    r: &[f64],
    seen: &[f64],
    behind: f64,
    out: &mut [f64],
) {
    // One loop for each law: the compiler turns only those into SIMD.
    match law {
        Marginal::Fixed => scale_by::<LOGS, FUSED>(Marginal::Fixed, r, seen, behind, out),
        Marginal::Kl(rho) => scale_by::<LOGS, FUSED>(Marginal::Kl(rho), r, seen, behind, out),
        Marginal::Tv(rho) => scale_by::<LOGS, FUSED>(Marginal::Tv(rho), r, seen, behind, out),
    }
}

#[inline(always)]
fn scale_by<const LOGS: bool, const FUSED: bool>(
    law: Marginal,
    r: &[f64],
    seen: &[f64],
    behind: f64,
    out: &mut [f64],
) {
    let (r, seen) = (&r[..out.len()], &seen[..out.len()]);
    for i in 0..out.len() {
        out[i] = scaling::<LOGS, FUSED>(law, r[i], plus::<LOGS, FUSED>(seen[i], behind));
    }
}

/// The sums over all frames that `shaders/common/lags.wgsl` calls an account.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Account {
    pub dual: f64,
    pub residual: f64,
    pub mass: f64,
    pub price: f64,
}

impl Account {
    /// Adds frames with these scalings, to which others make `seen` and `behind`.
    #[inline(always)]
    pub(super) fn add_all<const LOGS: bool, const FUSED: bool>(
        &mut self,
        law: Marginal,
        targets: &[f64],
        scalings: &[f64],
        seen: &[f64],
        behind: f64,
    ) {
        let frames = scalings.len();
        let (targets, seen) = (&targets[..frames], &seen[..frames]);
        let mut begin = 0;
        if law == Marginal::Fixed && !LOGS {
            begin = frames - frames % LANES;
            // Side by side, and without a branch: this is computed after every few iterations.
            let [mut duals, mut residuals, mut masses] = [[0.0; LANES]; 3];
            for first in (0..begin).step_by(LANES) {
                for lane in 0..LANES {
                    let (r, u) = (targets[first + lane], scalings[first + lane]);
                    let mass = u * (seen[first + lane] + behind);
                    let dual = r * ln::<FUSED>(u.max(TINY));
                    duals[lane] += if r > 0.0 { dual } else { 0.0 };
                    residuals[lane] += (mass - r).abs();
                    masses[lane] += mass;
                }
            }
            self.dual += duals.iter().sum::<f64>();
            self.residual += residuals.iter().sum::<f64>();
            self.mass += masses.iter().sum::<f64>();
        }
        for frame in begin..frames {
            let seen = plus::<LOGS, FUSED>(seen[frame], behind);
            self.add::<LOGS, FUSED>(law, targets[frame], scalings[frame], seen);
        }
    }

    /// Adds a frame of mass `r`, whose scaling is `u` and to which all others make `seen`. `target` is
    /// `r`, or its logarithm.
    #[inline(always)]
    fn add<const LOGS: bool, const FUSED: bool>(
        &mut self,
        law: Marginal,
        target: f64,
        u: f64,
        seen: f64,
    ) {
        let r = plain::<LOGS, FUSED>(target);
        let mass = plain::<LOGS, FUSED>(times::<LOGS>(u, seen));
        let goal = scaling::<LOGS, FUSED>(law, target, seen);
        let wanted = plain::<LOGS, FUSED>(times::<LOGS>(goal, seen));
        let log_u = if LOGS { u } else { ln::<FUSED>(u.max(TINY)) };
        self.mass += mass;
        self.residual += (mass - wanted).abs();
        match law {
            Marginal::Kl(rho) if r > 0.0 => {
                self.dual -= rho * r * ((-log_u / rho).exp() - 1.0);
                self.price += rho * (mass * (mass.max(TINY) / r).ln() - mass + r);
            }
            Marginal::Tv(rho) => {
                self.dual += if r > 0.0 { r * log_u } else { 0.0 };
                self.price += rho * (mass - r).abs();
            }
            Marginal::Fixed if r > 0.0 => self.dual += r * log_u,
            Marginal::Kl(_) | Marginal::Fixed => {}
        }
    }
}
