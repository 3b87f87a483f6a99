//! Runs that are done, one a line, so that an experiment can go on.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use gaspard::{Error, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A run and what came out.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Row<K, V> {
    #[serde(flatten)]
    key: K,
    numbers: V,
}

/// Results by keys, in a file of lines of JSON.
pub struct Store<K, V> {
    path: PathBuf,
    inner: Mutex<(File, Vec<Row<K, V>>)>,
}

impl<K, V> Store<K, V>
where
    K: Clone + PartialEq + Serialize + DeserializeOwned,
    V: Clone + Serialize + DeserializeOwned,
{
    /// With what the file has, if it is there.
    pub fn open(path: &Path) -> Result<Self> {
        let fail = |error: std::io::Error| Error::file(path, error);
        let text = match std::fs::read_to_string(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            text => text.map_err(fail)?,
        };
        // A last line that was cut short is computed again.
        let rows = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let mut file = OpenOptions::new().create(true).append(true).open(path).map_err(fail)?;
        if !text.is_empty() && !text.ends_with('\n') {
            file.write_all(b"\n").map_err(fail)?;
        }
        Ok(Self { path: path.to_owned(), inner: Mutex::new((file, rows)) })
    }

    /// What is there of a run.
    pub fn get(&self, key: &K) -> Option<V> {
        let inner = self.inner();
        inner.1.iter().find(|row| row.key == *key).map(|row| row.numbers.clone())
    }

    pub fn keep(&self, key: K, numbers: V) -> Result<()> {
        let row = Row { key, numbers };
        let line = serde_json::to_string(&row).expect("numbers are JSON");
        let mut inner = self.inner();
        writeln!(inner.0, "{line}").map_err(|error| Error::file(&self.path, error))?;
        inner.1.push(row);
        Ok(())
    }

    fn inner(&self) -> MutexGuard<'_, (File, Vec<Row<K, V>>)> {
        self.inner.lock().expect("no run panicked")
    }
}
