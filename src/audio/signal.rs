//! Signals as a whole: their spectra, delays of any size, correlations.

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

/// The first coefficient of a real signal's spectrum is real, and so is the last where the length is
/// even.
pub(crate) fn make_real(spectrum: &mut [Complex64], length: usize) {
    spectrum[0].im = 0.0;
    if length.is_multiple_of(2) {
        spectrum[length / 2].im = 0.0;
    }
}

/// The signal `samples` later: y[n] = x[n - samples], with zeros where x is not known, and as many
/// samples as before. A fraction of a sample is a phase of the spectrum; negative is earlier.
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

/// A length for transforms in which signals of `count` samples and their delays do not wrap around.
pub(crate) fn correlation_length(count: usize) -> usize {
    (2 * count).next_power_of_two()
}

/// A function of the lag, at fractions of a sample on a circle.
pub(crate) struct Correlation {
    values: Vec<f64>,
    upsampling: usize,
}

impl Correlation {
    /// c(d) = sum_n x[n] y[n + d] from the one-sided cross spectrum Y conj(X) of `length` samples.
    pub(crate) fn new(mut cross: Vec<Complex64>, length: usize, upsampling: usize) -> Self {
        // The coefficient at half the rate stands for two of the longer transform.
        if length.is_multiple_of(2) && upsampling > 1 {
            cross[length / 2] *= 0.5;
        }
        cross.resize(length * upsampling / 2 + 1, Complex64::ZERO);
        let mut values = from_spectrum(cross, length * upsampling);
        values.iter_mut().for_each(|value| *value *= upsampling as f64);
        Self { values, upsampling }
    }

    /// Its value at a lag in steps of 1 / upsampling sample.
    pub(crate) fn at(&self, step: isize) -> f64 {
        self.values[step.rem_euclid(self.values.len() as isize) as usize]
    }

    /// Steps in a sample.
    pub(crate) fn upsampling(&self) -> usize {
        self.upsampling
    }

    /// Values at all lags up to `most` samples to either side, and the lag of the first in samples.
    pub(crate) fn within(&self, most: usize) -> Lags {
        let reach = (most * self.upsampling) as isize;
        let values = (-reach..=reach).map(|step| self.at(step)).collect();
        Lags { values, first: -(most as f64), step: 1.0 / self.upsampling as f64 }
    }
}

/// A function on an even grid of lags.
#[derive(Clone, Debug)]
pub(crate) struct Lags {
    pub values: Vec<f64>,
    pub first: f64,
    pub step: f64,
}

impl Lags {
    /// The same lags with a function of the values.
    pub(crate) fn map(&self, function: impl Fn(f64) -> f64) -> Self {
        Self { values: self.values.iter().copied().map(function).collect(), ..*self }
    }

    /// The lag at an index.
    pub(crate) fn lag(&self, index: usize) -> f64 {
        self.first + index as f64 * self.step
    }

    /// The lag of the vertex of the parabola through an entry and its neighbours.
    pub(crate) fn vertex(&self, index: usize) -> f64 {
        if index == 0 || index + 1 == self.values.len() {
            return self.lag(index);
        }
        let [before, here, after] =
            [-1, 0, 1].map(|by: isize| self.values[index.wrapping_add_signed(by)]);
        let bend = before - 2.0 * here + after;
        let shift = if bend == 0.0 { 0.0 } else { 0.5 * (before - after) / bend };
        self.lag(index) + self.step * shift.clamp(-0.5, 0.5)
    }

    /// Up to `count` of the highest local maxima, highest first, each further than `apart` from
    /// those before it, refined by parabolas.
    pub(crate) fn peaks(&self, count: usize, apart: f64) -> Vec<f64> {
        let values = &self.values;
        let inside = 1..values.len().saturating_sub(1);
        let mut maxima: Vec<usize> =
            inside.filter(|&i| values[i] > values[i - 1] && values[i] >= values[i + 1]).collect();
        maxima.sort_by(|a, b| values[*b].total_cmp(&values[*a]));
        let mut found: Vec<f64> = Vec::new();
        for index in maxima {
            if found.len() == count {
                break;
            }
            if found.iter().all(|lag| (lag - self.lag(index)).abs() > apart) {
                found.push(self.vertex(index));
            }
        }
        found
    }
}
