//! Densities on other cells.

use ndarray::{ArrayD, ArrayViewD, Axis};

/// A density on so many other cells along each axis of the same box: each gets the mean of what it
/// overlaps, so that the mass of densities is kept. There are as many axes as before.
///
/// ```
/// use gaspard::geometry::resampled;
/// use ndarray::array;
/// let halves = resampled(array![3.0, 6.0, 0.0].view().into_dyn(), &[2]);
/// assert_eq!(halves, array![4.0, 2.0].into_dyn());
/// ```
///
/// # Panics
/// Where `cells` has fewer numbers than the density has axes.
pub fn resampled(density: ArrayViewD<'_, f64>, cells: &[usize]) -> ArrayD<f64> {
    let mut values = density.to_owned();
    for axis in 0..density.ndim() {
        let (before, cells) = (values.shape()[axis], cells[axis]);
        if before == cells || before == 0 {
            continue;
        }
        let mut shape = values.shape().to_vec();
        shape[axis] = cells;
        let mut next = ArrayD::zeros(shape);
        for (cell, mut out) in next.axis_iter_mut(Axis(axis)).enumerate() {
            // Its borders, in cells of before.
            let border = |cell: usize| cell as f64 * before as f64 / cells as f64;
            let (low, high) = (border(cell), border(cell + 1));
            for old in low.floor() as usize..(high.ceil() as usize).min(before) {
                let overlap = high.min(old as f64 + 1.0) - low.max(old as f64);
                if overlap > 0.0 {
                    out.scaled_add(overlap / (high - low), &values.index_axis(Axis(axis), old));
                }
            }
        }
        values = next;
    }
    values
}
