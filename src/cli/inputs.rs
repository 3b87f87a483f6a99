//! Inputs: pictures, densities, points and weights, each refused by name where it is unusable.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use gaspard::geometry::sphere;
use gaspard::io::image::{Mass, read_density};
use gaspard::io::npy;
use gaspard::{Engine, Error, Measure, Result, Support};
use ndarray::{Array1, Array2, ArrayD, Ix1, Ix2};
use serde::de::DeserializeOwned;

/// A description or a list longer than this is something else.
const MOST_BYTES_OF_TEXT: u64 = 1 << 30;

/// An array, and where it is from.
#[derive(Clone, Debug)]
pub(super) struct Input {
    pub path: PathBuf,
    pub values: ArrayD<f64>,
    /// True for a picture: its values are in [0, 1], and have no unit.
    pub is_picture: bool,
}

impl Input {
    /// Reads a `.npy` array, or else a picture.
    pub(super) fn read(path: &Path, mass: Mass) -> Result<Self> {
        let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        let is_picture = ending != "npy";
        let values = match ending.as_str() {
            "npy" => npy::read(path)?,
            "npz" => {
                let problem = "it is an archive of arrays; save the one that is meant as .npy";
                return Err(Error::file(path, problem));
            }
            "csv" | "tsv" | "txt" | "dat" | "mat" | "h5" | "json" if path.is_file() => {
                let problem = "neither an array nor a picture; save it as .npy with numpy.save";
                return Err(Error::file(path, problem));
            }
            _ => read_density(path, mass)?.into_dyn(),
        };
        let input = Self { path: path.to_owned(), values, is_picture };
        if input.values.is_empty() {
            let problem = format!("it is empty (shape {:?})", input.values.shape());
            return Err(Error::data(input.name(), problem, "give at least one point or cell"));
        }
        Ok(input)
    }

    /// What errors call it.
    pub(super) fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// Its shape for people: `20 x 30`.
    pub(super) fn sides(&self) -> String {
        let sides: Vec<_> = self.values.shape().iter().map(usize::to_string).collect();
        sides.join(" x ")
    }

    /// Its length along an axis, if it has two axes.
    pub(super) fn matrix_side(&self, axis: usize) -> Option<usize> {
        (self.values.ndim() == 2).then(|| self.values.shape()[axis])
    }

    /// A density on the unit grid of the array's shape. Pictures get mass 1, arrays keep theirs.
    pub(super) fn density(&self) -> Result<Measure> {
        if self.is_picture && self.values.iter().all(|&value| value == 0.0) {
            return Err(Error::data(
                self.name(),
                "it has no mass: no pixel carries any",
                "choose which pixels do with --mass light, dark or alpha",
            ));
        }
        let measure = Measure::density(&self.name(), self.values.view())?;
        Ok(if self.is_picture { measure.normalised() } else { measure })
    }

    /// Points (n, d), one a row; an array of one axis is points on a line.
    pub(super) fn points(self) -> Result<Array2<f64>> {
        let name = self.name();
        let points = match self.values.ndim() {
            1 => self.values.insert_axis(ndarray::Axis(1)),
            _ => self.values,
        };
        let shape = format!("{:?}", points.shape());
        let points = points.into_dimensionality::<Ix2>().map_err(|_| {
            Error::shape(&name, "points of shape [points, dimension]", format!("shape {shape}"))
        })?;
        match points.indexed_iter().find(|(_, value)| !value.is_finite()) {
            None => Ok(points),
            Some(((point, _), value)) => Err(Error::data(
                name,
                format!("a coordinate of point {point} is {value}"),
                "remove such points, or give them finite places",
            )),
        }
    }

    /// Weights, one a point.
    pub(super) fn weights(self) -> Result<Array1<f64>> {
        let (name, shape) = (self.name(), format!("{:?}", self.values.shape()));
        self.values.into_dimensionality::<Ix1>().map_err(|_| {
            Error::shape(name, "weights, an array of one axis", format!("shape {shape}"))
        })
    }
}

/// Arrays of two axes with at most so many columns are points: nobody has pictures that narrow,
/// and few have points of more dimensions.
const MOST_COLUMNS_OF_POINTS: usize = 16;

