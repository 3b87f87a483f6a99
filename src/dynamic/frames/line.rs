//! Exact transport between histograms on one axis.

/// W² of two histograms on the same bins, as densities that are constant on every bin, and the mean
/// of the Kantorovich potentials over every bin: the derivative of W² by the masses.
pub(super) struct LineTransport {
    pub value: f64,
    pub potential_a: Vec<f64>,
    pub potential_b: Vec<f64>,
}

/// Transport of histograms `a` into `b`, positive masses that sum to 1, on bins of this width.
///
/// Quantiles are linear between the merged levels of both, and so is their difference d:
///
/// ```text
/// W² = sum (l' - l) (d² + d d' + d'²) / 3,   alpha(z) = 2 ∫ (s - Q_b(F_a(s))) ds
/// ```
///
/// It takes O(n).
pub(super) fn transport(a: &[f64], b: &[f64], width: f64) -> LineTransport {
    let count = a.len();
    let mut value = 0.0;
    let mut own = Potential::new(count);
    let mut other = Potential::new(count);
    // The bins that both quantiles are in, and how much of their masses is used up.
    let (mut i, mut j) = (0, 0);
    let (mut used_a, mut used_b) = (0.0, 0.0);
    let place = |bin: usize, used: f64, mass: f64| (bin as f64 + (used / mass).min(1.0)) * width;
    while i < count && j < count {
        let step = (a[i] - used_a).min(b[j] - used_b).max(0.0);
        let before = place(i, used_a, a[i]) - place(j, used_b, b[j]);
        // Whichever bin is used up is used up exactly.
        let (ends_a, ends_b) = (a[i] - used_a <= step, b[j] - used_b <= step);
        let (next_a, next_b) =
            (if ends_a { a[i] } else { used_a + step }, if ends_b { b[j] } else { used_b + step });
        let after = place(i, next_a, a[i]) - place(j, next_b, b[j]);
        value += step * (before * before + before * after + after * after) / 3.0;
        own.advance(i, step / a[i] * width, before, after);
        other.advance(j, step / b[j] * width, -before, -after);
        (used_a, used_b) = (next_a, next_b);
        if ends_a {
            (i, used_a) = (i + 1, 0.0);
        }
        if ends_b {
            (j, used_b) = (j + 1, 0.0);
        }
    }
    // Rounding may leave a last bin on one side; nothing is left on the other to send it to.
    LineTransport { value, potential_a: own.means(width), potential_b: other.means(width) }
}

/// A potential that grows along the axis, and its integral over every bin.
struct Potential {
    here: f64,
    integrals: Vec<f64>,
}

impl Potential {
    fn new(count: usize) -> Self {
        Self { here: 0.0, integrals: vec![0.0; count] }
    }

    /// Over a stretch of a bin on which the way to go changes linearly.
    fn advance(&mut self, bin: usize, stretch: f64, before: f64, after: f64) {
        let bend = stretch * (2.0 * before + after) / 3.0;
        self.integrals[bin] += stretch * (self.here + bend);
        self.here += stretch * (before + after);
    }

    /// The means over the bins, with mean zero over all.
    fn means(self, width: f64) -> Vec<f64> {
        let mut means: Vec<f64> =
            self.integrals.into_iter().map(|integral| integral / width).collect();
        let mean = means.iter().sum::<f64>() / means.len() as f64;
        means.iter_mut().for_each(|value| *value -= mean);
        means
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn histogram(random: &mut ChaCha8Rng, count: usize) -> Vec<f64> {
        let masses: Vec<f64> = (0..count).map(|_| random.random_range(0.05..1.0)).collect();
        let total: f64 = masses.iter().sum();
        masses.into_iter().map(|mass| mass / total).collect()
    }

    /// The quantile function of a histogram.
    fn quantile(masses: &[f64], width: f64, level: f64) -> f64 {
        let mut below = 0.0;
        for (bin, mass) in masses.iter().enumerate() {
            if level <= below + mass || bin + 1 == masses.len() {
                return width * (bin as f64 + ((level - below) / mass).min(1.0));
            }
            below += mass;
        }
        unreachable!("there are bins")
    }

    #[test]
    fn the_cost_is_that_of_the_quantiles() {
        let mut random = ChaCha8Rng::seed_from_u64(3);
        for count in [2, 5, 32] {
            let (a, b) = (histogram(&mut random, count), histogram(&mut random, count));
            let width = 1.5 / count as f64;
            let found = transport(&a, &b, width).value;
            let levels = 400_000;
            let expected: f64 = (0..levels)
                .map(|level| (f64::from(level) + 0.5) / f64::from(levels))
                .map(|level| (quantile(&a, width, level) - quantile(&b, width, level)).powi(2))
                .sum::<f64>()
                / f64::from(levels);
            assert!((found - expected).abs() < 1e-9, "{count}: {found} {expected}");
        }
        // A shift by a bin costs its square.
        let (a, b) = ([1.0 - 2e-12, 1e-12, 1e-12], [1e-12, 1.0 - 2e-12, 1e-12]);
        assert!((transport(&a, &b, 0.5).value - 0.25).abs() < 1e-9);
    }

    #[test]
    fn potentials_are_derivatives() {
        let mut random = ChaCha8Rng::seed_from_u64(4);
        for count in [2, 6, 17] {
            let (a, b) = (histogram(&mut random, count), histogram(&mut random, count));
            let width = 1.0 / count as f64;
            let found = transport(&a, &b, width);
            let step = 1e-6;
            for i in 1..count {
                // Mass goes from one bin to another, so that there is as much of it as before.
                let moved = |masses: &[f64], by: f64| {
                    let mut masses = masses.to_vec();
                    masses[0] -= by;
                    masses[i] += by;
                    masses
                };
                let slope = |f: &dyn Fn(f64) -> f64| (f(step) - f(-step)) / (2.0 * step);
                let by_a = slope(&|by| transport(&moved(&a, by), &b, width).value);
                let by_b = slope(&|by| transport(&a, &moved(&b, by), width).value);
                let of_a = found.potential_a[i] - found.potential_a[0];
                let of_b = found.potential_b[i] - found.potential_b[0];
                assert!((by_a - of_a).abs() < 1e-8, "{count} {i}: {by_a} {of_a}");
                assert!((by_b - of_b).abs() < 1e-8, "{count} {i}: {by_b} {of_b}");
            }
        }
    }
}
