//! Several named arrays in one file: NumPy's `.npz` format.

use std::fmt::Display;
use std::io::{self, BufReader};
use std::path::Path;

use ndarray::{ArrayBase, ArrayD, Data, IxDyn};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::npy;
use crate::error::{Error, Result};

/// Deflate cannot shrink data further than this, so an entry that claims more is a lie.
const STRONGEST_COMPRESSION: u64 = 1032;

/// Zip entries from this size on need 64-bit fields, which must be asked for in advance.
const LARGE_ENTRY: usize = 1 << 31;

/// Reads every array of an archive, in the order of the file, converted to f64 and to C order.
///
/// Compressed archives (`numpy.savez_compressed`) are read too; of each array,
/// [`npy::read`] says what it may hold.
///
/// # Errors
///
/// [`Error::File`] when the file is missing, a folder, not a zip archive, damaged (checksums are
/// compared), or when an entry is not an array that [`npy::read`] accepts.
///
/// # Examples
///
/// ```
/// use gaspard::io::npz;
/// use ndarray::array;
///
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("potentials.npz");
/// npz::write(&path, &[("f", array![0.5, 1.5].into_dyn()), ("g", array![[2.0]].into_dyn())])?;
/// let arrays = npz::read(&path)?;
/// assert_eq!(arrays[1], ("g".to_string(), array![[2.0]].into_dyn()));
/// # Ok::<(), gaspard::Error>(())
/// ```
pub fn read(path: impl AsRef<Path>) -> Result<Vec<(String, ArrayD<f64>)>> {
    read_where(path.as_ref(), |_| true)
}

/// Reads these arrays of an archive, in this order; others may hold anything, as the format of a
/// sparse matrix that `scipy.sparse.save_npz` adds to its numbers.
///
/// # Errors
///
/// As [`read`], and [`Error::File`] where an array is missing.
pub fn read_named<const COUNT: usize>(
    path: impl AsRef<Path>,
    names: [&str; COUNT],
) -> Result<[ArrayD<f64>; COUNT]> {
    let path = path.as_ref();
    let found = read_where(path, |name| names.contains(&name))?;
    let arrays = names.map(|wanted| {
        let array = found.iter().find(|(name, _)| name == wanted);
        array.map(|(_, array)| array.clone()).ok_or_else(|| {
            Error::file(path, format!("it has no array {wanted:?}; it needs {names:?}"))
        })
    });
    let mut all = Vec::with_capacity(COUNT);
    for array in arrays {
        all.push(array?);
    }
    Ok(all.try_into().unwrap_or_else(|_| unreachable!("one for each name")))
}

fn read_where(path: &Path, wanted: impl Fn(&str) -> bool) -> Result<Vec<(String, ArrayD<f64>)>> {
    let (file, length) = super::open(path)?;
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(|error| {
        Error::file(path, format!("not a .npz archive ({error}); export it with numpy.savez"))
    })?;
    let mut found = Vec::new();
    for index in 0..archive.len() {
        let fail = |problem: &dyn Display| {
            Error::file(path, format!("entry {} of the archive: {problem}", index + 1))
        };
        let entry = archive.by_index(index).map_err(|error| fail(&error))?;
        let packed = entry.compressed_size();
        if packed > length || entry.size() / STRONGEST_COMPRESSION > packed {
            return Err(fail(&"damaged: it claims to be larger than it can be"));
        }
        let name = entry.name().strip_suffix(".npy").unwrap_or(entry.name()).to_string();
        if wanted(&name) {
            let size = entry.size();
            let array = npy::decode(entry, size)
                .map_err(|problem| fail(&format_args!("{name:?} is {problem}")))?;
            found.push((name, array));
        }
    }
    Ok(found)
}

/// Writes named arrays as little-endian f64 in C order, compressed, whole or not at all.
///
/// The same arrays give the same bytes: no time is recorded.
///
/// ```
/// use gaspard::io::npz;
/// use ndarray::array;
///
/// let folder = tempfile::tempdir().expect("a folder");
/// let path = folder.path().join("potentials.npz");
/// npz::write(&path, &[("f", array![1.0].into_dyn()), ("g", array![2.0, 3.0].into_dyn())])?;
/// let [g, f] = npz::read_named(&path, ["g", "f"])?;
/// assert_eq!((g.len(), f[[0]]), (2, 1.0));
/// # Ok::<(), gaspard::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::File`] when two arrays have one name or the file cannot be written; see
/// [`atomic_write`](super::atomic_write).
pub fn write<N, S>(path: impl AsRef<Path>, arrays: &[(N, ArrayBase<S, IxDyn>)]) -> Result<()>
where
    N: AsRef<str>,
    S: Data<Elem = f64>,
{
    super::atomic_write(path, |out| {
        let mut archive = ZipWriter::new(out);
        for (name, array) in arrays {
            let options = SimpleFileOptions::default()
                .compression_method(CompressionMethod::Deflated)
                .large_file(array.len() >= LARGE_ENTRY / size_of::<f64>());
            let mut entry = io::BufWriter::new(&mut archive);
            entry.get_mut().start_file(format!("{}.npy", name.as_ref()), options)?;
            npy::encode(&mut entry, array.view())?;
            entry.into_inner().map_err(io::IntoInnerError::into_error)?;
        }
        archive.finish()?;
        Ok(())
    })
}