/// True for an array that is rather points than a density.
pub(super) fn looks_like_points(input: &Input) -> bool {
    let few_columns = |columns| columns <= MOST_COLUMNS_OF_POINTS;
    !input.is_picture
        && input.matrix_side(1).is_some_and(|columns| {
            few_columns(columns) || input.values.iter().any(|&value| value < 0.0)
        })
}

/// True for an array that hardly anybody would mean as a density: many rows of two or three numbers.
pub(super) fn looks_like_places(input: &Input) -> bool {
    !input.is_picture
        && input.matrix_side(1).is_some_and(|columns| columns <= 3)
        && input.matrix_side(0).is_some_and(|rows| rows >= 12)
}

/// Weights from a file.
pub(super) fn read_weights(path: &Path) -> Result<Array1<f64>> {
    Input::read(path, Mass::default())?.weights()
}

/// Points from a file.
pub(super) fn read_points(path: &Path) -> Result<Array2<f64>> {
    Input::read(path, Mass::default())?.points()
}

/// The text in a file that is no longer than any is; `expected` is what to say where there is none.
pub(super) fn read_text(path: &Path, expected: &str) -> Result<String> {
    let problem = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound => Error::file(path, "no such file; check the path"),
        ErrorKind::InvalidData => Error::file(path, expected),
        _ => Error::file(path, format!("cannot be read: {error}")),
    };
    let found = std::fs::metadata(path).map_err(problem)?;
    if !found.is_file() || found.len() > MOST_BYTES_OF_TEXT {
        return Err(Error::file(path, expected));
    }
    std::fs::read_to_string(path).map_err(problem)
}

/// A description in JSON.
pub(super) fn read_json<T: DeserializeOwned>(path: &Path, of_what: &str) -> Result<T> {
    let text = read_text(path, "not a description in JSON; give a JSON file")?;
    serde_json::from_str(&text)
        .map_err(|error| Error::file(path, format!("{error}: not the description of {of_what}")))
}

/// Refuses points or cells along these axes before anything is made for them, where there is no
/// room: what a description asks for has no file behind it that is as large.
pub(super) fn require_room(host: &Engine, what: &str, axes: &[usize]) -> Result<()> {
    /// Places and weights, and copies of both.
    const BYTES: u64 = 64;
    let needed = axes.iter().fold(BYTES, |bytes, &side| bytes.saturating_mul(side as u64));
    host.require(what, needed, "ask for fewer points or cells")
}

/// A matrix of costs from a file, if there is room for it.
pub(super) fn read_costs(path: &Path, host: &Engine) -> Result<Array2<f64>> {
    let needed =
        npy::shape(path)?.iter().fold(8_u64, |bytes, &side| bytes.saturating_mul(side as u64));
    host.require(
        &format!("the cost matrix {}", path.display()),
        needed,
        "give points or densities instead, whose costs are never stored",
    )?;
    let input = Input::read(path, Mass::default())?;
    let (name, shape) = (input.name(), format!("{:?}", input.values.shape()));
    let costs = input
        .values
        .into_dimensionality::<Ix2>()
        .map_err(|_| Error::shape(&name, "a matrix of costs", format!("shape {shape}")))?;
    let unusable = |cost: &f64| cost.is_nan() || *cost == f64::NEG_INFINITY;
    match costs.indexed_iter().find(|(_, cost)| unusable(cost)) {
        None => Ok(costs),
        Some(((row, column), cost)) => Err(Error::data(
            name,
            format!("the cost in row {row}, column {column} is {cost}"),
            "costs are finite, or infinite to forbid a pair",
        )),
    }
}

/// Points on the sphere from rows of latitude and longitude in degrees.
pub(super) fn on_sphere(name: &str, points: &Array2<f64>) -> Result<Support> {
    if points.ncols() != 2 {
        return Err(Error::shape(
            name,
            "latitude and longitude, two columns",
            format!("{} columns", points.ncols()),
        ));
    }
    sphere::points(points.column(0), points.column(1))
}

/// Weights on a support: those given, else 1/n on each point.
pub(super) fn weighted(
    name: &str,
    weights: Option<Array1<f64>>,
    support: Support,
) -> Result<Measure> {
    let count = support.len();
    let weights = weights.unwrap_or_else(|| Array1::from_elem(count, 1.0 / count as f64));
    Measure::new(name, weights, support)
}
