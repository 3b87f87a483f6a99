//! What every command takes, and what every experiment gets of it.

use std::path::PathBuf;

use gaspard::{Engine, Error, Result, Selector};

/// How much is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Size {
    /// To see that all runs, in seconds.
    Tiny,
    /// Minutes on a few cores.
    Small,
    /// That of the paper.
    Full,
}

impl Size {
    pub fn pick<T>(self, tiny: T, small: T, full: T) -> T {
        match self {
            Self::Tiny => tiny,
            Self::Small => small,
            Self::Full => full,
        }
    }
}

/// Options of all commands.
#[derive(Clone, Debug, clap::Args)]
pub struct Common {
    /// The sizes of the paper, not those of a few minutes on two cores
    #[arg(long)]
    pub full: bool,
    /// Where numbers (JSON) and pictures (PNG) go [default: a folder with the name of the command]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// auto, cpu, gpu, or a part of the name of a device
    #[arg(long, default_value = "auto")]
    pub device: String,
    /// What all that is random starts from
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub seed: u64,
}

impl Common {
    /// Opens the device, says which, and makes the folder.
    pub fn context(&self) -> Result<Context> {
        let engine = match self.device.as_str() {
            "auto" => Engine::auto(),
            "cpu" => Engine::cpu(),
            "gpu" => Engine::gpu(Selector::Best)?,
            name => Engine::gpu(Selector::Name(name.to_owned()))?,
        };
        println!("on {}", engine.description());
        let size = if self.full { Size::Full } else { Size::Small };
        let out = self.out.clone().unwrap_or_else(|| env!("CARGO_CRATE_NAME").into());
        std::fs::create_dir_all(&out)
            .map_err(|error| Error::file(&out, format!("cannot be made: {error}")))?;
        Ok(Context { engine, size, seed: self.seed, out })
    }
}

/// What every experiment gets.
pub struct Context {
    pub engine: Engine,
    pub size: Size,
    pub seed: u64,
    /// A folder that is there.
    pub out: PathBuf,
}
