//! Spaces from files: pictures, fields on the sphere, points, distances; and their labels.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use gaspard::geometry::resampled;
use gaspard::gromov::{Fused, GridSpace, Space};
use gaspard::{Cost, Engine, Error, Law, Result};
use ndarray::{Array1, Array2, ArrayD};

use crate::cli::inputs::{self, Input, looks_like_points};
use crate::cli::options::{As, MassOption};

/// Labels are below this: their costs are a square matrix.
const LABELS: f64 = 65536.0;

/// `--space`: what pictures and two-dimensional arrays are pictures of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Surface {
    /// A plane: distances between pixel centres, divided by the diagonal
    #[default]
    Plane,
    /// The sphere: rows from north to south, columns along the longitudes, values per area;
    /// distances along great circles, divided by half the circumference
    Sphere,
}

/// How spaces are to be understood; the same for all inputs of a command.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Spaces")]
pub(in crate::cli) struct SpaceOptions {
    /// Which pixels of a picture carry mass
    #[arg(long, value_enum, value_name = "WHICH", default_value = "light")]
    pub mass: MassOption,
    /// What pictures are pictures of
    #[arg(long, value_enum, value_name = "WHICH", default_value = "plane")]
    pub space: Surface,
    /// How .npy arrays of two axes are read [default: as densities; in gaspard gromov, with few
    /// columns or negative numbers as points]
    #[arg(long = "as", value_enum, value_name = "WHAT")]
    pub read_as: Option<As>,
    /// Average pictures and densities down to so many cells along their longer side: the spaces of
    /// large ones have many thousand points
    #[arg(long, value_name = "CELLS", conflicts_with = "labels",
          value_parser = clap::value_parser!(u32).range(2..=100_000))]
    pub side: Option<u32>,
    /// The distance between points, or between pixels in the plane, which is 1 along the diagonal:
    /// euclidean, sqeuclidean (the fastest by far for large inputs: nothing of the size of a plan is
    /// stored) or power:P
    #[arg(long, value_name = "DISTANCE", default_value = "euclidean")]
    pub distance: Cost,
    /// What each input asks of its marginal: fixed, kl:RHO or free; once for all, or once for each
    #[arg(long, value_name = "LAW", allow_negative_numbers = true)]
    pub law: Vec<String>,
    /// Short for --law kl:RHO
    #[arg(long, value_name = "RHO", conflicts_with = "law", allow_negative_numbers = true)]
    pub rho: Option<f64>,
    /// Labels of the inputs, one file each: numbers 0, 1, ... for every pixel of a picture, or for
    /// every point
    #[arg(long, value_name = "FILE.npy", num_args = 1..)]
    pub labels: Vec<PathBuf>,
    /// The cost of matching two labels, a square matrix [default: 0 for equal, 1 for others]
    #[arg(long, value_name = "FILE.npy", requires = "labels")]
    pub label_costs: Option<PathBuf>,
    /// The share of the distances beside labels, from 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.5, allow_negative_numbers = true)]
    pub alpha: f64,
}

impl SpaceOptions {
    /// On cells that are no more than `--side` along the longer side.
    fn coarser(&self, density: Array2<f64>) -> Array2<f64> {
        let (rows, columns) = density.dim();
        let longest = rows.max(columns);
        let Some(side) = self.side.map(|side| side as usize).filter(|side| *side < longest) else {
            return density;
        };
        let cells = [rows, columns].map(|cells| (cells * side).div_ceil(longest));
        let coarser = resampled(density.view().into_dyn(), &cells);
        coarser.into_dimensionality().expect("as many axes as before")
    }

    /// The laws of so many inputs.
    pub(in crate::cli) fn laws(&self, inputs: usize) -> Result<Vec<Law>> {
        if let Some(rho) = self.rho {
            let law = Law::Kl { rho };
            law.validate("--rho")?;
            return Ok(vec![law; inputs]);
        }
        let laws = self.law.iter().map(|text| read_law(text)).collect::<Result<Vec<Law>>>()?;
        match laws.len() {
            0 => Ok(vec![Law::Fixed; inputs]),
            1 => Ok(vec![laws[0]; inputs]),
            count if count == inputs => Ok(laws),
            count => Err(Error::parameter(
                "--law",
                format!("{count} laws for {inputs} inputs"),
                "give one for all, or one for each",
            )),
        }
    }

    /// The labels of all inputs as they are in their files; none, or one for each.
    pub(in crate::cli) fn read_labels(&self, inputs: usize) -> Result<Option<Vec<ArrayD<f64>>>> {
        match self.labels.len() {
            0 => Ok(None),
            count if count == inputs => self
                .labels
                .iter()
                .map(|path| Ok(Input::read(path, MassOption::default().into())?.values))
                .collect::<Result<_>>()
                .map(Some),
            count => Err(Error::parameter(
                "--labels",
                format!("{count} files for {inputs} inputs"),
                "give one for each input",
            )),
        }
    }

