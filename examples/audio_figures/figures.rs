//! Figures and tables of all runs.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use gaspard::Result;
use gaspard::io::atomic_write;
use gaspard::report::curves::Chart;

use crate::common::{Sheet, head, mean, median};
use crate::measure::Numbers;
use crate::scene::{Key, Range};

/// What came out of every run.
type Rows = BTreeMap<Key, Numbers>;

const DELAYS: [&str; 5] = ["robust", "robust, before refinement", "paper", "GCC-PHAT", "MCCC"];
const SPECTRA: [&str; 5] = ["robust", "paper", "delay and sum, true delays", "FDICA", "MNMF"];
const GAINS: [&str; 6] =
    ["robust", "robust, mask only", "paper", "delay and sum, true delays", "FDICA", "MNMF"];

/// Delays within so many frames are found.
const FOUND: f64 = 0.5;

pub fn draw(rows: &Rows, range: Range, snrs: &[i32], sheet: &mut Sheet) -> Result<()> {
    let figures = [
        ("fig2", "error of delays, frames", &DELAYS[..]),
        ("fig3", "error of spectrograms", &SPECTRA[..]),
        ("fig4", "gain in SDR, dB", &GAINS[..]),
    ];
    for (figure, what, names) in figures {
        let mut chart = Chart::new("signal-to-noise ratio, dB", what);
        let mut table = Vec::new();
        for name in names {
            let values = |snr: i32| numbers(rows, snr, figure, name);
            let points: Vec<(f64, f64)> =
                snrs.iter().map(|snr| (f64::from(*snr), mean(&values(*snr)))).collect();
            table.push(head(name, points.iter().map(|(_, value)| format!("{value:.3}"))));
            let middles = snrs.iter().map(|snr| format!("{:.3}", median(&values(*snr))));
            table.push(head("   median", middles));
            chart = chart.curve(*name, points);
        }
        let columns = head("", snrs.iter().map(|snr| format!("{snr} dB")));
        sheet.table(&format!("{figure}: {what}"), &columns, &table);
        sheet.chart(&format!("{}_{figure}", range.name()), &chart)?;
    }
    let found: Vec<Vec<String>> = DELAYS
        .iter()
        .map(|name| {
            let shares = snrs.iter().map(|snr| {
                let errors = numbers(rows, *snr, "largest", name);
                format!("{:.0} %", 100.0 * share(&errors, |error| *error < FOUND))
            });
            head(name, shares)
        })
        .collect();
    let columns = head("", snrs.iter().map(|snr| format!("{snr} dB")));
    sheet.table("runs with all delays within half a frame", &columns, &found);
    // At delays of a few samples spectrograms do not tell sources apart; there is nothing to hold.
    if range == Range::Frames {
        for snr in snrs.iter().filter(|snr| **snr >= 0) {
            accept(rows, *snr, sheet);
        }
    }
    Ok(())
}

fn accept(rows: &Rows, snr: i32, sheet: &mut Sheet) {
    let of = |figure: &str, name: &str| numbers(rows, snr, figure, name);
    let found = share(&of("largest", "robust"), |error| *error < FOUND);
    sheet.check(format!("{snr} dB: runs with all delays within half a frame"), found, 0.9..=1.0);
    let (ours, sums) = (of("fig3", "robust"), of("fig3", "delay and sum, true delays"));
    let pairs: Vec<(f64, f64)> = ours.into_iter().zip(sums).collect();
    let better = share(&pairs, |(ours, sum)| ours < sum);
    let what = "runs with spectrograms better than those of delay and sum";
    sheet.check(format!("{snr} dB: {what}"), better, 0.95..=1.0);
    let gain = mean(&of("fig4", "robust"));
    sheet.check(format!("{snr} dB: mean gain in SDR, dB"), gain, 9.0..=f64::INFINITY);
}

fn numbers(rows: &Rows, snr: i32, figure: &str, name: &str) -> Vec<f64> {
    let key = format!("{figure}/{name}");
    let of_snr = rows.iter().filter(|(key, _)| key.snr == snr);
    of_snr.filter_map(|(_, numbers)| numbers.get(&key).copied()).collect()
}

fn share<T>(values: &[T], holds: impl Fn(&T) -> bool) -> f64 {
    values.iter().filter(|value| holds(value)).count() as f64 / values.len() as f64
}

/// All numbers of all runs.
pub fn write_csv(rows: &Rows, path: &Path) -> Result<()> {
    let names: Vec<&String> = rows.values().next().into_iter().flat_map(BTreeMap::keys).collect();
    atomic_write(path, |out| {
        let quoted: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
        writeln!(out, "snr,run,seed,{}", quoted.join(","))?;
        for (key, numbers) in rows {
            let cell = |name: &&String| numbers.get(*name).map_or(String::new(), f64::to_string);
            let cells: Vec<String> = names.iter().map(cell).collect();
            writeln!(out, "{},{},{},{}", key.snr, key.run, key.seed, cells.join(","))?;
        }
        Ok(())
    })
}
