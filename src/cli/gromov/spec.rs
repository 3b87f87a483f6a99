//! The file that describes a tree of spaces.

use std::path::{Path, PathBuf};

use gaspard::gromov::{Fused, GridSpace, Problem};
use gaspard::{Engine, Error, Law, Result};
use serde::Deserialize;

use super::Described;
use super::spaces::{NamedSpace, SpaceOptions, Surface, kinds_of};
use crate::cli::inputs::{self, Input};
use crate::cli::options::{As, MassOption, ReferenceOption};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    reference: Option<ReferenceOption>,
    epsilon: Option<f64>,
    nodes: Vec<NodeSpec>,
    edges: Vec<EdgeSpec>,
    alpha: Option<f64>,
    label_costs: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NodeSpec {
    /// A picture or an array of two axes.
    image: Option<PathBuf>,
    points: Option<PathBuf>,
    distances: Option<PathBuf>,
    weights: Option<PathBuf>,
    /// All cells of a grid.
    grid: Option<[usize; 2]>,
    law: Option<String>,
    labels: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EdgeSpec {
    rows: usize,
    cols: usize,
    #[serde(default = "one")]
    weight: f64,
}

fn one() -> f64 {
    1.0
}

/// Reads a description and the files that it names.
pub(in crate::cli) fn read(
    path: &Path,
    reference: ReferenceOption,
    options: &SpaceOptions,
    host: &Engine,
) -> Result<Described> {
    let spec: Spec = inputs::read_json(path, "a tree of spaces; see gaspard gromov --help")?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let reference = spec.reference.unwrap_or(reference);
    let mut problem = Problem { reference: reference.into(), ..Problem::default() };
    let mut spaces = Vec::new();
    for (index, node) in spec.nodes.iter().enumerate() {
        let law = node.law.as_deref().map(str::parse::<Law>).transpose()?;
        let natural = if node.grid.is_some() { Law::Free } else { Law::Fixed };
        let named = node.space(&format!("node {index}"), folder, options, host)?;
        problem.node(named.space.clone(), law.unwrap_or(natural));
        spaces.push(named);
    }
    for edge in &spec.edges {
        problem.edge(edge.rows, edge.cols, edge.weight);
    }
    if spaces.iter().any(|named| named.space.labels.is_some()) {
        let kinds = kinds_of(spaces.iter().map(|named| &named.space));
        let default = options.fused(kinds, host)?;
        let label_costs = match &spec.label_costs {
            Some(file) => inputs::read_costs(&folder.join(file), host)?,
            None => default.label_costs,
        };
        problem.fused = Some(Fused { alpha: spec.alpha.unwrap_or(default.alpha), label_costs });
    }
    Ok(Described { problem, reference, epsilon: spec.epsilon, spaces })
}

impl NodeSpec {
    fn space(
        &self,
        name: &str,
        folder: &Path,
        options: &SpaceOptions,
        host: &Engine,
    ) -> Result<NamedSpace> {
        let labels = self
            .labels
            .as_ref()
            .map(|file| Input::read(&folder.join(file), MassOption::default().into()));
        let labels = labels.transpose()?.map(|input| input.values);
        let labels = labels.as_ref();
        let weights = self.weights.as_ref().map(|file| folder.join(file));
        match (&self.image, &self.points, &self.distances, self.grid) {
            (Some(file), None, None, None) if weights.is_none() => {
                NamedSpace::read(&folder.join(file), labels, options, As::Density)
            }
            (None, Some(file), None, None) => {
                let mut named = NamedSpace::read(&folder.join(file), labels, options, As::Points)?;
                if let Some(file) = weights {
                    named.space.weights = inputs::read_weights(&file)?;
                }
                Ok(named)
            }
            (None, None, Some(file), None) => {
                NamedSpace::from_distances(&folder.join(file), weights.as_deref(), labels, host)
            }
            (None, None, None, Some(shape)) if weights.is_none() => {
                inputs::require_room(host, &format!("the grid of {name}"), &shape)?;
                let grid = match options.space {
                    Surface::Plane => {
                        GridSpace::whole_plane(shape)?.measured_by(options.distance)?
                    }
                    Surface::Sphere => GridSpace::whole_sphere(shape)?,
                };
                NamedSpace::of_grid(name, grid, labels)
            }
            _ => Err(Error::data(
                name,
                "it is not clear what its space is",
                "give image, points, distances or grid; weights with points and distances only",
            )),
        }
    }
}
