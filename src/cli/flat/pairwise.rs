//! All distances of a collection, that go on where they were stopped.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use gaspard::flat::{Cloud, Distance, Method, Pair};
use gaspard::report::picture::{Scale, Style, strip, write_png};
use gaspard::report::record::RunRecord;
use gaspard::{Engine, Error, Observer, Progress, Result};
use serde::Serialize;

use super::matrix::{Matrix, Measure, Origin};
use super::{Arguments, clouds};
use crate::cli::options::Colours;
use crate::cli::session::Session;
use crate::cli::status::{Status, Summary};
use crate::cli::watch::Watch;
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
    /// Half the root mean square of D_ij - D_ji, where both ways were trained.
    spread: Option<f64>,
    /// The distances that this run computed.
    distances: Vec<Row>,
    converged: bool,
    interrupted: bool,
}

/// One distance: between the i-th and the j-th of `files`, from 0.
#[derive(Serialize)]
struct Row {
    i: usize,
    j: usize,
    #[serde(flatten)]
    distance: Distance,
    std: Option<f64>,
    learned: Option<f64>,
    converged: bool,
}

impl Summary for Done {
    fn status(&self) -> Status {
        Status::new(self.interrupted, self.converged)
    }

    fn numbers(&self) -> Vec<(&'static str, f64)> {
        let counts = [("pairs", self.pairs as f64), ("computed", self.computed as f64)];
        counts.into_iter().chain(self.spread.map(|spread| ("spread", spread))).collect()
    }
}

pub(super) fn run(arguments: &Arguments, source: &Path, out: &Path) -> Result<Status> {
    outputs::check_ending("--out", out, &["npy"])?;
    if let Some(picture) = &arguments.picture {
        outputs::check_ending("--picture", picture, &["png"])?;
    }
    if arguments.both_ways && !arguments.method.is_neural() {
        let remedy = "add --method tight or --method paper";
        return Err(Error::parameter("--both-ways", "no networks are trained", remedy));
    }
    let paths = clouds::named(source)?;
    let beside: Vec<_> = paths.iter().filter_map(|path| clouds::weights_beside(path)).collect();
    let inputs = [source].into_iter().chain(paths.iter().chain(&beside).map(PathBuf::as_path));
    let files = [Some(out), arguments.picture.as_deref()].into_iter().flatten();
    let mut session = Session::begin(&arguments.common, inputs, files)?;
    let all: Vec<Cloud> = paths
        .iter()
        .map(|path| {
            let weights = clouds::weights_beside(path);
            clouds::read(path, weights.as_deref(), arguments.mass, arguments.scale)
        })
        .collect::<Result<_>>()?;
    let dimension = all[0].points().ncols();
    if let Some(odd) = all.iter().position(|cloud| cloud.points().ncols() != dimension) {
        let found = all[odd].points().ncols().to_string();
        let name = paths[odd].display().to_string();
        return Err(Error::shape(name, format!("{dimension} coordinates"), found));
    }
    session.lap("read");
    let engine = arguments.method.open_engine(&session)?;
    let most = all.iter().map(|cloud| cloud.weights().len()).max().unwrap_or(0);
    // One method for all, so that distances can be compared: also with those of an earlier run,
    // which may have found another one quicker.
    let known = Origin::beside(out)?.map(|origin| origin.method);
    let chosen = {
        let (iterating, seed) = (&arguments.iterating, arguments.common.seed);
        arguments.method.choose(known.as_deref(), (most, most), iterating, seed, &engine)?
    };
    let measures = paths.iter().zip(&all).map(|(path, cloud)| Measure::new(path, cloud)).collect();
    let settings = format!("{:?}", chosen.method);
    let mut matrix =
        Matrix::open(out, Origin { method: chosen.name.to_owned(), settings, measures })?;
    if matrix.is_unknown {
        let name = out.display();
        session.warn(&format!("{name} does not say whose distances it has; they are kept"));
    }
    let wanted: Vec<(usize, usize)> = ordered(all.len(), arguments.both_ways).collect();
    let missing = |&&(i, j): &&(usize, usize)| matrix.values[[i, j]].is_nan();
    let left: Vec<(usize, usize)> = wanted.iter().filter(missing).copied().collect();
    let total = wanted.len();
    if left.len() < total {
        session.note(&format!("{} of {total} distances are there", total - left.len()));
    }
    let begin = Instant::now();
    let at_once = at_once(&chosen.method, &engine);
    let mut watch =
        Groups { watch: session.watch("pairs"), done: 0, group: 0, all: left.len(), begin };
    let mut distances = Vec::with_capacity(left.len());
    for group in left.chunks(at_once) {
        if interrupt::requested() {
            break;
        }
        watch.group = group.len();
        let pairs: Vec<Pair<'_>> = group
            .iter()
            .map(|&(i, j)| Pair { a: &all[i], b: &all[j], stream: (i * all.len() + j) as u64 })
            .collect();
        let found = chosen.method.solve_pairs(&pairs, &engine, &mut watch)?;
        watch.done += group.len();
        for (&(i, j), found) in group.iter().zip(found) {
            // What was cut short is no distance.
            let Some(found) = found.filter(|found| !found.outcome.interrupted) else { continue };
            let distance = found.distance;
            let value = distance.normalised.unwrap_or(distance.value);
            matrix.values[[i, j]] = value;
            if !arguments.both_ways {
                matrix.values[[j, i]] = value;
            }
            let (std, learned, converged) = (found.std, found.learned, found.outcome.converged);
            distances.push(Row { i, j, distance, std, learned, converged });
        }
        matrix.write()?;
    }
    drop(watch);
    if left.is_empty() {
        matrix.write()?;
    }
    session.lap("solve");
    if let Some(path) = &arguments.picture {
        let drawn = matrix.values.mapv(|distance| if distance.is_nan() { 0.0 } else { distance });
        let colours = arguments.colours.unwrap_or(Colours::Magma);
        let style = Style::new(colours.into()).scale(Scale::Quantile(1.0));
        write_png(path, &strip(&[drawn], &style)?)?;
    }
    let done = Done {
        pairs: total,
        computed: distances.len(),
        spread: arguments.both_ways.then(|| spread(&matrix)),
        converged: distances.iter().all(|row| row.converged),
        interrupted: distances.len() < left.len(),
        distances,
    };
    let seconds = begin.elapsed().as_secs_f64();
    let (computed, name) = (done.computed, chosen.name);
    let line = format!("{computed} of {total} distances by {name} in {seconds:.2} s");
    if done.interrupted {
        session.warn(&format!("interrupted: {line}; the same command goes on from there"));
    } else {
        session.note(&line);
    }
    let files = paths.iter().map(|path| path.display().to_string()).collect();
    session.finish(&engine, &done, |record| Report {
        method: chosen.name,
        files,
        seconds,
        done: &done,
        record,
    })
}

