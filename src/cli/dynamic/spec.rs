//! The file that describes a problem: densities, grid and spaces.

use std::path::{Path, PathBuf};

use gaspard::dynamic::{Bins, Domain, Frames, Map, Places, Problem, Space};
use gaspard::{Error, Result};
use serde::Deserialize;

use super::{Arguments, FormOption, Sides, law, map};
use crate::cli::inputs;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Spec {
    start: Option<String>,
    end: Option<String>,
    /// Cells along the axes of space, then steps of time.
    grid: Option<Vec<usize>>,
    kappa: Option<f64>,
    #[serde(default)]
    spaces: Vec<SpaceSpec>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SpaceSpec {
    form: Option<FormOption>,
    #[serde(default = "one")]
    beta: f64,
    map: Option<String>,
    law: Option<PathBuf>,
    points: Option<PathBuf>,
    bins: Option<Vec<usize>>,
    low: Option<Vec<f64>>,
    high: Option<Vec<f64>>,
    stride: Option<usize>,
    epsilon: Option<f64>,
    floor: Option<f64>,
    sweeps: Option<usize>,
}

fn one() -> f64 {
    1.0
}

/// Reads a description and the files that it names. The form that is returned is that of the first
/// space: what it says of a problem with several is in the description itself.
pub(in crate::cli) fn read(path: &Path, arguments: &Arguments) -> Result<(Problem, FormOption)> {
    let spec: Spec = inputs::read_json(path, "a dynamic problem; see gaspard dynamic --help")?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let grid = match (&arguments.grid, spec.grid.as_deref()) {
        (Some(asked), _) => Some(asked.clone()),
        (None, Some([cells @ .., steps])) if !cells.is_empty() => {
            Some(Sides { cells: cells.to_vec(), steps: *steps })
        }
        (None, Some(_)) => {
            let remedy = "give cells along 1 to 3 axes, and steps of time";
            return Err(Error::data("grid", "it has no axes of space and of time", remedy));
        }
        (None, None) => None,
    };
    let end_of = |name: &'static str, asked: &Option<String>, described: &Option<String>| {
        // What was asked for lies where the command runs, what is described beside the file.
        match (asked, described) {
            (Some(asked), _) => Ok(asked.clone()),
            (None, Some(text)) if text.starts_with("gaussian:") => Ok(text.clone()),
            (None, Some(text)) => Ok(folder.join(text).display().to_string()),
            (None, None) => {
                let remedy = "give it in the file, or as START and END";
                Err(Error::data(name, "no density is given", remedy))
            }
        }
    };
    let start = end_of("start", &arguments.start, &spec.start)?;
    let end = end_of("end", &arguments.end, &spec.end)?;
    let mut problem = arguments.ends(&start, &end, grid.as_ref())?;
    if let (Some(kappa), None) = (spec.kappa, arguments.kappa) {
        problem = problem.unbalanced(kappa)?;
    }
    let mut first = None;
    for (index, described) in spec.spaces.iter().enumerate() {
        let laws = described.law.is_some();
        let usual = if laws { FormOption::Kantorovich } else { FormOption::Monge };
        let form = described.form.or(arguments.form).unwrap_or(usual);
        first = first.or(Some(form));
        let name = format!("space {index}");
        let space = described.space(&name, form, folder, problem.domain(), arguments)?;
        problem = problem.space(space, described.beta)?;
    }
    Ok((problem, first.or(arguments.form).unwrap_or(FormOption::Monge)))
}

impl SpaceSpec {
    fn space(
        &self,
        name: &str,
        form: FormOption,
        folder: &Path,
        domain: &Domain,
        arguments: &Arguments,
    ) -> Result<Space> {
        let map = self.map.as_ref().map(|text| map::read(text, folder, domain)).transpose()?;
        let bins = self.bins(map.as_ref())?;
        let points = self.points.as_ref().map(|file| law::read_points(&folder.join(file)));
        let points = points.transpose()?;
        let host = arguments.common.host();
        let law = self.law.as_ref().map(|file| law::read(&folder.join(file), &host));
        let law = law.transpose()?;
        if let Some(bins) = &bins {
            inputs::require_room(&host, "the bins", bins.counts())?;
        }
        let framed = |frames| self.framed(frames, arguments);
        let space = match (form, law, points, bins) {
            (_, None, None, bins) => {
                let map = map.ok_or_else(|| unclear(name))?;
                return arguments.tie(map, form, bins, framed);
            }
            (FormOption::Kantorovich, Some(law), Some(points), None) => {
                Space::frames(framed(Frames::new(law, points)))?
            }
            (FormOption::Kantorovich, Some(law), None, Some(bins)) => {
                Space::frames(framed(Frames::new(law, Places::Bins(bins))))?
            }
            (FormOption::Coupled, Some(law), None, Some(bins)) => Space::coupled(law, bins)?,
            _ => return Err(unclear(name)),
        };
        Ok(match map {
            Some(map) => space.known_as(map),
            None => space,
        })
    }

    fn bins(&self, map: Option<&Map>) -> Result<Option<Bins>> {
        match (&self.bins, &self.low, &self.high, map) {
            (None, None, None, _) => Ok(None),
            (Some(counts), Some(low), Some(high), _) => Bins::new(counts, low, high).map(Some),
            (Some(counts), None, None, Some(map)) => Bins::around(map, counts).map(Some),
            _ => {
                let problem = "it takes bins, low and high together, or bins around a map";
                Err(Error::data("bins", problem, "give three arrays with a number for every axis"))
            }
        }
    }

    fn framed(&self, frames: Frames, arguments: &Arguments) -> Frames {
        let mut frames = arguments.framed(frames);
        if let Some(stride) = self.stride {
            frames = frames.stride(stride);
        }
        if let Some(epsilon) = self.epsilon {
            frames = frames.epsilon(epsilon);
        }
        if let Some(floor) = self.floor {
            frames = frames.floor(floor);
        }
        if let Some(sweeps) = self.sweeps {
            frames = frames.sweeps(sweeps);
        }
        frames
    }
}

fn unclear(name: &str) -> Error {
    Error::data(
        name,
        "it is not clear where it leads",
        "give a map; or a law, with points for the kantorovich form, or bins for it and for coupled",
    )
}
