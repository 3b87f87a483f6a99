//! Outputs: where they may go, which of them there are, and how they are called.

use ndarray::{Array1, Array2};

use super::workplace::{Workplace, cloud, number};

fn workplace() -> Workplace {
    let place = Workplace::new();
    place.write("x.npy", &cloud(1, 9));
    place.write("y.npy", &cloud(2, 7));
    place.write("a.npy", &Array2::from_shape_fn((6, 6), |(i, j)| (1 + i * j) as f64));
    place.write("b.npy", &Array2::from_shape_fn((6, 6), |(i, _)| (1 + i) as f64));
    place.text(
        "tree.json",
        r#"{"nodes": [{"points": "x.npy", "law": "fixed"}, {"points": "y.npy", "law": "fixed"}],
            "edges": [{"rows": 0, "cols": 1, "cost": "sqeuclidean"}]}"#,
    );
    std::fs::create_dir(place.path("clouds")).unwrap();
    place.write("clouds/p.npy", &cloud(3, 2));
    place.write("clouds/q.npy", &cloud(4, 2));
    place
}

/// However inputs and outputs are spelled.
#[test]
fn inputs_are_not_overwritten() {
    let place = workplace();
    let ends = "dynamic gaussian:0.3,0.3,0.1 gaussian:0.7,0.7,0.1 --grid 6x6x4";
    let before = std::fs::read(place.path("x.npy")).unwrap();
    for line in [
        "transport x.npy y.npy --coupling x.npy",
        "transport x.npy y.npy --coupling ./clouds/../y.npy",
        "transport x.npy y.npy --json x.npy",
        "barycenter a.npy b.npy --npy a.npy",
        "tree tree.json --json tree.json",
        "tree tree.json --json x.npy",
        "gromov x.npy y.npy --coupling y.npy",
        "transfer a.npy b.npy --json b.npy",
        "flat x.npy y.npy --json ./x.npy",
        "flat --pairwise clouds --out clouds/p.npy",
        "dynamic a.npy b.npy --json a.npy",
        &format!("{ends} --map a.npy --json a.npy"),
    ] {
        let ran = place.run(&line.split(' ').collect::<Vec<_>>());
        assert_eq!(ran.code, 2, "{line}: {}", ran.stderr);
        assert!(ran.stderr.contains("would overwrite the input"), "{line}: {}", ran.stderr);
    }
    assert_eq!(std::fs::read(place.path("x.npy")).unwrap(), before);
    // What goes on from itself may.
    let again = "--max-iterations 20 --checkpoint c.npz --device cpu --quiet";
    let begun = place.run(&format!("{ends} {again}").split(' ').collect::<Vec<_>>());
    assert!([0, 3].contains(&begun.code), "{}", begun.stderr);
    let line = format!("{ends} {again} --resume ./c.npz");
    let ran = place.run(&line.split(' ').collect::<Vec<_>>());
    assert!([0, 3].contains(&ran.code), "{}", ran.stderr);
}

