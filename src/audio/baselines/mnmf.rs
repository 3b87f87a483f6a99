//! Multichannel non-negative matrix factorisation.

use nalgebra::DVector;
use ndarray::{Array2, Array3, ArrayView2, Axis};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use rustfft::num_complex::Complex64;

use crate::audio::complex::{Matrix, inverse, load, real};
use crate::audio::delays;
use crate::audio::noise::normal;
use crate::audio::recording::Recording;
use crate::audio::stft::Stft;
use crate::error::{Error, Result};
use crate::observer::{Observer, Progress, stops};

/// The noise of the model goes down from the first to the second of these, in units of the mean
/// power at each frequency; linearly in amplitude.
const NOISE: [f64; 2] = [0.1, 1e-3];

/// Below this share of the largest one, a factor or a power is this share.
const FLOOR: f64 = 1e-12;

/// Sources whose power spectrograms have few components, mixed by one vector a frequency:
///
/// ```text
/// x(f, t) = A(f) s(f, t) + b,     s_k ~ N(0, v_k),     v_k(f, t) = sum_c W_k(f, c) H_k(c, t)
/// ```
///
/// by expectation and maximisation (Ozerov and Févotte 2010). It finds a local maximum that depends
/// strongly on the start; a vector for each frequency describes delays that are far below the
/// window only.
///
/// ```
/// use gaspard::audio::{Simulation, Speaker, Stft, Voice, baselines::Mnmf};
/// use ndarray::array;
/// let speakers = [Speaker::new(Voice::Low), Speaker::new(Voice::High)];
/// let sources = speakers.map(|speaker| speaker.speak(8000, 4000));
/// let scene = Simulation::new(8000, sources)?.delays(array![[0.0, 3.0], [0.0, -2.0]]).run()?;
/// let method = Mnmf::new(Stft::new(256, 64, 256)?, 2).components(4).iterations(5).seed(1);
/// assert_eq!(method.solve(&scene.mixture)?.dim(), scene.images.dim());
/// # Ok::<(), gaspard::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Mnmf {
    stft: Stft,
    sources: usize,
    components: usize,
    iterations: usize,
    seed: u64,
}

impl Mnmf {
    /// So many sources on this transform, with 8 components each, in 100 iterations.
    pub fn new(stft: Stft, sources: usize) -> Self {
        Self { stft, sources, components: 8, iterations: 100, seed: 0 }
    }

    /// Components of each source.
    pub fn components(self, components: usize) -> Self {
        Self { components, ..self }
    }

    /// Iterations of expectation and maximisation.
    pub fn iterations(self, iterations: usize) -> Self {
        Self { iterations, ..self }
    }

    /// The seed of the start.
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// The sources as microphone 1 hears them (source, sample), in no order.
    ///
    /// # Errors
    /// [`Error::Shape`] for one microphone, [`Error::Parameter`] for no sources, components or
    /// iterations, [`Error::Data`] for silence.
    pub fn solve(&self, recording: &Recording) -> Result<Array2<f64>> {
        self.solve_with(recording, &mut ())
    }

    /// The same, watched: the residual is the mean Itakura-Saito divergence of the powers from
    /// their factors. Stopped, it gives what is separated so far.
    ///
    /// # Errors
    /// As [`Mnmf::solve`].
    pub fn solve_with(
        &self,
        recording: &Recording,
        observer: &mut dyn Observer,
    ) -> Result<Array2<f64>> {
        delays::at_least_two(recording)?;
        for (name, count) in [
            ("sources", self.sources),
            ("components", self.components),
            ("iterations", self.iterations),
        ] {
            if count == 0 {
                return Err(Error::parameter(name, "there are none", "use 1 or more"));
            }
        }
        let mixtures = self.stft.forward_all(recording.channels());
        let frequencies: Vec<usize> = (0..mixtures.dim().1)
            .filter(|f| {
                mixtures.index_axis(Axis(1), *f).iter().any(|x| x.norm_sqr() > f64::MIN_POSITIVE)
            })
            .collect();
        if frequencies.is_empty() {
            return Err(Error::data("the recording", "it is silent", "give one that is not"));
        }
        let mut model = Model::new(self, mixtures.select(Axis(1), &frequencies));
        for iteration in 1..=self.iterations {
            let progress = (iteration - 1) as f64 / (self.iterations.max(2) - 1) as f64;
            let residual = model.improve(noise(progress))?;
            if stops(observer, &Progress::new(iteration, self.iterations, residual, 0.0)) {
                break;
            }
        }
        let shape = (self.sources, mixtures.dim().1, mixtures.dim().2);
        let mut found = Array3::zeros(shape);
        for (expected, &f) in model.expect(noise(1.0))?.iter().zip(&frequencies) {
            found.index_axis_mut(Axis(1), f).assign(&expected.images);
        }
        self.stft.inverse_all(&found, recording.len())
    }
}

