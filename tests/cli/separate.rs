//! `gaspard separate`, and `gaspard tdoa` by transport.

use gaspard::audio::Recording;
use gaspard::audio::metrics::sdr_improvement;
use gaspard::io::wav::{self, Encoding};
use ndarray::{Array2, Axis, array, concatenate};

use super::workplace::{Workplace, number};

/// Two voices at two microphones: mix.wav, and the sources in truth/.
fn workplace() -> Workplace {
    let place = Workplace::new();
    let line = "simulate --voices 2 --seconds 1.5 --delays 700,-912.5 --snr 20 --out mix.wav \
                --images truth";
    place.results(&line.split_whitespace().collect::<Vec<_>>());
    place
}

fn read(place: &Workplace, names: [&str; 2]) -> Array2<f64> {
    let parts = names.map(|name| wav::read(place.path(name)).unwrap().channels().to_owned());
    concatenate![Axis(0), parts[0], parts[1]]
}

#[test]
fn sources_delays_and_pictures() {
    let place = workplace();
    let line = ["separate", "mix.wav", "--sources", "2", "--out", "found", "--device", "cpu"];
    let json = place.results(&[&line[..], &["--pictures", "pictures"]].concat());
    let delays = json["delays"].as_array().unwrap();
    for (delay, expected) in delays.iter().zip([-912.5, 700.0]) {
        assert!((number(delay, "samples") - expected).abs() < 1.0, "{delay}");
        assert!((number(delay, "frames") * 200.0 - number(delay, "samples")).abs() < 1e-9);
        assert!((number(delay, "seconds") * 8000.0 - number(delay, "samples")).abs() < 1e-9);
    }
    assert_eq!((&json["method"], &json["filter"]), (&"robust".into(), &"aligned".into()));
    assert!(json["objective"].is_number() && json["seconds"].is_number());
    let energy: Vec<f64> = serde_json::from_value(json["mask_energy"].clone()).unwrap();
    assert!(energy.len() == 2 && energy.iter().all(|share| (0.05..1.0).contains(share)));
    let mixture = wav::read(place.path("mix.wav")).unwrap();
    let found = read(&place, ["found/source_1.wav", "found/source_2.wav"]);
    let truth = read(&place, ["truth/source_1.wav", "truth/source_2.wav"]);
    let gain = sdr_improvement(truth.view(), found.view(), mixture.channel(0)).unwrap().value;
    assert!(gain > 9.0, "{gain}");
    for name in ["microphone_1", "microphone_2", "source_1", "source_2", "mask_2", "objective_2"] {
        let picture = image::open(place.path(&format!("pictures/{name}.png"))).unwrap();
        assert_eq!((picture.width(), picture.height()), (800, 500));
    }
    // A file for each microphone is the same, in any encoding.
    for (index, name) in ["left.wav", "right.wav"].iter().enumerate() {
        let channel = mixture.channels().slice_move(ndarray::s![index..=index, ..]).to_owned();
        let channel = Recording::new("a channel", 8000, channel * 0.1).unwrap();
        wav::write(place.path(name), &channel, Encoding::Integer(24)).unwrap();
    }
    let line = ["separate", "left.wav", "right.wav", "--sources", "2", "--out", "again"];
    let again = place.results(&[&line[..], &["--device", "cpu", "--encoding", "int16"]].concat());
    let first = |json: &serde_json::Value| number(&json["delays"][0], "samples");
    assert!((first(&again) - first(&json)).abs() < 0.01);
    let quiet = read(&place, ["again/source_1.wav", "again/source_2.wav"]);
    let off = (&quiet * 10.0 - &found).mapv(|x| x * x).sum() / found.mapv(|x| x * x).sum();
    assert!(off < 1e-4, "{off}");
}

