//! Joint laws and points from files.

use std::path::Path;

use gaspard::dynamic::{JointLaw, Places};
use gaspard::io::{npy, npz};
use gaspard::{Engine, Error, Result};
use ndarray::{Array2, ArrayD, Axis, Ix2};

use crate::cli::inputs;

/// A joint law (cells, points): a matrix, or its compressed rows.
pub(super) fn read(path: &Path, host: &Engine) -> Result<JointLaw> {
    if path.extension().is_some_and(|ending| ending == "npz") {
        let names = ["data", "indices", "indptr", "shape"];
        let [data, indices, indptr, shape] = npz::read_named(path, names)?;
        let whole = |array: &ArrayD<f64>, name: &str| -> Result<Vec<usize>> {
            let all = array.iter().map(|&number| {
                let is_index = number >= 0.0 && number.fract() == 0.0 && number < 2f64.powi(53);
                is_index.then_some(number as usize)
            });
            all.collect::<Option<_>>().ok_or_else(|| {
                let problem = format!("{name:?} has numbers that count nothing");
                Error::file(path, problem)
            })
        };
        let [cells, points] = *whole(&shape, "shape")? else {
            return Err(Error::file(path, "its shape is not that of a matrix"));
        };
        inputs::require_room(host, &format!("the points of {}", path.display()), &[points])?;
        let (indices, indptr) = (whole(&indices, "indices")?, whole(&indptr, "indptr")?);
        if indptr.len() != cells + 1 {
            let problem = "its rows are not those of its shape; save a csr_matrix";
            return Err(Error::file(path, problem));
        }
        let data: Vec<f64> = data.iter().copied().collect();
        return JointLaw::compressed(&data, &indices, &indptr, points);
    }
    JointLaw::joint(matrix(path)?.view())
}

/// Points (points, d), or (points,) on a line.
pub(super) fn read_points(path: &Path) -> Result<Places> {
    Ok(Places::Points(matrix(path)?))
}

fn matrix(path: &Path) -> Result<Array2<f64>> {
    let mut array = npy::read(path)?;
    if array.ndim() == 1 {
        array = array.insert_axis(Axis(1));
    }
    let found = format!("{:?}", array.shape());
    let expected = "a matrix".to_owned();
    array
        .into_dimensionality::<Ix2>()
        .map_err(|_| Error::shape(path.display().to_string(), expected, found))
}
