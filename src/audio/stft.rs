//! The short-time Fourier transform.

use ndarray::{Array1, Array2, Array3, ArrayView1, ArrayView2, Axis};
use rayon::prelude::*;
use realfft::RealFftPlanner;
use rustfft::num_complex::Complex64;

use super::signal::make_real;
use crate::error::{Error, Result};

/// The short-time Fourier transform with a periodic Hann window and centred frames:
///
/// ```text
/// X(f, t) = sum_n w[n] x[hop t - window/2 + n] exp(-2 pi i f n / fft),   w[n] = 1/2 - 1/2 cos(2 pi n / window)
/// ```
///
/// for f = 0 .. fft/2, with zeros where x is not known, and nothing scaled. Frame t is centred at
/// sample `hop t`. There are floor(N / hop) + 1 frames of N samples, and one more where these leave
/// out the last samples.
///
/// ```
/// use gaspard::audio::Stft;
/// use ndarray::Array1;
/// let stft = Stft::new(256, 200, 256)?;
/// let signal = Array1::from_shape_fn(16_000, |n| (0.1 * n as f64).sin());
/// let transform = stft.forward(signal.view());
/// assert_eq!(transform.dim(), (129, 81));
/// let back = stft.inverse(transform.view(), 16_000)?;
/// assert!((back - signal).iter().all(|error| error.abs() < 1e-12));
/// # Ok::<(), gaspard::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stft {
    window: usize,
    hop: usize,
    fft: usize,
}

impl Stft {
    /// A window of so many samples, moved by `hop` samples from frame to frame, filled up with
    /// zeros to `fft` samples.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a window that is odd or shorter than 4, a hop that is 0 or not
    /// shorter than the window, and an `fft` shorter than the window.
    pub fn new(window: usize, hop: usize, fft: usize) -> Result<Self> {
        if window < 4 || !window.is_multiple_of(2) {
            let remedy = "use an even number of samples from 4 up, such as 256";
            return Err(Error::parameter("window", format!("{window} samples"), remedy));
        }
        if hop == 0 || hop >= window {
            let remedy = format!("use 1 to {} samples, so that frames overlap", window - 1);
            return Err(Error::parameter("hop", format!("{hop} samples"), remedy));
        }
        if fft < window {
            let remedy = format!("use at least the {window} samples of the window");
            return Err(Error::parameter("fft", format!("{fft} samples"), remedy));
        }
        Ok(Self { window, hop, fft })
    }

    /// Windows of 32 ms every 25 ms: 256 and 200 samples at 8 kHz.
    ///
    /// # Errors
    /// [`Error::Parameter`] for rates so low that this is no window.
    pub fn at_rate(rate: u32) -> Result<Self> {
        let window = 2 * (0.016 * f64::from(rate)).round() as usize;
        let hop = (0.025 * f64::from(rate)).round() as usize;
        Self::new(window, hop, window)
    }

    /// The same window every `hop` samples.
    ///
    /// # Errors
    /// As [`Stft::new`].
    pub fn with_hop(self, hop: usize) -> Result<Self> {
        Self::new(self.window, hop, self.fft)
    }

    /// Samples of the window.
    pub fn window(&self) -> usize {
        self.window
    }

    /// Samples from frame to frame.
    pub fn hop(&self) -> usize {
        self.hop
    }

    /// Samples of a transform.
    pub fn fft(&self) -> usize {
        self.fft
    }

    /// F: the frequencies from 0 to half the rate.
    pub fn frequencies(&self) -> usize {
        self.fft / 2 + 1
    }

    /// T: the frames of a signal.
    pub fn frames(&self, samples: usize) -> usize {
        let centred = samples / self.hop + 1;
        let reached = (centred - 1) * self.hop + self.window / 2;
        centred + usize::from(reached < samples)
    }

    /// The window w.
    pub fn weights(&self) -> Array1<f64> {
        let step = 2.0 * std::f64::consts::PI / self.window as f64;
        Array1::from_shape_fn(self.window, |n| 0.5 - 0.5 * (step * n as f64).cos())
    }

    /// `sum_n w[n]²`: what white noise of variance 1 has in every bin of its power spectrogram, on
    /// average; 96 for a window of 256.
    pub fn noise_gain(&self) -> f64 {
        self.weights().mapv(|weight| weight * weight).sum()
    }

