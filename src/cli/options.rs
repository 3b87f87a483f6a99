//! Options that several commands have.

use std::path::PathBuf;

use clap::ValueEnum;
use gaspard::gromov;
use gaspard::io::image::Mass;
use gaspard::linear::Control;
use gaspard::linear::tree::Reference;
use gaspard::report::picture::Colormap;
use gaspard::{Engine, EngineOptions};
use serde::{Deserialize, Serialize};

use super::device::Choice;

/// The options of every command that computes.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Options of every computing command")]
pub(super) struct Common {
    /// Where to run: auto (a real GPU if there is one, else the CPU), cpu (f64), gpu (f32; a
    /// software adapter where there is no other), a number from `gaspard devices`, or a part of a
    /// name
    #[arg(short, long, value_name = "auto|cpu|gpu|N|NAME", default_value = "auto")]
    pub device: Choice,
    /// Seed of all that is random: starts, networks, particles, voices and noise. The same seed
    /// gives the same results; where nothing is random it is only written into the record
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub seed: u64,
    /// Refuse to hold more bytes of arrays than this, for example 2GiB [default: what the device
    /// has]
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes)]
    pub memory_limit: Option<u64>,
    /// Write results and the record of the run as JSON; - for stdout. Fields are explained in
    /// docs/json.md
    #[arg(long, value_name = "FILE|-")]
    pub json: Option<PathBuf>,
    /// Say nothing on stderr but warnings and errors
    #[arg(short, long)]
    pub quiet: bool,
    /// Measure every kernel; the table goes to stderr and into the record
    #[arg(long)]
    pub profile: bool,
}

impl Common {
    /// The CPU engine, under the limits that were asked for.
    pub(super) fn host(&self) -> Engine {
        Engine::cpu_with(&self.engine_options())
    }

    /// How engines are opened.
    pub(super) fn engine_options(&self) -> EngineOptions {
        EngineOptions {
            profile: self.profile,
            memory_limit: self.memory_limit,
            ..EngineOptions::default()
        }
    }
}

/// When an iteration ends. What is counted and what is measured is for each command to say, with
/// `mut_arg`.
#[derive(Clone, Copy, Debug, clap::Args)]
#[command(next_help_heading = "Iteration")]
pub(super) struct Iterating {
    /// Stop after so many iterations, converged or not
    #[arg(long, value_name = "NUMBER", alias = "numItermax",
          value_parser = clap::value_parser!(u64).range(1..))]
    max_iterations: Option<u64>,
    /// Stop when the residual is at most this; 0 to use all iterations
    #[arg(long, value_name = "ERROR", alias = "stopThr", allow_negative_numbers = true)]
    pub tolerance: Option<f64>,
}

impl Iterating {
    /// `--max-iterations`, where it is given.
    pub(super) fn iterations(&self) -> Option<usize> {
        self.max_iterations.map(|iterations| usize::try_from(iterations).unwrap_or(usize::MAX))
    }
}

/// How an iteration with entropy comes down to its epsilon, and when it ends.
#[derive(Clone, Copy, Debug, clap::Args)]
#[command(next_help_heading = "Iteration")]
pub(super) struct Annealing {
    #[command(flatten)]
    pub iterating: Iterating,
    /// Come down to epsilon from a large one by this factor from stage to stage; 1 for no annealing
    #[arg(long, value_name = "FACTOR", default_value_t = 4.0, allow_negative_numbers = true)]
    annealing: f64,
}

impl Annealing {
    /// The control that these options describe, at this epsilon.
    pub(super) fn control(&self, epsilon: f64) -> Control {
        let defaults = Control::new(epsilon);
        Control {
            tolerance: self.iterating.tolerance,
            max_iterations: self.iterating.iterations().unwrap_or(defaults.max_iterations),
            annealing: self.annealing,
            ..defaults
        }
    }

