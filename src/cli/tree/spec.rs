//! The file that describes a tree.

use std::path::{Path, PathBuf};

use gaspard::io::npy;
use gaspard::linear::tree::{Edge, Tree};
use gaspard::{Cost, Engine, Error, Geometry, Grid, Law, Measure, Result, Support};
use ndarray::{Array1, Array2};
use serde::Deserialize;

use crate::cli::inputs;
use crate::cli::options::ReferenceOption;

/// A tree as it was described.
pub(in crate::cli) struct Problem {
    pub tree: Tree,
    pub reference: ReferenceOption,
    pub epsilon: Option<f64>,
    /// What the record calls the cost of each edge.
    pub costs: Vec<String>,
    /// The cells of each node that lies on a grid.
    pub grids: Vec<Option<Vec<usize>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    #[serde(default)]
    reference: ReferenceOption,
    epsilon: Option<f64>,
    nodes: Vec<NodeSpec>,
    edges: Vec<EdgeSpec>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NodeSpec {
    weights: Option<Numbers>,
    size: Option<usize>,
    points: Option<PathBuf>,
    grid: Option<Vec<usize>>,
    law: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EdgeSpec {
    rows: usize,
    cols: usize,
    cost: String,
    #[serde(default = "one")]
    weight: f64,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "weights are the name of a .npy file or a list of numbers")]
enum Numbers {
    Values(Vec<f64>),
    File(PathBuf),
}

fn one() -> f64 {
    1.0
}

/// A node with its places.
struct Place {
    name: String,
    weights: Array1<f64>,
    support: Support,
    law: Law,
}

impl Problem {
    /// Reads a description and the files that it names.
    pub(in crate::cli) fn read(path: &Path, host: &Engine) -> Result<Self> {
        let spec: Spec = inputs::read_json(path, "a tree; see gaspard tree --help")?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let nodes = spec.nodes.into_iter().enumerate();
        let places = nodes
            .map(|(index, node)| node.place(&format!("node {index}"), folder, host))
            .collect::<Result<Vec<_>>>()?;
        let mut tree = Tree { reference: spec.reference.into(), ..Tree::default() };
        let mut costs = Vec::with_capacity(spec.edges.len());
        for (index, edge) in spec.edges.into_iter().enumerate() {
            let (geometry, name) =
                edge.geometry(&format!("edge {index}"), &places, folder, host)?;
            let EdgeSpec { rows, cols, weight, .. } = edge;
            tree.edges.push(Edge { rows, cols, geometry: geometry.into(), weight });
            costs.push(name);
        }
        let grids = places.iter().map(|place| match &place.support {
            Support::Grid(grid) => Some(grid.shape().to_vec()),
            _ => None,
        });
        let grids = grids.collect();
        for place in places {
            tree.node(place.weights, place.law);
        }
        Ok(Self { tree, reference: spec.reference, epsilon: spec.epsilon, costs, grids })
    }
}

impl NodeSpec {
    fn place(self, name: &str, folder: &Path, host: &Engine) -> Result<Place> {
        let law = self.law.as_deref().map(str::parse::<Law>).transpose()?;
        let law = law.unwrap_or(if self.weights.is_some() { Law::Fixed } else { Law::Free });
        let (weights, shape) = match self.weights {
            None => (None, None),
            Some(Numbers::Values(values)) => (Some(Array1::from(values)), None),
            Some(Numbers::File(file)) => {
                let values = npy::read(folder.join(file))?;
                let shape = (values.ndim() > 1).then(|| values.shape().to_vec());
                (Some(values.into_iter().collect()), shape)
            }
        };
        let count = weights.as_ref().map(Array1::len).or(self.size);
        let asked = self.grid.as_deref().or(self.size.as_ref().map(std::slice::from_ref));
        inputs::require_room(host, &format!("the points of {name}"), asked.unwrap_or(&[]))?;
        let support = match (self.points, self.grid.or(shape), count) {
            (Some(_), Some(_), _) => {
                return Err(Error::data(name, "it has both points and a grid", "give one of them"));
            }
            (Some(file), None, _) => Support::Points(inputs::read_points(&folder.join(file))?),
            (None, Some(grid), _) => Support::Grid(Grid::unit(&grid)?),
            (None, None, Some(count)) => Support::Abstract(count),
            (None, None, None) => {
                return Err(Error::data(
                    name,
                    "nothing says how many points it has",
                    "give weights, size, points or grid",
                ));
            }
        };
        match self.size {
            Some(size) if size != support.len() => Err(Error::shape(
                format!("the size of {name}"),
                format!("{}, the number of its points", support.len()),
                size.to_string(),
            )),
            _ => {
                let measure = inputs::weighted(name, weights, support)?;
                Ok(Place::new(name, &measure, law))
            }
        }
    }
}

impl Place {
    fn new(name: &str, measure: &Measure, law: Law) -> Self {
        let (weights, support) = (measure.weights().clone(), measure.support().clone());
        Self { name: name.to_owned(), weights, support, law }
    }

    /// The places as points on the sphere, where the cost asks for them.
    fn on_sphere(&self) -> Result<Support> {
        match &self.support {
            Support::Points(points) => {
                inputs::on_sphere(&format!("the points of {}", self.name), points)
            }
            _ => Err(Error::data(
                &self.name,
                "great-circle costs need points on the sphere",
                "give points as latitude and longitude in degrees",
            )),
        }
    }
}

impl EdgeSpec {
    /// The geometry, and what the record calls it.
    fn geometry(
        &self,
        name: &str,
        places: &[Place],
        folder: &Path,
        host: &Engine,
    ) -> Result<(Geometry, String)> {
        if self.cost.to_lowercase().ends_with(".npy") {
            let costs: Array2<f64> = inputs::read_costs(&folder.join(&self.cost), host)?;
            return Ok((Geometry::matrix(costs)?, "matrix".to_owned()));
        }
        let cost: Cost = self.cost.parse()?;
        let (Some(rows), Some(cols)) = (places.get(self.rows), places.get(self.cols)) else {
            return Err(Error::data(
                name,
                format!("it joins nodes {} and {}", self.rows, self.cols),
                format!("there are {} nodes, and 0 is the first", places.len()),
            ));
        };
        for place in [rows, cols] {
            if matches!(place.support, Support::Abstract(_)) {
                return Err(Error::data(
                    format!("{name}, {}", place.name),
                    format!("the cost {cost} is between places, and the node has none"),
                    "give it points or a grid, or the edge its costs as .npy",
                ));
            }
        }
        let geometry = match cost {
            Cost::GreatCircle(_) => {
                Geometry::between(&rows.on_sphere()?, &cols.on_sphere()?, cost)?
            }
            _ => Geometry::between(&rows.support, &cols.support, cost)?,
        };
        Ok((geometry, cost.to_string()))
    }
}
