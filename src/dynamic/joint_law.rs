//! Joint laws of the cells of the primary space and the points of another.

use ndarray::{ArrayView2, Axis};

use super::{Bins, Map};
use crate::error::{Error, Result};
use crate::kernels::dynamic::law_product::Sparse;

/// How a density in another space follows from that in the primary one: for every cell a law of
/// the points of the other space, S(j | i) = P_ij / sum_j P_ij (paper section 3.2).
///
/// ```
/// use gaspard::dynamic::JointLaw;
/// use ndarray::array;
/// // Two cells; the first one leads to both points alike, the second one to the last.
/// let law = JointLaw::joint(array![[0.2, 0.2], [0.0, 0.6]].view())?;
/// assert_eq!(law.apply(&[0.5, 0.5]), [0.25, 0.75]);
/// # Ok::<(), gaspard::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct JointLaw {
    /// S^T: a row for every cell, whose entries sum to 1.
    given: Sparse,
    /// S: a row for every point.
    onto: Sparse,
}

impl JointLaw {
    /// From a joint law as a matrix (cells, points) of numbers from 0 up; cells are in row-major
    /// order. Rows are scaled to sum 1: a Markov kernel is as good.
    ///
    /// # Errors
    /// [`Error::Data`] for entries that are negative or not finite, and for a cell without mass:
    /// nothing would say where what is there has to go.
    pub fn joint(law: ArrayView2<'_, f64>) -> Result<Self> {
        let mut given =
            Sparse { starts: vec![0], columns: vec![], weights: vec![], width: law.ncols() };
        for row in law.axis_iter(Axis(0)) {
            for (column, &weight) in row.iter().enumerate() {
                if weight != 0.0 {
                    given.columns.push(column as u32);
                    given.weights.push(weight);
                }
            }
            given.starts.push(given.columns.len() as u32);
        }
        Self::new(given)
    }

    /// From a joint law in compressed rows, as `scipy.sparse.csr_matrix` stores it: the entries of
    /// row i are those from `indptr[i]` to `indptr[i + 1]`.
    ///
    /// # Errors
    /// [`Error::Data`] for arrays that are no such matrix, else as [`JointLaw::joint`].
    pub fn compressed(
        data: &[f64],
        indices: &[usize],
        indptr: &[usize],
        points: usize,
    ) -> Result<Self> {
        let rising = indptr.windows(2).all(|pair| pair[0] <= pair[1]);
        let whole = indptr.first() == Some(&0) && indptr.last() == Some(&data.len());
        let within = indices.iter().all(|index| *index < points);
        if !(rising && whole && within && indices.len() == data.len()) {
            let problem = "its arrays are not those of a matrix in compressed rows";
            return Err(Error::data("a law", problem, "save it by scipy.sparse.save_npz"));
        }
        let narrow = |numbers: &[usize]| numbers.iter().map(|number| *number as u32).collect();
        if data.len().max(points) > u32::MAX as usize {
            return Err(too_large());
        }
        Self::new(Sparse {
            starts: narrow(indptr),
            columns: narrow(indices),
            weights: data.to_vec(),
            width: points,
        })
    }

    /// Every cell leads to a point of its own: the points are where a map takes the cells.
    pub fn identity(cells: usize) -> Self {
        let all = Sparse {
            starts: (0..=cells as u32).collect(),
            columns: (0..cells as u32).collect(),
            weights: vec![1.0; cells],
            width: cells,
        };
        Self { onto: all.clone(), given: all }
    }

    /// Every cell leads where a map takes it, linearly to the nearest centres of bins.
    ///
    /// # Errors
    /// [`Error::Shape`] where the map has another dimension than the bins.
    pub fn deposit(map: &Map, bins: &Bins) -> Result<Self> {
        if map.dimension() != bins.counts().len() {
            let expected = format!("{} coordinates, as the bins have", bins.counts().len());
            return Err(Error::shape("a map", expected, map.dimension().to_string()));
        }
        let mut given =
            Sparse { starts: vec![0], columns: vec![], weights: vec![], width: bins.len() };
        for point in map.values().rows() {
            for (bin, share) in bins.shares(point) {
                given.columns.push(bin as u32);
                given.weights.push(share);
            }
            given.starts.push(given.columns.len() as u32);
        }
        Self::new(given)
    }

    fn new(mut given: Sparse) -> Result<Self> {
        // Places in a law are numbers of 32 bits.
        if given.columns.len().max(given.width) > u32::MAX as usize {
            return Err(too_large());
        }
        for row in 0..given.rows() {
            let range = given.starts[row] as usize..given.starts[row + 1] as usize;
            let weights = &mut given.weights[range];
            if let Some(weight) = weights.iter().find(|weight| weight.is_nan() || **weight < 0.0) {
                let problem = format!("an entry of cell {row} is {weight}");
                return Err(Error::data("a law", problem, "give numbers from 0 up"));
            }
            let sum: f64 = weights.iter().sum();
            if !(sum > 0.0 && sum.is_finite()) {
                let problem = match sum > 0.0 {
                    true => format!("the entries of cell {row} are not finite"),
                    false => format!("cell {row} leads nowhere: its row is zero"),
                };
                let remedy = "give every cell a law: mass may come through all of them";
                return Err(Error::data("a law", problem, remedy));
            }
            weights.iter_mut().for_each(|weight| *weight /= sum);
        }
        if given.rows() == 0 {
            return Err(Error::data("a law", "it has no cells", "give a row for every cell"));
        }
        Ok(Self { onto: given.transposed(), given })
    }

