//! The box that mass moves in, and its cells.

use ndarray::{ArrayD, ArrayViewD};

use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::geometry::resampled;
use crate::kernels::dynamic::SpaceTime;

/// A box of 1, 2 or 3 dimensions with its cells, and the cells of the unit of time.
///
/// ```
/// use gaspard::dynamic::Domain;
/// let domain = Domain::new(&[64, 48], 32)?.sides(&[1.0, 0.75])?;
/// assert_eq!(domain.centre(&[0, 0]), [0.5 / 64.0, 0.5 / 64.0]);
/// # Ok::<(), gaspard::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Domain {
    pub(super) grid: SpaceTime,
    sides: Vec<f64>,
}

impl Domain {
    /// The unit box with so many cells along each axis, and so many steps of time.
    ///
    /// # Errors
    /// [`Error::Parameter`] unless there are 1 to 3 axes of at least 2 cells each, and 2 steps,
    /// and fewer than 2^48 cells in space and time.
    pub fn new(cells: &[usize], steps: usize) -> Result<Self> {
        let refusal =
            |problem: String, remedy: &str| Err(Error::parameter("grid", problem, remedy));
        if !(1..=3).contains(&cells.len()) {
            return refusal(format!("{} axes of space", cells.len()), "give 1, 2 or 3");
        }
        if let Some(axis) = cells.iter().position(|&cells| cells < 2) {
            let problem = format!("axis {axis} has {} cells", cells[axis]);
            return refusal(problem, "give every axis at least 2, or leave the axis out");
        }
        if steps < 2 {
            return refusal(format!("{steps} steps of time"), "give at least 2");
        }
        // Unknowns are counted in bytes: a few arrays of a few components each.
        let all = cells.iter().try_fold(steps, |all, &side| all.checked_mul(side));
        let Some(all) = all.filter(|all| *all <= 1 << 48) else {
            let problem = format!("{cells:?} cells and {steps} steps are too many to count");
            return refusal(problem, "use a coarser grid");
        };
        // Nothing is made on such a grid without a density at every node of time.
        Engine::cpu().require("a density", 8 * all as u64, "use a coarser grid")?;
        let grid = SpaceTime { time: steps, space: cells.to_vec() };
        Ok(Self { grid, sides: vec![1.0; cells.len()] })
    }

    /// A box with other sides than 1.
    ///
    /// # Errors
    /// [`Error::Parameter`] unless there is a positive length for every axis.
    pub fn sides(mut self, sides: &[f64]) -> Result<Self> {
        let positive = sides.iter().all(|side| *side > 0.0 && side.is_finite());
        if sides.len() != self.grid.space.len() || !positive {
            let remedy = "give a positive length for every axis of space";
            return Err(Error::parameter("sides", format!("{sides:?}"), remedy));
        }
        self.sides = sides.to_vec();
        Ok(self)
    }

    /// Cells along the axes of space.
    pub fn cells(&self) -> &[usize] {
        &self.grid.space
    }

    /// Steps of time.
    pub fn steps(&self) -> usize {
        self.grid.time
    }

    /// Axes of space.
    pub fn dimension(&self) -> usize {
        self.grid.space.len()
    }

    /// Lengths of the sides of the box.
    pub fn lengths(&self) -> &[f64] {
        &self.sides
    }

    /// The centre of a cell.
    pub fn centre(&self, cell: &[usize]) -> Vec<f64> {
        let axes = cell.iter().zip(&self.grid.space).zip(&self.sides);
        axes.map(|((&i, &cells), side)| (i as f64 + 0.5) * side / cells as f64).collect()
    }

