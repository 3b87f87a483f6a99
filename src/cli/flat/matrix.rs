//! A matrix of distances that is filled pair by pair, and knows whose distances it has.

use std::path::{Path, PathBuf};

use gaspard::flat::Cloud;
use gaspard::io::npy;
use gaspard::{Error, Result};
use ndarray::{Array2, Ix2};
use serde::{Deserialize, Serialize};

use crate::cli::{inputs, outputs};

/// The matrix in a file, and beside it what it is of.
pub(in crate::cli) struct Matrix {
    path: PathBuf,
    pub values: Array2<f64>,
    origin: Origin,
    /// True if values were there whose origin is not known.
    pub is_unknown: bool,
}

/// Whose distances, and how they were computed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::cli) struct Origin {
    pub method: String,
    /// Everything that distances depend on beside the measures.
    pub settings: String,
    pub measures: Vec<Measure>,
}

/// A measure, as far as one can tell it from another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::cli) struct Measure {
    pub file: String,
    pub points: usize,
    pub mass: f64,
    /// CRC-32 of points and masses.
    pub checksum: u32,
}

impl Measure {
    pub(in crate::cli) fn new(path: &Path, cloud: &Cloud) -> Self {
        let mut hasher = crc32fast::Hasher::new();
        for value in cloud.points().iter().chain(cloud.weights()) {
            hasher.update(&value.to_le_bytes());
        }
        Self {
            file: path.display().to_string(),
            points: cloud.weights().len(),
            mass: cloud.mass(),
            checksum: hasher.finalize(),
        }
    }
}

impl Matrix {
    /// The matrix that was begun, or one with nothing but its diagonal.
    pub(in crate::cli) fn open(path: &Path, origin: Origin) -> Result<Self> {
        let count = origin.measures.len();
        let new = |values, is_unknown| {
            Ok(Self { path: path.to_owned(), values, origin: origin.clone(), is_unknown })
        };
        if !path.exists() {
            let empty = |(i, j)| if i == j { 0.0 } else { f64::NAN };
            return new(Array2::from_shape_fn((count, count), empty), false);
        }
        let found = npy::read(path)?;
        let shape = format!("{:?}", found.shape());
        let values = found.into_dimensionality::<Ix2>().ok();
        let Some(values) = values.filter(|values| values.dim() == (count, count)) else {
            let problem = format!("it holds an array of shape {shape}, not {count} x {count}");
            return Err(Error::file(path, format!("{problem}; name another file, or remove it")));
        };
        let Some(known) = Origin::beside(path)? else { return new(values, true) };
        if let Some(difference) = known.differs(&origin) {
            let problem = format!("it holds distances of something else: {difference}");
            return Err(Error::file(path, format!("{problem}; name another file, or remove it")));
        }
        new(values, false)
    }

    /// Writes what is there, and whose it is.
    pub(in crate::cli) fn write(&self) -> Result<()> {
        outputs::write_json(&beside(&self.path), &self.origin)?;
        npy::write(&self.path, self.values.view().into_dyn())
    }
}

/// The file that tells whose distances a matrix has.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".json");
    PathBuf::from(name)
}

impl Origin {
    /// Of the matrix at a path, where there is one and it says so.
    pub(in crate::cli) fn beside(path: &Path) -> Result<Option<Self>> {
        let beside = beside(path);
        if !path.exists() || !beside.exists() {
            return Ok(None);
        }
        inputs::read_json(&beside, "a matrix of distances; remove it to keep what is there")
            .map(Some)
    }

    /// In what these are not the same.
    fn differs(&self, other: &Self) -> Option<String> {
        if self.method != other.method {
            return Some(format!("by {}, not by {}", self.method, other.method));
        }
        if self.settings != other.settings {
            return Some(format!("with {}, not with {}", self.settings, other.settings));
        }
        let measures = self.measures.iter().zip(&other.measures);
        let mut odd = measures.filter(|(mine, theirs)| {
            (mine.points, mine.checksum) != (theirs.points, theirs.checksum)
        });
        odd.next().map(|(mine, theirs)| format!("of {}, not of {}", mine.file, theirs.file))
    }
}
