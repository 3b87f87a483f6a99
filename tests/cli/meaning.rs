//! Options that mean nothing beside others are refused, not passed over.

use gaspard::audio::Recording;
use gaspard::io::wav::{self, Encoding};
use ndarray::Array2;

use super::workplace::{Workplace, cloud};

/// A command line, and the option in it that has no meaning there.
const CASES: &[(&str, &str)] = &[
    ("transport x.npy x.npy --exact --tolerance 1e-3", "--tolerance"),
    ("transport x.npy x.npy --exact --epsilon 1", "--epsilon"),
    ("transport x.npy x.npy --exact --annealing 2", "--annealing"),
    ("transport x.npy x.npy --exact --max-iterations 5", "--max-iterations"),
    ("barycenter a.npy a.npy --init product", "--init"),
    ("barycenter a.npy a.npy --seeds 2", "--seeds"),
    ("barycenter a.npy a.npy --update plain", "--update"),
    ("barycenter a.npy a.npy --refine 1", "--refine"),
    ("barycenter a.npy a.npy --reference counting", "--reference"),
    ("barycenter a.npy a.npy --inner-iterations 5", "--inner-iterations"),
    ("barycenter a.npy a.npy --inner-tolerance 1", "--inner-tolerance"),
    ("barycenter a.npy a.npy --alpha 0.1", "--alpha"),
    ("barycenter a.npy a.npy --metric gromov --alpha 0.1", "--alpha"),
    (
        "barycenter a.npy a.npy --metric gromov --points 3 --inner-iterations 5",
        "--inner-iterations",
    ),
    ("barycenter a.npy a.npy --metric gromov --points 3 --annealing 2", "--annealing"),
    ("barycenter a.npy a.npy --metric gromov --points 3 --enlarge 2", "--enlarge"),
    ("gromov a.npy a.npy --alpha 0.3", "--alpha"),
    ("gromov --distances D.npy D.npy --as points", "--as"),
    ("transfer a.npy a.npy --as density", "--as"),
    ("transfer a.npy a.npy --alpha 0.3", "--alpha"),
    ("transfer a.npy a.npy --labels a.npy --label-costs D.npy", "--labels"),
    ("flat x.npy x.npy --epsilon 0.1", "--epsilon"),
    ("flat x.npy x.npy --epochs 10", "--epochs"),
    ("flat x.npy x.npy --method exact --tolerance 0.1", "--tolerance"),
    ("flat x.npy x.npy --method sinkhorn --epochs 10", "--epochs"),
    ("flat x.npy x.npy --method tight --epsilon 0.1", "--epsilon"),
    ("dynamic a.npy a.npy --stride 0", "--stride"),
    ("dynamic a.npy a.npy --epsilon 1", "--epsilon"),
    ("dynamic a.npy a.npy --floor 0.1", "--floor"),
    ("dynamic a.npy a.npy --bins 8", "--bins"),
    ("dynamic a.npy a.npy --exact", "--exact"),
    ("dynamic a.npy a.npy --map scale:2 --bins 8x8", "--bins"),
    ("dynamic a.npy a.npy --map scale:2 --tau 1", "--tau"),
    ("dynamic a.npy a.npy --solver chambolle-pock --relaxation 1.5", "--relaxation"),
    ("dynamic a.npy a.npy --checkpoint-seconds 5", "--checkpoint-seconds"),
    ("simulate mono.wav --delays 1 --out o.wav --profile", "--profile"),
    ("tdoa stereo.wav --sources 1 --min-distance 3", "--min-distance"),
    ("tdoa stereo.wav --sources 1 --start gcc-phat --starts 3", "--starts"),
    ("tdoa stereo.wav --sources 1 --method gcc-phat --start grid", "--start"),
    ("tdoa stereo.wav --sources 1 --method gcc-phat --noise -4", "--noise"),
    ("tdoa stereo.wav --sources 1 --method mccc --block -3", "--block"),
    ("tdoa stereo.wav --sources 1 --method mccc --max-iterations 3", "--max-iterations"),
    ("separate stereo.wav --sources 1 --out o --method mnmf --tolerance 1", "--tolerance"),
    ("separate stereo.wav --sources 1 --out o --iterations 2", "--iterations"),
    ("separate stereo.wav --sources 1 --out o --method paper --noise white", "--noise"),
    ("separate stereo.wav --sources 1 --out o --method mnmf --starts 2", "--starts"),
    ("separate stereo.wav --sources 1 --out o --method mnmf --max-lag 2", "--max-lag"),
    ("separate stereo.wav --sources 1 --out o --method fdica --share-noise", "--share-noise"),
    ("separate stereo.wav --sources 1 --out o --method delay-and-sum --block 3", "--block"),
];

/// Options that a command does not have at all.
const UNKNOWN: &[&str] = &[
    "dynamic a.npy a.npy --annealing 2",
    "flat x.npy x.npy --annealing 2",
    "simulate mono.wav --delays 1 --out o.wav --tolerance 1",
    "simulate --voices 1 --delays 1 --out mix.wav --max-iterations 1",
    "separate stereo.wav --sources 1 --out o --filter wiener --iterations 0",
];

#[test]
fn what_means_nothing_is_refused() {
    let place = Workplace::new();
    place.write("x.npy", &cloud(1, 6));
    place.write("a.npy", &Array2::<f64>::ones((20, 20)));
    place.write("D.npy", &Array2::from_shape_fn((3, 3), |(i, j)| i.abs_diff(j) as f64));
    for (name, channels) in [("mono.wav", 1), ("stereo.wav", 2)] {
        let noise = Array2::from_shape_fn((channels, 900), |(l, n)| ((n * n + 7 * l) as f64).sin());
        let sound = Recording::new(name, 8000, noise).unwrap();
        wav::write(place.path(name), &sound, Encoding::Float).unwrap();
    }
    for (line, option) in CASES {
        let ran = place.run(&line.split(' ').collect::<Vec<_>>());
        assert_eq!(ran.code, 2, "{line}: {}", ran.stderr);
        let refusal = format!("gaspard: error: {option}: ");
        let error = ran.stderr.lines().find(|error| error.starts_with(&refusal));
        let error = error.unwrap_or_else(|| panic!("{line}: {}", ran.stderr));
        assert!(error.contains("has no meaning with") && error.contains("; "), "{line}: {error}");
        assert!(ran.stdout.is_empty() && !place.holds("o.wav"), "{line}");
    }
    // Scripts may ask all commands for a device alike.
    for line in [
        "flat x.npy x.npy --method exact --device gpu",
        "transport x.npy x.npy --exact --device gpu",
    ] {
        let ran = place.run(&line.split(' ').collect::<Vec<_>>());
        assert!(ran.code == 0 && ran.stderr.contains("always runs on the CPU"), "{}", ran.stderr);
    }
    for line in UNKNOWN {
        let ran = place.run(&line.split(' ').collect::<Vec<_>>());
        assert!(ran.code == 2 && ran.stderr.starts_with("error: "), "{line}: {}", ran.stderr);
    }
}
