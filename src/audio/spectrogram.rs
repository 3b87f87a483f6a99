//! Power spectrograms, and what of them belongs to which source.

use ndarray::{
    Array, Array2, Array3, ArrayBase, ArrayView2, ArrayView3, Axis, Data, Dimension, Zip,
};
use rustfft::num_complex::Complex64;

use super::stft::Stft;
use crate::error::{Error, Result};

/// Masks may add up to more than 1 by so much, for rounding.
const SLACK: f64 = 1e-6;

/// |X|² of every entry.
pub fn power<S, D>(transform: &ArrayBase<S, D>) -> Array<f64, D>
where
    S: Data<Elem = Complex64>,
    D: Dimension,
{
    transform.map(Complex64::norm_sqr)
}

/// Who gets what the masks leave over: the part that is taken for noise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Remainder {
    /// Nobody: `S_k = w_k R`.
    #[default]
    Dropped,
    /// The sources, in proportion to their masks: `S_k = w_k / (sum_j w_j) R`.
    Shared,
}

/// The power spectrograms S_k (source, F, T) that masks w_k >= 0 (source, F, T) take from R (F, T),
/// the power spectrogram of microphone 1. At every frequency and time the masks add up to at most
/// 1.
///
/// Masks that were found for R^p, such as p = 1/2 for magnitudes, become `w_k^(1/p)` over the sum
/// of these, with what is left over among them unless it is [`Remainder::Shared`].
///
/// # Errors
/// [`Error::Shape`] where the shapes differ, [`Error::Parameter`] for an exponent that is not
/// positive, [`Error::Data`] for masks that are negative, not finite or add up to more than 1.
///
/// ```
/// use gaspard::audio::spectrogram::{Remainder, sources};
/// use ndarray::array;
/// let masks = array![[[0.5]], [[0.25]]];
/// let found = sources(masks.view(), array![[8.0]].view(), Remainder::Dropped, 1.0)?;
/// assert_eq!(found, array![[[4.0]], [[2.0]]]);
/// # Ok::<(), gaspard::Error>(())
/// ```
pub fn sources(
    masks: ArrayView3<'_, f64>,
    power: ArrayView2<'_, f64>,
    remainder: Remainder,
    exponent: f64,
) -> Result<Array3<f64>> {
    let (count, frequencies, frames) = masks.dim();
    if (frequencies, frames) != power.dim() {
        let found = format!("{frequencies} x {frames}");
        return Err(Error::shape("the masks", format!("{:?}", power.dim()), found));
    }
    if !(exponent > 0.0 && exponent.is_finite()) {
        let problem = format!("it is {exponent}");
        return Err(Error::parameter("exponent", problem, "use 1 for power, 0.5 for magnitudes"));
    }
    if let Some((_, wrong)) = masks.indexed_iter().find(|(_, w)| !(**w >= 0.0 && w.is_finite())) {
        return Err(Error::data("the masks", format!("one is {wrong}"), "use numbers from 0 to 1"));
    }
    let mut shares = masks.mapv(|mask| mask.powf(1.0 / exponent));
    let mut excess = 0.0_f64;
    for f in 0..frequencies {
        for t in 0..frames {
            let taken: f64 = (0..count).map(|k| masks[[k, f, t]]).sum();
            excess = excess.max(taken - 1.0);
            let left = (1.0 - taken).max(0.0).powf(1.0 / exponent);
            let all: f64 = (0..count).map(|k| shares[[k, f, t]]).sum::<f64>()
                + if remainder == Remainder::Dropped { left } else { 0.0 };
            let scale = if all > 0.0 { power[[f, t]] / all } else { 0.0 };
            (0..count).for_each(|k| shares[[k, f, t]] *= scale);
        }
    }
    if excess > SLACK {
        let problem = format!("some add up to {}", 1.0 + excess);
        return Err(Error::data("the masks", problem, "scale them to at most 1"));
    }
    Ok(shares)
}

/// A function of time at the frame `at` of a row, linear in between, and as at the ends beyond
/// them.
pub(crate) fn between(row: &[f64], at: f64) -> f64 {
    let last = row.len() - 1;
    let at = at.clamp(0.0, last as f64);
    let before = at.floor() as usize;
    let share = at - before as f64;
    row[before] + share * (row[(before + 1).min(last)] - row[before])
}

/// Spectrograms (source, F, T) at the frames of another hop, linear in time.
pub(crate) fn at_hop(
    spectra: ArrayView3<'_, f64>,
    from: &Stft,
    to: &Stft,
    frames: usize,
) -> Array3<f64> {
    let (count, frequencies, _) = spectra.dim();
    let spectra = spectra.as_standard_layout();
    let step = to.hop() as f64 / from.hop() as f64;
    let mut finer = Array3::zeros((count, frequencies, frames));
    Zip::from(finer.lanes_mut(Axis(2))).and(spectra.lanes(Axis(2))).for_each(|mut to, from| {
        let row = from.to_slice().expect("lanes along the last axis are in one piece");
        to.iter_mut().enumerate().for_each(|(t, value)| *value = between(row, t as f64 * step));
    });
    finer
}

/// The transform (F, T) times real gains (F, T).
pub(crate) fn weighted(
    transform: ArrayView2<'_, Complex64>,
    gains: &Array2<f64>,
) -> Array2<Complex64> {
    Zip::from(transform).and(gains).map_collect(|value, gain| value * gain)
}
