//! All distances of a collection, that go on where they were stopped.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use gaspard::flat::{Cloud, exact};
use gaspard::io::npy;
use gaspard::report::picture::{Colormap, Scale, Style, strip, write_png};
use gaspard::report::record::RunRecord;
use gaspard::{Error, Observer, Progress, Result};
use ndarray::{Array2, Ix2};
use rayon::prelude::*;
use serde::Serialize;

use super::{Arguments, clouds};
use crate::cli::session::Session;
use crate::cli::status::{Status, Summary};
use crate::cli::{interrupt, outputs};

#[derive(Serialize)]
struct Report<'a> {
    method: &'static str,
    files: Vec<String>,
    seconds: f64,
    #[serde(flatten)]
    done: &'a Done,
    record: RunRecord,
}

/// How far the matrix is.
#[derive(Serialize)]
struct Done {
    pairs: usize,
    computed: usize,
    interrupted: bool,
}

impl Summary for Done {
    fn status(&self) -> Status {
        if self.interrupted { Status::Interrupted } else { Status::Done }
    }

    fn numbers(&self) -> Vec<(&'static str, f64)> {
        vec![("pairs", self.pairs as f64), ("computed", self.computed as f64)]
    }
}

pub(super) fn run(arguments: &Arguments, source: &Path, out: &Path) -> Result<Status> {
    outputs::check_ending("--out", out, &["npy"])?;
    if let Some(picture) = &arguments.picture {
        outputs::check_ending("--picture", picture, &["png"])?;
    }
    let files = [Some(out), arguments.picture.as_deref()].into_iter().flatten();
    let mut session = Session::begin(&arguments.common, None, files)?;
    let paths = clouds::named(source)?;
    let all: Vec<Cloud> = paths
        .iter()
        .map(|path| clouds::read(path, clouds::weights_beside(path).as_deref(), arguments.mass))
        .collect::<Result<_>>()?;
    let dimension = all[0].points().ncols();
    if let Some(odd) = all.iter().position(|cloud| cloud.points().ncols() != dimension) {
        let found = all[odd].points().ncols().to_string();
        let name = paths[odd].display().to_string();
        return Err(Error::shape(name, format!("{dimension} coordinates"), found));
    }
    let mut matrix = started(out, all.len())?;
    session.lap("read");
    let pairs: Vec<(usize, usize)> = (0..all.len())
        .flat_map(|i| (0..i).map(move |j| (j, i)))
        .filter(|&(i, j)| matrix[[i, j]].is_nan())
        .collect();
    let total = all.len() * (all.len() - 1) / 2;
    if pairs.len() < total {
        session.note(&format!("{} of {total} distances are there", total - pairs.len()));
    }
    let begin = Instant::now();
    let watch = Mutex::new(session.watch_pairs());
    let done = AtomicUsize::new(0);
    let found: Vec<Option<f64>> = pairs
        .par_iter()
        .map(|&(i, j)| {
            if interrupt::requested() {
                return Ok(None);
            }
            let distance = exact(&all[i], &all[j], &mut interrupt::requested)?.distance;
            let count = done.fetch_add(1, Ordering::Relaxed) + 1;
            if let Ok(mut watch) = watch.lock() {
                // Ctrl-C is asked for above.
                let _: ControlFlow<()> = watch.progress(&progress(count, pairs.len()));
            }
            // What was cut short is no distance.
            let whole = !interrupt::requested();
            Ok(whole.then(|| distance.normalised.unwrap_or(distance.value)))
        })
        .collect::<Result<_>>()?;
    drop(watch);
    for (&(i, j), distance) in pairs.iter().zip(&found) {
        if let Some(distance) = distance {
            matrix[[i, j]] = *distance;
            matrix[[j, i]] = *distance;
        }
    }
    session.lap("solve");
    npy::write(out, matrix.view().into_dyn())?;
    if let Some(path) = &arguments.picture {
        let drawn = matrix.mapv(|distance| if distance.is_nan() { 0.0 } else { distance });
        let style = Style::new(Colormap::Magma).scale(Scale::Quantile(1.0));
        write_png(path, &strip(&[drawn], &style)?)?;
    }
    let computed = found.iter().flatten().count();
    let done = Done { pairs: total, computed, interrupted: computed < pairs.len() };
    let seconds = begin.elapsed().as_secs_f64();
    session.note(&format!("{computed} of {total} distances in {seconds:.2} s"));
    let names = paths.iter().map(|path| path.display().to_string()).collect();
    let host = session.host();
    session.finish(&host, &done, |record| Report {
        method: "exact",
        files: names,
        seconds,
        done: &done,
        record,
    })
}

fn progress(done: usize, all: usize) -> Progress {
    Progress {
        iteration: done,
        max_iterations: all,
        residual: (all - done) as f64,
        tolerance: 0.0,
        epsilon: None,
        cost: None,
        running: (all - done, all),
        part: (1, 1),
    }
}

/// The matrix that was begun, or one with nothing but its diagonal.
fn started(path: &Path, count: usize) -> Result<Array2<f64>> {
    if path.exists() {
        let found = npy::read(path)?;
        let shape = format!("{:?}", found.shape());
        let matrix = found.into_dimensionality::<Ix2>().ok();
        return matrix.filter(|matrix| matrix.dim() == (count, count)).ok_or_else(|| {
            let problem = format!("it holds an array of shape {shape}, not {count} x {count}");
            Error::file(path, format!("{problem}; name another file, or remove it"))
        });
    }
    Ok(Array2::from_shape_fn((count, count), |(i, j)| if i == j { 0.0 } else { f64::NAN }))
}
