//! A density as it was asked for.

use std::path::Path;

use gaspard::dynamic::Domain;
use gaspard::{Error, Result};
use ndarray::ArrayD;

use super::super::inputs::Input;
use super::super::options::MassOption;

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

    /// On these cells. Pictures and Gaussians have mean 1; arrays keep their mass.
    pub(in crate::cli) fn on(self, domain: &Domain) -> Result<ArrayD<f64>> {
        let (density, has_unit) = match self {
            Self::File(input) => {
                let shape = input.values.shape().to_vec();
                if shape.len() != domain.dimension() {
                    let expected = format!("{} axes, as --grid has them", domain.dimension());
                    return Err(Error::shape(input.name(), expected, format!("{shape:?}")));
                }
                let values = input.density()?.weights().to_vec();
                let values = ArrayD::from_shape_vec(shape, values).expect("as many as it has");
                (domain.resampled(values.view())?, !input.is_picture)
            }
            Self::Gaussian { centre, width } => {
                if centre.len() != domain.dimension() {
                    let expected = format!("{} coordinates and a width", domain.dimension());
                    return Err(Error::shape("gaussian", expected, centre.len().to_string()));
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
