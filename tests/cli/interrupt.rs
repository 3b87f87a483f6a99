//! Ctrl-C leaves the results so far.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use super::workplace::{Ran, Workplace, cloud};

/// Runs until the progress lines show that the solve is under way, then presses Ctrl-C.
fn interrupted(place: &Workplace, arguments: &[&str]) -> Ran {
    let mut child =
        place.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    while !said.contains("iteration ") {
        if stderr.read_line(&mut said).unwrap() == 0 {
            panic!("it ended by itself: {said} {:?}", child.wait());
        }
    }
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    stderr.read_to_string(&mut said).unwrap();
    let mut ran: Ran = child.wait_with_output().unwrap().into();
    ran.stderr = said;
    ran
}

#[test]
fn transport_leaves_its_results() {
    let place = Workplace::new();
    place.write("x.npy", &cloud(1, 60));
    place.write("y.npy", &cloud(2, 50));
    let ran = interrupted(
        &place,
        &[
            "transport",
            "x.npy",
            "y.npy",
            "--device",
            "cpu",
            "--tolerance",
            "1e-300",
            "--max-iterations",
            "1000000000",
            "--out",
            "all.npz",
            "--coupling",
            "plan.npy",
            "--json",
            "o.json",
        ],
    );
    assert_eq!(ran.code, 130, "{}", ran.stderr);
    let json = std::fs::read_to_string(place.path("o.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["interrupted"], &json["converged"]), (&true.into(), &false.into()));
    assert_eq!(place.unpack("all.npz", "f").len(), 60);
    assert!((place.read("plan.npy").sum() - 1.0).abs() < 1e-6);
}

#[test]
fn barycenters_leave_their_pictures() {
    let place = Workplace::new();
    place.picture("a.png", 16, 16, |x, y| (x * y) as u8);
    place.picture("b.png", 16, 16, |x, y| 255 - (x * y) as u8);
    let ran = interrupted(
        &place,
        &[
            "barycenter",
            "a.png",
            "b.png",
            "--device",
            "cpu",
            "--tolerance",
            "1e-300",
            "--max-iterations",
            "1000000000",
            "--out",
            "o.png",
            "--npy",
            "o.npy",
            "--frames",
            "4",
        ],
    );
    assert_eq!(ran.code, 130, "{}", ran.stderr);
    assert!((place.read("o.npy").sum() - 1.0).abs() < 1e-6);
    assert!(place.holds("o.png"));
}

#[test]
fn spaces_leave_their_plans() {
    let place = Workplace::new();
    place.write("x.npy", &cloud(1, 300));
    place.write("y.npy", &cloud(2, 280));
    let ran = interrupted(
        &place,
        &[
            "gromov",
            "x.npy",
            "y.npy",
            "--device",
            "cpu",
            "--epsilon",
            "1e-3",
            "--tolerance",
            "0",
            "--max-iterations",
            "1000000000",
            "--coupling",
            "plan.npy",
            "--json",
            "o.json",
        ],
    );
    assert_eq!(ran.code, 130, "{}", ran.stderr);
    let json = std::fs::read_to_string(place.path("o.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["interrupted"], &json["converged"]), (&true.into(), &false.into()));
    assert!((place.read("plan.npy").sum() - 1.0).abs() < 0.1);
}

#[test]
fn free_points_leave_their_distances() {
    let place = Workplace::new();
    place.write("x.npy", &cloud(1, 150));
    place.write("y.npy", &cloud(2, 140));
    let ran = interrupted(
        &place,
        &[
            "barycenter",
            "x.npy",
            "y.npy",
            "--as",
            "points",
            "--metric",
            "gromov",
            "--points",
            "60",
            "--device",
            "cpu",
            "--tolerance",
            "0",
            "--max-iterations",
            "1000000000",
            "--seeds",
            "1000",
            "--out",
            "all.npz",
            "--coupling",
            "plan.npy",
            "--json",
            "o.json",
        ],
    );
    assert_eq!(ran.code, 130, "{}", ran.stderr);
    let json = std::fs::read_to_string(place.path("o.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(&json["interrupted"], &true);
    assert_eq!(place.unpack("all.npz", "distances").shape(), [60, 60]);
    assert!((place.read("plan_1.npy").sum() - 1.0).abs() < 1e-9);
}

#[test]
fn motions_leave_their_densities() {
    let place = Workplace::new();
    let ends = ["dynamic", "gaussian:0.3,0.3,0.1", "gaussian:0.7,0.6,0.1", "--grid", "16x16x8"];
    let endless = ["--device", "cpu", "--tolerance", "0", "--max-iterations", "1000000000"];
    let files = ["--npz", "o.npz", "--json", "o.json"];
    let ran = interrupted(&place, &[&ends[..], &endless, &files].concat());
    assert_eq!(ran.code, 130, "{}", ran.stderr);
    let json = std::fs::read_to_string(place.path("o.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["interrupted"], &json["converged"]), (&true.into(), &false.into()));
    assert!((place.unpack("o.npz", "rho").mean().unwrap() - 1.0).abs() < 1e-12);
}

#[test]
fn separation_says_that_it_was_stopped() {
    let place = Workplace::new();
    let scene = "simulate --voices 2 --seconds 20 --delays 300,-700 --out mix.wav";
    place.results(&scene.split(' ').collect::<Vec<_>>());
    let line = "separate mix.wav --sources 2 --method mnmf --out found --json o.json";
    let ran = interrupted(&place, &line.split(' ').collect::<Vec<_>>());
    assert_eq!(ran.code, 130, "{}", ran.stderr);
    assert!(ran.stderr.contains("warning: interrupted after"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("found, in"), "no word of success: {}", ran.stderr);
    let json = std::fs::read_to_string(place.path("o.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(&json["interrupted"], &true);
    assert!(place.holds("found/source_2.wav"));
}
