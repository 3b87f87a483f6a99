//! Correlations of signals, and their peaks.

use rustfft::num_complex::Complex64;

use super::signal::from_spectrum;

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

    /// The value at any lag in samples of the correlation that [`Correlation::new`] makes of this.
    pub(crate) fn exactly(cross: &[Complex64], length: usize, lag: f64) -> f64 {
        let turn = Complex64::cis(2.0 * std::f64::consts::PI * lag / length as f64);
        let ends = if length.is_multiple_of(2) { 2 } else { 1 };
        let (mut phase, mut sum) = (turn, Complex64::ZERO);
        for value in &cross[1..=cross.len() - ends] {
            sum += value * phase;
            phase *= turn;
        }
        let last = if ends == 2 { (cross[cross.len() - 1] * phase).re } else { 0.0 };
        (cross[0].re + 2.0 * sum.re + last) / length as f64
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

#[cfg(test)]
mod tests {
    use ndarray::Array1;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::super::signal::spectrum;
    use super::*;

    #[test]
    fn correlations_are_the_sums_that_define_them() {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let mut signal = || Array1::from_shape_simple_fn(20, || random.random_range(-1.0..1.0));
        let (x, y) = (signal(), signal());
        let length = correlation_length(20);
        let [a, b] = [&x, &y].map(|signal| spectrum(signal.view(), length));
        let cross: Vec<Complex64> = a.iter().zip(&b).map(|(x, y)| y * x.conj()).collect();
        for upsampling in [1, 2, 8] {
            let found = Correlation::new(cross.clone(), length, upsampling).within(15);
            assert_eq!(found.values.len(), 30 * upsampling + 1);
            for step in -15 * upsampling as isize..=15 * upsampling as isize {
                let exact = Correlation::exactly(&cross, length, step as f64 / upsampling as f64);
                let found = found.values[(step + 15 * upsampling as isize) as usize];
                assert!((found - exact).abs() < 1e-12, "{upsampling} {step}");
            }
            for d in -15..=15_isize {
                let pairs =
                    (0..20).filter_map(|n| Some((n, usize::try_from(n as isize + d).ok()?)));
                let sum: f64 = pairs.filter(|(_, m)| *m < 20).map(|(n, m)| x[n] * y[m]).sum();
                let index = (d + 15) as usize * upsampling;
                assert!((found.values[index] - sum).abs() < 1e-12, "{upsampling} {d}");
                assert!((found.lag(index) - d as f64).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn peaks_are_refined_and_keep_their_distance() {
        // Parabolas, the highest first.
        let value = |lag: f64| {
            let bump = |at: f64, height: f64| (height - (lag - at) * (lag - at)).max(0.0);
            bump(2.3, 5.0).max(bump(-4.4, 3.0)).max(bump(6.0, 2.0))
        };
        let (first, step) = (-10.0, 0.25);
        let values = (0..81).map(|index| value(first + step * index as f64)).collect();
        let lags = Lags { values, first, step };
        let near = |found: Vec<f64>, expected: &[f64]| {
            assert_eq!(found.len(), expected.len(), "{found:?}");
            found.iter().zip(expected).for_each(|(a, b)| assert!((a - b).abs() < 1e-9, "{a} {b}"));
        };
        near(lags.peaks(5, 1.0), &[2.3, -4.4, 6.0]);
        near(lags.peaks(2, 1.0), &[2.3, -4.4]);
        near(lags.peaks(5, 4.0), &[2.3, -4.4]);
        near(lags.map(|value| 2.0 * value).peaks(1, 1.0), &[2.3]);
        let short = Lags { values: vec![1.0], first: 0.0, step: 1.0 };
        assert!(short.peaks(1, 0.0).is_empty());
    }
}
