//! `gaspard flat`.

use ndarray::{Array1, Array2, Axis, array};

use super::workplace::{Workplace, cloud, number};

#[test]
fn a_pair_has_a_distance_and_bounds() {
    let place = Workplace::new();
    place.write("point.npy", &array![[0.0, 0.0]]);
    place.write("five.npy", &array![5.0]);
    place.write("others.npy", &array![[1.0, 0.0], [0.0, 1.0]]);
    let json = place.results(&["flat", "point.npy", "others.npy", "--weights-a", "five.npy"]);
    assert!((number(&json, "value") - 5.0).abs() < 1e-12, "{json}");
    assert!((number(&json, "normalised") - 2.5).abs() < 1e-12);
    assert!(number(&json, "lower") <= 5.0 && number(&json, "upper") >= 5.0 - 1e-12);
    assert_eq!((&json["method"], &json["std"]), (&"exact".into(), &serde_json::Value::Null));
    assert!(json["seconds"].is_number());
    // Brighter pixels are more mass: one of two has to go.
    place.picture("one.png", 2, 2, |x, y| if (x, y) == (0, 0) { 255 } else { 0 });
    place.picture("two.png", 2, 2, |_, y| if y == 0 { 255 } else { 0 });
    let json = place.results(&["flat", "one.png", "two.png", "--method", "exact"]);
    assert!((number(&json, "value") - 1.0).abs() < 1e-9, "{json}");
    // Half a box to move is cheap, and what is ten times as far is lost and made.
    place.picture("left.png", 2, 2, |x, y| if (x, y) == (0, 0) { 255 } else { 0 });
    place.picture("right.png", 2, 2, |x, y| if (x, y) == (1, 0) { 255 } else { 0 });
    for (scale, expected) in [("1", 0.5), ("3", 1.5), ("10", 2.0)] {
        let json = place.results(&["flat", "left.png", "right.png", "--scale", scale]);
        assert!((number(&json, "value") - expected).abs() < 1e-9, "{json}");
    }
    // Nothing is between a measure and itself.
    let json = place.results(&["flat", "others.npy", "others.npy"]);
    assert_eq!((number(&json, "lower"), number(&json, "upper")), (0.0, 0.0));
}

#[test]
fn all_pairs_of_a_folder_and_what_is_missing_of_them() {
    let place = Workplace::new();
    std::fs::create_dir(place.path("clouds")).unwrap();
    for (name, count) in [("a", 8), ("b", 13), ("c", 5)] {
        place.write(&format!("clouds/{name}.npy"), &cloud(count as u64, count));
    }
    place.write("clouds/b.weights.npy", &Array1::from_elem(13, 0.5));
    let all = ["flat", "--pairwise", "clouds", "--out", "all.npy", "--picture", "heat.png"];
    let json = place.results(&all);
    assert_eq!((&json["pairs"], &json["computed"]), (&3.into(), &3.into()));
    let matrix = place.read("all.npy");
    assert_eq!(matrix.shape(), [3, 3]);
    assert!(matrix.iter().all(|distance| *distance >= 0.0));
    assert_eq!(matrix[[0, 1]], matrix[[1, 0]]);
    let weights = ["--weights-b", "clouds/b.weights.npy"];
    let pair = place.results(&[&["flat", "clouds/a.npy", "clouds/b.npy"], &weights[..]].concat());
    assert_eq!(number(&pair, "normalised"), matrix[[0, 1]]);
    assert!(image::open(place.path("heat.png")).unwrap().width() >= 3);
    // Only what is missing is computed again.
    let mut holes = matrix.clone();
    holes[[0, 2]] = f64::NAN;
    holes[[2, 0]] = f64::NAN;
    place.write("all.npy", &holes);
    let json = place.results(&all);
    assert_eq!(json["computed"], 1);
    assert_eq!(place.read("all.npy"), matrix);
    // What was begun by one method goes on by it.
    let begun = [&all[..], &["--method", "sinkhorn", "--device", "cpu"]].concat();
    std::fs::remove_file(place.path("all.npy")).unwrap();
    assert_eq!(place.results(&begun)["method"], "sinkhorn");
    assert_eq!(place.results(&[&all[..], &["--device", "cpu"]].concat())["method"], "sinkhorn");
    place.text("list.txt", "clouds/c.npy\n\nclouds/a.npy\n");
    place.results(&["flat", "--pairwise", "list.txt", "--out", "two.npy"]);
    assert_eq!(place.read("two.npy")[[0, 1]], matrix[[0, 2]]);
}