    /// The centres of all cells in row-major order.
    pub(super) fn centres(&self) -> impl Iterator<Item = Vec<f64>> + '_ {
        ndarray::indices(self.grid.space.as_slice())
            .into_iter()
            .map(|cell| self.centre(ndarray::Dimension::slice(&cell)))
    }

    /// A density on another grid of the same box, on these cells: each gets the mean of what it
    /// overlaps, so that the mass is kept.
    ///
    /// ```
    /// use gaspard::dynamic::Domain;
    /// use ndarray::array;
    /// let domain = Domain::new(&[2], 4)?;
    /// let halves = domain.resampled(array![3.0, 6.0, 0.0].view().into_dyn())?;
    /// assert_eq!(halves, array![4.0, 2.0].into_dyn());
    /// # Ok::<(), gaspard::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Shape`] for another number of axes.
    pub fn resampled(&self, density: ArrayViewD<'_, f64>) -> Result<ArrayD<f64>> {
        if density.ndim() != self.dimension() {
            let expected = format!("{} axes", self.dimension());
            return Err(Error::shape("a density", expected, density.ndim().to_string()));
        }
        Ok(resampled(density, self.cells()))
    }

    /// Cells per unit along every axis, time first.
    pub(super) fn rates(&self) -> Vec<f64> {
        let space = self.grid.space.iter().zip(&self.sides);
        let space = space.map(|(&cells, side)| cells as f64 / side);
        [self.grid.time as f64].into_iter().chain(space).collect()
    }

    /// The share of a cell in all cells of space and time: sums over cells of what densities of mean
    /// 1 cost, times this, are the costs of a unit of mass.
    pub(super) fn cell_share(&self) -> f64 {
        1.0 / self.grid.cells() as f64
    }

    /// Refuses what is no density on these cells.
    pub(super) fn check_density(&self, name: &str, density: &ArrayViewD<'_, f64>) -> Result<()> {
        if density.shape() != self.cells() {
            let found = format!("{:?}", density.shape());
            return Err(Error::shape(name, format!("{:?}", self.cells()), found));
        }
        if let Some((place, value)) =
            density.indexed_iter().find(|(_, value)| !(**value >= 0.0 && value.is_finite()))
        {
            let place = ndarray::Dimension::slice(&place).to_vec();
            let remedy = "give densities from 0 up";
            return Err(Error::data(name, format!("the value at {place:?} is {value}"), remedy));
        }
        if density.sum() <= 0.0 {
            return Err(Error::data(name, "it has no mass", "give a density with mass"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resampling_keeps_mass_and_constants() {
        for (from, to) in [
            (vec![7], vec![3]),
            (vec![3, 8], vec![10, 5]),
            (vec![4, 4], vec![4, 4]),
            (vec![5, 6, 2], vec![2, 9, 8]),
        ] {
            let domain = Domain::new(&to, 2).unwrap();
            let mut count = 0.0;
            let density = ArrayD::from_shape_simple_fn(from.clone(), || {
                count += 1.0;
                (count * count) % 7.0
            });
            let found = domain.resampled(density.view()).unwrap();
            assert_eq!(found.shape(), to);
            let (before, after) = (density.mean().unwrap(), found.mean().unwrap());
            assert!((after / before - 1.0).abs() < 1e-12, "{from:?} {to:?}");
            let flat = domain.resampled(ArrayD::from_elem(from.clone(), 2.5).view()).unwrap();
            assert!(flat.iter().all(|value| (value - 2.5).abs() < 1e-12));
            // Where the new cells are parts of the old ones, nothing changes on the way back.
            let fine: Vec<usize> = from.iter().map(|cells| 3 * cells).collect();
            let there = Domain::new(&fine, 2).unwrap().resampled(density.view()).unwrap();
            if from.iter().all(|cells| *cells > 1) {
                let back = Domain::new(&from, 2).unwrap().resampled(there.view()).unwrap();
                assert!((back - &density).iter().all(|error| error.abs() < 1e-12));
            }
        }
        let line = Domain::new(&[4], 2).unwrap();
        assert!(line.resampled(ArrayD::zeros(vec![3, 3]).view()).is_err());
    }
}
