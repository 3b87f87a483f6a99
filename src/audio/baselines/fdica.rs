//! Independent component analysis at every frequency.

use ndarray::{Array2, Array3, ArrayView2, Axis};
use rayon::prelude::*;
use rustfft::num_complex::Complex64;

use super::murata;
use crate::audio::complex::{Matrix, inverse, load, real};
use crate::audio::recording::Recording;
use crate::audio::stft::Stft;
use crate::audio::{delays, permutation};
use crate::error::Result;
use crate::observer::{Observer, Progress, stops};

/// What is added to a covariance, relative to its trace.
const REGULAR: f64 = 1e-9;

/// Magnitudes below this do not count more.
const FLOOR: f64 = 1e-3;

/// As many sources as microphones by independent component analysis at every frequency:
///
/// ```text
/// x(f, t) = A(f) s(f, t)      =>      y(f, t) = W(f) x(f, t)
/// ```
///
/// by the auxiliary function for the Laplace contrast (Ono 2011), with the scale of microphone 1
/// (projection back) and frequencies put in order by their envelopes (Murata, Ikeda and Ziehe
/// 2001). A matrix for each frequency describes delays that are far below the window only.
///
/// ```
/// use gaspard::audio::{Simulation, Speaker, Stft, Voice, baselines::Fdica, metrics};
/// use ndarray::array;
/// let speakers = [Speaker::new(Voice::Low).seed(6), Speaker::new(Voice::High).seed(46)];
/// let sources = speakers.map(|speaker| speaker.speak(8000, 16_000));
/// let scene = Simulation::new(8000, sources)?
///     .delays(array![[0.0, 3.0], [0.0, -2.0]])
///     .snr(40.0)
///     .run()?;
/// let found = Fdica::new(Stft::new(256, 64, 256)?).solve(&scene.mixture)?;
/// let gain = metrics::sdr_improvement(scene.images.view(), found.view(), scene.mixture.channel(0))?;
/// assert!(gain.value > 5.0, "{}", gain.value);
/// # Ok::<(), gaspard::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Fdica {
    stft: Stft,
    sweeps: usize,
}

impl Fdica {
    /// On this transform, in 60 sweeps.
    pub fn new(stft: Stft) -> Self {
        Self { stft, sweeps: 60 }
    }

    /// Sweeps over all sources.
    pub fn sweeps(self, sweeps: usize) -> Self {
        Self { sweeps, ..self }
    }

    /// The sources as microphone 1 hears them (source, sample), in no order.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) for one microphone,
    /// [`Error::Parameter`](crate::Error::Parameter) for more than 6,
    /// [`Error::Data`](crate::Error::Data) for microphones that record the same.
    pub fn solve(&self, recording: &Recording) -> Result<Array2<f64>> {
        self.solve_with(recording, &mut ())
    }

    /// The same, watched; stopped, it gives what is separated so far.
    ///
    /// # Errors
    /// As [`Fdica::solve`].
    pub fn solve_with(
        &self,
        recording: &Recording,
        observer: &mut dyn Observer,
    ) -> Result<Array2<f64>> {
        delays::at_least_two(recording)?;
        permutation::check(recording.microphones())?;
        let mixtures = self.stft.forward_all(recording.channels());
        let (count, frequencies, frames) = mixtures.dim();
        let mut bins: Vec<Bin> = (0..frequencies)
            .into_par_iter()
            .map(|f| Bin::new(mixtures.index_axis(Axis(1), f)))
            .collect();
        for sweep in 1..=self.sweeps {
            let changes: Vec<f64> = bins.par_iter_mut().map(Bin::sweep).collect::<Result<_>>()?;
            let change = changes.into_iter().fold(0.0, f64::max);
            if stops(observer, &Progress::new(sweep, self.sweeps, change, 0.0)) {
                break;
            }
        }
        let separated: Vec<Matrix> = bins.par_iter().map(Bin::separated).collect::<Result<_>>()?;
        let magnitudes = Array3::from_shape_fn((frequencies, count, frames), |(f, k, t)| {
            separated[f][(k, t)].norm()
        });
        let orders = murata::orders(&magnitudes);
        let sources = Array3::from_shape_fn((count, frequencies, frames), |(k, f, t)| {
            separated[f][(orders[f][k], t)]
        });
        self.stft.inverse_all(&sources, recording.len())
    }
}

/// One frequency.
struct Bin {
    /// z = V x: uncorrelated, with variance 1.
    white: Matrix,
    whitening: Matrix,
    /// W, whose rows are the w_k^H.
    demixing: Matrix,
    /// Nothing sounds at it.
    silent: bool,
}

impl Bin {
    /// From the mixtures (microphone, T).
    fn new(mixtures: ArrayView2<'_, Complex64>) -> Self {
        let (count, frames) = mixtures.dim();
        let mixtures = Matrix::from_fn(count, frames, |l, t| mixtures[[l, t]]);
        let mut covariance = &mixtures * mixtures.adjoint() * real(1.0 / frames as f64);
        let trace = covariance.trace().re;
        load(&mut covariance, REGULAR * trace);
        let silent = trace < f64::MIN_POSITIVE;
        let mut whitening = Matrix::identity(count, count);
        if !silent {
            let eigen = covariance.symmetric_eigen();
            whitening = eigen.eigenvectors.adjoint();
            for (mut row, value) in whitening.row_iter_mut().zip(eigen.eigenvalues.iter()) {
                row *= real(1.0 / value.max(REGULAR * trace).sqrt());
            }
        }
        let white = &whitening * mixtures;
        Self { white, whitening, demixing: Matrix::identity(count, count), silent }
    }

    /// Improves every row of W once; how much they changed.
    fn sweep(&mut self) -> Result<f64> {
        if self.silent {
            return Ok(0.0);
        }
        let before = self.demixing.clone();
        let frames = self.white.ncols();
        for k in 0..self.demixing.nrows() {
            let outputs = self.demixing.row(k) * &self.white;
            let mut weighted = self.white.clone();
            for (mut column, output) in weighted.column_iter_mut().zip(outputs.iter()) {
                column *= real(1.0 / (output.norm().max(FLOOR) * frames as f64));
            }
            let weighted = weighted * self.white.adjoint();
            let row = inverse(&self.demixing * &weighted)?.column(k).into_owned();
            let scale = (row.adjoint() * &weighted * &row)[0].re.sqrt();
            self.demixing.set_row(k, &(row.adjoint() * real(1.0 / scale)));
        }
        Ok((&self.demixing - before).norm())
    }

    /// The sources at microphone 1 (source, T).
    fn separated(&self) -> Result<Matrix> {
        let mut sources = &self.demixing * &self.white;
        let mixing = inverse(&self.demixing * &self.whitening)?;
        for (mut row, scale) in sources.row_iter_mut().zip(mixing.row(0).iter()) {
            row *= *scale;
        }
        Ok(sources)
    }
}