/// Every method brackets what the simplex finds.
#[test]
fn methods_agree_within_their_bounds() {
    let place = Workplace::new();
    place.write("a.npy", &(cloud(1, 30) * 2.0));
    place.write("b.npy", &(cloud(2, 20) + 0.5));
    let exact = number(&place.results(&["flat", "a.npy", "b.npy", "--method", "exact"]), "value");
    for (method, more) in [
        ("sinkhorn", &["--tolerance", "0.003"][..]),
        ("tight", &["--epochs", "200", "--field", "f.png", "--train-curve", "curve.png"]),
        ("paper", &["--epochs", "50", "--hidden", "32,16", "--train-curve", "curve.npy"]),
    ] {
        let pair =
            ["flat", "a.npy", "b.npy", "--method", method, "--device", "cpu", "--out", "f.npz"];
        let json = place.results(&[&pair[..], more].concat());
        let (lower, upper) = (number(&json, "lower"), number(&json, "upper"));
        assert!(
            lower <= exact + 1e-9 && exact <= upper + 1e-9,
            "{method}: {lower} {exact} {upper}"
        );
        assert_eq!(json["method"], method);
        assert_eq!(json["std"].is_number(), method == "paper");
        assert_eq!(json["calibrated"].is_number(), method == "paper");
        match method {
            "sinkhorn" => assert!((number(&json, "value") - exact).abs() < 0.006 * exact, "{json}"),
            "tight" => assert!(lower > 0.95 * exact && number(&json, "learned") <= lower, "{json}"),
            _ => {}
        }
        assert_eq!(place.unpack("f.npz", "f_a").len(), 30);
    }
    assert_eq!(place.read("curve.npy").shape(), [50, 3]);
    assert!(image::open(place.path("f.png")).unwrap().width() > 200);
    assert!(image::open(place.path("curve.png")).unwrap().width() > 200);
}

/// Networks of a matrix depend on the seed and on their pair, not on what they are trained beside.
#[test]
fn trained_matrices_go_on_as_they_began() {
    let place = Workplace::new();
    std::fs::create_dir(place.path("clouds")).unwrap();
    for (name, count) in [("a", 8), ("b", 13), ("c", 5)] {
        place.write(&format!("clouds/{name}.npy"), &cloud(count as u64, count));
    }
    let all = ["flat", "--pairwise", "clouds", "--out", "all.npy", "--device", "cpu"];
    let tight = ["--method", "tight", "--epochs", "30", "--hidden", "16,16", "--both-ways"];
    let json = place.results(&[&all[..], &tight[..]].concat());
    assert_eq!((&json["computed"], json["distances"].as_array().unwrap().len()), (&6.into(), 6));
    assert!(number(&json, "spread") > 0.0);
    let matrix = place.read("all.npy");
    let mut holes = matrix.clone();
    holes[[2, 0]] = f64::NAN;
    place.write("all.npy", &holes);
    assert_eq!(place.results(&[&all[..], &tight[..]].concat())["computed"], 1);
    assert_eq!(place.read("all.npy"), matrix);
    // Other settings, or other measures, would make another matrix of it.
    let exact = place.run(&[&all[..], &["--method", "exact"]].concat());
    assert!(exact.code == 1 && exact.stderr.contains("by tight, not by exact"), "{}", exact.stderr);
    place.write("clouds/b.npy", &cloud(99, 13));
    let other = place.run(&[&all[..], &tight[..]].concat());
    assert!(other.code == 1 && other.stderr.contains("something else"), "{}", other.stderr);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let place = Workplace::new();
    place.write("x.npy", &cloud(1, 4));
    place.write("line.npy", &Array1::from(vec![0.0, 1.0]));
    place.write("broken.npy", &array![[0.0, f64::NAN]]);
    place.write("negative.npy", &Array1::from(vec![1.0, 1.0, -1.0, 1.0]));
    place.write("wrong.npy", &Array2::<f64>::zeros((5, 5)));
    place.text("one.txt", "x.npy\n");
    place.text("two.txt", "x.npy\nline.npy\n");
    place.text("pair.txt", "x.npy\nx2.npy\n");
    place.write("x2.npy", &cloud(2, 3));
    for (more, words) in [
        (&["x.npy"][..], "B"),
        (&["x.npy", "line.npy"], "2 coordinates"),
        (&["x.npy", "broken.npy"], "NaN"),
        (&["x.npy", "x.npy", "--weights-a", "negative.npy"], "mass of point 2 is -1"),
        (&["x.npy", "x.npy", "--weights-a", "line.npy"], "masses"),
        (&["x.npy", "nothing.npy"], "no such file"),
        (&["--pairwise", "one.txt", "--out", "o.npy"], "names 1 measures"),
        (&["--pairwise", "two.txt", "--out", "o.npy"], "2 coordinates"),
        (&["--pairwise", "pair.txt", "--out", "wrong.npy"], "not 2 x 2"),
        (&["--pairwise", "pair.txt"], "--out"),
        (&["x.npy", "x2.npy", "--scale=0"], "--scale"),
        (&["x.npy", "x2.npy", "--method", "exact", "--epochs", "3"], "--epochs"),
        (&["x.npy", "x2.npy", "--method", "tight", "--epochs", "0"], "epochs"),
        (&["x.npy", "x2.npy", "--method", "tight", "--hidden", "5"], "multiples of 4"),
        (&["x.npy", "x2.npy", "--method", "paper", "--rate=-1"], "rate"),
        (&["x.npy", "x2.npy", "--method", "sinkhorn", "--epsilon", "0"], "epsilon"),
        (&["x.npy", "x2.npy", "--train-curve", "c.png"], "no network"),
        (&["x.npy", "x2.npy", "--out", "o.npy"], "npz"),
    ] {
        let refused = place.run(&[&["flat"][..], more].concat());
        assert!([1, 2].contains(&refused.code), "{more:?}: {}", refused.stderr);
        assert!(refused.stderr.contains(words), "{more:?}: {}", refused.stderr);
    }
    assert_eq!(place.read("x.npy").len_of(Axis(0)), 4);
}