/// Found out before anything is solved.
#[test]
fn what_cannot_be_written_is_said_at_once() {
    let place = workplace();
    let huge = "the picture: would have";
    let mut cases = vec![
        ("barycenter a.npy b.npy --out o.png --enlarge 100000", huge),
        ("barycenter a.npy b.npy --npy o.npy --out o.png --frames 9 --enlarge 4000", huge),
        (
            "dynamic gaussian:0.3,0.3,0.1 gaussian:0.7,0.7,0.1 --grid 6x6x4 --out o.gif \
             --enlarge 100000",
            huge,
        ),
    ];
    if cfg!(target_os = "linux") {
        cases.push(("transport x.npy y.npy --out /proc/o.npz", "the folder /proc takes no files"));
    }
    for (line, words) in cases {
        let ran = place.run(&line.split_whitespace().collect::<Vec<_>>());
        assert_eq!(ran.code, 1, "{line}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "{line}: {}", ran.stderr);
        assert!(!ran.stderr.contains("converged"), "{line}: {}", ran.stderr);
        assert!(!place.holds("o.npy"), "{line}");
    }
}

/// Numbers alone are a result.
#[test]
fn no_output_file_is_needed() {
    let place = workplace();
    for line in [
        "barycenter a.npy b.npy --device cpu",
        "dynamic gaussian:0.3,0.3,0.2 gaussian:0.7,0.7,0.2 --grid 6x6x4 --device cpu",
    ] {
        let ran = place.run(&line.split(' ').collect::<Vec<_>>());
        assert_eq!(ran.code, 0, "{line}: {}", ran.stderr);
        assert!(ran.stdout.contains(if line.starts_with('b') { "value " } else { "total " }));
    }
}

/// Names that are used elsewhere, short ones, and those of before.
#[test]
fn options_have_other_names() {
    let place = workplace();
    let run = |line: &str| {
        let ran = place.run(&line.split(' ').collect::<Vec<_>>());
        assert_eq!(ran.code, 0, "{line}: {}", ran.stderr);
        (ran.stdout.clone(), ran.stderr)
    };
    let plain = "transport x.npy y.npy --epsilon 0.1 --max-iterations 900 --tolerance 1e-5";
    let other = "transport x.npy y.npy --reg 0.1 --numItermax 900 --stopThr 1e-5";
    let (numbers, _) = run(&format!("{plain} --device cpu"));
    let (same, said) = run(&format!("{other} -d CPU -q -o o.npz"));
    assert_eq!((numbers, said), (same, String::new()));
    assert!(place.holds("o.npz"));
    let transfer = |option: &str| {
        let line = format!("transfer a.npy b.npy --tolerance 1.9 {option} --device cpu --json -");
        let (text, _) = run(&line);
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        number(&json, "kappa")
    };
    assert_eq!((transfer("--kappa 0.5"), transfer("--damping 0.5")), (0.5, 0.5));
    // The coupling as a picture, a pixel or more for each of its entries.
    run("transport x.npy y.npy --picture p.png --colours viridis --device cpu");
    let picture = image::open(place.path("p.png")).unwrap();
    assert!(picture.width() >= 7 && picture.height() * 7 == picture.width() * 9);
    // Nodes of a tree that lie on grids.
    place.text(
        "grids.json",
        r#"{"nodes": [{"weights": "a.npy"}, {"weights": "b.npy"}],
            "edges": [{"rows": 0, "cols": 1, "cost": "sqeuclidean"}], "epsilon": 0.1}"#,
    );
    place.write("a.npy", &Array2::from_elem((6, 6), 1.0 / 36.0));
    place.write("b.npy", &Array2::from_shape_fn((6, 6), |(i, _)| (1 + i) as f64 / 126.0));
    run("tree grids.json --picture nodes.png --colours paper --device cpu");
    let picture = image::open(place.path("nodes.png")).unwrap();
    assert!(picture.width() > 2 * picture.height());
    let refused = place.run(&["tree", "tree.json", "--picture", "nodes.png"]);
    assert!(refused.code == 2 && refused.stderr.contains("no node lies on a grid"));
}

/// Mass that is followed without a file is that of a frame, which counts with mass 1.
#[test]
fn the_truth_is_on_the_scale_of_what_is_followed() {
    let place = Workplace::new();
    let frame =
        Array2::from_shape_fn((6, 6), |(i, j)| if i + j < 4 { 30.0 + i as f64 } else { 0.0 });
    place.write("f.npy", &frame);
    place.write("part.npy", &(0.5 * &frame));
    let line = "transfer f.npy f.npy --device cpu --truth f.npy f.npy --json - --propagate";
    let line: Vec<&str> = line.split(' ').collect();
    let json = place.run(&line).json();
    assert!(json["errors"][0].as_f64().unwrap() < 1e-9, "{json}");
    let ran = place.run(&[&line[..], &["part.npy"]].concat());
    assert!(ran.stderr.contains("warning: the mass to follow is"), "{}", ran.stderr);
    assert!((ran.json()["errors"][0].as_f64().unwrap() - 0.5).abs() < 1e-9);
}

#[test]
fn cases_that_are_not_there_are_refused_by_name() {
    let place = Workplace::new();
    for line in ["bench nosuch --device cpu", "bench --filter nosuch --device cpu"] {
        let begin = std::time::Instant::now();
        let ran = place.run(&line.split(' ').collect::<Vec<_>>());
        assert_eq!(ran.code, 2, "{}", ran.stderr);
        assert!(ran.stderr.contains("no case has") && ran.stderr.contains("there are: softmin"));
        assert!(ran.stdout.is_empty() && begin.elapsed().as_secs() < 5, "{}", ran.stdout);
    }
    place.write("d.npy", &Array1::from(vec![1.0, 2.0]));
    let help = place.run(&["bench", "--help"]).stdout;
    assert!(!help.contains("--filter") && help.contains("--memory-limit"), "{help}");
}
