//! Delay and sum.

use ndarray::{Array1, Array2, ArrayView2};
use rayon::prelude::*;

use crate::audio::delays;
use crate::audio::recording::Recording;
use crate::audio::signal::{delayed, stacked};
use crate::error::Result;

/// Each source as the mean of the microphones after they were shifted so that it is in phase in all
/// of them (source, sample):
///
/// ```text
/// y_k[n] = 1/L sum_l x_l[n + tau_k^(l)]
/// ```
///
/// # Errors
/// [`Error::Shape`](crate::Error::Shape) and [`Error::Data`](crate::Error::Data) for delays
/// (source, microphone) in samples that do not fit the recording.
///
/// ```
/// use gaspard::audio::{Recording, baselines::delay_and_sum};
/// use ndarray::array;
/// let recording = Recording::new("a click", 8000, array![[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])?;
/// let sources = delay_and_sum(&recording, array![[0.0, 1.0], [0.0, 0.0]].view())?;
/// assert_eq!(sources, array![[0.0, 1.0, 0.0], [0.0, 0.5, 0.5]]);
/// # Ok::<(), gaspard::Error>(())
/// ```
pub fn delay_and_sum(recording: &Recording, delays: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
    delays::check(delays, delays.nrows(), recording.microphones())?;
    if delays.is_empty() {
        return Err(crate::Error::data("the delays", "there are none", "give at least one source"));
    }
    let share = 1.0 / recording.microphones() as f64;
    let sources: Vec<Array1<f64>> = (0..delays.nrows())
        .into_par_iter()
        .map(|source| {
            let mut sum = Array1::zeros(recording.len());
            for (samples, delay) in recording.channels().rows().into_iter().zip(delays.row(source))
            {
                sum.scaled_add(share, &delayed(samples, -delay));
            }
            sum
        })
        .collect();
    Ok(stacked(&sources))
}
