//! Runs that are done, one a line, so that an experiment can go on.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;

use gaspard::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::measure::Numbers;

/// Which run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Key {
    pub snr: i32,
    pub run: u64,
    pub seed: u64,
}

/// A run and its numbers.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Row {
    #[serde(flatten)]
    pub key: Key,
    pub numbers: Numbers,
}

pub struct Store {
    inner: Mutex<(File, Vec<Row>)>,
    path: std::path::PathBuf,
}

impl Store {
    pub fn open(path: &Path) -> Result<Self> {
        let fail = |error: std::io::Error| Error::file(path, error);
        let text = match std::fs::read_to_string(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            text => text.map_err(fail)?,
        };
        // A last line that was cut short is computed again.
        let rows: Vec<Row> =
            text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let mut file = OpenOptions::new().create(true).append(true).open(path).map_err(fail)?;
        if !text.is_empty() && !text.ends_with('\n') {
            file.write_all(b"\n").map_err(fail)?;
        }
        Ok(Self { inner: Mutex::new((file, rows)), path: path.to_owned() })
    }

    pub fn holds(&self, key: &Key) -> bool {
        self.inner.lock().expect("no run panicked").1.iter().any(|row| row.key == *key)
    }

    pub fn keep(&self, key: Key, numbers: Numbers) -> Result<()> {
        let row = Row { key, numbers };
        let line = serde_json::to_string(&row).expect("numbers are JSON");
        let mut inner = self.inner.lock().expect("no run panicked");
        writeln!(inner.0, "{line}").map_err(|error| Error::file(&self.path, error))?;
        println!("  {} dB, run {}", key.snr, key.run);
        inner.1.push(row);
        Ok(())
    }

    /// The rows of these keys, in their order.
    pub fn rows(&self, keys: &[Key]) -> Vec<Row> {
        let inner = self.inner.lock().expect("no run panicked");
        keys.iter().filter_map(|key| inner.1.iter().find(|row| row.key == *key)).cloned().collect()
    }
}
