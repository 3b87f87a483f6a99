//! Signals as a whole: their spectra, delays of any size.

use ndarray::{Array1, Array2, ArrayView1, Axis};
use realfft::RealFftPlanner;
use rustfft::num_complex::Complex64;

/// Zeros that keep what a fractional delay spreads from going around the end.
const MARGIN: usize = 128;

/// The one-sided spectrum of a signal that is filled up with zeros to `length`.
pub(crate) fn spectrum(signal: ArrayView1<'_, f64>, length: usize) -> Vec<Complex64> {
    let plan = RealFftPlanner::<f64>::new().plan_fft_forward(length);
    let mut padded = signal.to_vec();
    padded.resize(length, 0.0);
    let mut spectrum = plan.make_output_vec();
    plan.process(&mut padded, &mut spectrum).expect("the plan made these vectors");
    spectrum
}

/// The signal of `length` samples whose one-sided spectrum this is; imaginary parts that no real
/// signal has are dropped.
pub(crate) fn from_spectrum(mut spectrum: Vec<Complex64>, length: usize) -> Vec<f64> {
    let plan = RealFftPlanner::<f64>::new().plan_fft_inverse(length);
    make_real(&mut spectrum, length);
    let mut signal = plan.make_output_vec();
    plan.process(&mut spectrum, &mut signal).expect("the spectrum is that of a real signal");
    signal.iter_mut().for_each(|value| *value /= length as f64);
    signal
}

/// The first coefficient of a real signal's spectrum is real, and so is the last where the length
/// is even.
pub(crate) fn make_real(spectrum: &mut [Complex64], length: usize) {
    spectrum[0].im = 0.0;
    if length.is_multiple_of(2) {
        spectrum[length / 2].im = 0.0;
    }
}

/// The signal `samples` later: `y[n] = x[n - samples]`, with zeros where x is not known, and as
/// many samples as before. A fraction of a sample is a phase of the spectrum; negative is earlier.
///
/// ```
/// use gaspard::audio::delayed;
/// use ndarray::array;
/// let later = delayed(array![1.0, 2.0, 3.0, 4.0].view(), 2.0);
/// assert_eq!(later, array![0.0, 0.0, 1.0, 2.0]);
/// ```
pub fn delayed(signal: ArrayView1<'_, f64>, samples: f64) -> Array1<f64> {
    let count = signal.len();
    let at = |n: usize, shift: f64| {
        let from = n as f64 - shift;
        if from >= 0.0 && from < count as f64 { signal[from as usize] } else { 0.0 }
    };
    if samples == samples.round() || samples.abs() >= (count + MARGIN) as f64 {
        return Array1::from_shape_fn(count, |n| at(n, samples.round()));
    }
    let length = (count + samples.abs().ceil() as usize + MARGIN).next_power_of_two();
    let step = -2.0 * std::f64::consts::PI * samples / length as f64;
    let mut shifted = spectrum(signal, length);
    for (frequency, value) in shifted.iter_mut().enumerate() {
        *value *= Complex64::cis(step * frequency as f64);
    }
    let mut signal = from_spectrum(shifted, length);
    signal.truncate(count);
    signal.into()
}

/// Signals as the rows of an array.
pub(crate) fn stacked(signals: &[Array1<f64>]) -> Array2<f64> {
    let views: Vec<_> = signals.iter().map(|signal| signal.view()).collect();
    ndarray::stack(Axis(0), &views).expect("the signals are equally long")
}
