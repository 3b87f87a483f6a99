//! The command line of gaspard.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
