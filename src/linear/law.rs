//! Marginal laws: what a node of the tree asks of its marginal.

use crate::error::{Error, Result};
use crate::kernels::NOTHING;
use crate::kernels::linear::node_update::ScaledLaw;

/// How closely the marginal p of a coupling must follow a measure mu.
///
/// ```
/// use gaspard::{Engine, Law, Measure, Transport};
/// use ndarray::array;
///
/// assert_eq!("kl:0.5".parse::<Law>()?, Law::Kl { rho: 0.5 });
/// // To move a unit by 3 costs 9: to lose one here and make one there, 1 each, costs less.
/// let a = Measure::uniform("a", array![[0.0]])?;
/// let b = Measure::uniform("b", array![[3.0]])?;
/// let loose = Law::Tv { rho: 1.0 };
/// let solution = Transport::between(&a, &b).laws(loose, loose).epsilon(0.01).solve(&Engine::cpu())?;
/// assert!((solution.value() - 2.0).abs() < 0.05);
/// # Ok::<(), gaspard::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Law {
    /// p = mu.
    Fixed,
    /// rho KL(p | mu) = rho sum p log(p / mu) - p + mu.
    Kl {
        /// Cost of leaving mu.
        rho: f64,
    },
    /// rho sum |p - mu|: mass is created and destroyed at rho a unit.
    Tv {
        /// Cost of a unit of mass created or destroyed.
        rho: f64,
    },
    /// low mu <= p <= high mu.
    Range {
        /// Lower factor, at least 0.
        low: f64,
        /// Upper factor, at least the lower.
        high: f64,
    },
    /// Anything: the node has no measure, only a support.
    Free,
}

impl Law {
    /// Checks the parameters. `name` is what errors call the law.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a rho that is not positive or a range that is empty.
    pub fn validate(self, name: &str) -> Result<()> {
        match self {
            // At infinity the law is `fixed`, and rho / (rho + epsilon) is not a number.
            Self::Kl { rho } | Self::Tv { rho } if !(rho > 0.0 && rho.is_finite()) => {
                Err(Error::parameter(
                    name,
                    format!("rho = {rho} is not a positive number"),
                    "give a positive rho, or one of the laws `free` and `fixed`",
                ))
            }
            Self::Range { low, high } if !(low >= 0.0 && high >= low && high.is_finite()) => {
                Err(Error::parameter(
                    name,
                    format!("the range {low} to {high} is empty or negative"),
                    "give 0 <= low <= high",
                ))
            }
            _ => Ok(()),
        }
    }

    /// What it asks of a potential over epsilon.
    pub(crate) fn scaled(self, epsilon: f64) -> ScaledLaw {
        let log = |factor: f64| if factor > 0.0 { factor.ln() } else { NOTHING };
        match self {
            Self::Fixed => ScaledLaw::Fixed,
            Self::Kl { rho } => ScaledLaw::Share(rho / (rho + epsilon)),
            Self::Tv { rho } => ScaledLaw::Bounded(rho / epsilon),
            Self::Range { low, high } => ScaledLaw::Between(log(low), log(high)),
            Self::Free => ScaledLaw::Free,
        }
    }

    /// True if the law fixes the mass of the marginal.
    pub fn fixes_mass(self) -> bool {
        self == Self::Fixed
    }

    /// The least and the greatest mass that a marginal may have where mu has this mass.
    pub fn masses(self, mass: f64) -> (f64, f64) {
        match self {
            Self::Fixed => (mass, mass),
            Self::Range { low, high } => (low * mass, high * mass),
            Self::Kl { .. } | Self::Tv { .. } | Self::Free => (0.0, f64::INFINITY),
        }
    }

    /// The value of the penalty for a marginal p against mu; zero for constraints.
    pub fn penalty(self, marginal: &[f64], weights: &[f64]) -> f64 {
        let pairs = marginal.iter().zip(weights);
        match self {
            Self::Fixed | Self::Range { .. } | Self::Free => 0.0,
            Self::Kl { rho } => {
                rho * pairs
                    .map(|(&p, &mu)| match (p > 0.0, mu > 0.0) {
                        (true, true) => p * (p / mu).ln() - p + mu,
                        (true, false) => f64::INFINITY,
                        (false, _) => mu,
                    })
                    .sum::<f64>()
            }
            Self::Tv { rho } => rho * pairs.map(|(p, mu)| (p - mu).abs()).sum::<f64>(),
        }
    }
}

impl std::str::FromStr for Law {
    type Err = Error;

    /// `fixed`, `kl:RHO`, `tv:RHO`, `range:LO,HI`, `free`.
    fn from_str(text: &str) -> Result<Self> {
        let wrong = || {
            Error::parameter(
                format!("the law `{text}`"),
                "it is not a law",
                "use fixed, kl:RHO, tv:RHO, range:LO,HI or free",
            )
        };
        let number = |text: &str| text.trim().parse::<f64>().map_err(|_| wrong());
        let law = match text.split_once(':') {
            None if text == "fixed" => Self::Fixed,
            None if text == "free" => Self::Free,
            Some(("kl", rho)) => Self::Kl { rho: number(rho)? },
            Some(("tv", rho)) => Self::Tv { rho: number(rho)? },
            Some(("range", bounds)) => {
                let (low, high) = bounds.split_once(',').ok_or_else(wrong)?;
                Self::Range { low: number(low)?, high: number(high)? }
            }
            _ => return Err(wrong()),
        };
        law.validate(&format!("the law `{text}`"))?;
        Ok(law)
    }
}

impl std::fmt::Display for Law {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Fixed => write!(formatter, "fixed"),
            Self::Kl { rho } => write!(formatter, "kl:{rho}"),
            Self::Tv { rho } => write!(formatter, "tv:{rho}"),
            Self::Range { low, high } => write!(formatter, "range:{low},{high}"),
            Self::Free => write!(formatter, "free"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn laws_are_read_as_they_are_written() {
        for text in ["fixed", "free", "kl:0.5", "tv:2", "range:0,1.5"] {
            assert_eq!(text.parse::<Law>().unwrap().to_string(), text);
        }
        for text in
            ["", "kl", "kl:x", "kl:-1", "kl:0", "tv:nan", "kl:inf", "range:2,1", "range:1", "x:1"]
        {
            assert!(text.parse::<Law>().is_err(), "{text}");
        }
    }
}
