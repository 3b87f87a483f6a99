//! `gaspard simulate` and `gaspard tdoa`.

use gaspard::audio::Recording;
use gaspard::io::wav::{self, Encoding};
use ndarray::{Array2, array};
use serde_json::Value;

use super::workplace::{Workplace, number};

/// The delays in samples, in the order of the list.
fn samples(json: &Value) -> Vec<f64> {
    json["delays"].as_array().unwrap().iter().map(|delay| number(delay, "samples")).collect()
}

#[test]
fn what_is_simulated_is_found() {
    let place = Workplace::new();
    let simulate = ["simulate", "--voices", "2", "--delays", "700,-412.5", "--snr", "20"];
    let files = ["--out", "mix.wav", "--images", "truth"];
    let made = place.results(&[&simulate[..], &files].concat());
    assert_eq!((&made["sources"], &made["microphones"]), (&2.into(), &2.into()));
    assert_eq!((&made["rate"], &made["samples"]), (&8000.into(), &(413 + 16_000 + 700).into()));
    assert_eq!(samples(&made), [700.0, -412.5]);
    assert!(made["seconds"].is_number());
    let mixture = wav::read(place.path("mix.wav")).unwrap();
    assert_eq!((mixture.rate(), mixture.channels().dim()), (8000, (2, 17_113)));
    for name in ["truth/source_1.wav", "truth/source_2.wav"] {
        assert_eq!(wav::read(place.path(name)).unwrap().channels().dim(), (1, 17_113));
    }
    let json = place.results(&["tdoa", "mix.wav", "--sources", "2", "--method", "gcc-phat"]);
    assert_eq!((&json["method"], &json["rate"]), (&"gcc-phat".into(), &8000.into()));
    assert!(json["seconds"].is_number() && json["record"]["version"].is_string());
    // In the order of their delays, as those of transport.
    let found = samples(&json);
    assert!((found[0] + 412.5).abs() < 1.0 && (found[1] - 700.0).abs() < 1.0, "{found:?}");
    let first = &json["delays"][0];
    assert_eq!((&first["source"], &first["microphone"]), (&1.into(), &2.into()));
    assert!((number(first, "frames") - number(first, "samples") / 200.0).abs() < 1e-12);
    assert!((number(first, "seconds") - number(first, "samples") / 8000.0).abs() < 1e-12);
    // A table for people says the same.
    let table = place.run(&["tdoa", "mix.wav", "--sources", "2", "--quiet", "--method", "mccc"]);
    assert_eq!((table.code, table.stdout.lines().count(), table.stderr.as_str()), (0, 3, ""));
    // The same seed makes the same file, another one does not.
    let again = |seed: &str| {
        let seeded = ["--out", "again.wav", "--seed", seed];
        place.results(&[&simulate[..], &seeded].concat());
        std::fs::read(place.path("again.wav")).unwrap()
            == std::fs::read(place.path("mix.wav")).unwrap()
    };
    assert!(again("0") && !again("1"));
}

#[test]
fn files_and_three_microphones() {
    let place = Workplace::new();
    let voices =
        ["simulate", "--voices", "1", "--rate", "16000", "--seconds", "1", "--delays", "0"];
    place.results(&[&voices[..], &["--out", "a.wav", "--images", "one"]].concat());
    place.results(&[&voices[..], &["--out", "b.wav", "--images", "two", "--seed", "5"]].concat());
    let sources = ["simulate", "one/source_1.wav", "two/source_1.wav", "--rate", "8000"];
    let scene = ["--delays", "-30:12.5,45:-80", "--gains", "1,0.5:1:1", "--out", "mix.wav"];
    let scene = [&scene[..], &["--encoding", "float", "--microphones", "3"]].concat();
    let made = place.results(&[&sources[..], &scene].concat());
    assert_eq!((&made["microphones"], &made["rate"]), (&3.into(), &8000.into()));
    assert_eq!(made["gains"], serde_json::json!([[1.0, 1.0, 1.0], [0.5, 1.0, 1.0]]));
    assert_eq!(samples(&made), [-30.0, 12.5, 45.0, -80.0]);
    // Its channels as files of their own.
    let mixture = wav::read(place.path("mix.wav")).unwrap();
    let names = ["m1.wav", "m2.wav", "m3.wav"];
    for (name, row) in names.iter().zip(mixture.channels().rows()) {
        let channel = row.insert_axis(ndarray::Axis(0)).to_owned();
        let channel = Recording::new("a channel", 8000, channel).unwrap();
        wav::write(place.path(name), &channel, Encoding::Float).unwrap();
    }
    for method in ["gcc-phat", "mccc"] {
        let options =
            ["--sources", "2", "--method", method, "--max-lag", "100", "--min-distance", "5"];
        let json = place.results(&[&["tdoa"], &names[..], &options].concat());
        assert_eq!(json["delays"].as_array().unwrap().len(), 4);
        assert_eq!(json["method"], method);
    }
}

