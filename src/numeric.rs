//! Sums and maxima that lose nothing.

use crate::error::{Error, Result};

/// Neumaier's sum: the rounding error of every addition is added up too.
pub(crate) fn compensated_sum(terms: impl IntoIterator<Item = f64>) -> f64 {
    let (mut sum, mut lost) = (0.0_f64, 0.0);
    for term in terms {
        let next = sum + term;
        lost += if sum.abs() >= term.abs() { (sum - next) + term } else { (term - next) + sum };
        sum = next;
    }
    sum + lost
}

/// The larger one, or what is no number: an iteration that ran away has not converged.
pub(crate) fn larger(a: f64, b: f64) -> f64 {
    if a.is_nan() || a > b { a } else { b }
}

/// The largest of residuals, 0 of none; not a number where one is none.
pub(crate) fn largest(residuals: impl IntoIterator<Item = f64>) -> f64 {
    residuals.into_iter().fold(0.0, larger)
}

/// Refuses to go on from a residual that is no number.
pub(crate) fn check_residual(residual: f64, iterations: usize, remedy: &str) -> Result<()> {
    if residual.is_finite() {
        return Ok(());
    }
    let problem = format!("it ran away after {iterations} iterations");
    Err(Error::data("the iteration", problem, remedy))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_keep_what_cancels() {
        assert_eq!(compensated_sum([1.0, 1e100, 1.0, -1e100]), 2.0);
    }

    #[test]
    fn what_is_no_number_is_the_largest() {
        assert!(largest([1.0, f64::NAN, 2.0]).is_nan() && largest([f64::NAN, 2.0]).is_nan());
        assert_eq!(largest([1.0, 3.0, 2.0]), 3.0);
        assert_eq!(largest([]), 0.0);
        assert!(check_residual(f64::NAN, 3, "").unwrap_err().to_string().contains("after 3"));
        assert!(check_residual(0.0, 3, "").is_ok());
    }
}