    /// Cells of the primary space.
    pub fn cells(&self) -> usize {
        self.given.rows()
    }

    /// Points of the other space.
    pub fn points(&self) -> usize {
        self.given.width
    }

    /// Masses of the points from masses of the cells: S a.
    ///
    /// # Panics
    /// For another number of masses than that of the cells.
    pub fn apply(&self, masses: &[f64]) -> Vec<f64> {
        assert_eq!(masses.len(), self.cells(), "a mass for every cell");
        self.onto.times(masses)
    }

    /// S and S^T for densities of mean 1 on both sides.
    pub(super) fn on_densities(&self) -> (Sparse, Sparse) {
        let ratio = self.points() as f64 / self.cells() as f64;
        (self.onto.clone().scaled(ratio), self.given.clone().scaled(ratio))
    }

    /// S and S^T for masses.
    pub(super) fn on_masses(&self) -> (&Sparse, &Sparse) {
        (&self.onto, &self.given)
    }
}

fn too_large() -> Error {
    Error::data("a law", "it has more than 2^32 entries or points", "use a coarser one")
}

/// The square of the largest singular value of a matrix, by power iteration on S^T S: the vectors
/// are positive, so that the start is not orthogonal to the one that is sought. A little is added
/// for what is left to converge.
pub(super) fn squared_norm(onto: &Sparse, given: &Sparse) -> f64 {
    const ITERATIONS: usize = 60;
    let mut vector = vec![1.0; onto.width];
    let mut square = 0.0;
    for _ in 0..ITERATIONS {
        let next = given.times(&onto.times(&vector));
        let length = next.iter().map(|x| x * x).sum::<f64>().sqrt();
        square = length / vector.iter().map(|x| x * x).sum::<f64>().sqrt();
        vector = next.into_iter().map(|x| x / length).collect();
    }
    1.02 * square
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dynamic::Domain;
    use ndarray::{Array2, array};

    #[test]
    fn columns_keep_the_mass() {
        let law = JointLaw::joint(array![[1.0, 2.0, 1.0], [0.0, 0.0, 0.3]].view()).unwrap();
        assert_eq!(law.apply(&[1.0, 0.0]), [0.25, 0.5, 0.25]);
        assert_eq!(law.apply(&[0.0, 2.0]), [0.0, 0.0, 2.0]);
        let same =
            JointLaw::compressed(&[1.0, 2.0, 1.0, 0.3], &[0, 1, 2, 2], &[0, 3, 4], 3).unwrap();
        assert_eq!(law, same);
    }

    #[test]
    fn laws_that_say_nothing_of_a_cell_are_refused() {
        for law in [
            array![[1.0, 0.0], [0.0, 0.0]],
            array![[1.0, -1.0], [0.0, 1.0]],
            array![[1.0, f64::NAN], [0.0, 1.0]],
            array![[f64::INFINITY, 1.0], [0.0, 1.0]],
            Array2::zeros((0, 2)),
        ] {
            assert!(JointLaw::joint(law.view()).is_err(), "{law}");
        }
        assert!(JointLaw::compressed(&[1.0], &[2], &[0, 1], 2).is_err());
        assert!(JointLaw::compressed(&[1.0, 1.0], &[0, 1], &[0, 2, 1], 2).is_err());
    }

    #[test]
    fn deposits_have_the_mean_of_the_map() {
        let domain = Domain::new(&[6, 5], 4).unwrap();
        let map = Map::from_fn(&domain, |x| vec![x[0] + x[1], x[0] * x[1]]).unwrap();
        let bins = Bins::around(&map, &[7, 4]).unwrap();
        let law = JointLaw::deposit(&map, &bins).unwrap();
        let centres = bins.centres();
        for cell in 0..30 {
            let mut masses = vec![0.0; 30];
            masses[cell] = 1.0;
            let deposited = ndarray::Array1::from(law.apply(&masses));
            let mean = deposited.dot(&centres);
            for axis in 0..2 {
                assert!((mean[axis] - map.values()[[cell, axis]]).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn the_norm_bounds_what_a_law_does() {
        let law = JointLaw::joint(array![[1.0, 2.0, 1.0], [0.0, 0.5, 0.5], [1.0, 0.0, 0.0]].view());
        let (onto, given) = law.unwrap().on_densities();
        let dense = nalgebra::DMatrix::from_fn(3, 3, |j, i| {
            onto.row(j).find(|(column, _)| *column == i).map_or(0.0, |(_, weight)| weight)
        });
        let largest = dense.singular_values().max();
        let found = squared_norm(&onto, &given);
        assert!(found >= largest * largest && found < 1.05 * largest * largest, "{found}");
    }
}
