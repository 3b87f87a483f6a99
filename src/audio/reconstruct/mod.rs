//! Sources as sound, from their power spectrograms and their delays.

mod aligned;
mod wiener;

use ndarray::{Array1, Array2, Array3, ArrayView2, ArrayView3, Axis};
use rayon::prelude::*;
use rustfft::num_complex::Complex64 as Complex;

use super::recording::Recording;
use super::stft::Stft;
use super::{delays, noise, spectrogram};
use crate::error::{Error, Result};
use crate::observer::Observer;

/// Below this share of the largest value, a power is taken for this share.
const FLOOR: f64 = 1e-12;

/// Rebuilds sources as microphone 1 hears them from their power spectrograms v_k (source, F, T), by
/// filters on a transform of the recording whose frames overlap more than those of the
/// spectrograms; in between, these are linear in time.
///
/// ```
/// use gaspard::audio::{Reconstruction, Simulation, Speaker, Stft, Voice, metrics, spectrogram};
/// use ndarray::{Axis, array};
/// let speakers = [Speaker::new(Voice::Low), Speaker::new(Voice::High)];
/// let sources = speakers.map(|speaker| speaker.speak(8000, 12_000));
/// let delays = array![[0.0, 700.0], [0.0, -412.5]];
/// let scene = Simulation::new(8000, sources)?.delays(delays.clone()).snr(20.0).run()?;
///
/// // As if the spectrograms of the sources were known.
/// let stft = Stft::at_rate(8000)?;
/// let spectra = spectrogram::power(&stft.forward_all(scene.images.view()));
/// let rebuild = Reconstruction::new(&scene.mixture, &stft, spectra.view())?
///     .noise_variance(scene.noise_variance)?;
///
/// let gain = |found: ndarray::Array2<f64>| {
///     metrics::sdr_improvement(scene.images.view(), found.view(), scene.mixture.channel(0))
/// };
/// let mask = gain(rebuild.mask()?)?.value;
/// let aligned = gain(rebuild.aligned(delays.view())?)?.value;
/// assert!(mask > 3.0 && aligned > mask + 1.0, "{mask} {aligned}");
/// # Ok::<(), gaspard::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Reconstruction<'a> {
    recording: &'a Recording,
    coarse: Stft,
    fine: Stft,
    spectra: ArrayView3<'a, f64>,
    noise: Array1<f64>,
}

impl<'a> Reconstruction<'a> {
    /// Spectrograms (source, F, T) of this transform of the recording. There is no noise until told
    /// otherwise, and frames follow each other after a quarter of the window.
    ///
    /// # Errors
    /// [`Error::Shape`] where the spectrograms are not of this recording, [`Error::Data`] for
    /// powers that are negative or not finite.
    pub fn new(
        recording: &'a Recording,
        stft: &Stft,
        spectra: ArrayView3<'a, f64>,
    ) -> Result<Self> {
        let (sources, frequencies, frames) = spectra.dim();
        let expected = (stft.frequencies(), stft.frames(recording.len()));
        if (frequencies, frames) != expected || sources == 0 {
            let expected = format!("one or more of {expected:?}");
            let found = format!("{sources} of {:?}", (frequencies, frames));
            return Err(Error::shape("the spectrograms", expected, found));
        }
        if let Some(wrong) = spectra.iter().find(|power| !(**power >= 0.0 && power.is_finite())) {
            let remedy = "powers are finite and not negative";
            return Err(Error::data("the spectrograms", format!("a power is {wrong}"), remedy));
        }
        let fine = stft.with_hop((stft.window() / 4).max(1))?;
        let noise = Array1::zeros(frequencies);
        Ok(Self { recording, coarse: *stft, fine, spectra, noise })
    }

    /// The level N (F) of the noise in power spectrograms, as [`noise`](super::noise) finds it.
    ///
    /// # Errors
    /// [`Error::Shape`] and [`Error::Data`] for what is no such level.
    pub fn noise(self, level: Array1<f64>) -> Result<Self> {
        noise::check_length(level.view(), self.coarse.frequencies())?;
        if level.iter().any(|level| !(*level >= 0.0 && level.is_finite())) {
            let remedy = "levels are finite and not negative";
            return Err(Error::data("the noise", "a level is not", remedy));
        }
        Ok(Self { noise: level, ..self })
    }

    /// White noise of this variance at every microphone.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a variance that is negative or not finite.
    pub fn noise_variance(self, variance: f64) -> Result<Self> {
        let level = noise::known(&self.coarse, variance)?;
        Ok(Self { noise: level, ..self })
    }

    /// Samples from frame to frame of the transform that is filtered.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a hop that is 0 or not shorter than the window.
    pub fn hop(self, samples: usize) -> Result<Self> {
        Ok(Self { fine: self.coarse.with_hop(samples)?, ..self })
    }

