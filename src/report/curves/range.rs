//! How far an axis goes.

use std::ops::Range;

/// The share of an axis that is left free at either end.
const FREE: f64 = 0.03;

/// A range that holds all values, with some space around them; none for none.
pub(super) fn around(values: impl Iterator<Item = f64>) -> Option<Range<f64>> {
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    if low > high {
        return None;
    }
    // What does not vary beyond rounding gets an axis all the same. Halves, so that no difference
    // overflows.
    let least = 1e-9 * low.abs().max(high.abs()).max(1e-9);
    let half = (0.5 * high - 0.5 * low).max(least);
    let middle = 0.5 * low + 0.5 * high;
    let reach = half * (1.0 + 2.0 * FREE);
    let [low, high] = [middle - reach, middle + reach];
    (low.is_finite() && high.is_finite()).then_some(low..high)
}

#[cfg(test)]
mod tests {
    use super::around;

    #[test]
    fn ranges_hold_what_they_are_around() {
        let range = around([1.0, -2.0, 5.0].into_iter()).unwrap();
        assert!(range.start < -2.0 && range.start > -2.5 && range.end > 5.0 && range.end < 5.5);
        for same in [0.0, 3.0, -1e200] {
            let range = around([same].into_iter()).unwrap();
            assert!(range.start < same && same < range.end, "{range:?}");
        }
        assert_eq!(around([].into_iter()), None);
        assert_eq!(around([f64::MAX, f64::MIN].into_iter()), None);
    }
}
