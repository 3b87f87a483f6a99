//! The options that were written on the command line, to refuse those that mean nothing there.

use clap::parser::ValueSource;
use clap::{ArgMatches, Command};
use gaspard::{Error, Result};

/// The options that were written, whatever their values: defaults are not among them.
#[derive(Debug, Default)]
pub(super) struct Given {
    written: Vec<String>,
    known: Vec<String>,
}

impl Given {
    /// Those of the subcommand that was called.
    pub(super) fn of(command: &Command, matches: &ArgMatches) -> Self {
        let Some((name, matches)) = matches.subcommand() else { return Self::default() };
        let options = command.find_subcommand(name).into_iter().flat_map(Command::get_arguments);
        let (mut written, mut known) = (Vec::new(), Vec::new());
        for option in options {
            let Some(long) = option.get_long() else { continue };
            known.push(long.to_owned());
            if matches.value_source(option.get_id().as_str()) == Some(ValueSource::CommandLine) {
                written.push(long.to_owned());
            }
        }
        Self { written, known }
    }

    /// True if `--long` was written.
    pub(super) fn has(&self, long: &str) -> bool {
        debug_assert!(self.known.iter().any(|known| known == long), "there is no --{long}");
        self.written.iter().any(|written| written == long)
    }

    /// Refuses options that have no meaning with `what`.
    pub(super) fn refuse(&self, options: &[&str], what: &str) -> Result<()> {
        self.refuse_unless(options, what, "leave it out")
    }

    /// The same, and what to do instead.
    pub(super) fn refuse_unless(&self, options: &[&str], what: &str, remedy: &str) -> Result<()> {
        match options.iter().find(|long| self.has(long)) {
            None => Ok(()),
            Some(long) => {
                let problem = format!("it has no meaning with {what}");
                Err(Error::parameter(format!("--{long}"), problem, remedy))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::{Arg, ArgAction};

    use super::*;

    fn given(words: &[&str]) -> Given {
        let option = |name: &'static str| {
            Arg::new(name).long(name).action(ArgAction::Set).default_value("1")
        };
        let command = Command::new("program")
            .subcommand(Command::new("solve").arg(option("noise")).arg(option("block")));
        let matches = command.clone().get_matches_from([&["program", "solve"], words].concat());
        Given::of(&command, &matches)
    }

    #[test]
    fn defaults_are_not_given_and_equal_values_are() {
        assert!(given(&[]).refuse(&["noise", "block"], "--fast").is_ok());
        assert!(given(&["--noise", "1"]).has("noise"));
        let error = given(&["--block", "1"]).refuse(&["noise", "block"], "--fast").unwrap_err();
        assert_eq!(error.to_string(), "--block: it has no meaning with --fast; leave it out");
        assert!(error.is_usage());
    }
}
