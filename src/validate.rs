//! What parameters have to be, and the words in which they are refused.

use crate::error::{Error, Result};

/// Refuses what is not a positive number.
pub(crate) fn positive(name: &str, value: f64, remedy: &str) -> Result<()> {
    if value > 0.0 && value.is_finite() {
        return Ok(());
    }
    Err(Error::parameter(name, format!("{value} is not a positive number"), remedy))
}

/// Refuses what is not a number from 0 up.
pub(crate) fn from_zero(name: &str, value: f64, remedy: &str) -> Result<()> {
    if value >= 0.0 && value.is_finite() {
        return Ok(());
    }
    Err(Error::parameter(name, format!("{value} is not a number from 0 up"), remedy))
}

/// Refuses a count of nothing.
pub(crate) fn at_least_one(name: &str, count: usize) -> Result<()> {
    if count > 0 {
        return Ok(());
    }
    Err(Error::parameter(name, "it is 0", "give at least 1"))
}

/// Refuses a factor between stages that does not bring epsilon down, or hardly.
pub(crate) fn annealing(factor: f64) -> Result<()> {
    /// So little a step takes a thousand stages for every five orders of magnitude.
    const LEAST: f64 = 1.01;
    if factor == 1.0 || factor >= LEAST && factor.is_finite() {
        return Ok(());
    }
    let problem = format!("{factor} is neither 1 nor a number from {LEAST} up");
    let remedy = "give the factor between stages, 4 for example, or 1 to switch it off";
    Err(Error::parameter("annealing", problem, remedy))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_is_refused() {
        for value in [f64::NAN, -1.0, f64::NEG_INFINITY] {
            assert!(positive("x", value, "").is_err() && from_zero("x", value, "").is_err());
            assert!(annealing(value).is_err());
        }
        assert!(positive("x", 0.0, "").is_err() && from_zero("x", 0.0, "").is_ok());
        assert!(positive("x", f64::INFINITY, "").is_err());
        assert!(from_zero("x", f64::INFINITY, "").is_err());
        assert!(annealing(f64::INFINITY).is_err() && annealing(1.0 + 1e-9).is_err());
        assert!(annealing(1.0).is_ok() && annealing(4.0).is_ok());
        assert!(at_least_one("x", 0).is_err() && at_least_one("x", 1).is_ok());
    }
}
