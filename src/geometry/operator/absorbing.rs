//! When exponentials are worth keeping.

use super::Side;
use crate::engine::{Array, Engine};
use crate::error::Result;
use crate::kernels::NEARLY_NOTHING;
use crate::kernels::absorbed::Absorbed;

/// Softmins from exponentials that are kept, on the CPU, for iterations that call again and again with
/// one epsilon and biases that settle.
#[derive(Default)]
pub(super) struct Absorbing {
    kept: Option<(f64, Absorbed)>,
    /// The rate of the last softmins, and how many of them were computed from points.
    rate: f64,
    calls: usize,
    /// How many more than usual to wait for, since biases moved on too far before.
    patience: usize,
}

impl Absorbing {
    /// 256 MiB. Beyond, memory is worth more than the time that is saved.
    pub(super) const MOST_PAIRS: u64 = 1 << 25;
    /// Softmins at one epsilon before exponentials are kept.
    const USUAL: usize = 2;
    /// To wait for longer would be to give up.
    const MOST_PATIENCE: usize = 64;

    /// Costs have changed.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// True if the softmin was made of what is kept.
    pub(super) fn softmin(
        &mut self,
        engine: &Engine,
        onto: Side,
        rate: f64,
        bias: &Array,
        out: &mut Array,
    ) -> Result<bool> {
        let Some((kept_rate, kept)) = &self.kept else { return Ok(false) };
        if *kept_rate == rate {
            let (bias, out) = (bias.host()?, out.host_mut()?);
            let name = "linear/softmin_points";
            if engine.run_twin(name, || kept.softmin(onto == Side::Rows, bias, out))? {
                return Ok(true);
            }
            self.patience = (2 * self.patience).clamp(Self::USUAL, Self::MOST_PATIENCE);
        }
        (self.kept, self.calls) = (None, 0);
        Ok(false)
    }

    /// After a softmin that was computed from points: true where it is time to keep exponentials.
    pub(super) fn pays(&mut self, rate: f64) -> bool {
        if self.rate != rate {
            (self.rate, self.calls, self.patience) = (rate, 0, 0);
        }
        self.calls += 1;
        self.calls > Self::USUAL + self.patience
    }

    /// Nothing is kept for a long while.
    pub(super) fn give_up(&mut self) {
        (self.kept, self.calls, self.patience) = (None, 0, Self::MOST_PATIENCE);
    }

    /// Keeps the exponentials of these anchors.
    ///
    /// # Errors
    /// [`crate::Error::Limit`] where there is no room for them, and as much again for what may come.
    pub(super) fn keep(
        &mut self,
        engine: &Engine,
        rate: f64,
        rows: Vec<f64>,
        columns: Vec<f64>,
        costs: impl Fn(usize, &mut [f64]) + Sync,
    ) -> Result<()> {
        // Anchors as large as the logarithm of zero would swallow the costs.
        if rows.iter().chain(&columns).any(|anchor| anchor.abs() > NEARLY_NOTHING.abs()) {
            self.give_up();
            return Ok(());
        }
        let bytes = engine.bytes_per_number() * (rows.len() * columns.len()) as u64;
        engine.require("exponentials", 2 * bytes, "let them be computed anew")?;
        self.kept = Some((rate, Absorbed::new(engine, rate, rows, columns, costs)?));
        self.calls = 0;
        Ok(())
    }
}