/// The noise at a share of the way.
fn noise(progress: f64) -> f64 {
    let [first, last] = NOISE.map(f64::sqrt);
    (first + progress * (last - first)).powi(2)
}

struct Model {
    /// x (microphone, F, T).
    mixtures: Array3<Complex64>,
    /// A at every frequency.
    mixing: Vec<Matrix>,
    /// W (F, component) and H (component, T) of every source.
    factors: Vec<(Array2<f64>, Array2<f64>)>,
    /// Mean |x|² at every frequency.
    levels: Vec<f64>,
}

/// What the model says of one frequency.
struct Expected {
    /// A_1k s_k (source, T).
    images: Array2<Complex64>,
    /// The best A, its columns of norm 1, and the squares of their norms before.
    mixing: Matrix,
    scales: Vec<f64>,
    /// The powers |s_k|² + Cs_kk (source, T), for those columns.
    powers: Array2<f64>,
}

impl Model {
    fn new(method: &Mnmf, mixtures: Array3<Complex64>) -> Self {
        let (microphones, frequencies, frames) = mixtures.dim();
        let mut random = ChaCha8Rng::seed_from_u64(method.seed);
        let levels: Vec<f64> = mixtures
            .axis_iter(Axis(1))
            .map(|bins| bins.iter().map(Complex64::norm_sqr).sum::<f64>() / bins.len() as f64)
            .collect();
        let mixing = (0..frequencies)
            .map(|_| {
                Matrix::from_fn(microphones, method.sources, |l, _| {
                    let value = Complex64::new(normal(&mut random), normal(&mut random));
                    if l == 0 { Complex64::ONE } else { value / 2.0_f64.sqrt() }
                })
            })
            .collect();
        let mut positive = || random.random_range(0.1..1.0);
        let factors = (0..method.sources)
            .map(|_| {
                let mut w =
                    Array2::from_shape_simple_fn((frequencies, method.components), &mut positive);
                w.rows_mut().into_iter().zip(&levels).for_each(|(mut row, level)| row *= *level);
                (w, Array2::from_shape_simple_fn((method.components, frames), &mut positive))
            })
            .collect();
        Self { mixtures, mixing, factors, levels }
    }

    /// v (F, T) of every source.
    fn powers(&self) -> Vec<Array2<f64>> {
        self.factors.iter().map(|(w, h)| floored(w.dot(h))).collect()
    }

    /// All frequencies, with noise in units of their levels.
    fn expect(&self, noise: f64) -> Result<Vec<Expected>> {
        let powers = self.powers();
        (0..self.mixing.len())
            .into_par_iter()
            .map(|f| {
                let views: Vec<_> = powers.iter().map(|v| v.row(f)).collect();
                let powers = ndarray::stack(Axis(0), &views).expect("the rows are equally long");
                let mixtures = self.mixtures.index_axis(Axis(1), f);
                expected(mixtures, &self.mixing[f], &powers, noise * self.levels[f])
            })
            .collect()
    }

    /// One iteration; the mean divergence of the powers from their factors before the factors were
    /// improved.
    fn improve(&mut self, noise: f64) -> Result<f64> {
        let found = self.expect(noise)?;
        for (mixing, expected) in self.mixing.iter_mut().zip(&found) {
            mixing.clone_from(&expected.mixing);
        }
        let divergences: Vec<f64> = self
            .factors
            .par_iter_mut()
            .enumerate()
            .map(|(k, (w, h))| {
                w.rows_mut().into_iter().zip(&found).for_each(|(mut row, e)| row *= e.scales[k]);
                let views: Vec<_> = found.iter().map(|e| e.powers.row(k)).collect();
                let target = ndarray::stack(Axis(0), &views).expect("the rows are equally long");
                factorise(&floored(target), w, h)
            })
            .collect();
        Ok(divergences.iter().sum::<f64>() / divergences.len() as f64)
    }
}

