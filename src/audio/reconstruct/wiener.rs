//! The narrow-band multichannel Wiener filter, with expectation and maximisation.

use nalgebra::DVector;
use ndarray::{Array2, Array3, ArrayView1, ArrayView2, ArrayView3, Axis};
use rayon::prelude::*;

use super::{Complex, by_frequency};
use crate::audio::complex::{Matrix, hermitian, inverse, load, mean_diagonal, real};
use crate::error::Result;
use crate::observer::{Observer, Progress, stops};

/// What is added to a covariance to invert it, relative to its mean diagonal.
const REGULAR: f64 = 1e-6;

/// The first channel of every source (source, F, T), from the mixtures (microphone, F, T) and the
/// powers (source, F, T), in noise N (F).
pub(super) fn filtered(
    mixtures: ArrayView3<'_, Complex>,
    powers: ArrayView3<'_, f64>,
    noise: ArrayView1<'_, f64>,
    iterations: usize,
    observer: &mut dyn Observer,
) -> Result<Array3<Complex>> {
    let (sources, frequencies, frames) = powers.dim();
    let mut models: Vec<Model<'_>> = (0..frequencies)
        .map(|f| {
            let mixtures = mixtures.index_axis_move(Axis(1), f);
            Model::new(mixtures, powers.index_axis(Axis(1), f), noise[f])
        })
        .collect();
    for iteration in 1..=iterations {
        let changes: Vec<f64> = models.par_iter_mut().map(Model::improve).collect::<Result<_>>()?;
        let change = changes.into_iter().fold(0.0, f64::max);
        if stops(observer, &Progress::new(iteration, iterations, change, 0.0)) {
            break;
        }
    }
    by_frequency(sources, frequencies, frames, |f| models[f].sources())
}

/// One frequency: the mixtures x (microphone, T), v (source, T) and R of every source, and N.
struct Model<'a> {
    mixtures: ArrayView2<'a, Complex>,
    powers: Array2<f64>,
    spatial: Vec<Matrix>,
    noise: f64,
}

impl<'a> Model<'a> {
    fn new(mixtures: ArrayView2<'a, Complex>, powers: ArrayView2<'_, f64>, noise: f64) -> Self {
        let identity = Matrix::identity(mixtures.nrows(), mixtures.nrows());
        Self { mixtures, powers: powers.to_owned(), spatial: vec![identity; powers.nrows()], noise }
    }

    /// W_k = v_k R_k (sum_j v_j R_j + N I)^-1 at a time, for every k.
    fn filters(&self, t: usize) -> Result<Vec<Matrix>> {
        let images: Vec<Matrix> = self
            .spatial
            .iter()
            .zip(self.powers.column(t))
            .map(|(spatial, power)| spatial * real(*power))
            .collect();
        let mut mixture: Matrix = images.iter().sum();
        let regular = REGULAR * mean_diagonal(&mixture);
        load(&mut mixture, self.noise + regular);
        let mixture = inverse(mixture)?;
        Ok(images.into_iter().map(|image| image * &mixture).collect())
    }

    fn mixture(&self, t: usize) -> DVector<Complex> {
        self.mixtures.column(t).iter().copied().collect::<Vec<_>>().into()
    }

    /// One round: the images given the model, then the model given the images. How much R changes.
    fn improve(&mut self) -> Result<f64> {
        let (sources, frames) = self.powers.dim();
        let microphones = self.mixtures.nrows();
        let inverses: Vec<Matrix> =
            self.spatial.iter().cloned().map(inverse).collect::<Result<_>>()?;
        let mut sums = vec![Matrix::zeros(microphones, microphones); sources];
        let mut weights = vec![0.0; sources];
        let identity = Matrix::identity(microphones, microphones);
        for t in 0..frames {
            let (filters, mixture) = (self.filters(t)?, self.mixture(t));
            for (k, filter) in filters.iter().enumerate() {
                let power = self.powers[[k, t]];
                let image = filter * &mixture;
                let posterior = (&identity - filter) * &self.spatial[k] * real(power);
                let covariance = &image * image.adjoint() + posterior;
                weights[k] += power;
                self.powers[[k, t]] = mean_diagonal(&(&inverses[k] * &covariance)).max(0.0);
                sums[k] += covariance;
            }
        }
        let mut change = 0.0_f64;
        for ((spatial, sum), weight) in self.spatial.iter_mut().zip(sums).zip(weights) {
            let mean = hermitian(&sum) * real(1.0 / weight);
            let scale = mean_diagonal(&mean);
            if scale > 0.0 {
                let mut next = mean * real(1.0 / scale);
                load(&mut next, REGULAR);
                change = change.max((&next - &*spatial).norm());
                *spatial = next;
            }
        }
        Ok(change)
    }

    /// The images at microphone 1 (source, T).
    fn sources(&self) -> Result<Array2<Complex>> {
        let mut found = Array2::zeros(self.powers.dim());
        for t in 0..self.powers.ncols() {
            let mixture = self.mixture(t);
            for (k, filter) in self.filters(t)?.iter().enumerate() {
                found[[k, t]] = (filter.row(0) * &mixture)[0];
            }
        }
        Ok(found)
    }
}
