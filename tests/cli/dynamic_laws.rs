//! `gaspard dynamic` between spaces that laws lead to, from checkpoints and from descriptions.

use ndarray::{Array1, Array2, ArrayD};

use super::workplace::{Workplace, devices, number};

const ENDS: [&str; 3] = ["dynamic", "gaussian:0.25,0.3,0.12", "gaussian:0.75,0.7,0.12"];

/// A tilted plane with a hill on it, as heights of cells.
fn heights(side: usize) -> Array2<f64> {
    Array2::from_shape_fn((side, side), |(i, j)| {
        let at = |index: usize| (index as f64 + 0.5) / side as f64;
        let square = (at(i) - 0.5).powi(2) + (at(j) - 0.5).powi(2);
        0.5 * at(i) + (-square / 0.04).exp()
    })
}

#[test]
fn every_form_takes_the_same_map() {
    let place = Workplace::new();
    place.write("heights.npy", &heights(12));
    let run = |more: &[&str]| {
        let grid = ["--grid", "12x12x8", "--map", "heights.npy", "--beta", "0.2"];
        place.results(&[&ENDS[..], &grid, more].concat())
    };
    let monge = run(&["--device", "cpu"]);
    assert_eq!(monge["solver"], "relaxed");
    for device in devices() {
        let more = ["--form", "coupled", "--npz", "coupled.npz"];
        let coupled = run(&[&more[..], &["--device", device]].concat());
        assert_eq!(coupled["form"], "coupled");
        assert!(coupled["residuals"]["coupling"].as_f64().unwrap() <= 1e-3, "{coupled}");
        let [first, second] = [0, 1].map(|space| coupled["costs"][space].as_f64().unwrap());
        assert!((number(&coupled, "total") - first - 0.2 * second).abs() < 1e-9);
        assert!(number(&coupled, "total") < number(&monge, "total") * 1.001);
        assert_eq!(place.unpack("coupled.npz", "rho").shape(), [9, 12, 12]);
        assert_eq!(place.unpack("coupled.npz", "rho_1").shape(), [9, 32]);
        assert_eq!(place.unpack("coupled.npz", "m_1_0").shape(), [8, 33]);
        for solver in ["yan", "condat-vu", "pdfp"] {
            let fixed = ["--tolerance", "0", "--max-iterations", "200", "--exact"];
            let more = ["--form", "kantorovich", "--solver", solver, "--device", device];
            let place = Workplace::new();
            place.write("heights.npy", &heights(12));
            let grid = ["--grid", "12x12x8", "--map", "heights.npy", "--beta", "0.2"];
            let all = [&ENDS[..], &grid, &more, &fixed, &["--json", "-"]].concat();
            let ran = place.run(&all);
            assert_eq!(ran.code, 3, "not converged, as was asked for: {}", ran.stderr);
            let json = ran.json();
            assert_eq!(json["solver"], solver);
            let apart = number(&json, "total") / number(&coupled, "total") - 1.0;
            assert!(apart.abs() < 0.1, "{solver}: {apart}");
            assert!(json["exact_costs"][0].as_f64().unwrap() > 0.0, "{json}");
        }
    }
}

#[test]
fn laws_come_as_matrices_and_compressed_rows() {
    let place = Workplace::new();
    let law = Array2::from_shape_fn((36, 3), |(cell, point)| {
        let apart = (cell / 6) as f64 / 5.0 - point as f64 / 2.0;
        (-6.0 * apart * apart).exp()
    });
    place.write("law.npy", &law);
    let column = |values: Vec<f64>| Array1::from(values).into_dyn();
    let arrays: Vec<(&str, ArrayD<f64>)> = vec![
        ("data", column(law.iter().copied().collect())),
        ("indices", column((0..108).map(|entry| f64::from(entry % 3)).collect())),
        ("indptr", column((0..37).map(|row| f64::from(3 * row)).collect())),
        ("shape", column(vec![36.0, 3.0])),
    ];
    gaspard::io::npz::write(place.path("law.npz"), &arrays).unwrap();
    place.write("points.npy", &Array1::from(vec![0.0, 0.5, 1.0]));
    let run = |law: &str| {
        let ends = ["dynamic", "gaussian:0.3,0.5,0.2", "gaussian:0.7,0.5,0.2"];
        let more = ["--grid", "6x6x4", "--law", law, "--points", "points.npy", "--beta", "0.1"];
        let fixed = ["--max-iterations", "60", "--device", "cpu", "--json", "-"];
        let ran = place.run(&[&ends[..], &more, &fixed].concat());
        assert!([0, 3].contains(&ran.code), "{}", ran.stderr);
        ran.json()
    };
    let (dense, sparse) = (run("law.npy"), run("law.npz"));
    assert_eq!(dense["form"], "kantorovich");
    assert_eq!(dense["costs"], sparse["costs"]);
    assert!(dense["costs"][1].as_f64().unwrap() > 0.0);
}