fn expected(
    mixtures: ArrayView2<'_, Complex64>,
    mixing: &Matrix,
    powers: &Array2<f64>,
    noise: f64,
) -> Result<Expected> {
    let (count, frames) = powers.dim();
    let microphones = mixtures.nrows();
    let mut crossed = Matrix::zeros(microphones, count);
    let mut squared = Matrix::zeros(count, count);
    let mut images = Array2::zeros((count, frames));
    let mut found = Array2::zeros((count, frames));
    for t in 0..frames {
        let variances = DVector::from_iterator(count, powers.column(t).iter().map(|v| real(*v)));
        let weighted = mixing * Matrix::from_diagonal(&variances);
        let mut covariance = &weighted * mixing.adjoint();
        load(&mut covariance, noise);
        let gain = weighted.adjoint() * inverse(covariance)?;
        let mixture: DVector<Complex64> = mixtures.column(t).to_vec().into();
        let sources = &gain * &mixture;
        let posterior = Matrix::from_diagonal(&variances) - &gain * &weighted;
        crossed += &mixture * sources.adjoint();
        squared += &sources * sources.adjoint() + &posterior;
        for k in 0..count {
            images[[k, t]] = mixing[(0, k)] * sources[k];
            found[[k, t]] = sources[k].norm_sqr() + posterior[(k, k)].re.max(0.0);
        }
    }
    let regular = FLOOR * squared.trace().re;
    load(&mut squared, regular);
    let mut mixing = crossed * inverse(squared)?;
    let scales: Vec<f64> = (0..count).map(|k| mixing.column(k).norm_squared()).collect();
    for (k, scale) in scales.iter().enumerate().filter(|(_, scale)| **scale > 0.0) {
        mixing.column_mut(k).scale_mut(1.0 / scale.sqrt());
        found.row_mut(k).mapv_inplace(|power| power * scale);
    }
    Ok(Expected { images, mixing, scales, powers: found })
}

/// One multiplicative step of W and one of H towards W H = target, for the Itakura-Saito
/// divergence, with exponent 1/2; columns of W then have sum 1. The mean divergence before.
fn factorise(target: &Array2<f64>, w: &mut Array2<f64>, h: &mut Array2<f64>) -> f64 {
    let model = floored(w.dot(h));
    let ratio = target / &model;
    let divergence = ratio.iter().map(|ratio| ratio - ratio.ln() - 1.0).sum::<f64>();
    let step = |over: Array2<f64>, under: Array2<f64>| (over / under).mapv(f64::sqrt);
    *w *= &step((&ratio / &model).dot(&h.t()), model.recip().dot(&h.t()));
    *w = floored(std::mem::take(w));
    let model = floored(w.dot(h));
    *h *= &step(w.t().dot(&(target / &model / &model)), w.t().dot(&model.recip()));
    *h = floored(std::mem::take(h));
    let sums = w.sum_axis(Axis(0));
    *w /= &sums;
    h.rows_mut().into_iter().zip(&sums).for_each(|(mut row, sum)| row *= *sum);
    divergence / target.len() as f64
}

/// Values not too far below the largest.
fn floored(mut values: Array2<f64>) -> Array2<f64> {
    let floor = FLOOR * values.iter().copied().fold(f64::MIN_POSITIVE / FLOOR, f64::max);
    values.mapv_inplace(|value| value.max(floor));
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    /// sum log det Sx + x^H Sx^-1 x, from the model alone.
    fn unlikelihood(model: &Model, noise: f64) -> f64 {
        let (microphones, frequencies, frames) = model.mixtures.dim();
        let mut sum = 0.0;
        for f in 0..frequencies {
            for t in 0..frames {
                let mut covariance = Matrix::identity(microphones, microphones);
                covariance *= real(noise * model.levels[f]);
                for (k, (w, h)) in model.factors.iter().enumerate() {
                    let column = model.mixing[f].column(k);
                    let power: f64 = w.row(f).iter().zip(h.column(t)).map(|(w, h)| w * h).sum();
                    covariance += column * column.adjoint() * real(power);
                }
                let x = DVector::from_fn(microphones, |l, _| model.mixtures[[l, f, t]]);
                sum += covariance.determinant().re.ln();
                sum += (x.adjoint() * covariance.try_inverse().unwrap() * &x)[0].re;
            }
        }
        sum
    }

    /// What makes it expectation and maximisation: at a fixed noise no step is for the worse.
    #[test]
    fn no_iteration_makes_the_data_less_likely() {
        let mut random = ChaCha8Rng::seed_from_u64(7);
        let mut number = || Complex64::new(normal(&mut random), normal(&mut random));
        let mixtures = Array3::from_shape_simple_fn((2, 5, 12), &mut number);
        for sources in [1, 2, 3] {
            let method = Mnmf::new(Stft::new(8, 4, 8).unwrap(), sources).components(2).seed(3);
            let mut model = Model::new(&method, mixtures.clone());
            let mut last = unlikelihood(&model, 0.1);
            let first = last;
            for iteration in 0..30 {
                model.improve(0.1).unwrap();
                let next = unlikelihood(&model, 0.1);
                assert!(next <= last + 1e-9 * last.abs(), "{sources} {iteration}: {next} {last}");
                last = next;
            }
            assert!(last < first - 1.0, "{first} {last}");
        }
    }
}
