//! A density as it was asked for.

use std::path::Path;

use gaspard::dynamic::Domain;
use gaspard::{Error, Result};
use ndarray::ArrayD;

use super::super::inputs::Input;
use super::super::options::MassOption;

/// What to do where densities and the grid have different axes.
const STEPS_LAST: &str = "give as many axes as --grid has before its last number, which is that of the \
                          steps of time: 16x16x32 is a square in 32 steps";

/// A density as it was asked for.
pub(in crate::cli) enum Source {
    Gaussian { centre: Vec<f64>, width: f64 },
    File(Input),
}

impl Source {
    pub(in crate::cli) fn read(text: &str, mass: MassOption) -> Result<Self> {
        let Some(numbers) = text.strip_prefix("gaussian:") else {
            return Ok(Self::File(Input::read(Path::new(text), mass.into())?));
        };
        let parsed: Option<Vec<f64>> =
            numbers.split(',').map(|number| number.trim().parse().ok()).collect();
        match parsed.as_deref() {
            Some([centre @ .., width]) if !centre.is_empty() && *width > 0.0 => {
                Ok(Self::Gaussian { centre: centre.to_vec(), width: *width })
            }
            _ => Err(Error::parameter(
                "a density",
                format!("{text} is not a centre and a positive width"),
                "give gaussian:X,S on a line, gaussian:X,Y,S on a square",
            )),
        }
    }

    /// The cells of a file.
    pub(super) fn cells(&self) -> Option<Vec<usize>> {
        match self {
            Self::Gaussian { .. } => None,
            Self::File(input) => Some(input.values.shape().to_vec()),
        }
    }

    /// On these cells. Pictures and Gaussians have mean 1; arrays keep their mass unless they are to be
    /// scaled too.
    pub(in crate::cli) fn on(self, domain: &Domain, normalise: bool) -> Result<ArrayD<f64>> {
        let (density, has_unit) = match self {
            Self::File(input) => {
                let shape = input.values.shape().to_vec();
                if shape.len() != domain.dimension() {
                    let axes = domain.dimension();
                    let problem =
                        format!("it has shape {shape:?}, and --grid {axes} axes of space");
                    return Err(Error::data(input.name(), problem, STEPS_LAST));
                }
                let values = input.density()?.weights().to_vec();
                let values = ArrayD::from_shape_vec(shape, values).expect("as many as it has");
                (domain.resampled(values.view())?, !(input.is_picture || normalise))
            }
            Self::Gaussian { centre, width } => {
                if centre.len() != domain.dimension() {
                    let (found, axes) = (centre.len(), domain.dimension());
                    let problem =
                        format!("a centre of {found} numbers where space has {axes} coordinates");
                    return Err(Error::data("gaussian", problem, STEPS_LAST));
                }
                let density = domain.density(|x| {
                    let parts = x.iter().zip(&centre).map(|(x, c)| (x - c) * (x - c));
                    (-parts.sum::<f64>() / (2.0 * width * width)).exp()
                });
                (density, false)
            }
        };
        let cells: Vec<usize> = domain.cells().to_vec();
        let density = density.into_shape_with_order(cells).expect("as many values as cells");
        let mean = density.mean().unwrap_or(0.0);
        Ok(if has_unit || mean == 0.0 { density } else { density / mean })
    }
}
