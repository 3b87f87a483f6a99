//! `gaspard dynamic`.

use gaspard::io::npz;
use ndarray::{Array2, ArrayD, Axis};

use super::workplace::{Workplace, devices, number};

/// A hill in the middle of the square.
fn hill(side: usize) -> Array2<f64> {
    Array2::from_shape_fn((side, side), |(i, j)| {
        let at = |index: usize| (index as f64 + 0.5) / side as f64 - 0.5;
        (-(at(i).powi(2) + at(j).powi(2)) / 0.02).exp()
    })
}

#[test]
fn a_bump_moves_around_a_hill() {
    let place = Workplace::new();
    place.write("hill.npy", &hill(16));
    for device in devices() {
        let json = place.results(&[
            "dynamic",
            "gaussian:0.2,0.2,0.1",
            "gaussian:0.8,0.8,0.1",
            "--grid",
            "16x16x12",
            "--map",
            "hill.npy",
            "--beta",
            "2",
            "--out",
            "way.gif",
            "--picture",
            "way.png",
            "--npz",
            "way.npz",
            "--device",
            device,
        ]);
        assert_eq!(json["converged"], true);
        assert_eq!(json["form"], "monge");
        let [first, second] = [0, 1].map(|space| json["costs"][space].as_f64().unwrap());
        assert!((number(&json, "total") - first - 2.0 * second).abs() < 1e-9, "{json}");
        // The straight way costs 0.72 and goes over the hill.
        assert!(first > 0.75 && second < 0.5, "{first} {second}");
        assert!(json["residuals"]["consistency"].as_f64().unwrap() <= 1e-3);
        assert!(number(&json, "iterations") >= 20.0);
        assert!(json["trace"][0]["stationarity"].is_number());
        let path = &json["mean_paths"][0][12];
        assert!((path[0].as_f64().unwrap() - 0.8).abs() < 1e-2, "{path}");

        let arrays: Vec<(String, ArrayD<f64>)> = npz::read(place.path("way.npz")).unwrap();
        let array = |name: &str| &arrays.iter().find(|(found, _)| found == name).unwrap().1;
        assert_eq!(array("rho").shape(), [13, 16, 16]);
        assert_eq!(array("m_0_0").shape(), [12, 17, 16]);
        assert_eq!(array("m_0_1").shape(), [12, 16, 17]);
        for density in array("rho").axis_iter(Axis(0)) {
            assert!((density.mean().unwrap() - 1.0).abs() < 1e-12);
        }
        let strip = image::open(place.path("way.png")).unwrap();
        assert!(strip.width() >= 9 * 16 * 4 && strip.height() == 64, "{}", strip.width());
        assert!(std::fs::read(place.path("way.gif")).unwrap().starts_with(b"GIF89a"));
    }
}

#[test]
fn an_example_of_the_paper_runs_in_both_forms() {
    let place = Workplace::new();
    let run = |form: &str| {
        let grid = ["--grid", "12x12x8", "--tolerance", "1e-4", "--device", "cpu"];
        let json =
            place.results(&[&["dynamic", "--example", "6.3b", "--form", form], &grid[..]].concat());
        assert_eq!(json["example"], "6.3b");
        assert!(json["claim"]["numbers"]["height"].as_f64().unwrap() > 0.8, "{json}");
        assert_eq!(json["form"], form);
        number(&json, "total")
    };
    assert!(run("shared") < run("monge"));
}

#[test]
fn pictures_and_arrays_go_to_the_grid_that_is_asked_for() {
    let place = Workplace::new();
    let bright = |x: u32, y: u32| if x < 8 && y < 6 { 255 } else { 0 };
    place.picture("corner.png", 24, 18, bright);
    let array = Array2::from_shape_fn((5, 7), |(i, j)| if i > 2 && j > 4 { 7.0 } else { 0.1 });
    place.write("array.npy", &(&array / array.mean().unwrap()));
    let fixed = ["--max-iterations", "40", "--tolerance", "0", "--device", "cpu"];
    let ends = ["dynamic", "corner.png", "array.npy", "--grid", "9x12x4", "--npz", "way.npz"];
    let ran = place.run(&[&ends[..], &fixed].concat());
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    let rho = place.unpack("way.npz", "rho");
    assert_eq!(rho.shape(), [5, 9, 12]);
    // A third of the height and of the width of the picture is bright.
    assert!((rho[[0, 0, 0]] - 9.0).abs() < 1e-9 && rho[[0, 3, 4]].abs() < 1e-9);
    for density in rho.axis_iter(Axis(0)) {
        assert!((density.mean().unwrap() - 1.0).abs() < 1e-12);
    }
    let refused =
        place.run(&["dynamic", "corner.png", "array.npy", "--grid", "9x4", "--json", "-"]);
    assert!(refused.code == 1 && refused.stderr.contains("1 axes"), "{}", refused.stderr);
}