#[test]
fn sound_that_cannot_be_used_is_refused() {
    let place = Workplace::new();
    let write = |name: &str, rate, channels: Array2<f64>| {
        let sound = Recording::new(name, rate, channels).unwrap();
        wav::write(place.path(name), &sound, Encoding::Float).unwrap();
    };
    write("mono.wav", 8000, array![[0.5, -0.5, 0.25, 0.0]]);
    write("fast.wav", 16_000, array![[0.5, -0.5, 0.25, 0.0]]);
    write("stereo.wav", 8000, array![[0.5, -0.5, 0.25, 0.0], [0.0, 0.5, -0.5, 0.25]]);
    write("silent.wav", 8000, Array2::zeros((2, 100)));
    place.text("text.wav", "this is no sound");
    for (line, code, words) in [
        ("tdoa missing.wav --sources 1", 1, "missing.wav: no such file"),
        ("tdoa text.wav --sources 1", 1, "text.wav: not a .wav file"),
        ("tdoa mono.wav --sources 1 --method gcc-phat", 1, "two or more microphones"),
        ("tdoa mono.wav fast.wav --sources 1", 1, "expected 8000 Hz, found 16000 Hz; resample one"),
        ("tdoa silent.wav --sources 1 --method gcc-phat", 1, "silent"),
        ("tdoa stereo.wav --sources 0 --method gcc-phat", 2, "sources: 0 of them"),
        ("tdoa stereo.wav --sources 7 --method gcc-phat", 2, "use 1 to 6"),
        ("tdoa stereo.wav --sources 1 --max-lag 9 --method gcc-phat", 2, "max-lag: 9 samples"),
        ("tdoa stereo.wav --sources 1 --max-lag 9 --device cpu", 2, "max-lag: 9 samples"),
        ("tdoa stereo.wav --sources 200 --device cpu", 2, "use 1 to 6"),
        ("simulate --voices 1 --rate 1 --delays 1 --out mix.wav", 2, "1 is not in 1000"),
        ("simulate mono.wav --delays 1 --out mix.wav --images text.wav", 2, "text.wav is a file"),
        ("simulate mono.wav --delays 1 --out ./mono.wav", 2, "would overwrite the input"),
        (
            "simulate mono.wav --delays 1 --gains 1e6 --encoding int16 --out mix.wav --images new",
            1,
            "scale it down",
        ),
        ("tdoa stereo.wav --sources 1 --hop 0 --method gcc-phat", 2, "--hop"),
        ("tdoa stereo.wav --sources 1 --method guess", 2, "guess"),
        ("simulate mono.wav --out mix.wav", 2, "--delays"),
        ("simulate --delays 1 --out mix.wav", 2, "SOURCE.wav"),
        ("simulate mono.wav --delays 1,2 --out mix.wav", 2, "--delays: 2 for 1 sources"),
        ("simulate mono.wav --delays x --out mix.wav", 2, "`x` is not a number"),
        ("simulate mono.wav --delays 1 --microphones 3 --out mix.wav", 2, "in place of 2"),
        ("simulate mono.wav --delays 1 --gains 1:2:3 --out mix.wav", 2, "--gains: 3 numbers"),
        ("simulate mono.wav --delays 1 --out mix.mp3", 2, "does not end in .wav"),
        ("simulate mono.wav --delays 1 --snr NaN --out mix.wav", 2, "snr"),
        ("simulate mono.wav fast.wav --delays 1,1 --out mix.wav", 1, "see --rate"),
        ("simulate stereo.wav --delays 1 --out mix.wav", 1, "the channels of stereo.wav"),
        ("simulate --voices 1 --seconds -1 --delays 1 --out mix.wav", 2, "--seconds"),
        ("simulate mono.wav --delays 1 --out missing/mix.wav", 1, "create it first"),
    ] {
        let ran = place.run(&line.split(' ').collect::<Vec<_>>());
        assert_eq!(ran.code, code, "{line}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "{line}: {}", ran.stderr);
        assert!(ran.stdout.is_empty() && !place.holds("mix.wav") && !place.holds("new"), "{line}");
    }
}
