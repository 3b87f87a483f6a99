//! Bounds of many pairs at once, out of their potentials.

use super::pairs::{Pairs, log};
use crate::error::Result;
use crate::kernels::{NEARLY_NOTHING, NOTHING};
use crate::numeric::compensated_sum;

/// Sweeps that put what rounding left of the masses into what room it left.
const REFILLS: usize = 3;
/// Left-over mass, of a smaller mass of 1, that is not worth another sweep.
const CRUMBS: f64 = 1e-9;

/// Lower bounds and the potentials that attain them.
pub(super) struct Lower {
    pub values: Vec<f64>,
    pub potentials: [Vec<f64>; 2],
}

impl Pairs {
    /// Lower bounds of the pairs that run: three c-transforms, each the softmin at an epsilon that
    /// is next to zero and with masses of one, which is at most the minimum.
    pub(super) fn lower(&mut self) -> Result<Lower> {
        let rate = self.sharpness();
        let [_, psi] = self.potentials()?;
        let mut potentials = [Vec::new(), psi];
        for onto in [0, 1, 0] {
            let sent: Vec<f64> = potentials[1 - onto].iter().map(|value| value * rate).collect();
            let message = self.softmin(onto, &sent, rate)?;
            potentials[onto] =
                message.into_iter().map(|value| (-value / rate).clamp(-1.0, 1.0)).collect();
        }
        let attained = |pair: usize| {
            let terms = self.sides.iter().zip(&potentials).flat_map(|(side, potential)| {
                let range = side.range(pair);
                side.masses[range.clone()].iter().zip(&potential[range])
            });
            compensated_sum(terms.map(|(mass, value)| mass * value))
        };
        let values = (0..self.count()).map(attained).collect();
        Ok(Lower { values, potentials })
    }

    /// Upper bounds of the pairs that run: the cost of the plan a_i b_j exp((phi_i + psi_j - d_ij) /
    /// epsilon), whose entries further than 2 are dropped, whose rows and then columns are scaled
    /// down to the masses, and which then takes what is left of these along the softmin at twice the
    /// epsilon.
    pub(crate) fn upper(&mut self, epsilon: f64, running: &[bool]) -> Result<Vec<f64>> {
        let potentials = self.potentials()?;
        let mut left = [0, 1].map(|side| self.sides[side].masses.clone());
        let mut values = self.totals().to_vec();
        let mut filling = running.to_vec();
        for sweep in 0..=REFILLS {
            let rate = if sweep == 0 { 1.0 } else { 0.5 } / epsilon;
            self.run_only(&filling)?;
            self.pour(rate, sweep > 0, &potentials, &filling, &mut left, &mut values)?;
            for (pair, filling) in filling.iter_mut().enumerate() {
                *filling &= (0..2).all(|side| {
                    left[side][self.sides[side].range(pair)].iter().sum::<f64>() > CRUMBS
                });
            }
            if !filling.contains(&true) {
                break;
            }
        }
        self.run_only(running)?;
        Ok(values)
    }

    /// Moves mass from rows to columns along exp(potentials - rate d): no more than is left in a
    /// row, and where `all` is set exactly that; no more than fits into a column. Takes it from what
    /// is left, and adds moved mass times d - 2 to the values.
    fn pour(
        &mut self,
        rate: f64,
        all: bool,
        potentials: &[Vec<f64>; 2],
        pairs: &[bool],
        left: &mut [Vec<f64>; 2],
        values: &mut [f64],
    ) -> Result<()> {
        let [mut rows, mut cols] = [0, 1].map(|side: usize| -> Vec<f64> {
            let terms = potentials[side].iter().zip(&left[side]);
            terms.map(|(value, &mass)| (log(mass) + rate * value).max(NOTHING)).collect()
        });
        let (reached, _) = self.plan(0, &cols, rate)?;
        for i in self.sides[0].points_of(pairs) {
            let excess = rows[i] + reached[i] - log(left[0][i]);
            rows[i] = match rows[i].min(reached[i]) < NEARLY_NOTHING {
                true => NOTHING,
                false if all => rows[i] - excess,
                false => rows[i] - excess.max(0.0),
            };
        }
        let (reached, _) = self.plan(1, &rows, rate)?;
        for j in self.sides[1].points_of(pairs) {
            let excess = cols[j] + reached[j] - log(left[1][j]);
            cols[j] = (cols[j] - excess.max(0.0)).max(NOTHING);
            left[1][j] = (left[1][j] - (cols[j] + reached[j]).exp()).max(0.0);
        }
        let (reached, mean) = self.plan(0, &cols, rate)?;
        for pair in (0..pairs.len()).filter(|&pair| pairs[pair]) {
            let mut saved = Vec::new();
            for i in self.sides[0].range(pair) {
                let moved = (rows[i] + reached[i]).exp().min(left[0][i]);
                left[0][i] -= moved;
                saved.push(moved * mean[i]);
            }
            values[pair] += compensated_sum(saved.iter().copied());
        }
        Ok(())
    }
}