#[test]
fn a_run_goes_on_from_its_checkpoint() {
    let place = Workplace::new();
    place.write("heights.npy", &heights(10));
    for device in devices() {
        let run = |more: &[&str]| {
            let what = ["--grid", "10x10x6", "--map", "heights.npy", "--form", "coupled"];
            let fixed = ["--tolerance", "0", "--device", device];
            let ran = place.run(&[&ENDS[..], &what, &fixed, more].concat());
            assert_eq!(ran.code, 3, "{}", ran.stderr);
        };
        run(&["--max-iterations", "50", "--npz", "whole.npz"]);
        run(&["--max-iterations", "33", "--checkpoint", "half.npz"]);
        run(&["--max-iterations", "50", "--resume", "half.npz", "--npz", "rest.npz"]);
        for name in ["rho", "m_0_0", "m_0_1", "rho_1", "m_1_0"] {
            assert_eq!(place.unpack("whole.npz", name), place.unpack("rest.npz", name), "{name}");
        }
    }
    let other = ["--grid", "10x10x6", "--resume", "half.npz", "--json", "-"];
    let refused = place.run(&[&ENDS[..], &other].concat());
    assert!(refused.code != 0 && refused.stderr.contains("another problem"), "{}", refused.stderr);
}

#[test]
fn bins_are_those_that_are_asked_for() {
    let place = Workplace::new();
    let example = ["dynamic", "--example", "6.3a", "--grid", "8x8x4", "--max-iterations", "20"];
    for (more, bins) in [(&[][..], 32), (&["--bins", "16"], 16)] {
        let ran =
            place.run(&[&example[..], &["--npz", "way.npz", "--device", "cpu"], more].concat());
        assert_eq!(ran.code, 3, "{}", ran.stderr);
        assert_eq!(place.unpack("way.npz", "rho_1").shape(), [5, bins]);
    }
}

#[test]
fn a_description_says_the_same_as_options() {
    let place = Workplace::new();
    place.write("heights.npy", &heights(10));
    place.text(
        "all.json",
        r#"{"start": "gaussian:0.25,0.3,0.12", "end": "gaussian:0.75,0.7,0.12",
            "grid": [10, 10, 6],
            "spaces": [{"map": "heights.npy", "beta": 0.5},
                       {"map": "heights.npy", "form": "coupled", "bins": [20], "beta": 0.2}]}"#,
    );
    let json = place.results(&[
        "dynamic",
        "--spec",
        "all.json",
        "--device",
        "cpu",
        "--max-iterations",
        "4000",
    ]);
    let costs: Vec<f64> = (0..3).map(|space| json["costs"][space].as_f64().unwrap()).collect();
    let weighted = costs[0] + 0.5 * costs[1] + 0.2 * costs[2];
    assert!((number(&json, "total") - weighted).abs() < 1e-9, "{json}");
    // The density alone needs no more than what its particles take along.
    assert!(costs[2] < 1.05 * costs[1], "{costs:?}");
    place.text("one.json", r#"{"grid": [10, 10, 6], "spaces": [{"map": "heights.npy"}]}"#);
    let fixed = ["--device", "cpu", "--npz"];
    place.results(&[&ENDS[..], &["--spec", "one.json"], &fixed, &["one.npz"]].concat());
    let options = ["--grid", "10x10x6", "--map", "heights.npy"];
    place.results(&[&ENDS[..], &options, &fixed, &["two.npz"]].concat());
    assert_eq!(place.unpack("one.npz", "rho"), place.unpack("two.npz", "rho"));
}

#[test]
fn laws_that_make_no_sense_are_refused_at_once() {
    let place = Workplace::new();
    let mut law = Array2::from_elem((36, 3), 1.0);
    law.row_mut(7).fill(0.0);
    place.write("empty_row.npy", &law);
    law[[7, 1]] = -1.0;
    place.write("negative.npy", &law);
    place.write("short.npy", &Array2::from_elem((35, 3), 1.0));
    place.write("law.npy", &Array2::from_elem((36, 3), 1.0));
    place.write("points.npy", &Array1::from(vec![0.0, 0.5, 1.0]));
    place.write("two.npy", &Array1::from(vec![0.0, 0.5]));
    place.write("heights.npy", &heights(6));
    place.text("odd.json", r#"{"grid": [6, 6, 4], "spaces": [{"beta": 1}]}"#);
    place.text("unknown.json", r#"{"grid": [6, 6, 4], "spacs": []}"#);
    let given = |law: &'static str, points: &'static str| vec!["--law", law, "--points", points];
    for (more, words) in [
        (given("empty_row.npy", "points.npy"), "cell 7 leads nowhere"),
        (given("negative.npy", "points.npy"), "an entry of cell 7 is -1"),
        (given("short.npy", "points.npy"), "36 cells"),
        (given("law.npy", "two.npy"), "2 points"),
        (vec!["--law", "law.npy"], "--points"),
        (vec!["--map", "heights.npy", "--form", "kantorovich", "--stride", "3"], "stride"),
        (vec!["--map", "heights.npy", "--form", "kantorovich", "--solver", "relaxed"], "yan"),
        (vec!["--map", "heights.npy", "--form", "coupled", "--bins", "1"], "bins"),
        (vec!["--map", "heights.npy", "--form", "coupled", "--bins", "8x8"], "bins"),
        (vec!["--map", "heights.npy", "--form", "coupled", "--bins", "points"], "points"),
        (vec!["--map", "heights.npy", "--form", "shared", "--kappa", "1"], "kappa"),
        (vec!["--spec", "odd.json"], "where it leads"),
        (vec!["--spec", "unknown.json"], "spacs"),
        (vec!["--resume", "nothing.npz"], "no such file"),
    ] {
        let all = [&ENDS[..], &["--grid", "6x6x4", "--json", "-"], &more].concat();
        let refused = place.run(&all);
        assert!([1, 2].contains(&refused.code), "{more:?}: {}", refused.stderr);
        assert!(refused.stderr.contains(words), "{more:?}: {}", refused.stderr);
    }
}
