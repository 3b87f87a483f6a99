//! What an experiment prints and leaves behind.

use std::io::Write;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Instant;

use gaspard::Result;
use gaspard::io::atomic_write;
use gaspard::report::curves::Chart;
use gaspard::report::picture::{Colormap, Style, strip, write_png};
use ndarray::Array2;
use serde_json::{Map, Value, json};

use super::Context;

pub struct Sheet {
    name: &'static str,
    out: PathBuf,
    begin: Instant,
    values: Map<String, Value>,
    checks: Vec<Value>,
}

impl Sheet {
    pub fn new(name: &'static str, context: &Context) -> Self {
        println!("\n=== {name}");
        let mut sheet = Self {
            name,
            out: context.out.clone(),
            begin: Instant::now(),
            values: Map::new(),
            checks: Vec::new(),
        };
        sheet.keep("device", context.engine.description());
        sheet.keep("size", format!("{:?}", context.size).to_lowercase());
        sheet.keep("seed", context.seed);
        sheet
    }

    /// Keeps something in the JSON only.
    pub fn keep(&mut self, key: &str, value: impl Into<Value>) {
        self.values.insert(key.to_owned(), value.into());
    }

    /// Prints a table, whose first column has names, and keeps it.
    pub fn table(&mut self, title: &str, head: &[String], rows: &[Vec<String>]) {
        let all = || std::iter::once(head).chain(rows.iter().map(Vec::as_slice));
        let width = |column: usize| {
            all().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
        };
        let widths: Vec<usize> = (0..head.len()).map(|column| width(column).unwrap_or(0)).collect();
        println!("\n{title}");
        for row in all() {
            let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| {
                if column == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
            });
            println!("  {}", cells.collect::<Vec<_>>().join("  ").trim_end());
        }
        let tables = self.values.entry("tables").or_insert_with(|| json!([]));
        if let Value::Array(tables) = tables {
            tables.push(json!({ "title": title, "head": head, "rows": rows }));
        }
    }

    /// Prints and keeps whether a number is where it should be.
    pub fn check(&mut self, what: impl Into<String>, found: f64, band: RangeInclusive<f64>) {
        let what = what.into();
        let pass = band.contains(&found);
        let (low, high) = band.into_inner();
        let verdict = if pass { "PASS" } else { "MISS" };
        let [shown, least, most] = [found, low, high].map(number);
        println!("  {verdict}  {what}: {shown} in [{least}, {most}]");
        self.checks.push(json!({
            "what": what, "found": found, "low": low, "high": high, "pass": pass,
        }));
    }

    /// The same for what is so or is not.
    pub fn expect(&mut self, what: impl Into<String>, pass: bool) {
        let what = what.into();
        println!("  {}  {what}", if pass { "PASS" } else { "MISS" });
        self.checks.push(json!({ "what": what, "pass": pass }));
    }

    pub fn chart(&self, name: &str, chart: &Chart) -> Result<()> {
        self.wrote(chart.save_png(self.picture(name)), name)
    }

    /// Matrices or pictures side by side.
    pub fn heat(&self, name: &str, matrices: &[Array2<f64>]) -> Result<()> {
        let picture = strip(matrices, &Style::new(Colormap::Viridis))?;
        self.wrote(write_png(self.picture(name), &picture), name)
    }

    fn picture(&self, name: &str) -> PathBuf {
        self.out.join(format!("{name}.png"))
    }

    fn wrote(&self, done: Result<()>, name: &str) -> Result<()> {
        done?;
        println!("  wrote {}", self.picture(name).display());
        Ok(())
    }

    /// Writes what was kept.
    pub fn finish(mut self) -> Result<()> {
        let seconds = self.begin.elapsed().as_secs_f64();
        let passed = self.checks.iter().filter(|check| check["pass"] == true).count();
        println!("  {} of {} checks passed, {seconds:.1} s", passed, self.checks.len());
        self.keep("seconds", seconds);
        let checks = std::mem::take(&mut self.checks);
        self.keep("checks", checks);
        let text = format!("{:#}\n", Value::Object(self.values));
        let path = self.out.join(format!("{}.json", self.name));
        atomic_write(&path, |out| out.write_all(text.as_bytes()))
    }
}

/// A number with four digits behind the point, or as a power of ten where these say nothing.
fn number(value: f64) -> String {
    if value == 0.0 || value.abs() >= 1e-3 { format!("{value:.4}") } else { format!("{value:.1e}") }
}

/// A number with its sign, in per cent.
pub fn percent(value: f64) -> String {
    format!("{:+.2}", 100.0 * value)
}

/// Columns after one for names.
pub fn head<T: ToString>(first: &str, others: impl IntoIterator<Item = T>) -> Vec<String> {
    std::iter::once(first.to_owned()).chain(others.into_iter().map(|one| one.to_string())).collect()
}

pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

pub fn deviation(values: &[f64]) -> f64 {
    let mean = mean(values);
    (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
}

pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let count = sorted.len();
    0.5 * (sorted[(count - 1) / 2] + sorted[count / 2])
}
