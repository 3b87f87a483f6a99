//! `gaspard barycenter --metric gromov|fused --points N`.

use ndarray::{Array1, Array2, Axis};

use super::workplace::{Workplace, cloud, number};

/// Distances between the rows of a matrix.
fn distances(points: &Array2<f64>) -> Array2<f64> {
    Array2::from_shape_fn((points.nrows(), points.nrows()), |(i, j)| {
        (&points.row(i) - &points.row(j)).mapv(|step| step * step).sum().sqrt()
    })
}

#[test]
fn the_barycenter_of_points_turned_is_those_points() {
    let place = Workplace::new();
    let points = cloud(3, 7);
    let turn = ndarray::array![[0.6, 0.8], [-0.8, 0.6]];
    place.write("a.npy", &points);
    place.write("b.npy", &(points.dot(&turn) + 2.0));
    let arguments = "barycenter a.npy b.npy --as points --metric gromov --points 7 --seeds 6 \
                     --out all.npz --coupling plan.npy --device cpu";
    let json = place.results(&arguments.split_whitespace().collect::<Vec<_>>());
    assert!(number(&json, "transport") < 1e-12, "{json}");
    assert_eq!(number(&json, "total"), number(&json, "transport"));
    assert_eq!((&json["converged"], &json["method"]), (&true.into(), &"exact".into()));
    assert_eq!((&json["points"], &json["metric"]), (&7.into(), &"gromov".into()));
    assert_eq!(json["starts"].as_array().unwrap().len(), 6);
    let rounds = number(&json, "outer_iterations") as usize;
    assert_eq!(json["trace"].as_array().unwrap().len(), rounds);
    for name in ["iteration", "seconds", "transport", "total", "change"] {
        assert!(json["trace"][0][name].is_number(), "{name}");
    }
    // The distances are those of the points, up to their order, and places have them.
    let sorted = |distances: &Array2<f64>| {
        let mut sorted: Vec<f64> = distances.iter().copied().collect();
        sorted.sort_by(f64::total_cmp);
        sorted
    };
    let found: Array2<f64> = place.unpack("all.npz", "distances").into_dimensionality().unwrap();
    let places: Array2<f64> = place.unpack("all.npz", "places").into_dimensionality().unwrap();
    for other in [distances(&points), distances(&places)] {
        let pairs = sorted(&found).into_iter().zip(sorted(&other));
        assert!(pairs.into_iter().all(|(a, b)| (a - b).abs() < 1e-6));
    }
    assert!((place.unpack("all.npz", "masses").sum() - 1.0).abs() < 1e-12);
    for name in ["plan_0.npy", "plan_1.npy"] {
        let plan: Array2<f64> = place.read(name).into_dimensionality().unwrap();
        assert_eq!(plan.dim(), (7, 7));
        assert!(plan.sum_axis(Axis(0)).iter().all(|sum| (sum - 1.0 / 7.0).abs() < 1e-12));
    }
}

#[test]
fn entropic_and_exact_barycenters_agree_and_are_drawn() {
    let place = Workplace::new();
    let picture = |seed: u64| {
        let mut picture = Array2::zeros((6, 6));
        picture.slice_mut(ndarray::s![1..5, 1..3]).fill(1.0);
        picture[[4, 3 + seed as usize]] = 1.0;
        picture
    };
    place.write("a.npy", &picture(0));
    place.write("b.npy", &picture(1));
    let common = "barycenter a.npy b.npy --metric gromov --points 5 --weights 0.3,0.7 --seeds 4 \
                  --out mean.npy --picture all.png";
    let solve = |rest: &[&str]| {
        let json = place.results(&[&common.split_whitespace().collect::<Vec<_>>(), rest].concat());
        assert!(place.holds("all.png"));
        assert_eq!(place.read("mean.npy").shape(), [5, 5]);
        assert_eq!(json["weights"], serde_json::json!([0.3, 0.7]));
        number(&json, "transport")
    };
    let exact = solve(&["--epsilon", "0", "--device", "cpu"]);
    let entropic = solve(&["--epsilon", "1e-3", "--tolerance", "0.02", "--device", "cpu"]);
    assert!((entropic - exact).abs() < 0.25 * exact, "{entropic} and {exact}");
}

