//! A run that is killed at any moment goes on as if nothing had happened, bit for bit.
#![cfg(unix)]

use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

use ndarray::Array1;

use super::workplace::{Workplace, cloud, lasting};

/// Runs until a file is there, and for so much longer; false if it ended before it was killed.
fn killed(place: &Workplace, arguments: &[&str], file: &str, longer: Duration) -> bool {
    let mut command = place.command(arguments);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let begin = Instant::now();
    while !place.holds(file) && child.try_wait().unwrap().is_none() {
        assert!(begin.elapsed() < Duration::from_secs(120), "{file} is never written");
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(longer);
    child.kill().unwrap();
    child.wait().unwrap().signal() == Some(9)
}

/// Moments between writes and within them.
fn moments() -> impl Iterator<Item = Duration> {
    (0..8).map(|moment| Duration::from_millis(7 * moment * moment))
}

#[test]
fn motions_go_on_from_their_last_checkpoint() {
    let place = Workplace::new();
    let ends = ["dynamic", "gaussian:0.3,0.3,0.1", "gaussian:0.7,0.6,0.1", "--grid", "12x12x8"];
    let map = ["--map", "hills:0.5,0.5,0.2", "--device", "cpu", "--quiet"];
    let stop = ["--tolerance", "0", "--max-iterations", "1200"];
    let run = [&ends[..], &map, &stop].concat();
    let whole = place.run(&[&run[..], &["--npz", "whole.npz", "--json", "whole.json"]].concat());
    assert_eq!(whole.code, 3, "{}", whole.stderr);

    let keep = ["--checkpoint", "kept.npz", "--checkpoint-seconds", "0"];
    let go_on = ["--resume", "kept.npz"];
    let mut kills = 0;
    for longer in moments() {
        let from = if place.holds("kept.npz") { &go_on[..] } else { &[] };
        kills += u32::from(killed(&place, &[&run[..], &keep, from].concat(), "kept.npz", longer));
        // Whatever was being written, a whole checkpoint is there.
        assert!(place.unpack("kept.npz", "iteration")[[0]] >= 1.0);
    }
    assert!(kills >= 2, "{kills}");
    let out = ["--npz", "parts.npz", "--json", "parts.json"];
    let rest = place.run(&[&run[..], &go_on, &out].concat());
    assert_eq!(rest.code, 3, "{}", rest.stderr);
    assert_eq!(place.bytes("parts.npz"), place.bytes("whole.npz"));
    assert_eq!(lasting(&place, "parts.json"), lasting(&place, "whole.json"));
}

#[test]
fn matrices_of_distances_go_on_with_what_is_missing() {
    let place = Workplace::new();
    std::fs::create_dir(place.path("clouds")).unwrap();
    for index in 0..9 {
        place.write(&format!("clouds/{index}.npy"), &cloud(index, 8 + index as usize));
    }
    place.write("clouds/3.weights.npy", &Array1::from_elem(11, 0.5));
    let run = ["flat", "--pairwise", "clouds", "--device", "cpu", "--quiet", "--both-ways"];
    let tight = ["--method", "tight", "--epochs", "40", "--hidden", "16,16"];
    let run = [&run[..], &tight].concat();
    let whole = place.run(&[&run[..], &["--out", "whole.npy"]].concat());
    assert_eq!(whole.code, 0, "{}", whole.stderr);

    let parts = [&run[..], &["--out", "parts.npy"]].concat();
    let mut kills = 0;
    for longer in moments().take(5) {
        kills += u32::from(killed(&place, &parts, "parts.npy", longer));
        assert_eq!(place.read("parts.npy").shape(), [9, 9]);
    }
    assert!(kills >= 1, "{kills}");
    let rest = place.run(&parts);
    assert_eq!(rest.code, 0, "{}", rest.stderr);
    assert_eq!(place.bytes("parts.npy"), place.bytes("whole.npy"));
    assert_eq!(place.bytes("parts.npy.json"), place.bytes("whole.npy.json"));
}
