//! `gaspard devices`: what there is to run on.

use std::path::PathBuf;
use std::time::SystemTime;

use gaspard::engine::{DeviceInfo, DeviceKind};
use gaspard::error::bytes;
use gaspard::report::record::{RunRecord, kind_name};
use gaspard::{Engine, Result};
use serde::Serialize;

use super::outputs;

const EXAMPLE: &str = "\
Examples:
  gaspard devices
  gaspard transport a.npy b.npy --device 0";

/// List the devices that gaspard can run on
///
/// Names the CPU and every GPU that the drivers on this machine offer, best first. The first column
/// is what --device takes; memory is what the driver reports; a binding is the most bytes that a
/// kernel sees of an array at once (larger arrays are walked in panels).
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub(super) struct Arguments {
    /// Write the list as JSON, sizes in bytes; - or nothing for stdout
    #[arg(long, value_name = "FILE|-", num_args = 0..=1, default_missing_value = "-")]
    json: Option<PathBuf>,
}

#[derive(Serialize)]
struct Report {
    /// What --device auto takes: `cpu`, or the index of a GPU.
    auto: String,
    cpu: Cpu,
    devices: Vec<Device>,
    record: RunRecord,
}

#[derive(Serialize)]
struct Cpu {
    name: String,
    threads: usize,
}

#[derive(Serialize)]
struct Device {
    index: usize,
    name: String,
    kind: &'static str,
    backend: String,
    driver: String,
    memory: Option<u64>,
    max_binding_bytes: u64,
    max_buffer_bytes: u64,
    usable: bool,
}

impl From<DeviceInfo> for Device {
    fn from(info: DeviceInfo) -> Self {
        Self {
            index: info.index,
            name: info.name,
            kind: kind_name(info.kind),
            backend: info.backend,
            driver: info.driver,
            memory: info.memory,
            max_binding_bytes: info.max_binding_bytes,
            max_buffer_bytes: info.max_buffer_bytes,
            usable: info.usable,
        }
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let started = SystemTime::now();
    if let Some(path) = arguments.json.as_deref().filter(|path| !outputs::is_stdout(path)) {
        outputs::check(&[], &[path])?;
    }
    let found = Engine::devices();
    let real = found.iter().find(|info| info.usable && info.kind != DeviceKind::Software);
    let report = Report {
        auto: real.map_or("cpu".to_owned(), |info| info.index.to_string()),
        cpu: Cpu {
            name: Engine::cpu().description(),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
        },
        devices: found.into_iter().map(Device::from).collect(),
        record: outputs::record(&Engine::cpu(), started),
    };
    match &arguments.json {
        Some(path) => outputs::write_json(path, &report),
        None => outputs::print(&table(&report)),
    }
}

fn table(report: &Report) -> String {
    let mut rows =
        vec![["device", "name", "kind", "memory", "binding", "driver"].map(String::from)];
    let cells = |text: &[&str; 6]| text.map(str::to_owned);
    rows.push(cells(&["cpu", &report.cpu.name, "cpu", "", "", ""]));
    for device in &report.devices {
        let unusable = if device.usable { "" } else { " (lacks what gaspard needs)" };
        rows.push(cells(&[
            &device.index.to_string(),
            &device.name,
            device.kind,
            &device.memory.map(bytes).unwrap_or_default(),
            &bytes(device.max_binding_bytes),
            &format!("{} {}{unusable}", device.backend, device.driver),
        ]));
    }
    let width = |column: usize| {
        rows.iter().map(|row: &[String; 6]| row[column].chars().count()).max().unwrap_or(0)
    };
    let widths: [usize; 6] = std::array::from_fn(width);
    let mut text = String::new();
    for row in &rows {
        let cells: Vec<_> =
            row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        text += cells.join("  ").trim_end();
        text += "\n";
    }
    text + &format!("--device auto takes {}\n", report.auto)
}