    /// The control of a Gromov-Wasserstein solve that these options describe.
    pub(super) fn gromov_control(&self, epsilon: f64, seed: u64) -> gromov::Control {
        let defaults = gromov::Control::new(epsilon);
        gromov::Control {
            tolerance: self.iterating.tolerance,
            max_iterations: self.iterating.iterations().unwrap_or(defaults.max_iterations),
            annealing: self.annealing,
            seed,
            ..defaults
        }
    }
}

/// What iterations of entropic transport count, and what they are stopped by.
pub(super) const SWEEPS: &str = "Stop after so many sweeps over all potentials, converged or not \
                                 [default: 10000]";
pub(super) const MARGINALS: &str = "Stop when the marginals are off by at most this: L1, for a mass \
                                    of 1; 0 to use all iterations [default: 1e-6 on the CPU; on a \
                                    GPU 1e-5, or where rounding to f32 keeps it from falling \
                                    further]";
/// The same for Gromov-Wasserstein.
pub(super) const PLANS: &str = "Stop after so many plans, each of one linearised problem, converged \
                                or not [default: 300]";
pub(super) const CHANGES: &str = "Stop when the plan changes by at most this: L1, for a mass of 1, \
                                  where 2 is everything; 0 to use all iterations [default: 1e-3 on \
                                  the CPU, 1e-2 on a GPU]";

/// `--colours`, in clap's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Colours {
    /// Black to white
    Grey,
    /// White to black
    Paper,
    /// White to dark blue
    Ink,
    /// Black over purple and orange to pale yellow
    Magma,
    /// Purple over green to yellow
    Viridis,
}

impl From<Colours> for Colormap {
    fn from(colours: Colours) -> Self {
        match colours {
            Colours::Grey => Self::Grey,
            Colours::Paper => Self::Paper,
            Colours::Ink => Self::Ink,
            Colours::Magma => Self::Magma,
            Colours::Viridis => Self::Viridis,
        }
    }
}

/// `--mass`, in clap's words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum MassOption {
    /// Bright pixels carry mass
    #[default]
    Light,
    /// Dark pixels carry mass, as ink on paper does
    Dark,
    /// Opaque pixels carry mass, whatever their colour
    Alpha,
}

impl From<MassOption> for Mass {
    fn from(option: MassOption) -> Self {
        match option {
            MassOption::Light => Self::Light,
            MassOption::Dark => Self::Dark,
            MassOption::Alpha => Self::Alpha,
        }
    }
}

/// `--as`: how arrays of two axes are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum As {
    /// As what they look like
    Auto,
    /// One point a row
    Points,
    /// Masses of cells
    Density,
}

/// `--reference`, in the words of clap and of JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ReferenceOption {
    /// The product of the weights
    #[default]
    Weights,
    /// 1/n on each point
    Uniform,
    /// 1 on each point: plain entropy, sum P log P at mass 1
    Counting,
}

impl From<ReferenceOption> for Reference {
    fn from(option: ReferenceOption) -> Self {
        match option {
            ReferenceOption::Weights => Self::Weights,
            ReferenceOption::Uniform => Self::Uniform,
            ReferenceOption::Counting => Self::Counting,
        }
    }
}

/// `512`, `64 KiB`, `2GiB`, `1.5GB`.
pub(super) fn parse_bytes(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1000,
        "mb" => 1000_u64.pow(2),
        "gb" => 1000_u64.pow(3),
        "tb" => 1000_u64.pow(4),
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "t" | "tib" => 1 << 40,
        _ => return Err(format!("`{unit}` is not a unit; use B, KiB, MiB, GiB or TiB")),
    };
    let number: f64 = number.parse().map_err(|_| "not a number of bytes, like 2GiB".to_owned())?;
    Ok((number * factor as f64) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_with_and_without_units() {
        for (text, bytes) in [
            ("512", 512),
            ("64 KiB", 65536),
            ("2GiB", 2 << 30),
            ("1.5MB", 1_500_000),
            ("1g", 1 << 30),
        ] {
            assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
        }
        for text in ["", "GiB", "2 gallons", "-1", "1.2.3"] {
            assert!(parse_bytes(text).is_err(), "{text}");
        }
    }
}
