//! What the fuzz targets share: the sources of the command line, a bound on memory, and a folder.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use ndarray::{ArrayD, Dimension, IxDyn};
use tempfile::TempDir;

#[allow(dead_code, reason = "only what reads is reached")]
#[path = "../../src/cli/mod.rs"]
pub mod cli;

/// No input of a few kilobytes is worth more memory than this; what asks for more is a failure.
#[global_allocator]
static MEMORY: cap::Cap<std::alloc::System> = cap::Cap::new(std::alloc::System, 1 << 30);

/// A folder with the files that descriptions name, and a place for the description itself.
pub struct Folder(TempDir);

impl Folder {
    /// The one of this process, in memory where the system has such a place.
    pub fn get() -> &'static Self {
        static FOLDER: OnceLock<Folder> = OnceLock::new();
        FOLDER.get_or_init(|| {
            let memory = Path::new("/dev/shm");
            let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
            let folder = Self(tempfile::tempdir_in(parent).expect("a folder can be made"));
            let array = |shape: &[usize]| {
                ArrayD::from_shape_fn(IxDyn(shape), |place| {
                    (0..place.ndim()).map(|axis| place[axis] as f64 + 0.5).product()
                })
            };
            for (name, shape) in
                [("w.npy", &[4][..]), ("p.npy", &[4, 2]), ("i.npy", &[4, 4]), ("d.npy", &[2, 2])]
            {
                gaspard::io::npy::write(folder.path(name), array(shape).view())
                    .expect("it is writable");
            }
            folder
        })
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The place of a file with this content.
    pub fn with(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).expect("it is writable");
        path
    }
}
