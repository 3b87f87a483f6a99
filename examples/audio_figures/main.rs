//! The experiments of Fabiani, Schlecht, Haasler and Elvander, "Joint spectrogram separation and TDOA
//! estimation using optimal transport", on generated voices: figure 2 (errors of delays), figure 3
//! (errors of spectrograms) and figure 4 (gain in the signal-to-distortion ratio) over the
//! signal-to-noise ratio, of the robust form, the published form and known methods.
//!
//!     cargo run --release --example audio_figures -- [OPTIONS]
//!
//! Two voices of 1.4 s in 2 s at 8 kHz reach two microphones with delays of 2 to 10 frames, two frames
//! apart (range A), or of a few samples, as at a small array (range B).

#[path = "../common/mod.rs"]
#[allow(dead_code, unused_imports, reason = "other experiments use more of it")]
mod common;
mod figures;
mod measure;
mod scene;

use std::collections::BTreeMap;

use clap::Parser;
use common::{Common, Context, Sheet, Size, Store};
use gaspard::Result;
use rayon::prelude::*;
use scene::{Key, Range};

/// Figures 2 to 4 of Fabiani, Schlecht, Haasler and Elvander's "Joint spectrogram separation and TDOA
/// estimation using optimal transport", on generated voices
///
/// 20 runs at 0, 10 and 30 dB; with --full 100 runs from -10 to 40 dB. Runs go in parallel. Each is kept
/// when it is done: stopped and called again, the experiment goes on.
#[derive(Debug, Parser)]
struct Options {
    /// Runs at every signal-to-noise ratio [default: 20, with --full 100]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    runs: Option<u64>,
    /// Signal-to-noise ratios in dB, separated by commas [default: 0,10,30, with --full -10 to 40]
    #[arg(long, value_name = "DB", value_delimiter = ',', allow_hyphen_values = true)]
    snr: Vec<i32>,
    /// How far delays go
    #[arg(long, value_enum, ignore_case = true, default_value = "a")]
    range: Range,
    #[command(flatten)]
    common: Common,
}

impl Options {
    fn runs(&self, size: Size) -> u64 {
        self.runs.unwrap_or(size.pick(1, 20, 100))
    }

    /// Decibels.
    fn snrs(&self, size: Size) -> Vec<i32> {
        if self.snr.is_empty() {
            size.pick(vec![20], vec![0, 10, 30], (-10..=40).step_by(5).collect())
        } else {
            self.snr.clone()
        }
    }
}

fn main() -> Result<()> {
    let options = Options::parse();
    run(&options, &options.common.context()?)
}

fn run(options: &Options, context: &Context) -> Result<()> {
    let name = options.range.name();
    let store = Store::open(&context.out.join(format!("{name}_runs.jsonl")))?;
    let (snrs, runs) = (options.snrs(context.size), options.runs(context.size));
    let keys: Vec<Key> = snrs
        .iter()
        .flat_map(|snr| (0..runs).map(move |run| Key { snr: *snr, run, seed: context.seed }))
        .collect();
    let missing: Vec<Key> = keys.iter().copied().filter(|key| store.get(key).is_none()).collect();
    println!("{} of {} runs are there", keys.len() - missing.len(), keys.len());
    missing.par_iter().try_for_each(|key| {
        let scene = scene::scene(options.range, key)?;
        store.keep(*key, measure::all(&scene, options.range, context)?)?;
        println!("  {} dB, run {}", key.snr, key.run);
        Ok(())
    })?;
    let found = |key: &Key| store.get(key).map(|numbers| (*key, numbers));
    let rows: BTreeMap<Key, measure::Numbers> = keys.iter().filter_map(found).collect();
    let mut sheet = Sheet::new(name, context);
    sheet.keep("runs", runs);
    figures::draw(&rows, options.range, &snrs, &mut sheet)?;
    figures::write_csv(&rows, &context.out.join(format!("{name}.csv")))?;
    sheet.finish()
}

#[test]
fn a_run_is_kept_and_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options::parse_from(["audio_figures"]);
    let (engine, size) = (gaspard::Engine::cpu(), Size::Tiny);
    let context = Context { engine, size, seed: 0, out: folder.path().to_owned() };
    let begin = std::time::Instant::now();
    run(&options, &context).unwrap();
    let first = begin.elapsed();
    let text = || std::fs::read_to_string(context.out.join("range_a.csv")).unwrap();
    let csv = text();
    assert!(csv.starts_with("snr,run,seed,") && csv.lines().count() == 2, "{csv}");
    // What is there is not computed again.
    let begin = std::time::Instant::now();
    run(&options, &context).unwrap();
    assert!(begin.elapsed() < first && text() == csv);
    for name in ["fig2", "fig3", "fig4"] {
        let picture = context.out.join(format!("range_a_{name}.png"));
        assert!(picture.metadata().unwrap().len() > 1000);
    }
    assert!(context.out.join("range_a.json").exists());
    for wrong in [&["--runs", "x"][..], &["--range", "C"], &["--runs", "0"], &["fig2"]] {
        let words = ["audio_figures"].iter().chain(wrong);
        assert!(Options::try_parse_from(words).is_err(), "{wrong:?}");
    }
    let several = Options::parse_from(["audio_figures", "--snr", "-5,10", "--range", "B"]);
    assert_eq!((several.snr, several.range), (vec![-5, 10], Range::Samples));
}
