//! The command line, run as a user runs it: files in, files out, exit codes, messages.
#![cfg(feature = "cli")]

#[path = "cli/again.rs"]
mod again;
#[path = "cli/barycenter.rs"]
mod barycenter;
#[path = "cli/dynamic.rs"]
mod dynamic;
#[path = "cli/dynamic_laws.rs"]
mod dynamic_laws;
#[path = "cli/dynamic_paths.rs"]
mod dynamic_paths;
#[path = "cli/flat.rs"]
mod flat;
#[path = "cli/free_support.rs"]
mod free_support;
#[path = "cli/gromov.rs"]
mod gromov;
#[path = "cli/interrupt.rs"]
mod interrupt;
#[path = "cli/json.rs"]
mod json;
#[path = "cli/killed.rs"]
mod killed;
#[path = "cli/meaning.rs"]
mod meaning;
#[path = "cli/outputs.rs"]
mod outputs;
#[path = "cli/refusals.rs"]
mod refusals;
#[path = "cli/separate.rs"]
mod separate;
#[path = "cli/sound.rs"]
mod sound;
#[path = "cli/transport.rs"]
mod transport;
#[path = "cli/tree.rs"]
mod tree;
#[path = "cli/workplace.rs"]
mod workplace;

use workplace::Workplace;

#[test]
fn devices_are_listed_for_people_and_machines() {
    let place = Workplace::new();
    let table = place.run(&["devices"]);
    assert_eq!(table.code, 0, "{}", table.stderr);
    assert!(table.stdout.lines().any(|line| line.starts_with("cpu ")), "{}", table.stdout);
    let json = place.run(&["devices", "--json"]).json();
    assert!(json["cpu"]["threads"].as_u64() >= Some(1));
    assert_eq!(json["devices"].as_array().unwrap().len(), gaspard::Engine::devices().len());
}

#[test]
fn every_command_explains_itself_with_an_example() {
    let place = Workplace::new();
    for command in [
        "transport",
        "barycenter",
        "tree",
        "gromov",
        "transfer",
        "dynamic",
        "flat",
        "separate",
        "tdoa",
        "simulate",
        "demo",
        "bench",
        "check",
        "devices",
    ] {
        let help = place.run(&[command, "--help"]);
        assert_eq!(help.code, 0);
        assert!(help.stdout.contains("Examples:"), "{command}");
        assert!(help.stdout.contains(&format!("gaspard {command}")), "{command}");
    }
    let all = place.run(&["--help"]).stdout;
    assert!(all.contains("130"), "exit codes are explained: {all}");
}
