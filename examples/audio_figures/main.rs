//! The experiments of Fabiani, Schlecht, Haasler and Elvander, "Joint spectrogram separation and TDOA
//! estimation using optimal transport", on generated voices: figure 2 (errors of delays), figure 3
//! (errors of spectrograms) and figure 4 (gain in the signal-to-distortion ratio) over the
//! signal-to-noise ratio, of the robust form, the published form and known methods.
//!
//!     cargo run --release --example audio_figures -- [--runs N] [--full] [--seed N] [--device D]
//!         [--range A|B] [--out DIR]
//!
//! Two voices of 1.4 s in 2 s at 8 kHz reach two microphones with delays of 2 to 10 frames, two frames
//! apart (range A), or of a few samples, as at a small array (range B). 20 runs at 0, 10 and 30 dB;
//! `--full`: 100 runs from -10 to 40 dB. Runs go in parallel. Each is kept in DIR (audio_figures) when
//! it is done: stopped and called again, the experiment goes on. Numbers are left as JSON and CSV, curves
//! as PNG.

mod figures;
mod measure;
mod scene;
#[path = "../flat_tables/sheet.rs"]
#[allow(dead_code, reason = "other experiments use more of it")]
mod sheet;
mod store;

use std::path::PathBuf;

use gaspard::{Engine, Error, Result, Selector};
use rayon::prelude::*;
use scene::Range;
use sheet::Sheet;
use store::{Key, Store};

/// How much is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Size {
    Small,
    Full,
}

/// What every run gets.
struct Context {
    engine: Engine,
    size: Size,
    seed: u64,
}

#[derive(Clone, Debug)]
struct Options {
    runs: Option<u64>,
    snrs: Option<Vec<i32>>,
    size: Size,
    seed: u64,
    device: String,
    range: Range,
    out: PathBuf,
}

impl Options {
    fn runs(&self) -> u64 {
        self.runs.unwrap_or(if self.size == Size::Full { 100 } else { 20 })
    }

    /// Decibels.
    fn snrs(&self) -> Vec<i32> {
        let few = || {
            if self.size == Size::Full { (-10..=40).step_by(5).collect() } else { vec![0, 10, 30] }
        };
        self.snrs.clone().unwrap_or_else(few)
    }
}

fn main() -> Result<()> {
    let options = parsed(std::env::args().skip(1))?;
    let engine = match options.device.as_str() {
        "auto" => Engine::auto(),
        "cpu" => Engine::cpu(),
        "gpu" => Engine::gpu(Selector::Best)?,
        name => Engine::gpu(Selector::Name(name.to_owned()))?,
    };
    println!("on {}", engine.description());
    let context = Context { engine, size: options.size, seed: options.seed };
    run(&options, &context)
}

fn run(options: &Options, context: &Context) -> Result<()> {
    std::fs::create_dir_all(&options.out)
        .map_err(|error| Error::file(&options.out, format!("cannot be made: {error}")))?;
    let name = options.range.name();
    let store = Store::open(&options.out.join(format!("{name}_runs.jsonl")))?;
    let keys: Vec<Key> = options
        .snrs()
        .into_iter()
        .flat_map(|snr| (0..options.runs()).map(move |run| (snr, run)))
        .map(|(snr, run)| Key { snr, run, seed: options.seed })
        .collect();
    let missing: Vec<Key> = keys.iter().copied().filter(|key| !store.holds(key)).collect();
    println!("{} of {} runs are there", keys.len() - missing.len(), keys.len());
    missing.par_iter().try_for_each(|key| {
        let scene = scene::scene(options.range, key)?;
        store.keep(*key, measure::all(&scene, options.range, context)?)
    })?;
    let rows = store.rows(&keys);
    let mut sheet = Sheet::new(name, &options.out, context);
    figures::draw(&rows, options.range, &options.snrs(), &mut sheet)?;
    figures::write_csv(&rows, &options.out.join(format!("{name}.csv")))?;
    sheet.finish()
}

fn parsed(mut arguments: impl Iterator<Item = String>) -> Result<Options> {
    let mut options = Options {
        runs: None,
        snrs: None,
        size: Size::Small,
        seed: 0,
        device: "auto".into(),
        range: Range::Frames,
        out: PathBuf::from("audio_figures"),
    };
    let wrong =
        |name: &str, problem: String| Error::parameter(name, problem, "see the head of main.rs");
    while let Some(argument) = arguments.next() {
        let mut value =
            || arguments.next().ok_or_else(|| wrong(&argument, "it has no value".into()));
        let number = |text: String| {
            text.parse::<u64>().map_err(|_| wrong(&argument, format!("{text} is no number")))
        };
        match argument.as_str() {
            "--full" => options.size = Size::Full,
            "--runs" => options.runs = Some(number(value()?)?),
            "--seed" => options.seed = number(value()?)?,
            "--device" => options.device = value()?,
            "--out" => options.out = value()?.into(),
            "--range" => {
                options.range = match value()?.as_str() {
                    "A" => Range::Frames,
                    "B" => Range::Samples,
                    other => return Err(wrong("--range", format!("there is no {other}"))),
                };
            }
            _ => return Err(wrong("the options", format!("there is no {argument}"))),
        }
    }
    if options.runs == Some(0) {
        return Err(wrong("--runs", "there is none".into()));
    }
    Ok(options)
}

#[test]
fn a_run_is_kept_and_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = parsed(["--runs".to_owned(), "1".into()].into_iter()).unwrap();
    (options.out, options.snrs) = (folder.path().join("figures"), Some(vec![20]));
    let context = Context { engine: Engine::cpu(), size: Size::Small, seed: 0 };
    let begin = std::time::Instant::now();
    run(&options, &context).unwrap();
    let first = begin.elapsed();
    let text = || std::fs::read_to_string(options.out.join("range_a.csv")).unwrap();
    let csv = text();
    assert!(csv.starts_with("snr,run,seed,") && csv.lines().count() == 2, "{csv}");
    // What is there is not computed again.
    let begin = std::time::Instant::now();
    run(&options, &context).unwrap();
    assert!(begin.elapsed() < first && text() == csv);
    for name in ["fig2", "fig3", "fig4"] {
        let picture = options.out.join(format!("range_a_{name}.png"));
        assert!(picture.metadata().unwrap().len() > 1000);
    }
    assert!(options.out.join("range_a.json").exists());
    let words = |text: &str| parsed(text.split(' ').map(str::to_owned)).map(|_| ());
    assert!(words("--runs x").unwrap_err().to_string().contains("x is no number"));
    assert!(words("--range C").is_err() && words("--runs 0").is_err() && words("fig2").is_err());
}