    /// How labels count, where there are any; `kinds` is how many there are.
    pub(in crate::cli) fn fused(&self, kinds: usize, host: &Engine) -> Result<Fused> {
        inputs::require_room(host, "the costs of labels", &[kinds, kinds])?;
        let label_costs = match &self.label_costs {
            Some(path) => inputs::read_costs(path, host)?,
            None => {
                let bytes = 8 * (kinds as u64).saturating_mul(kinds as u64);
                host.require("the costs of labels", bytes, "number labels from 0 up, one by one")?;
                Array2::from_shape_fn((kinds, kinds), |(i, j)| f64::from(u8::from(i != j)))
            }
        };
        Ok(Fused { alpha: self.alpha, label_costs })
    }
}

/// A law that spaces can have.
fn read_law(text: &str) -> Result<Law> {
    let refusal = |problem| Err(Error::parameter("--law", problem, "use fixed, kl:RHO or free"));
    match text.split(':').next().unwrap_or_default() {
        "fixed" | "kl" | "free" => text.parse(),
        "tv" | "range" => refusal(format!("{text} has no quadratic form")),
        _ => refusal(format!("{text} is not a law")),
    }
}

/// A space, what it is called, and the grid that it lies on, if any.
#[derive(Clone, Debug)]
pub(in crate::cli) struct NamedSpace {
    pub name: String,
    pub space: Space,
    /// The grid's shape and the cell of every point.
    pub grid: Option<GridSpace>,
}

impl NamedSpace {
    /// A picture, a field, or points, with labels. `natural` is how arrays are read where that is
    /// not said.
    pub(in crate::cli) fn read(
        path: &Path,
        labels: Option<&ArrayD<f64>>,
        options: &SpaceOptions,
        natural: As,
    ) -> Result<Self> {
        let input = Input::read(path, options.mass.into())?;
        let name = input.name();
        let is_points = match options.read_as.unwrap_or(natural) {
            As::Auto => input.values.ndim() != 2 || looks_like_points(&input),
            As::Points => !input.is_picture,
            As::Density => false,
        };
        if is_points {
            let points = input.points()?;
            let count = points.nrows();
            let weights = Array1::from_elem(count, 1.0 / count as f64);
            let space = Space::from_points(points, options.distance, weights)?;
            return Self { name, space, grid: None }.labelled(labels);
        }
        let density = input.density()?;
        let &[rows, columns] = input.values.shape() else {
            let found = format!("{} axes", input.values.ndim());
            return Err(Error::shape(name, "a density of two axes", found));
        };
        let shape = (rows, columns);
        let density = density.weights().clone().into_shape_with_order(shape).expect("its shape");
        let density = options.coarser(density);
        let grid = match options.space {
            Surface::Plane => GridSpace::plane(density.view())?.measured_by(options.distance)?,
            Surface::Sphere => GridSpace::sphere(density.view())?,
        };
        Self::of_grid(&name, grid, labels)
    }

    /// Cells of a grid.
    pub(in crate::cli) fn of_grid(
        name: &str,
        grid: GridSpace,
        labels: Option<&ArrayD<f64>>,
    ) -> Result<Self> {
        let named = Self { name: name.to_owned(), space: grid.space.clone(), grid: Some(grid) };
        named.labelled(labels)
    }

    /// Distances from a file, and weights if there are any.
    pub(in crate::cli) fn from_distances(
        path: &Path,
        weights: Option<&Path>,
        labels: Option<&ArrayD<f64>>,
        host: &Engine,
    ) -> Result<Self> {
        let distances = inputs::read_costs(path, host)?;
        let count = distances.nrows();
        let uniform = || Array1::from_elem(count, 1.0 / count as f64);
        let weights = weights.map(inputs::read_weights).transpose()?.unwrap_or_else(uniform);
        let space = Space::from_matrix(distances, weights)?;
        Self { name: path.display().to_string(), space, grid: None }.labelled(labels)
    }

    fn labelled(mut self, labels: Option<&ArrayD<f64>>) -> Result<Self> {
        let Some(labels) = labels else { return Ok(self) };
        let count = self.space.len();
        let cells = self.grid.as_ref().map(|grid| grid.shape[0] * grid.shape[1]);
        let chosen: Vec<f64> = match &self.grid {
            Some(grid) if labels.len() == cells.unwrap_or(0) && labels.len() != count => {
                let flat: Vec<f64> = labels.iter().copied().collect();
                grid.cells.iter().map(|&cell| flat[cell]).collect()
            }
            _ if labels.len() == count => labels.iter().copied().collect(),
            _ => {
                return Err(Error::shape(
                    format!("the labels of {}", self.name),
                    match cells {
                        Some(cells) => format!("{cells}, one a pixel, or {count}, one a point"),
                        None => format!("{count}, one a point"),
                    },
                    labels.len().to_string(),
                ));
            }
        };
        let is_label = |label: &f64| label.fract() == 0.0 && (0.0..LABELS).contains(label);
        if let Some(wrong) = chosen.iter().find(|label| !is_label(label)) {
            return Err(Error::data(
                format!("the labels of {}", self.name),
                format!("one of them is {wrong}"),
                "labels are whole numbers from 0 up, as few as there are kinds",
            ));
        }
        self.space = self.space.labelled(chosen.into_iter().map(|label| label as usize).collect());
        Ok(self)
    }
}

/// One more than the largest label.
pub(in crate::cli) fn kinds_of<'a>(spaces: impl IntoIterator<Item = &'a Space>) -> usize {
    let labels = spaces.into_iter().filter_map(|space| space.labels.as_ref()).flatten();
    labels.max().map_or(1, |label| label + 1)
}
