//! The device that a run asks for, and the one that it gets.

use std::convert::Infallible;
use std::str::FromStr;

use gaspard::engine::DeviceKind;
use gaspard::{Engine, EngineOptions, Result, Selector};

use super::outputs::complain;

/// What `--device` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// A real GPU if there is one, else the CPU.
    Auto,
    Cpu,
    Gpu(Selector),
}

impl FromStr for Choice {
    type Err = Infallible;

    /// What is no keyword and no number is taken for a part of a name.
    fn from_str(text: &str) -> std::result::Result<Self, Infallible> {
        Ok(match text.to_lowercase().as_str() {
            "auto" => Self::Auto,
            "cpu" => Self::Cpu,
            "gpu" => Self::Gpu(Selector::Best),
            _ => Self::Gpu(match text.parse() {
                Ok(index) => Selector::Index(index),
                Err(_) => Selector::Name(text.to_owned()),
            }),
        })
    }
}

impl Choice {
    /// Warns whoever asks for a GPU for what always runs on the CPU: scripts may ask all commands alike.
    pub(super) fn expect_cpu(&self, what: &str) {
        if let Self::Gpu(_) = self {
            complain(
                "warning",
                &format!("{what} always runs on the CPU; --device does nothing here"),
            );
        }
    }

    /// Opens the device, and says in one line which one it is.
    pub(super) fn open(&self, options: &EngineOptions) -> Result<(Engine, String)> {
        let engine = match self {
            Self::Auto => Engine::auto_with(options),
            Self::Cpu => Engine::cpu_with(options),
            Self::Gpu(selector) => Engine::gpu_with(selector.clone(), options)?,
        };
        let remark = match (self, engine.device().map(|info| info.kind)) {
            (Self::Auto, None) => "; there is no real GPU that can be used here",
            (Self::Gpu(Selector::Best), Some(DeviceKind::Software)) => {
                "; there is no real GPU here, this one is emulated on the CPU"
            }
            (_, Some(DeviceKind::Software)) => "; it is emulated on the CPU",
            _ => "",
        };
        let line = format!("device: {}{remark}", engine.description());
        Ok((engine, line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_numbers_and_names() {
        let choice = |text: &str| text.parse::<Choice>().unwrap();
        assert_eq!(choice("auto"), Choice::Auto);
        assert_eq!(choice("cpu"), Choice::Cpu);
        assert_eq!(choice("CPU"), Choice::Cpu);
        assert_eq!(choice("Auto"), Choice::Auto);
        assert_eq!(choice("gpu"), Choice::Gpu(Selector::Best));
        assert_eq!(choice("1"), Choice::Gpu(Selector::Index(1)));
        assert_eq!(choice("radeon"), Choice::Gpu(Selector::Name("radeon".into())));
    }
}
