//! Unevaluated sums of two floats, with about 106 significant bits.

use std::ops::{Add, AddAssign, Neg, Sub};

/// The number `high + low`, `low` being at most half a unit in the last place of `high`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Double {
    pub high: f64,
    pub low: f64,
}

impl From<f64> for Double {
    fn from(high: f64) -> Self {
        Self { high, low: 0.0 }
    }
}

impl Add for Double {
    type Output = Self;

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // Knuth's two-sum gives the rounding error of the leading parts exactly.
        let sum = self.high + other.high;
        let part = sum - self.high;
        let error = (self.high - (sum - part)) + (other.high - part);
        let rest = error + (self.low + other.low);
        let high = sum + rest;
        Self { high, low: rest - (high - sum) }
    }
}

impl Neg for Double {
    type Output = Self;

    fn neg(self) -> Self {
        Self { high: -self.high, low: -self.low }
    }
}

impl Sub for Double {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        self + -other
    }
}

impl AddAssign for Double {
    #[inline(always)]
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_terms_survive_large_ones() {
        let (large, small) = (Double::from(1e12), Double::from(1e-12));
        assert_eq!((large + small) - large, small);
        assert_eq!(small - large + large, small);
    }
}
