//! Kernels of spectrogram separation: transport along time whose cost depends on the lag alone, for
//! all frequencies of all plans at once.

pub(crate) mod band_sinkhorn;
pub(crate) mod lag_profile;
mod lags;
#[cfg(test)]
mod properties;
mod scaling;
mod sinkhorn;
mod star;
pub(crate) mod star_sinkhorn;

pub(crate) use lags::{LagRow, LagTable};
pub(crate) use scaling::Marginal;
pub(crate) use sinkhorn::Operands;
pub(crate) use star::Star;

use super::vector::NOTHING;
use crate::error::{Error, Result};

/// Numbers that a kernel leaves beside the mass of every lag: the dual value over epsilon, the distance
/// of the first marginal from where its law wants it, the mass, and the price of the marginals over
/// epsilon.
pub(crate) const ACCOUNT: usize = 4;
/// Bytes of workgroup memory that every device has.
const WORKGROUP_BYTES: usize = 16_384;
/// Threads of a workgroup, by the frames that they take.
const THREADS: [u32; 3] = [64, 128, 256];

/// The sizes of a batch of plans. Arrays go in the order (plan or scene, frequency, microphone, frame).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    pub plans: usize,
    pub scenes: usize,
    pub frequencies: usize,
    pub frames: usize,
    pub microphones: usize,
    pub sources: usize,
}

impl Extent {
    /// Pairs of a source and a microphone other than the first.
    pub(crate) fn kernels(&self) -> usize {
        self.sources * (self.microphones - 1)
    }

    pub(crate) fn groups(&self) -> usize {
        self.plans * self.frequencies
    }

    pub(crate) fn scaling_numbers(&self) -> usize {
        self.groups() * self.microphones * self.frames
    }

    pub(crate) fn column_numbers(&self) -> usize {
        self.scenes * self.frequencies * self.microphones * self.frames
    }
}

/// What a launch does to every plan.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rounds {
    pub iterations: usize,
    /// Not from the scalings of the last launch.
    pub fresh: bool,
    /// Scalings and weights are logarithms.
    pub logs: bool,
    pub law: Marginal,
    /// What the outlier source costs, over epsilon.
    pub outlier: Option<f64>,
}

impl Rounds {
    /// The weight of the outlier source, or its logarithm.
    fn outlier_weight(&self) -> f64 {
        outlier_weight(self.logs, self.outlier)
    }
}

/// The weight of an outlier source of this cost over epsilon, or its logarithm.
pub(crate) fn outlier_weight(logs: bool, outlier: Option<f64>) -> f64 {
    match (logs, outlier) {
        (true, None) => NOTHING,
        (true, Some(cost)) => -cost,
        (false, None) => 0.0,
        (false, Some(cost)) => (-cost).exp(),
    }
}

/// Frames and threads of the workgroup memory that a shader is compiled for: the least of a few sizes
/// that takes so many frames, `slots` numbers each.
pub(crate) fn workgroup_size(frames: usize, slots: usize, other: usize) -> Result<(u32, u32)> {
    let most = (WORKGROUP_BYTES / 4 - THREADS[2] as usize - other) / slots;
    match frames {
        0..=64 => Ok((64, THREADS[0])),
        65..=128 => Ok((128, THREADS[1])),
        129..=512 => Ok((512, THREADS[2])),
        _ if frames <= most => Ok((most as u32, THREADS[2])),
        _ => Err(Error::Limit {
            what: format!("the scalings of {frames} frames in the memory of a workgroup"),
            needed: 4 * (slots * frames) as u64,
            available: 4 * (slots * most) as u64,
            remedy: format!(
                "use a larger hop, cut the recording into stretches of {most} frames, or --device cpu"
            ),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workgroup_holds_what_every_device_has_room_for() {
        for (slots, other) in [(2, 0), (3, 32)] {
            for frames in [1, 64, 65, 128, 129, 512, 513, 1201] {
                let (held, threads) = workgroup_size(frames, slots, other).unwrap();
                assert!(held as usize >= frames);
                assert!(4 * (slots * held as usize + threads as usize + other) <= WORKGROUP_BYTES);
            }
            let error = workgroup_size(2000, slots, other).unwrap_err();
            assert!(matches!(error, Error::Limit { .. }));
            assert!(error.to_string().contains("larger hop"), "{error}");
        }
    }
}
