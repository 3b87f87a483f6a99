//! Cosine transforms of lines, by Fourier transforms of pairs of them.
//!
//! ```text
//! forward   X_k = sum_n x_n cos(pi k (2 n + 1) / 2 N)                       (DCT-II)
//! inverse   x_n = (X_0 + 2 sum_{k > 0} X_k cos(pi k (2 n + 1) / 2 N)) / N   (DCT-III)
//! ```
//!
//! Two lines a and b travel as one complex line. Its even places stand in order, its odd ones in
//! reverse behind them; with Z the Fourier transform of that and w_k = exp(-i pi k / 2 N) (Makhoul
//! 1980), whatever N is,
//!
//! ```text
//! A_k + i B_k = (w_k Z_k + conj(w_k) Z_{N-k}) / 2                              Z_N = Z_0
//! conj(Z_k)   = w_k (conj(A_k + i B_k) + i conj(A_{N-k} + i B_{N-k}))          A_N = B_N = 0
//! ```
//!
//! Lengths that have no such transform on an engine are multiplied by a matrix
//! ([`super::cosine_product`]).

pub(super) mod host;
pub(super) mod lanes;
#[cfg(test)]
mod properties;

use std::f64::consts::PI;

use crate::engine::gpu::Gpu;
use crate::engine::{Array, Backend, Engine};
use crate::error::Result;
use crate::kernels::check_length;
use crate::kernels::transform::{LineParams, Stretch, Transform};
use lanes::Plan;

/// The lines along one axis of an array (outer, length, inner).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Axis {
    pub outer: usize,
    pub length: usize,
    pub inner: usize,
}

/// Which way a transform goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From values to coefficients.
    Forward,
    /// From coefficients to values.
    Inverse,
}

/// What the Fourier transforms behind the cosine transforms of lines of one length take.
pub(crate) struct Cosines {
    length: usize,
    side: Side,
}

enum Side {
    Host(Plan),
    /// With w, rounded from f64.
    Device(Transform, Array),
}

impl Axis {
    pub(crate) fn lines(self) -> usize {
        self.outer * self.inner
    }

    /// Refuses an array that has not these lines.
    pub(crate) fn check(self, what: &str, array: &Array) -> Result<()> {
        check_length(what, array.len(), self.lines() * self.length)
    }
}

impl Cosines {
    /// True for the lengths that an engine transforms so.
    pub(crate) fn covers(engine: &Engine, length: usize) -> bool {
        match engine.backend() {
            Backend::Cpu => Plan::covers(length),
            Backend::Gpu(_) => Transform::fits_a_device(length),
        }
    }

    /// # Errors
    /// [`crate::Error::Data`] for a length that is too long for a device.
    pub(crate) fn new(engine: &Engine, length: usize) -> Result<Self> {
        let side = match engine.backend() {
            Backend::Cpu => Side::Host(Plan::new(length)),
            Backend::Gpu(_) => {
                let turns = engine.collect("turns", 2 * length, turns(length).flatten())?;
                Side::Device(Transform::new(engine, length)?, turns)
            }
        };
        Ok(Self { length, side })
    }

    /// Bytes of its arrays.
    pub(crate) fn bytes(engine: &Engine, length: usize) -> u64 {
        // The turns are as many as the twiddles.
        2 * Transform::bytes(engine, length)
    }

    pub(crate) fn length(&self) -> usize {
        self.length
    }

    /// What a shader needs: parameters, twiddles and turns.
    pub(super) fn device(&self) -> (LineParams, &Array, &Array) {
        match &self.side {
            Side::Device(transform, turns) => {
                let (params, twiddles) = transform.device();
                (params, twiddles, turns)
            }
            Side::Host(_) => unreachable!("made for a GPU"),
        }
    }

    /// Cuts lines, which go in pairs, into launches that end in a fraction of a second.
    pub(super) fn stretches(&self, gpu: &Gpu, lines: usize) -> Vec<Stretch> {
        let Side::Device(transform, _) = &self.side else { unreachable!("made for a GPU") };
        let mut stretches = transform.stretches(gpu, 0..lines.div_ceil(2));
        for Stretch { lines: pairs, .. } in &mut stretches {
            *pairs = 2 * pairs.start..lines.min(2 * pairs.end);
        }
        stretches
    }

    fn host(&self) -> &Plan {
        match &self.side {
            Side::Host(plan) => plan,
            Side::Device(..) => unreachable!("made for the CPU"),
        }
    }
}

/// w_k for all k below N.
fn turns(length: usize) -> impl Iterator<Item = [f64; 2]> {
    (0..length).map(move |k| {
        let (sine, cosine) = (PI * k as f64 / (2 * length) as f64).sin_cos();
        [cosine, -sine]
    })
}