#[test]
fn labels_are_mixed() {
    let place = Workplace::new();
    let mut bar = Array2::zeros((3, 8));
    bar.row_mut(1).fill(1.0);
    place.write("bar.npy", &bar);
    place.write("left.npy", &Array1::from_shape_fn(8, |point| f64::from(u8::from(point < 4))));
    place.write("right.npy", &Array1::from_shape_fn(8, |point| f64::from(u8::from(point >= 4))));
    let arguments = "barycenter bar.npy bar.npy --metric fused --labels left.npy right.npy \
                     --points 4 --seeds 4 --out all.npz --picture all.png --device cpu";
    let json = place.results(&arguments.split_whitespace().collect::<Vec<_>>());
    // Two quarters of the bar have one label, and two the other.
    assert!(number(&json, "labels") < 1e-12, "{json}");
    let shares: Array2<f64> =
        place.unpack("all.npz", "label_shares").into_dimensionality().unwrap();
    assert_eq!(shares.dim(), (4, 2));
    assert!(shares.sum_axis(Axis(1)).iter().all(|sum| (sum - 1.0).abs() < 1e-12));
    assert!(shares.sum_axis(Axis(0)).iter().all(|sum| (sum - 2.0).abs() < 1e-12), "{shares}");
    assert!(place.holds("all.png"));
}

#[test]
fn what_free_points_cannot_have_is_refused() {
    let place = Workplace::new();
    place.write("a.npy", &Array2::from_elem((3, 3), 1.0));
    place.write("l.npy", &Array1::from_shape_fn(9, |point| (point % 3) as f64));
    // The longest side is longer than the other two together.
    let costs = ndarray::array![[0.0, 1.0, 1.0], [1.0, 0.0, 9.0], [1.0, 9.0, 0.0]];
    place.write("costs.npy", &costs);
    let labels = "--metric fused --labels l.npy l.npy";
    for (words, message) in [
        ("--points 4", "--metric gromov"),
        ("--metric gromov --points 0", "--points"),
        ("--metric gromov --points 4 --support 3x3", "cannot be used with"),
        ("--metric gromov --points 4 --frames 3", "--support in place"),
        ("--metric gromov --points 4 --npy m.npy", "--support in place"),
        ("--metric gromov --points 4 --rho 1", "--support in place"),
        ("--metric gromov --points 4 --law fixed", "--support in place"),
        ("--metric gromov --points 4 --reference uniform", "--support in place"),
        ("--metric gromov --points 4 --refine 2", "positive --epsilon"),
        ("--metric gromov --points 4 --init product --epsilon 0", "positive --epsilon"),
        ("--metric gromov --points 4 --epsilon=-1", "epsilon"),
        ("--metric gromov --points 4 --weights 1,1", "sum to 2"),
        ("--metric gromov --points 4 --tolerance=-1", "tolerance"),
        ("--metric gromov --points 4 --out p.png", "does not end in .npy or .npz"),
        ("--metric gromov --points 4 --picture p.gif", "does not end in .png"),
        ("--metric gromov --points 4 --coupling no/p.npy", "does not exist"),
        ("--metric gromov --points 4 --debiased", "debiased"),
        ("--metric gromov --points 4 --memory-limit 1KiB", "can be had"),
        ("--metric fused --points 4", "has none"),
        ("--coupling p.npy", "--metric gromov"),
        (&format!("{labels} --points 4 --label-costs costs.npy"), "cannot be mixed"),
        (&format!("{labels} --points 4 --alpha 2"), "between 0 and 1"),
    ] {
        let words: Vec<&str> = words.split_whitespace().collect();
        let common = ["barycenter", "a.npy", "a.npy", "--json", "o.json", "--device", "cpu"];
        let ran = place.run(&[&common[..], &words].concat());
        assert!([1, 2].contains(&ran.code), "{words:?}: {} {}", ran.code, ran.stderr);
        assert!(ran.stderr.contains(message), "{words:?}: {}", ran.stderr);
        assert!(!place.holds("o.json"), "{words:?}");
    }
}
