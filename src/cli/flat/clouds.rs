//! Measures from files: points or pictures.

use std::path::{Path, PathBuf};

use gaspard::flat::Cloud;
use gaspard::{Error, Measure, Result};

use crate::cli::inputs::{self, Input};
use crate::cli::options::MassOption;

/// Points with masses from a file, or of 1 each; or the pixels of a picture. Lengths are multiplied by
/// `scale`.
pub(super) fn read(
    path: &Path,
    weights: Option<&Path>,
    mass: MassOption,
    scale: f64,
) -> Result<Cloud> {
    if !(scale > 0.0 && scale.is_finite()) {
        return Err(Error::parameter(
            "--scale",
            format!("it is {scale}"),
            "give a positive factor",
        ));
    }
    let input = Input::read(path, mass.into())?;
    let name = input.name();
    if input.is_picture {
        if weights.is_some() {
            let problem = "a picture has its masses in its pixels";
            return Err(Error::data(name, problem, "give points, or no weights"));
        }
        let pixels = Measure::density(&name, input.values.view())?;
        return Cloud::new(&name, pixels.support().places()? * scale, pixels.weights().clone());
    }
    let points = input.points()? * scale;
    match weights {
        Some(weights) => Cloud::new(&name, points, inputs::read_weights(weights)?),
        None => Cloud::counting(&name, points),
    }
}

/// The files that are meant by a folder, in the order of their names, or by a list.
pub(in crate::cli) fn named(source: &Path) -> Result<Vec<PathBuf>> {
    let fail = |error: std::io::Error| Error::file(source, format!("cannot be read: {error}"));
    const NO_LIST: &str =
        "neither a folder nor a list; give a text file that names one file a line";
    let mut files = if source.is_dir() {
        let entries = std::fs::read_dir(source).map_err(fail)?;
        let mut files = Vec::new();
        for entry in entries {
            let path = entry.map_err(fail)?.path();
            let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
            let is_input = ["npy", "png", "jpg", "jpeg", "bmp", "pgm"].contains(&ending.as_str());
            if path.is_file() && is_input && !is_weights(&path) {
                files.push(path);
            }
        }
        files.sort();
        files
    } else {
        let text = inputs::read_text(source, NO_LIST)?;
        let folder = source.parent().unwrap_or(Path::new(""));
        let lines = text.lines().map(str::trim);
        lines.filter(|line| !line.is_empty()).map(|line| folder.join(line)).collect()
    };
    files.dedup();
    if files.len() < 2 {
        let problem = format!("it names {} measures", files.len());
        let remedy = "give a folder with two or more, or a list of them, one a line";
        return Err(Error::data(source.display().to_string(), problem, remedy));
    }
    Ok(files)
}

fn is_weights(path: &Path) -> bool {
    path.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with(".weights"))
}

/// The file of masses beside one of points, if there is one.
pub(super) fn weights_beside(path: &Path) -> Option<PathBuf> {
    let weights = path.with_extension("weights.npy");
    weights.is_file().then_some(weights)
}
