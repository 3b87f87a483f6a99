//! A folder with inputs in it, and the program run there.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use gaspard::io::{npy, npz};
use image::{GrayImage, Luma};
use ndarray::{Array, Array1, Array2, ArrayD, Dimension};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use tempfile::TempDir;

pub struct Workplace {
    folder: TempDir,
}

/// What a run left on its streams.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            code: output.status.code().expect("an exit code, not a signal"),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }
}

impl Workplace {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gaspard"));
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.command(arguments).output().unwrap().into()
    }

    /// Runs with `--json -`, which must work and must be all that is on stdout.
    pub fn results(&self, arguments: &[&str]) -> Value {
        let ran = self.run(&[arguments, &["--json", "-"]].concat());
        assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.stderr);
        ran.json()
    }

    pub fn write<D: Dimension>(&self, name: &str, array: &Array<f64, D>) {
        npy::write(self.path(name), array.view().into_dyn()).unwrap();
    }

    pub fn text(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub fn picture(&self, name: &str, width: u32, height: u32, level: impl Fn(u32, u32) -> u8) {
        let picture = GrayImage::from_fn(width, height, |x, y| Luma([level(x, y)]));
        picture.save(self.path(name)).unwrap();
    }

    pub fn read(&self, name: &str) -> ArrayD<f64> {
        npy::read(self.path(name)).unwrap()
    }

    /// One array of an archive.
    pub fn unpack(&self, name: &str, key: &str) -> ArrayD<f64> {
        let arrays = npz::read(self.path(name)).unwrap();
        let found = arrays.into_iter().find(|(name, _)| name == key);
        found.unwrap_or_else(|| panic!("no {key} in {name}")).1
    }

    pub fn bytes(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    pub fn holds(&self, name: &str) -> bool {
        self.path(name).exists()
    }
}

/// Points in the unit square.
pub fn cloud(seed: u64, count: usize) -> Array2<f64> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    Array2::from_shape_simple_fn((count, 2), || random.random_range(0.0..1.0))
}

/// Weights that sum to 1.
pub fn weights(seed: u64, count: usize) -> Array1<f64> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let weights = Array1::from_shape_simple_fn(count, || random.random_range(0.1..1.0));
    let sum = weights.sum();
    weights / sum
}

/// Squared distances, in full.
pub fn squared_distances(x: &Array2<f64>, y: &Array2<f64>) -> Array2<f64> {
    Array2::from_shape_fn((x.nrows(), y.nrows()), |(i, j)| {
        (&x.row(i) - &y.row(j)).mapv(|step| step * step).sum()
    })
}

/// A JSON file without what differs from run to run: times, how the
/// run was asked for, and what it ran on.
pub fn lasting(place: &Workplace, name: &str) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                fields.retain(|name, _| !["seconds", "device", "record"].contains(&name.as_str()));
                fields.values_mut().for_each(strip);
            }
            Value::Array(values) => values.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let mut json = serde_json::from_slice(&place.bytes(name)).unwrap();
    strip(&mut json);
    json
}

/// The devices to test on: a GPU too, where there is one (see `tests/common`).
pub fn devices() -> Vec<&'static str> {
    if std::env::var_os("GASPARD_REQUIRE_GPU").is_some() || !gaspard::Engine::devices().is_empty() {
        vec!["cpu", "gpu"]
    } else {
        vec!["cpu"]
    }
}

/// A number of a JSON result.
pub fn number(json: &Value, name: &str) -> f64 {
    json[name].as_f64().unwrap_or_else(|| panic!("{name} in {json}"))
}