#[test]
fn every_method_and_every_start() {
    let place = workplace();
    for method in ["paper", "delay-and-sum", "fdica", "mnmf"] {
        let line = ["separate", "mix.wav", "--sources", "2", "--out", method, "--method", method];
        let ran = place.run(&[&line[..], &["--device", "cpu", "--json", "-"]].concat());
        // The published form moves its delays for longer than it has steps.
        assert!(ran.code == 0 || (ran.code == 3 && method == "paper"), "{}", ran.stderr);
        let json = ran.json();
        assert_eq!(json["method"], method);
        let count = if method == "fdica" || method == "mnmf" { 0 } else { 2 };
        assert_eq!(json["delays"].as_array().unwrap().len(), count);
        assert!(place.holds(&format!("{method}/source_2.wav")));
    }
    for options in [
        "--start random --starts 12",
        "--start gcc-phat",
        "--start spectrogram",
        "--start -900,650",
        "--noise coloured",
        "--noise none --block 5",
        "--method mccc",
    ] {
        let line = ["tdoa", "mix.wav", "--sources", "2", "--device", "cpu"];
        let json = place.results(&[&line[..], &options.split(' ').collect::<Vec<_>>()].concat());
        let mut found: Vec<f64> =
            json["delays"].as_array().unwrap().iter().map(|one| number(one, "samples")).collect();
        found.sort_by(f64::total_cmp);
        let near = (found[0] + 912.5).abs() < 1.0 && (found[1] - 700.0).abs() < 1.0;
        // Peaks of magnitudes are but where a descent starts, and it may end elsewhere.
        assert!(near || options.contains("spectrogram"), "{options}: {found:?}");
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    let place = Workplace::new();
    let write = |name: &str, channels: Array2<f64>| {
        let sound = Recording::new(name, 8000, channels).unwrap();
        wav::write(place.path(name), &sound, Encoding::Float).unwrap();
    };
    write("mono.wav", array![[0.5, -0.5, 0.25, 0.0]]);
    write("long.wav", Array2::from_elem((1, 900), 0.1));
    write("silent.wav", Array2::zeros((2, 9000)));
    write("short.wav", Array2::from_elem((2, 100), 0.1));
    let tone = Array2::from_shape_fn((2, 9000), |(l, n)| ((n + 30 * l) as f64 * 0.3).sin());
    write("tone.wav", tone);
    // Recordings do not hold such samples; files may.
    let spec = hound_spec();
    let mut file = hound::WavWriter::create(place.path("nan.wav"), spec).unwrap();
    (0..9000).for_each(|n| file.write_sample(if n == 7 { f32::NAN } else { 0.5 }).unwrap());
    file.finalize().unwrap();
    for (line, code, words) in [
        ("mono.wav --sources 2", 1, "two or more microphones"),
        ("mono.wav long.wav --sources 2", 1, "the length of long.wav"),
        ("silent.wav --sources 2", 1, "microphone 1: it is silent"),
        ("short.wav --sources 2", 1, "0.05 s"),
        ("nan.wav --sources 1", 1, "NaN"),
        ("tone.wav --sources 7", 2, "use 1 to 6"),
        ("tone.wav --sources 9999999999999", 2, "use 1 to 6"),
        ("tone.wav --sources 2 --max-lag 9000", 2, "max-lag: 9000 samples"),
        ("tone.wav --sources 2 --block 0", 2, "block: 0 s"),
        ("tone.wav --sources 2 --noise pink", 2, "pink"),
        ("tone.wav --sources 2 --noise -1", 2, "noise: a variance of -1"),
        ("tone.wav --sources 2 --start 1,2,3", 2, "--start: 3 for 2 sources"),
        ("tone.wav --sources 3 --method fdica", 2, "3 of them, at 2 microphones"),
        ("tone.wav --sources 2 --method mnmf --filter mask", 2, "--filter"),
        ("tone.wav --sources 2 --max-lag 0", 2, "--max-lag"),
    ] {
        let words_of = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let all = words_of(&format!("separate {line} --out found --device cpu"));
        let ran = place.run(&all.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(ran.code, code, "{line}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "{line}: {}", ran.stderr);
        assert!(!place.holds("found/source_1.wav"), "{line}");
    }
}

fn hound_spec() -> hound::WavSpec {
    hound::WavSpec {
        channels: 2,
        sample_rate: 8000,
        bits_per_sample: 32,
        sample_format: hound::SampleFormat::Float,
    }
}
