//! How far an iteration is from a solution, and the way there.

use crate::kernels::dynamic::residuals::Sums;
use crate::numeric::larger;

/// The relative residuals of an iteration.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "io", derive(serde::Serialize))]
pub struct Residuals {
    /// How far the centred fields are from the staggered ones: |V - I U| / |V|.
    pub consistency: f64,
    /// |(U - U')/tau - I^T (y - y')| / |y|.
    pub stationarity: f64,
    /// The duality gap on fields that keep mass, beside the cost; none with costs of frames, whose
    /// dual is not known.
    #[cfg_attr(feature = "io", serde(skip_serializing_if = "Option::is_none"))]
    pub gap: Option<f64>,
    /// How far densities of coupled spaces are from where the law has them, in L1, where there are
    /// any.
    #[cfg_attr(feature = "io", serde(skip_serializing_if = "Option::is_none"))]
    pub coupling: Option<f64>,
}

/// The iteration at a point in time.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "io", derive(serde::Serialize))]
pub struct TracePoint {
    /// Iterations done.
    pub iteration: usize,
    /// Seconds since the start.
    pub seconds: f64,
    /// The cost over all spaces with their weights.
    pub total: f64,
    /// How far it is from a solution.
    #[cfg_attr(feature = "io", serde(flatten))]
    pub residuals: Residuals,
}

impl Residuals {
    /// From the sums of every space. Where nothing moves the dual point is zero but for rounding:
    /// beside |V|, it counts as no less than `floor`.
    pub(super) fn of(all: &[Sums], floor: f64) -> Self {
        let worst = |part: fn(&Sums, f64) -> f64| {
            all.iter().map(|sums| part(sums, floor)).fold(0.0, larger)
        };
        let total = |part: fn(&Sums) -> f64| all.iter().map(part).sum::<f64>();
        let (energy, size) = (total(|sums| sums.energy), total(|sums| sums.size));
        let gap = energy - total(|sums| sums.paired);
        Self {
            consistency: worst(|sums, _| (sums.gap / sums.size).sqrt()),
            stationarity: worst(|sums, floor| {
                sums.unrest.sqrt() / sums.dual_size.sqrt().max(floor * sums.size.sqrt())
            }),
            gap: Some(gap.abs() / energy.abs().max(floor * size)),
            coupling: None,
        }
    }

    /// What the stop test looks at: the largest of all but the gap.
    pub fn worst(&self) -> f64 {
        let coupling = self.coupling.unwrap_or(0.0);
        larger(larger(self.consistency, self.stationarity), coupling)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_is_not_small() {
        let none = f64::NAN;
        for (consistency, stationarity, coupling) in
            [(none, 0.1, None), (0.1, none, None), (0.1, 0.1, Some(none))]
        {
            let found = Residuals { consistency, stationarity, gap: None, coupling };
            assert!(found.worst().is_nan());
        }
        let fine = Sums { gap: 1.0, size: 4.0, dual_size: 1.0, ..Sums::default() };
        let broken = Sums { gap: none, ..fine };
        assert!(Residuals::of(&[broken, fine], 0.0).worst().is_nan());
        assert!(Residuals::of(&[fine, broken], 0.0).worst().is_nan());
        assert_eq!(Residuals::of(&[fine, fine], 0.0).worst(), 0.5);
    }
}
