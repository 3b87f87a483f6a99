//! What goes out: lines for people, results, and files whose folders are there.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use gaspard::report::record::{self, RunRecord};
use gaspard::{Engine, Error, Result};
use serde::Serialize;

/// One line on stderr: `gaspard: error: ...`.
pub(super) fn complain(kind: &str, text: &str) {
    // Where stderr is closed there is nobody to tell.
    writeln!(io::stderr(), "gaspard: {kind}: {text}").ok();
}

/// True for `-`, which is no file.
pub(super) fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}

/// Refuses files that could not be written, that two outputs share, or that are read, before
/// anything is computed for them.
pub(super) fn check(inputs: &[&Path], outputs: &[&Path]) -> Result<()> {
    let read: Vec<PathBuf> = inputs.iter().filter_map(|path| fs::canonicalize(path).ok()).collect();
    let mut written: Vec<PathBuf> = Vec::with_capacity(outputs.len());
    for &path in outputs {
        let target = gaspard::io::writable(path)?;
        if written.contains(&target) {
            let problem = format!("{} is named for two of them", path.display());
            return Err(Error::parameter("the outputs", problem, "give each its own file"));
        }
        if read.contains(&target) {
            let problem = format!("{} would overwrite the input", path.display());
            return Err(Error::parameter("the outputs", problem, "give another file"));
        }
        // What is neither file nor folder, such as /dev/null, takes all that it is given.
        if target.is_file() || !target.exists() {
            written.push(target);
        }
    }
    Ok(())
}

/// Refuses a folder for outputs that is a file.
pub(super) fn check_folder(option: &str, folder: &Path) -> Result<()> {
    if folder.exists() && !folder.is_dir() {
        let problem = format!("{} is a file", folder.display());
        return Err(Error::parameter(option, problem, "name a folder"));
    }
    Ok(())
}

/// True for a file whose folder is there; one that is yet to be made has nothing to overwrite.
pub(super) fn has_folder(path: &Path) -> bool {
    path.parent().is_some_and(Path::is_dir)
}

/// Makes a folder for outputs, and those that it is in.
pub(super) fn make_folder(folder: &Path) -> Result<()> {
    let fail = |error: io::Error| Error::file(folder, format!("cannot be made: {error}"));
    fs::create_dir_all(folder).map_err(fail)
}

/// Refuses a file name that does not end as its content asks for.
pub(super) fn check_ending(option: &str, path: &Path, endings: &[&str]) -> Result<()> {
    let found = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    if endings.contains(&found.as_str()) {
        return Ok(());
    }
    let endings: Vec<_> = endings.iter().map(|ending| format!(".{ending}")).collect();
    Err(Error::parameter(
        option,
        format!("{} does not end in {}", path.display(), endings.join(" or ")),
        "the ending says how the file is written",
    ))
}

/// NAME_0.npy, NAME_1.npy, ... for NAME.npy.
pub(super) fn numbered(path: &Path, count: usize) -> Vec<PathBuf> {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let ending = path.extension().unwrap_or_default().to_string_lossy();
    (0..count).map(|index| path.with_file_name(format!("{stem}_{index}.{ending}"))).collect()
}

/// The record of a run that is no solve.
pub(super) fn record(engine: &Engine, started: SystemTime) -> RunRecord {
    let arguments = std::env::args_os().map(|text| text.to_string_lossy().into_owned());
    RunRecord::new(engine, arguments.collect(), started)
}

/// JSON into a file, or onto stdout for `-`.
pub(super) fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    if !is_stdout(path) {
        return record::save_json(path, value);
    }
    written(record::write_json(io::stdout().lock(), value))
}

/// The numbers of a result on stdout, one `name value` a line.
pub(super) fn print_numbers(numbers: &[(&str, f64)]) -> Result<()> {
    let text: String =
        numbers.iter().map(|(name, value)| format!("{name} {}\n", exact(*value))).collect();
    print(&text)
}

/// All digits of a number, without strings of zeros.
fn exact(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 || !size.is_finite() || (1e-5..1e15).contains(&size) {
        value.to_string()
    } else {
        format!("{value:e}")
    }
}

/// A number for people: seven digits at most.
pub(super) fn rounded(value: f64) -> String {
    let digits = format!("{value:.6e}");
    digits.parse::<f64>().map_or(digits, |rounded| rounded.to_string())
}

/// Text on stdout.
pub(super) fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    written(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// A reader that has seen enough, such as `head`, is no error.
fn written(outcome: io::Result<()>) -> Result<()> {
    match outcome {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::file("stdout", format!("cannot be written: {error}")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_no_strings_of_zeros() {
        for (value, text) in [
            (0.0, "0"),
            (0.25, "0.25"),
            (-1e-5, "-0.00001"),
            (1.25e-44, "1.25e-44"),
            (-3.5e300, "-3.5e300"),
            (123_456_789.5, "123456789.5"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "inf"),
        ] {
            assert_eq!(exact(value), text);
            assert!(value.is_nan() || exact(value).parse() == Ok(value));
        }
    }

    #[test]
    fn what_is_read_is_not_overwritten_however_it_is_spelled() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("x.npy"), "").unwrap();
        let check = |outputs: &[PathBuf]| {
            let outputs: Vec<&Path> = outputs.iter().map(PathBuf::as_path).collect();
            check(&[&path("x.npy"), &path("absent.npy")], &outputs).map_err(|e| e.to_string())
        };
        assert_eq!(check(&[path("y.npy"), path("z.npy")]), Ok(()));
        assert!(check(&[path("./x.npy")]).unwrap_err().contains("would overwrite the input"));
        assert!(check(&[path("y.npy"), path("./y.npy")]).unwrap_err().contains("two of them"));
        assert!(check(&[path("none/y.npy")]).unwrap_err().contains("create it first"));
        assert!(check(&[path("x.npy/y.npy")]).is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "it leaves nothing behind");
    }
}
