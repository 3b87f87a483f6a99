//! Where the points of another space lie: on a regular grid, or anywhere.

use ndarray::{Array2, ArrayView1};

use super::Map;
use crate::error::{Error, Result};

/// A box of 1, 2 or 3 dimensions in another space, cut into equal bins.
///
/// ```
/// use gaspard::dynamic::Bins;
/// let bins = Bins::new(&[4], &[0.0], &[2.0])?;
/// assert_eq!(bins.centre(0, 1), 0.75);
/// # Ok::<(), gaspard::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Bins {
    counts: Vec<usize>,
    low: Vec<f64>,
    high: Vec<f64>,
}

impl Bins {
    /// So many bins along every axis, from `low` to `high`.
    ///
    /// # Errors
    /// [`Error::Parameter`] unless there are 1 to 3 axes of at least 2 bins, fewer than 2^32 in all, and every `high` is
    /// above its `low`.
    pub fn new(counts: &[usize], low: &[f64], high: &[f64]) -> Result<Self> {
        let refusal = |problem: String, remedy: &str| {
            Err(Error::parameter("bins", problem, remedy.to_owned()))
        };
        if !(1..=3).contains(&counts.len()) {
            let problem = format!("{} axes", counts.len());
            return refusal(problem, "give 1 to 3 of them, or points instead of bins");
        }
        if counts.iter().any(|count| *count < 2) {
            return refusal(format!("{counts:?}"), "give every axis at least 2");
        }
        let all = counts.iter().try_fold(1_usize, |all, &count| all.checked_mul(count));
        if all.is_none_or(|all| all > u32::MAX as usize) {
            return refusal(format!("{counts:?} are more than 2^32"), "give fewer");
        }
        let ordered = low.iter().zip(high).all(|(low, high)| low < high && high.is_finite());
        let all = [low.len(), high.len()].iter().all(|axes| *axes == counts.len());
        if !(all && ordered && low.iter().all(|low| low.is_finite())) {
            let problem = format!("from {low:?} to {high:?}");
            return refusal(problem, "give two finite numbers for every axis, the lower one first");
        }
        Ok(Self { counts: counts.to_vec(), low: low.to_vec(), high: high.to_vec() })
    }

    /// So many bins along every axis around all values of a map, the outermost centres on the
    /// least and the largest of them.
    ///
    /// # Errors
    /// As [`Bins::new`], and [`Error::Data`] for a map that is constant along an axis.
    pub fn around(map: &Map, counts: &[usize]) -> Result<Self> {
        if counts.len() != map.dimension() {
            let expected = format!("{} axes of bins, as the map has", map.dimension());
            return Err(Error::shape("bins", expected, counts.len().to_string()));
        }
        let (mut low, mut high) = (Vec::new(), Vec::new());
        for (axis, count) in counts.iter().enumerate() {
            let values = map.values().column(axis);
            let least = values.iter().copied().fold(f64::INFINITY, f64::min);
            let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            if least == most {
                let problem = format!("its coordinate {axis} is {least} everywhere");
                return Err(Error::data("a map", problem, "leave that coordinate out"));
            }
            let half = 0.5 * (most - least) / (count.max(&2) - 1) as f64;
            low.push(least - half);
            high.push(most + half);
        }
        Self::new(counts, &low, &high)
    }

    /// The usual bins around a map: 32, 24 or 12 along every axis, for 1 to 3 axes.
    ///
    /// # Errors
    /// As [`Bins::around`].
    pub fn usual(map: &Map) -> Result<Self> {
        const COUNTS: [usize; 3] = [32, 24, 12];
        let axes = map.dimension();
        let count = COUNTS.get(axes.saturating_sub(1)).copied().unwrap_or(2);
        Self::around(map, &vec![count; axes])
    }

    /// Bins along every axis.
    pub fn counts(&self) -> &[usize] {
        &self.counts
    }

    /// Bins in all.
    pub fn len(&self) -> usize {
        self.counts.iter().product()
    }

    /// Never: there are at least two bins.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The width of a bin along an axis.
    pub fn width(&self, axis: usize) -> f64 {
        (self.high[axis] - self.low[axis]) / self.counts[axis] as f64
    }

    /// Lengths of the box.
    pub(super) fn sides(&self) -> Vec<f64> {
        self.low.iter().zip(&self.high).map(|(low, high)| high - low).collect()
    }

    /// The centre of a bin along an axis.
    pub fn centre(&self, axis: usize, bin: usize) -> f64 {
        self.low[axis] + (bin as f64 + 0.5) * self.width(axis)
    }

