//! The command line: one file or folder for each subcommand, and what they share.
//!
//! Text for people goes to stderr. Results go to stdout, as JSON where that is asked for.

mod barycenter;
mod bench;
mod check;
mod demo;
mod described;
mod device;
mod devices;
mod dynamic;
mod flat;
#[cfg(fuzzing)]
pub mod fuzz;
mod given;
mod gromov;
mod inputs;
mod interrupt;
mod options;
mod outputs;
mod separate;
mod session;
mod simulate;
mod status;
mod tdoa;
mod transfer;
mod transport;
mod tree;
mod watch;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use given::Given;
use status::Status;

const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    failed: bad data, a file, a device
  2    usage: an option that makes no sense
  3    not converged; the results are written all the same
  130  interrupted by Ctrl-C; the results so far are written (a second Ctrl-C ends at once)";

/// Optimal transport on GPUs and CPUs.
#[derive(Debug, Parser)]
#[command(name = "gaspard", version, after_help = EXIT_CODES, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Barycenter(Box<barycenter::Arguments>),
    Transport(Box<transport::Arguments>),
    Tree(tree::Arguments),
    Gromov(Box<gromov::Arguments>),
    Transfer(Box<transfer::Arguments>),
    Dynamic(Box<dynamic::Arguments>),
    Flat(Box<flat::Arguments>),
    Separate(Box<separate::Arguments>),
    Tdoa(Box<tdoa::Arguments>),
    Simulate(simulate::Arguments),
    Demo(demo::Arguments),
    Bench(bench::Arguments),
    Check(check::Arguments),
    Devices(devices::Arguments),
}

/// Reads the command line, does what it says, and tells how that went.
pub(crate) fn run() -> ExitCode {
    let command = Cli::command();
    let matches = command.clone().get_matches();
    let given = Given::of(&command, &matches);
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let outcome = match cli.command {
        Command::Barycenter(arguments) => barycenter::run(&arguments, &given),
        Command::Transport(arguments) => transport::run(&arguments, &given),
        Command::Tree(arguments) => tree::run(&arguments),
        Command::Gromov(arguments) => gromov::run(&arguments, &given),
        Command::Transfer(arguments) => transfer::run(&arguments, &given),
        Command::Dynamic(arguments) => dynamic::run(&arguments, &given),
        Command::Flat(arguments) => flat::run(&arguments, &given),
        Command::Separate(arguments) => separate::run(&arguments, &given),
        Command::Tdoa(arguments) => tdoa::run(&arguments, &given),
        Command::Simulate(arguments) => simulate::run(&arguments, &given),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Devices(arguments) => devices::run(&arguments).map(|()| Status::Done),
    };
    match outcome {
        Ok(status) => status.code(),
        Err(error) => {
            outputs::complain("error", &error.to_string());
            status::code_of(&error)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_do_not_contradict_each_other() {
        Cli::command().debug_assert();
    }
}
