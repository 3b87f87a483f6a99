//! The spaces that figures are made of.

use std::path::{Path, PathBuf};

use gaspard::gromov::{GridSpace, Space};
use gaspard::io::image::{Mass, read_density};
use gaspard::io::npy;
use gaspard::{Error, Result};
use ndarray::{Array2, Ix2};

use crate::Inputs;

pub fn file(inputs: &Inputs<'_>, name: &str) -> PathBuf {
    inputs.options.data.as_deref().unwrap_or(Path::new("")).join(format!("{name}.npy"))
}

fn read_picture(path: &Path) -> Result<Array2<f64>> {
    npy::read(path)?.into_dimensionality::<Ix2>().map_err(|error| Error::file(path, error))
}

/// Spade and heart, or two shapes of our own, on so many cells a side at most.
pub fn pair_of_shapes(inputs: &Inputs<'_>, side: usize) -> Result<[Space; 2]> {
    let spaces = spaces(inputs, side, &["spade", "heart"], &["star", "heart"])?;
    Ok([spaces[0].clone(), spaces[1].clone()])
}

/// The paper's inputs, or else our own shapes, as spaces.
pub fn spaces(
    inputs: &Inputs<'_>,
    side: usize,
    paper: &[&str],
    own: &[&str],
) -> Result<Vec<Space>> {
    let densities = densities(inputs, side, paper, own)?;
    densities.iter().map(|density| Ok(GridSpace::plane(density.view())?.space)).collect()
}

/// The paper's inputs, or else our own shapes, on so many cells a side at most.
pub fn densities(
    inputs: &Inputs<'_>,
    side: usize,
    paper: &[&str],
    own: &[&str],
) -> Result<Vec<Array2<f64>>> {
    let all: Vec<Array2<f64>> = if inputs.options.data.is_some() {
        paper.iter().map(|name| read_picture(&file(inputs, name))).collect::<Result<_>>()?
    } else {
        let shape = |name: &&str| {
            let path = format!("{}/examples/shapes/{name}.png", env!("CARGO_MANIFEST_DIR"));
            read_density(path, Mass::Light)
        };
        own.iter().map(shape).collect::<Result<_>>()?
    };
    Ok(all.iter().map(|density| resized(density, side)).collect())
}

/// Pictures with the labels of their pixels, as they are.
pub fn labelled_pictures(inputs: &Inputs<'_>, names: [&str; 2]) -> Result<Vec<GridSpace>> {
    let read = |name: &str| -> Result<GridSpace> {
        let picture = GridSpace::plane(read_picture(&file(inputs, name))?.view())?;
        let labels = read_picture(&file(inputs, &format!("{name}_labels")))?;
        let flat: Vec<f64> = labels.iter().copied().collect();
        let labels = picture.cells.iter().map(|&cell| flat[cell] as usize).collect();
        Ok(GridSpace { space: picture.space.clone().labelled(labels), ..picture })
    };
    names.into_iter().map(read).collect()
}

/// The mass of a density on a grid of so many cells a side, or as it is if that is larger.
fn resized(density: &Array2<f64>, side: usize) -> Array2<f64> {
    let (rows, columns) = density.dim();
    if rows.max(columns) <= side {
        return density.clone();
    }
    let mut small = Array2::zeros((side, side));
    let fine = 4 * side;
    for i in 0..fine {
        for j in 0..fine {
            small[[i / 4, j / 4]] += density[[i * rows / fine, j * columns / fine]];
        }
    }
    small
}