#[test]
fn maps_are_built_in() {
    let place = Workplace::new();
    let costs = |start: &[&str], map: &str| {
        let fixed = ["--max-iterations", "60", "--tolerance", "0", "--json", "-"];
        let more = ["--grid", "12x12x8", "--device", "cpu", "--beta", "0.5"];
        let map = if map.is_empty() { vec![] } else { vec!["--map", map] };
        let ran = place.run(&[&["dynamic"], start, &fixed, &more, &map].concat());
        assert_eq!(ran.code, 3, "{}", ran.stderr);
        let json = ran.json();
        assert!(
            json["masses"]
                .as_array()
                .unwrap()
                .iter()
                .all(|mass| { (mass.as_f64().unwrap() - 1.0).abs() < 1e-12 })
        );
        [0, 1].map(|space| json["costs"][space].as_f64().unwrap())
    };
    let ends = ["gaussian:0.2,0.2,0.08", "gaussian:0.8,0.8,0.08"];
    let hill = costs(&ends, "hills:0.5,0.5,0.1");
    let example = costs(&["--example", "6.2a"], "");
    for (a, b) in [hill, costs(&ends, "example:6.2a")]
        .into_iter()
        .flatten()
        .zip([example, example].into_iter().flatten())
    {
        assert!((a / b - 1.0).abs() < 1e-4, "{a} {b}");
    }
    let [first, second] = costs(&ends, "scale:2");
    assert!((second / (4.0 * first) - 1.0).abs() < 1e-9, "{first} {second}");
}

#[test]
fn mass_is_made_where_that_is_allowed() {
    let place = Workplace::new();
    place.write("one.npy", &Array2::from_elem((4, 5), 1.0));
    place.write("four.npy", &Array2::from_elem((4, 5), 4.0));
    let refused = place.run(&["dynamic", "one.npy", "four.npy", "--json", "-"]);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("masses differ"), "{}", refused.stderr);
    let json = place.results(&[
        "dynamic",
        "one.npy",
        "four.npy",
        "--kappa",
        "0.5",
        "--grid",
        "4x5x16",
        "--tolerance",
        "1e-4",
        "--npz",
        "grown.npz",
        "--device",
        "cpu",
    ]);
    assert!((number(&json, "reaction") - 2.0).abs() < 1e-2, "{json}");
    let arrays = npz::read(place.path("grown.npz")).unwrap();
    assert!(arrays.iter().any(|(name, array)| name == "source" && array.shape() == [16, 4, 5]));
}

#[test]
fn what_makes_no_sense_is_refused_at_once() {
    let place = Workplace::new();
    place.write("hill.npy", &hill(8));
    let mut broken = hill(8);
    broken[[3, 3]] = f64::NAN;
    place.write("broken.npy", &broken);
    let ends = ["dynamic", "gaussian:0.3,0.3,0.1", "gaussian:0.7,0.7,0.1", "--json", "-"];
    for (more, code, words) in [
        (&["--grid", "8x8x1"][..], 2, "steps of time"),
        (&["--grid", "8x1x4"], 2, "has 1 cells"),
        (&["--grid", "8x4"], 1, "coordinates"),
        (&[], 2, "how many cells"),
        (&["--grid", "8x8x4", "--map", "broken.npy"], 1, "not finite"),
        (&["--grid", "9x8x4", "--map", "hill.npy"], 1, "a map"),
        (&["--grid", "8x8x4", "--map", "hill.npy", "--beta", "-1"], 2, "beta"),
        (&["--grid", "8x8x4", "--map", "hills:0.5,0.5"], 2, "centre, width"),
        (&["--grid", "8x8x4", "--map", "hills:0.5,0.5,0"], 2, "width"),
        (&["--grid", "8x8x4", "--map", "scale:fast"], 2, "no factor"),
        (&["--grid", "8x8x4", "--map", "example:9"], 2, "6.2a"),
        (&["--grid", "8x8x4", "--beta", "1"], 2, "for 0 maps"),
        (&["--grid", "8x8x4", "--relaxation", "2"], 2, "relaxation"),
        (&["--grid", "8x8x4", "--kappa", "0"], 2, "kappa"),
    ] {
        let refused = place.run(&[&ends[..], more].concat());
        assert_eq!(refused.code, code, "{more:?}: {}", refused.stderr);
        assert!(refused.stderr.contains(words), "{more:?}: {}", refused.stderr);
    }
    for (start, words) in [
        ("gaussian:0.3,0.1", "2 coordinates"),
        ("gaussian:0.3,0.3,-1", "positive width"),
        ("nothing.npy", "no such file"),
        ("broken.npy", "NaN"),
    ] {
        let refused = place.run(&["dynamic", start, "hill.npy", "--json", "-"]);
        assert!(refused.code != 0 && refused.stderr.contains(words), "{start}: {}", refused.stderr);
    }
    let refused = place.run(&["dynamic", "--example", "7", "--json", "-"]);
    assert!(refused.code == 2 && refused.stderr.contains("6.2a"), "{}", refused.stderr);
}