/// The pairs of so many, each once, or in both orders.
fn ordered(count: usize, both_ways: bool) -> impl Iterator<Item = (usize, usize)> {
    let all = (0..count).flat_map(move |i| (0..count).map(move |j| (i, j)));
    all.filter(move |(i, j)| i < j || (both_ways && i > j))
}

/// Pairs between two times that the matrix is written.
fn at_once(method: &Method, engine: &Engine) -> usize {
    match (method, engine.is_gpu()) {
        (Method::Exact, _) => 64,
        (_, true) => 1024,
        (_, false) => 16,
    }
}

/// Half the root mean square of D_ij - D_ji, where both are there.
fn spread(matrix: &Matrix) -> f64 {
    let values = &matrix.values;
    let pairs = ordered(values.nrows(), false).map(|(i, j)| values[[i, j]] - values[[j, i]]);
    let squares: Vec<f64> =
        pairs.filter(|difference| !difference.is_nan()).map(|d| d * d).collect();
    0.5 * (squares.iter().sum::<f64>() / squares.len().max(1) as f64).sqrt()
}

/// Watches groups of pairs as one.
struct Groups {
    watch: Watch,
    done: usize,
    group: usize,
    all: usize,
    begin: Instant,
}

impl Observer for Groups {
    fn progress(&mut self, progress: &Progress) -> ControlFlow<()> {
        // Pairs of a group go along together: a part of each is that part of them.
        let part = progress.iteration as f64 / progress.max_iterations.max(1) as f64;
        let before = (progress.part.0 - 1) as f64;
        let part = (before + part.min(1.0)) / progress.part.1.max(1) as f64;
        let done = self.done as f64 + part * self.group as f64;
        let seconds = self.begin.elapsed().as_secs_f64();
        let left = (self.all as f64 - done).max(0.0);
        self.watch.pairs(done, self.all, seconds * left / done.max(1e-9))
    }

    fn interrupted(&self) -> bool {
        self.watch.interrupted()
    }
}
