//! What can be chosen.

use crate::error::{Error, Result};

/// How sources are separated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    /// Transport of spectrograms, with an outlier source for what is noise.
    #[default]
    Robust,
    /// Transport of spectrograms as in the paper: nothing is subtracted, everything is moved, and a
    /// narrow-band Wiener filter rebuilds the sources.
    Paper,
    /// Microphones are shifted by the delays of [`gcc_phat`](crate::audio::baselines::gcc_phat) and
    /// averaged.
    DelayAndSum,
    /// Independent components at every frequency, [`Fdica`](crate::audio::baselines::Fdica).
    Fdica,
    /// Factors of spectrograms, [`Mnmf`](crate::audio::baselines::Mnmf).
    Mnmf,
}

/// How sound is made of spectrograms and delays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Filter {
    /// [`Filter::Aligned`] where delays were refined and differ by a frame or more between every two
    /// sources at some microphone, else [`Filter::Mask`]; of [`Method::Paper`], one iteration of
    /// [`Filter::Wiener`].
    #[default]
    Auto,
    /// [`Reconstruction::mask`](crate::audio::Reconstruction::mask).
    Mask,
    /// [`Reconstruction::wiener`](crate::audio::Reconstruction::wiener).
    Wiener {
        /// Of expectation and maximisation.
        iterations: usize,
    },
    /// [`Reconstruction::aligned`](crate::audio::Reconstruction::aligned).
    Aligned,
}

/// What is known of the noise.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum NoiseLevel {
    /// There is none.
    None,
    /// It is white, and its level is estimated.
    #[default]
    White,
    /// It has another level at every frequency, which is estimated.
    Coloured,
    /// It is white with this variance at every microphone.
    Variance(f64),
}

impl NoiseLevel {
    pub(super) fn validate(self) -> Result<()> {
        match self {
            Self::Variance(variance) if !(variance >= 0.0 && variance.is_finite()) => {
                let problem = format!("a variance of {variance}");
                Err(Error::parameter("noise", problem, "give 0 or more, or estimate it"))
            }
            _ => Ok(()),
        }
    }
}
