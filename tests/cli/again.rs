//! The same run twice gives the same bits, on one device and on any number of threads.

use serde_json::Value;

use super::workplace::{Workplace, cloud, devices, lasting, weights};

/// A small solve of every system: the words, without device and JSON.
const RUNS: [&str; 12] = [
    "transport x.npy y.npy --max-iterations 60 --tolerance 0",
    "transport a.png b.png --epsilon 0.002 --max-iterations 60 --tolerance 0",
    "transport --cost-matrix c.npy --max-iterations 60 --tolerance 0",
    "barycenter a.png b.png --max-iterations 60 --tolerance 0 --npy o.npy",
    "tree tree.json --max-iterations 60 --tolerance 0",
    "gromov x.npy y.npy --seed 3 --init random --max-iterations 4 --tolerance 0",
    "gromov a.png b.png --distance sqeuclidean --seed 3 --max-iterations 4 --tolerance 0",
    "dynamic a.png b.png --grid 12x12x8 --map hills:0.5,0.5,0.2 --max-iterations 40 --tolerance 0 \
     --paths o.png --seed 3",
    "dynamic --example 6.2a --grid 8x8x6 --form coupled --max-iterations 40 --tolerance 0",
    "flat x.npy y.npy --method sinkhorn --tolerance 0.01",
    "flat x.npy y.npy --method tight --epochs 20 --hidden 16,16 --seed 3",
    "tdoa mix.wav --method transport --sources 2 --seed 3 --start random --starts 2",
];

fn workplace() -> Workplace {
    let place = Workplace::new();
    let (x, y) = (cloud(1, 23), cloud(2, 31));
    place.write("x.npy", &x);
    place.write("y.npy", &y);
    place.write("c.npy", &super::workplace::squared_distances(&x, &y));
    place.write("w.npy", &weights(3, 23));
    place.picture("a.png", 12, 12, |x, y| (x * y) as u8);
    place.picture("b.png", 12, 12, |x, y| 200 - (x * y) as u8);
    place.text(
        "tree.json",
        r#"{"nodes": [{"points": "x.npy", "weights": "w.npy"}, {"points": "y.npy"},
                      {"points": "y.npy", "law": "fixed"}],
            "edges": [{"rows": 0, "cols": 1, "cost": "euclidean"},
                      {"rows": 1, "cols": 2, "cost": "sqeuclidean"}]}"#,
    );
    let line = "simulate --voices 2 --seconds 0.6 --delays 300,-400 --snr 20 --out mix.wav";
    place.results(&line.split_whitespace().collect::<Vec<_>>());
    place
}

/// What a run finds, apart from times.
fn found(place: &Workplace, words: &str, device: &str, threads: &str) -> Value {
    let words: Vec<&str> = words.split_whitespace().collect();
    let more = ["--quiet", "--device", device, "--json", "o.json"];
    let mut command = place.command(&[&words[..], &more].concat());
    let ran: super::workplace::Ran =
        command.env("RAYON_NUM_THREADS", threads).output().unwrap().into();
    // Most are stopped before they converge.
    assert!([0, 3].contains(&ran.code), "{words:?}: {}", ran.stderr);
    lasting(place, "o.json")
}

#[test]
fn the_same_seed_gives_the_same_bits() {
    let place = workplace();
    for device in devices() {
        for words in RUNS {
            let first = found(&place, words, device, "2");
            assert_eq!(first, found(&place, words, device, "2"), "{words} on {device}");
        }
    }
}

#[test]
fn threads_change_nothing() {
    let place = workplace();
    for words in RUNS {
        let [one, four] = ["1", "4"].map(|threads| found(&place, words, "cpu", threads));
        assert_eq!(one, four, "{words}");
    }
}
