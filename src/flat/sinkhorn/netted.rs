//! What two clouds have in common cancels.

use std::collections::HashMap;

use ndarray::{Array2, Axis};

use super::pairs::Centred;
use crate::flat::Cloud;

/// Two clouds without the mass that they have at the same places, which the distance does not
/// depend on, without points that have no mass then, and in an order that does not depend on which
/// of them came first.
pub(super) struct Netted {
    /// Which points of each cloud are left, in the order that they were given in.
    pub kept: [Vec<usize>; 2],
    /// Their masses.
    masses: [Vec<f64>; 2],
    /// The second cloud comes first.
    swapped: bool,
}

impl Netted {
    pub(super) fn new(a: &Cloud, b: &Cloud) -> Self {
        let mut places: HashMap<Vec<u64>, [f64; 2]> = HashMap::new();
        let key = |cloud: &Cloud, point: usize| -> Vec<u64> {
            // Zero has two signs.
            cloud.points().row(point).iter().map(|x| (x + 0.0).to_bits()).collect()
        };
        for (side, cloud) in [a, b].into_iter().enumerate() {
            for (point, &mass) in cloud.weights().iter().enumerate() {
                places.entry(key(cloud, point)).or_default()[side] += mass;
            }
        }
        let left = |side: usize, cloud: &Cloud| -> (Vec<usize>, Vec<f64>) {
            let masses = cloud.weights().iter().enumerate().map(|(point, &mass)| {
                let sums = places[&key(cloud, point)];
                let [own, other] = [sums[side], sums[1 - side]];
                let share = if other > 0.0 { (own - other).max(0.0) / own } else { 1.0 };
                (point, if mass > 0.0 { mass * share } else { 0.0 })
            });
            masses.filter(|(_, mass)| *mass > 0.0).unzip()
        };
        let [(kept_a, masses_a), (kept_b, masses_b)] = [left(0, a), left(1, b)];
        let swapped = comes_later(a, b);
        Self { kept: [kept_a, kept_b], masses: [masses_a, masses_b], swapped }
    }

    /// The masses that are left of both clouds.
    pub(super) fn left(&self) -> [f64; 2] {
        [0, 1].map(|side| self.masses[side].iter().sum())
    }

    /// The cloud on one side of the pair.
    pub(super) fn cloud_on(&self, side: usize) -> usize {
        if self.swapped { 1 - side } else { side }
    }

    /// What to solve; both clouds have mass left.
    pub(super) fn pair(&self, clouds: [&Cloud; 2]) -> Centred {
        let order = [self.cloud_on(0), self.cloud_on(1)];
        let points = order.map(|cloud| -> Array2<f64> {
            clouds[cloud].points().select(Axis(0), &self.kept[cloud])
        });
        Centred::new(points, order.map(|cloud| self.masses[cloud].clone()))
    }
}

/// An order of clouds: by size, then by numbers.
fn comes_later(a: &Cloud, b: &Cloud) -> bool {
    let numbers = |cloud: &Cloud| -> Vec<f64> {
        cloud.weights().iter().chain(cloud.points()).copied().collect()
    };
    let (first, second) = (numbers(a), numbers(b));
    let mut differences = first.iter().zip(&second).map(|(x, y)| x.total_cmp(y));
    let lengths = first.len().cmp(&second.len());
    lengths.then_with(|| differences.find(|order| order.is_ne()).unwrap_or(lengths)).is_gt()
}