    /// The centres of all bins in row-major order: (bins, d).
    pub fn centres(&self) -> Array2<f64> {
        Array2::from_shape_fn((self.len(), self.counts.len()), |(bin, axis)| {
            let stride: usize = self.counts[axis + 1..].iter().product();
            self.centre(axis, bin / stride % self.counts[axis])
        })
    }

    /// The nearest centres around a point and their shares: linear along every axis, so that the
    /// mean is the point. What is beyond the outermost centres goes to them.
    pub(super) fn shares(&self, point: ArrayView1<'_, f64>) -> Vec<(usize, f64)> {
        let mut all = vec![(0, 1.0)];
        for (axis, &count) in self.counts.iter().enumerate() {
            let place = (point[axis] - self.low[axis]) / self.width(axis) - 0.5;
            let place = place.clamp(0.0, (count - 1) as f64);
            let below = (place.floor() as usize).min(count - 2);
            let above = place - below as f64;
            all = all
                .into_iter()
                .flat_map(|(bin, share)| {
                    [
                        (bin * count + below, share * (1.0 - above)),
                        (bin * count + below + 1, share * above),
                    ]
                })
                .filter(|(_, share)| *share > 0.0)
                .collect();
        }
        all
    }
}

/// The points of another space.
#[derive(Clone, Debug, PartialEq)]
pub enum Places {
    /// Bins of a box, by their centres.
    Bins(Bins),
    /// Points anywhere: (points, d).
    Points(Array2<f64>),
}

impl Places {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Bins(bins) => bins.len(),
            Self::Points(points) => points.nrows(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of them: (points, d).
    pub fn points(&self) -> Array2<f64> {
        match self {
            Self::Bins(bins) => bins.centres(),
            Self::Points(points) => points.clone(),
        }
    }

    /// Refuses points that are none.
    pub(super) fn validate(&self) -> Result<()> {
        let Self::Points(points) = self else { return Ok(()) };
        if points.is_empty() {
            return Err(Error::data("the points", "there are none", "give at least one point"));
        }
        if !points.iter().all(|value| value.is_finite()) {
            let remedy = "give finite coordinates";
            return Err(Error::data("the points", "a coordinate is not finite", remedy));
        }
        Ok(())
    }

    /// The square of the distance of neighbours: of bins, the mean over the axes of the squares of
    /// their widths; of points, the mean over all of the squared distance to the nearest other one.
    pub(super) fn squared_spacing(&self) -> f64 {
        match self {
            Self::Bins(bins) => {
                let axes = bins.counts.len();
                (0..axes).map(|axis| bins.width(axis).powi(2)).sum::<f64>() / axes as f64
            }
            Self::Points(points) => {
                let nearest = |one: usize| {
                    let here = points.row(one);
                    points
                        .rows()
                        .into_iter()
                        .map(|there| (&there - &here).mapv(|x| x * x).sum())
                        // Points may coincide.
                        .filter(|square| *square > 0.0)
                        .fold(f64::INFINITY, f64::min)
                };
                let squares: Vec<f64> =
                    (0..points.nrows()).map(nearest).filter(|square| square.is_finite()).collect();
                squares.iter().sum::<f64>() / squares.len().max(1) as f64
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn shares_keep_the_mean() {
        let bins = Bins::new(&[5, 7], &[-1.0, 0.0], &[1.0, 2.0]).unwrap();
        let centres = bins.centres();
        for point in [array![0.1, 0.3], array![-0.79, 1.8], array![0.0, 1.0]] {
            let shares = bins.shares(point.view());
            let total: f64 = shares.iter().map(|(_, share)| share).sum();
            assert!((total - 1.0).abs() < 1e-14);
            for axis in 0..2 {
                let mean: f64 =
                    shares.iter().map(|(bin, share)| share * centres[[*bin, axis]]).sum();
                assert!((mean - point[axis]).abs() < 1e-14, "{point}");
            }
        }
        // Beyond the outermost centre there is nothing between which to share.
        assert_eq!(bins.shares(array![-3.0, 5.0].view()), [(6, 1.0)]);
    }

    #[test]
    fn bins_that_make_no_sense_are_refused() {
        assert!(Bins::new(&[], &[], &[]).is_err());
        assert!(Bins::new(&[1], &[0.0], &[1.0]).is_err());
        assert!(Bins::new(&[4], &[1.0], &[1.0]).is_err());
        assert!(Bins::new(&[4], &[0.0], &[f64::NAN]).is_err());
        assert!(Bins::new(&[4, 4], &[0.0], &[1.0]).is_err());
    }
}
