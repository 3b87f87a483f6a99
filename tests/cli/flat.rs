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
    place.text("list.txt", "clouds/c.npy\n\nclouds/a.npy\n");
    place.results(&["flat", "--pairwise", "list.txt", "--out", "two.npy"]);
    assert_eq!(place.read("two.npy")[[0, 1]], matrix[[0, 2]]);
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
    ] {
        let refused = place.run(&[&["flat"][..], more].concat());
        assert!([1, 2].contains(&refused.code), "{more:?}: {}", refused.stderr);
        assert!(refused.stderr.contains(words), "{more:?}: {}", refused.stderr);
    }
    assert_eq!(place.read("x.npy").len_of(Axis(0)), 4);
}
