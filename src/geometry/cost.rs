//! Ground costs between points.

use crate::error::{Error, Result};
use crate::kernels::vector::{square_roots, squared_distances};

/// What it costs to move a unit of mass from one point to another.
///
/// Squared means squared in full: |x - y|², not half of it.
///
/// ```
/// use gaspard::Cost;
///
/// assert_eq!("power:1.5".parse::<Cost>()?.to_string(), "power:1.5");
/// // Of two points at a distance of 5.
/// assert_eq!((Cost::SquaredEuclidean.of_square(25.0), Cost::Euclidean.of_square(25.0)), (25.0, 5.0));
/// # Ok::<(), gaspard::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cost {
    /// |x - y|²
    SquaredEuclidean,
    /// |x - y|
    Euclidean,
    /// |x - y|^p for p > 0
    Power(f64),
    /// The angle between unit vectors, in radians, to the power p > 0
    GreatCircle(f64),
}

impl Cost {
    /// The exponent of the distance.
    pub fn power(self) -> f64 {
        match self {
            Self::SquaredEuclidean => 2.0,
            Self::Euclidean => 1.0,
            Self::Power(p) | Self::GreatCircle(p) => p,
        }
    }

    /// The same cost under its simplest name: `Power(2)` is `SquaredEuclidean`.
    pub fn simplified(self) -> Self {
        match self {
            Self::Power(2.0) => Self::SquaredEuclidean,
            Self::Power(1.0) => Self::Euclidean,
            other => other,
        }
    }

    /// The shader constants COST_SQUARED, COST_DISTANCE, COST_POWER, COST_GREAT_CIRCLE.
    pub(crate) const fn switches(self) -> [u32; 4] {
        match self {
            Self::SquaredEuclidean => [1, 0, 0, 0],
            Self::Euclidean => [0, 1, 0, 0],
            Self::Power(_) => [0, 0, 1, 0],
            Self::GreatCircle(_) => [0, 0, 0, 1],
        }
    }

    /// The cost from the square of the Euclidean distance.
    #[inline(always)]
    pub fn of_square(self, square: f64) -> f64 {
        match self {
            Self::SquaredEuclidean => square,
            Self::Euclidean => square.sqrt(),
            Self::Power(p) => square.powf(0.5 * p),
            Self::GreatCircle(p) => (2.0 * (0.5 * square.sqrt()).min(1.0).asin()).powf(p),
        }
    }

    /// The factor by which the gradient of the cost by x is a multiple of x - y, from the square
    /// of the distance. Zero where a distance has no gradient.
    pub fn slope(self, square: f64) -> f64 {
        if self == Self::SquaredEuclidean {
            return 2.0;
        }
        if square < 1e-30 {
            return 0.0;
        }
        match self {
            Self::SquaredEuclidean => 2.0,
            Self::Euclidean => square.sqrt().recip(),
            Self::Power(p) => p * square.powf(0.5 * p - 1.0),
            Self::GreatCircle(p) => {
                let half_chord = (0.5 * square.sqrt()).min(0.999_999);
                let angle = 2.0 * half_chord.asin();
                p * angle.powf(p - 1.0) / (square * (1.0 - half_chord * half_chord)).sqrt()
            }
        }
    }

    /// Costs of one point against many; `there` holds the many coordinate by coordinate.
    pub(crate) fn evaluate(self, here: &[f64], there: &[&[f64]], costs: &mut [f64]) {
        for (group, (here, there)) in here.chunks(4).zip(there.chunks(4)).enumerate() {
            squared_distances(here, there, group > 0, costs);
        }
        match self {
            Self::SquaredEuclidean => {}
            Self::Euclidean => square_roots(costs),
            _ => costs.iter_mut().for_each(|cost| *cost = self.of_square(*cost)),
        }
    }
}

impl std::str::FromStr for Cost {
    type Err = Error;

    /// `sqeuclidean`, `euclidean`, `power:P`, `great-circle:P`.
    fn from_str(text: &str) -> Result<Self> {
        let wrong = |problem: &str| {
            Error::parameter(
                format!("the cost `{text}`"),
                problem,
                "use sqeuclidean, euclidean, power:P or great-circle:P with a positive P",
            )
        };
        let power = |text: &str| match text.trim().parse::<f64>() {
            Ok(power) if power > 0.0 && power.is_finite() => Ok(power),
            _ => Err(wrong("its power is not a positive number")),
        };
        match text.split_once(':') {
            None if text == "sqeuclidean" => Ok(Self::SquaredEuclidean),
            None if text == "euclidean" => Ok(Self::Euclidean),
            Some(("power", p)) => Ok(Self::Power(power(p)?)),
            Some(("great-circle", p)) => Ok(Self::GreatCircle(power(p)?)),
            _ => Err(wrong("it is not a cost")),
        }
    }
}

impl std::fmt::Display for Cost {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::SquaredEuclidean => write!(formatter, "sqeuclidean"),
            Self::Euclidean => write!(formatter, "euclidean"),
            Self::Power(p) => write!(formatter, "power:{p}"),
            Self::GreatCircle(p) => write!(formatter, "great-circle:{p}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_are_read_as_they_are_written() {
        for text in ["sqeuclidean", "euclidean", "power:1.5", "great-circle:2"] {
            assert_eq!(text.parse::<Cost>().unwrap().to_string(), text);
        }
        for text in ["", "power", "power:0", "power:nan", "power:-1", "great-circle", "manhattan"] {
            assert!(text.parse::<Cost>().is_err(), "{text}");
        }
    }
}