    /// Each source by its share in the power of microphone 1 (source, sample):
    ///
    /// ```text
    /// Y_k = v_k / (sum_j v_j + N) X_1
    /// ```
    ///
    /// # Errors
    /// Those of [`Stft::inverse`].
    pub fn mask(&self) -> Result<Array2<f64>> {
        let powers = self.powers();
        let mixture = self.fine.forward(self.recording.channel(0));
        let mut all = powers.sum_axis(Axis(0));
        for (mut row, noise) in all.rows_mut().into_iter().zip(&self.noise) {
            row += *noise;
        }
        let rebuilt: Vec<Array1<f64>> = (0..powers.dim().0)
            .into_par_iter()
            .map(|source| {
                let gains = &powers.index_axis(Axis(0), source) / &all;
                let filtered = spectrogram::weighted(mixture.view(), &gains);
                self.fine.inverse(filtered.view(), self.recording.len())
            })
            .collect::<Result<_>>()?;
        Ok(super::signal::stacked(&rebuilt))
    }

    /// Each source by a Wiener filter over the microphones, narrow-band (source, sample): the image
    /// c_k of source k at all microphones is Gaussian with covariance `v_k(f, t) R_k(f)`,
    ///
    /// ```text
    /// c_k = v_k R_k (sum_j v_j R_j + N I)^-1 x
    /// ```
    ///
    /// and v and R, which begins as I, improve by expectation and maximisation, `iterations` times
    /// (Duong, Vincent and Gribonval 2010; Nugraha, Liutkus and Vincent 2016). Without iterations
    /// it is the mask.
    ///
    /// One phase a frequency describes a source only where its delays are far below the window: at
    /// delays of several frames use [`Reconstruction::aligned`].
    ///
    /// # Errors
    /// [`Error::Data`] where covariances of the microphones are singular.
    pub fn wiener(&self, iterations: usize) -> Result<Array2<f64>> {
        self.wiener_with(iterations, &mut ())
    }

    /// The same, watched: the residual is the largest change of an R. Stopped, it gives what the
    /// last iteration makes of it.
    ///
    /// # Errors
    /// As [`Reconstruction::wiener`].
    pub fn wiener_with(
        &self,
        iterations: usize,
        observer: &mut dyn Observer,
    ) -> Result<Array2<f64>> {
        let mixtures = self.fine.forward_all(self.recording.channels());
        let (powers, noise) = (self.powers(), self.noise.view());
        let filtered =
            wiener::filtered(mixtures.view(), powers.view(), noise, iterations, observer)?;
        self.fine.inverse_all(&filtered, self.recording.len())
    }

    /// Each source by a Wiener filter over the microphones after they were shifted so that it is in
    /// phase in all of them (source, sample). Another source j is then off by
    /// `D_l = tau_j^(l) - tau_k^(l)` samples at microphone l, and
    ///
    /// ```text
    /// C[l, q] = v_k + N [l = q] + sum_{j != k} sqrt( v_j(t - D_l/hop) v_j(t - D_q/hop) )
    ///                                 rho(D_l - D_q) exp(-2 pi i f (D_l - D_q) / fft)
    /// rho(D)  = sum_n w[n] w[n + |D|] / sum_n w[n]²
    /// Y_k     = v_k 1' C^-1 X
    /// ```
    ///
    /// Delays (source, microphone) in samples have to be right to a sample or so
    /// ([`refine_delays`](super::refine_delays) finds them): at delays right to a frame only, the
    /// mask is far better. Where delays are below a millisecond and spectrograms are estimates, use
    /// the mask too.
    ///
    /// # Errors
    /// [`Error::Shape`] and [`Error::Data`] for delays that do not fit the recording.
    pub fn aligned(&self, delays: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
        delays::check(delays, self.spectra.dim().0, self.recording.microphones())?;
        let powers = self.powers();
        let filter = aligned::Filter {
            recording: self.recording,
            stft: self.fine,
            powers: powers.view(),
            noise: self.noise.view(),
            delays,
        };
        self.fine.inverse_all(&filter.all()?, self.recording.len())
    }

    /// v at the frames that are filtered, nowhere quite zero.
    fn powers(&self) -> Array3<f64> {
        let frames = self.fine.frames(self.recording.len());
        let mut powers = spectrogram::at_hop(self.spectra, &self.coarse, &self.fine, frames);
        let most = powers.iter().copied().fold(0.0, f64::max);
        let floor = FLOOR * if most > 0.0 { most } else { 1.0 };
        powers.mapv_inplace(|power| power.max(floor));
        powers
    }
}

/// Splits what a function makes of every frequency (source, T) into (source, F, T).
fn by_frequency<F>(
    sources: usize,
    frequencies: usize,
    frames: usize,
    each: F,
) -> Result<Array3<Complex>>
where
    F: Fn(usize) -> Result<Array2<Complex>> + Send + Sync,
{
    let rows: Vec<Array2<Complex>> =
        (0..frequencies).into_par_iter().map(each).collect::<Result<_>>()?;
    let mut all = Array3::zeros((sources, frequencies, frames));
    for (f, row) in rows.iter().enumerate() {
        all.index_axis_mut(Axis(1), f).assign(row);
    }
    Ok(all)
}
