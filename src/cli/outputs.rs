//! What goes out: lines for people, results, and files whose folders are there.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use gaspard::report::record;
use gaspard::{Error, Result};
use serde::Serialize;

/// One line on stderr: `gaspard: error: ...`.
pub(super) fn complain(kind: &str, text: &str) {
    // Where stderr is closed there is nobody to tell.
    writeln!(io::stderr(), "gaspard: {kind}: {text}").ok();
}

/// Refuses files that could not be written, before anything is computed for them.
pub(super) fn check(paths: &[&Path]) -> Result<()> {
    for (position, &path) in paths.iter().enumerate() {
        if paths[..position].contains(&path) {
            let problem = format!("{} is named for two of them", path.display());
            return Err(Error::parameter("the outputs", problem, "give each its own file"));
        }
        if path.is_dir() {
            return Err(Error::file(path, "this is a folder; give the name of a file"));
        }
        let folder = match path.parent() {
            Some(folder) if folder.as_os_str().is_empty() => Path::new("."),
            Some(folder) => folder,
            None => Path::new("."),
        };
        if path.file_name().is_none() {
            return Err(Error::file(path, "not the name of a file; give one"));
        }
        if !folder.is_dir() {
            let problem =
                format!("the folder {} does not exist; create it first", folder.display());
            return Err(Error::file(path, problem));
        }
    }
    Ok(())
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

/// JSON into a file, or onto stdout for `-`.
pub(super) fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    if path != Path::new("-") {
        return record::save_json(path, value);
    }
    written(record::write_json(io::stdout().lock(), value))
}

/// The numbers of a result on stdout, one `name value` a line.
pub(super) fn print_numbers(numbers: &[(&str, f64)]) -> Result<()> {
    let text: String = numbers.iter().map(|(name, value)| format!("{name} {value}\n")).collect();
    print(&text)
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
