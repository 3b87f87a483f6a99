//! Files in and out: NumPy arrays, pictures and sound.
//!
//! Readers believe no header before they have checked it against the size of the file. Each reads a
//! path, or as `read_from` bytes from anywhere, under a name for errors. Writers finish a file under another name before they give it its own, so that nobody ever sees half of
//! one.

pub mod image;
pub mod npy;
pub mod npz;
pub mod wav;

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, Result};

/// Writes a file so that at every moment either the old content or the new one is there.
///
/// `fill` writes into a temporary file in the same folder, which then takes the place of `path`.
/// When `fill` fails, the temporary file is removed and `path` keeps its old content. A symbolic
/// link is followed. What is neither a file nor a folder, such as `/dev/stdout`, is written to
/// directly.
///
/// # Errors
///
/// [`Error::File`] with the path, when the folder does not exist, when `path` is a folder, or when
/// writing fails.
///
/// # Examples
///
/// ```
/// use std::io::Write;
///
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("notes.txt");
/// gaspard::io::atomic_write(&path, |out| out.write_all(b"all or nothing"))?;
/// assert_eq!(std::fs::read(&path).unwrap(), b"all or nothing");
/// # Ok::<(), gaspard::Error>(())
/// ```
pub fn atomic_write(
    path: impl AsRef<Path>,
    fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<()> {
    let path = path.as_ref();
    let target = target(path)?;
    if is_device(&target) {
        let opened = OpenOptions::new().write(true).open(&target).map(BufWriter::new);
        let filled = opened.and_then(|mut out| fill(&mut out).and_then(|()| out.flush()));
        return filled.map_err(|error| Error::file(path, format!("cannot be written: {error}")));
    }
    let fail = |error: io::Error| Error::file(path, write_problem(path, &error));
    let (temporary, file) = create_beside(&target).map_err(fail)?;
    let mut out = BufWriter::new(file);
    fill(&mut out)
        .and_then(|()| out.into_inner().map_err(io::IntoInnerError::into_error))
        // Without this a power cut can leave the new name on a file whose bytes never arrived.
        .and_then(|file| file.sync_all())
        .and_then(|()| fs::rename(&temporary, &target))
        .map_err(|error| {
            // The first error says what went wrong; a failing clean-up would only hide it.
            fs::remove_file(&temporary).ok();
            fail(error)
        })
}

/// Refuses a file that [`atomic_write`] could not write, and returns where it would: links are
/// followed, so that two names of one file give one path. Makes a file beside it and removes it.
///
/// # Errors
///
/// Those of [`atomic_write`].
///
/// # Examples
///
/// ```
/// let folder = tempfile::tempdir().unwrap();
/// assert!(gaspard::io::writable(folder.path().join("new.npy")).is_ok());
/// assert!(gaspard::io::writable(folder.path().join("absent/new.npy")).is_err());
/// ```
pub fn writable(path: impl AsRef<Path>) -> Result<PathBuf> {
    let path = path.as_ref();
    let fail = |error: io::Error| Error::file(path, write_problem(path, &error));
    let target = target(path)?;
    if is_device(&target) {
        return Ok(target);
    }
    let (temporary, _) = create_beside(&target).map_err(fail)?;
    fs::remove_file(temporary).map_err(fail)?;
    Ok(target)
}

/// True for what is neither a file nor a folder: a terminal, a pipe, `/dev/null`.
fn is_device(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir())
}

/// Where a file is in the end: links are followed, and so are those of its folder if it is new.
fn target(path: &Path) -> Result<PathBuf> {
    if path.is_dir() {
        return Err(is_folder(path));
    }
    if let Ok(found) = fs::canonicalize(path) {
        return Ok(found);
    }
    let Some(name) = path.file_name() else {
        return Err(Error::file(path, "not the name of a file; give one"));
    };
    let folder = fs::canonicalize(folder_of(path));
    Ok(folder.map_or(path.to_path_buf(), |folder| folder.join(name)))
}

/// The folder that a file lies in.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A new, empty file in the folder of `target` under a name that no other writer uses.
fn create_beside(target: &Path) -> io::Result<(PathBuf, File)> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    loop {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = folder_of(target).join(format!(".gaspard-{}-{count}.tmp", std::process::id()));
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            // A run that was killed left it, and this run was given the same process number.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            opened => return opened.map(|file| (path, file)),
        }
    }
}

/// Opens a regular file for reading.
fn open(path: &Path) -> Result<BufReader<File>> {
    let fail = |error: io::Error| match error.kind() {
        ErrorKind::NotFound => Error::file(path, "no such file; check the path"),
        _ => Error::file(path, error),
    };
    // Asked before opening: opening a pipe would wait for a writer.
    let found = fs::metadata(path).map_err(fail)?;
    if found.is_dir() {
        return Err(is_folder(path));
    }
    if !found.is_file() {
        return Err(Error::file(path, "not a regular file; save the data to a file first"));
    }
    Ok(BufReader::new(File::open(path).map_err(fail)?))
}

/// How many bytes a reader has left.
fn length_left(name: &Path, input: &mut impl Seek) -> Result<u64> {
    let fail = |error: io::Error| Error::file(name, error);
    let start = input.stream_position().map_err(fail)?;
    let end = input.seek(SeekFrom::End(0)).map_err(fail)?;
    input.seek(SeekFrom::Start(start)).map_err(fail)?;
    Ok(end.saturating_sub(start))
}

fn is_folder(path: &Path) -> Error {
    Error::file(path, "this is a folder; give the name of a file")
}

fn write_problem(path: &Path, error: &io::Error) -> String {
    let folder = folder_of(path);
    let name = folder.display();
    match error.kind() {
        ErrorKind::NotFound if !folder.exists() => {
            format!("the folder {name} does not exist; create it first")
        }
        ErrorKind::NotFound => {
            format!("the folder {name} takes no files; write into another one")
        }
        ErrorKind::PermissionDenied => {
            format!("nothing may be written into the folder {name}; write into another one")
        }
        ErrorKind::NotADirectory => format!("{name} is no folder; give another one"),
        _ => format!("cannot be written: {error}"),
    }
}