    /// X (F, T).
    pub fn forward(&self, signal: ArrayView1<'_, f64>) -> Array2<Complex64> {
        let plan = RealFftPlanner::<f64>::new().plan_fft_forward(self.fft);
        let (weights, half) = (self.weights(), self.window / 2);
        let mut transform = Array2::zeros((self.frequencies(), self.frames(signal.len())));
        let mut frame = plan.make_input_vec();
        let mut spectrum = plan.make_output_vec();
        let mut scratch = plan.make_scratch_vec();
        for (t, mut column) in transform.columns_mut().into_iter().enumerate() {
            frame.fill(0.0);
            let first = (t * self.hop) as isize - half as isize;
            for (n, (value, weight)) in frame.iter_mut().zip(&weights).enumerate() {
                let at = usize::try_from(first + n as isize).ok();
                *value = weight * at.and_then(|at| signal.get(at)).copied().unwrap_or(0.0);
            }
            plan.process_with_scratch(&mut frame, &mut spectrum, &mut scratch)
                .expect("the plan made these vectors");
            column.iter_mut().zip(&spectrum).for_each(|(to, from)| *to = *from);
        }
        transform
    }

    /// X of every channel (channel, F, T).
    pub fn forward_all(&self, channels: ArrayView2<'_, f64>) -> Array3<Complex64> {
        let shape = (channels.nrows(), self.frequencies(), self.frames(channels.ncols()));
        let mut transforms = Array3::zeros(shape);
        transforms
            .axis_iter_mut(Axis(0))
            .into_par_iter()
            .zip(channels.axis_iter(Axis(0)))
            .for_each(|(mut to, signal)| to.assign(&self.forward(signal)));
        transforms
    }

    /// The signal of so many samples whose transform is nearest, in squares, to this one:
    ///
    /// ```text
    /// x[n] = sum_t w[n - hop t] ifft_t[n - hop t] / sum_t w[n - hop t]²
    /// ```
    ///
    /// The transform of a signal gives that signal. Anything done to a transform is amplified where
    /// frames hardly overlap, up to 6 times at window 256 and hop 200: change those of a hop of a
    /// quarter of the window instead.
    ///
    /// # Errors
    /// [`Error::Shape`] where this is no transform of so many samples.
    pub fn inverse(
        &self,
        transform: ArrayView2<'_, Complex64>,
        samples: usize,
    ) -> Result<Array1<f64>> {
        let expected = (self.frequencies(), self.frames(samples));
        if transform.dim() != expected {
            let found = format!("{:?}", transform.dim());
            return Err(Error::shape("the transform", format!("{expected:?}"), found));
        }
        let plan = RealFftPlanner::<f64>::new().plan_fft_inverse(self.fft);
        let (weights, half) = (self.weights(), self.window / 2);
        let mut signal = Array1::<f64>::zeros(samples);
        let mut overlap = Array1::<f64>::zeros(samples);
        let mut spectrum = plan.make_input_vec();
        let mut frame = plan.make_output_vec();
        let mut scratch = plan.make_scratch_vec();
        for (t, column) in transform.columns().into_iter().enumerate() {
            spectrum.iter_mut().zip(column).for_each(|(to, from)| *to = *from);
            make_real(&mut spectrum, self.fft);
            plan.process_with_scratch(&mut spectrum, &mut frame, &mut scratch)
                .expect("the spectrum is that of a real signal");
            let first = (t * self.hop) as isize - half as isize;
            for (n, (value, weight)) in frame.iter().zip(&weights).enumerate() {
                let at = usize::try_from(first + n as isize).ok().filter(|at| *at < samples);
                if let Some(at) = at {
                    signal[at] += weight * value / self.fft as f64;
                    overlap[at] += weight * weight;
                }
            }
        }
        // A sample that no frame sees has no weight.
        signal.zip_mut_with(&overlap, |value, weight| *value /= weight.max(f64::MIN_POSITIVE));
        Ok(signal)
    }

    /// Signals (channel, sample) of transforms (channel, F, T).
    pub(crate) fn inverse_all(
        &self,
        transforms: &Array3<Complex64>,
        samples: usize,
    ) -> Result<Array2<f64>> {
        let signals: Vec<Array1<f64>> = (0..transforms.dim().0)
            .into_par_iter()
            .map(|channel| self.inverse(transforms.index_axis(Axis(0), channel), samples))
            .collect::<Result<_>>()?;
        let mut all = Array2::zeros((signals.len(), samples));
        all.rows_mut().into_iter().zip(&signals).for_each(|(mut to, from)| to.assign(from));
        Ok(all)
    }
}
