//! `gaspard gromov`, `gaspard transfer`, and barycenters of spaces.

use ndarray::{Array1, Array2, Array3, Axis, array, stack};

use super::workplace::{Workplace, cloud, devices, number};

/// An L of pixels, turned so many quarters.
fn hook(quarters: usize) -> Array2<f64> {
    let mut picture = Array2::zeros((9, 9));
    picture.slice_mut(ndarray::s![1..8, 2]).fill(1.0);
    picture.slice_mut(ndarray::s![7, 2..6]).fill(1.0);
    for _ in 0..quarters {
        picture = picture.t().to_owned();
        picture.invert_axis(Axis(1));
    }
    picture
}

fn distances(points: &Array2<f64>) -> Array2<f64> {
    Array2::from_shape_fn((points.nrows(), points.nrows()), |(i, j)| {
        (&points.row(i) - &points.row(j)).mapv(|step| step * step).sum().sqrt()
    })
}

#[test]
fn a_turned_picture_is_matched() {
    let place = Workplace::new();
    place.write("a.npy", &hook(0));
    place.write("b.npy", &hook(1));
    for device in devices() {
        let json = place.results(&[
            "gromov",
            "a.npy",
            "b.npy",
            "--as",
            "density",
            "--epsilon",
            "2e-4",
            "--seeds",
            "8",
            "--coupling",
            "plan.npy",
            "--out",
            "all.npz",
            "--plans",
            "--picture",
            "pair.png",
            "--device",
            device,
        ]);
        assert!(number(&json, "transport") < 1e-4, "{json}");
        assert!((number(&json, "mass") - 1.0).abs() < 1e-4);
        let sum = ["transport", "regularisation", "marginal"].map(|name| number(&json, name));
        assert!((number(&json, "total") - sum.iter().sum::<f64>()).abs() < 1e-12);
        assert_eq!(json["converged"], true);
        assert!(number(&json, "outer_iterations") >= 1.0);
        assert_eq!(json["starts"].as_array().unwrap().len(), 8);
        for name in ["iteration", "seconds", "epsilon", "transport", "total", "change"] {
            assert!(json["trace"][1][name].is_number(), "{name}");
        }
        let plan: Array2<f64> = place.read("plan.npy").into_dimensionality().unwrap();
        assert_eq!(plan.dim(), (10, 10));
        assert_eq!(place.unpack("all.npz", "plan_0"), plan.clone().into_dyn());
        let rows = plan.sum_axis(Axis(1));
        assert!(rows.iter().all(|row| (row - 0.1).abs() < 1e-4), "{rows}");
        assert!(place.holds("pair.png"));
    }
}

#[test]
fn points_and_their_distances_are_one_space() {
    let place = Workplace::new();
    let (x, y) = (cloud(1, 12), cloud(2, 9));
    place.write("x.npy", &x);
    place.write("y.npy", &y);
    place.write("dx.npy", &distances(&x));
    place.write("dy.npy", &distances(&y));
    let common = ["--epsilon", "0.01", "--device", "cpu"];
    let points = place.results(&[&["gromov", "x.npy", "y.npy"][..], &common].concat());
    let matrices =
        place.results(&[&["gromov", "--distances", "dx.npy", "dy.npy"][..], &common].concat());
    let (a, b) = (number(&points, "total"), number(&matrices, "total"));
    assert!((a - b).abs() < 1e-9, "{a} and {b}");
}

#[test]
fn a_tree_is_a_chain_where_it_is_one() {
    let place = Workplace::new();
    place.write("a.npy", &hook(0));
    place.write("b.npy", &hook(1));
    place.write("c.npy", &hook(2));
    place.text(
        "tree.json",
        r#"{"epsilon": 0.001, "reference": "uniform",
            "nodes": [{"image": "a.npy", "law": "kl:0.1"}, {"image": "b.npy", "law": "kl:0.1"},
                      {"image": "c.npy", "law": "kl:0.1"}],
            "edges": [{"rows": 0, "cols": 1}, {"rows": 1, "cols": 2}]}"#,
    );
    let device = ["--device", "cpu"];
    let tree = place.results(&[&["gromov", "--tree", "tree.json"][..], &device].concat());
    let chain = place.results(
        &[
            &[
                "gromov",
                "a.npy",
                "b.npy",
                "c.npy",
                "--as",
                "density",
                "--rho",
                "0.1",
                "--epsilon",
                "1e-3",
            ][..],
            &["--reference", "uniform"],
            &device,
        ]
        .concat(),
    );
    assert_eq!(tree["laws"], chain["laws"]);
    let (a, b) = (number(&tree, "total"), number(&chain, "total"));
    assert!((a - b).abs() < 1e-9, "{a} and {b}");
}

#[test]
fn barycenters_of_turned_pictures_are_the_picture() {
    let place = Workplace::new();
    place.write("a.npy", &hook(0));
    place.write("b.npy", &hook(3));
    for device in devices() {
        let json = place.results(&[
            "barycenter",
            "a.npy",
            "b.npy",
            "--metric",
            "gromov",
            "--epsilon",
            "1e-4",
            "--npy",
            "mean.npy",
            "--picture",
            "all.png",
            "--tolerance",
            "0.05",
            "--device",
            device,
        ]);
        assert!(number(&json, "transport") < 4e-3, "{json}");
        assert_eq!(json["metric"], "gromov");
        let mean: Array2<f64> = place.read("mean.npy").into_dimensionality().unwrap();
        assert_eq!(mean.dim(), (9, 9));
        assert!((mean.sum() - 1.0).abs() < 1e-9);
        assert!(place.holds("all.png"));
    }
}

#[test]
fn labels_are_matched_with_labels() {
    let place = Workplace::new();
    // A bar has no direction by its distances; its labels give it one.
    let mut bar = Array2::zeros((5, 9));
    bar.row_mut(2).fill(1.0);
    let mut back = Array2::zeros((9, 5));
    back.column_mut(1).fill(1.0);
    place.write("bar.npy", &bar);
    place.write("back.npy", &back);
    let label = |place: usize| f64::from(u8::from(place < 4));
    place.write("l0.npy", &Array1::from_shape_fn(9, label));
    place.write("l1.npy", &Array1::from_shape_fn(9, |point| label(8 - point)));
    for seed in ["0", "1", "2"] {
        place.results(&[
            "gromov",
            "bar.npy",
            "back.npy",
            "--as",
            "density",
            "--labels",
            "l0.npy",
            "l1.npy",
            "--epsilon",
            "5e-4",
            "--coupling",
            "plan.npy",
            "--seed",
            seed,
            "--device",
            "cpu",
        ]);
        let plan: Array2<f64> = place.read("plan.npy").into_dimensionality().unwrap();
        assert!(plan[[0, 8]] > 0.1 && plan[[8, 0]] > 0.1, "seed {seed}: {plan}");
    }
    let json = place.results(&[
        "barycenter",
        "bar.npy",
        "back.npy",
        "--metric",
        "fused",
        "--labels",
        "l0.npy",
        "l1.npy",
        "--support",
        "7x7",
        "--epsilon",
        "1e-3",
        "--npy",
        "mean.npy",
        "--device",
        "cpu",
    ]);
    assert!(number(&json, "labels") < 0.01, "{json}");
    assert_eq!(place.read("mean.npy").shape(), [7, 7]);
}

#[test]
fn mass_is_followed_through_frames() {
    let place = Workplace::new();
    let frames = [0, 1, 2].map(hook);
    let views = frames.each_ref().map(|frame| frame.view());
    let all: Array3<f64> = stack(Axis(0), &views).unwrap();
    place.write("frames.npy", &all);
    // The foot of the hook, and where it is in each frame.
    let feet = [0, 1, 2].map(|quarters| {
        let mut foot = Array2::zeros((9, 9));
        foot[[7, 5]] = 1.0;
        for _ in 0..quarters {
            foot = foot.t().to_owned();
            foot.invert_axis(Axis(1));
        }
        foot
    });
    place.write("foot.npy", &feet[0]);
    let views = feet.each_ref().map(|foot| foot.view());
    place.write("truth.npy", &stack(Axis(0), &views).unwrap());
    let json = place.results(&[
        "transfer",
        "frames.npy",
        "--epsilon",
        "2e-4",
        "--seeds",
        "8",
        "--propagate",
        "foot.npy",
        "--truth",
        "truth.npy",
        "--out",
        "way.npz",
        "--picture",
        "way.png",
        "--device",
        "cpu",
    ]);
    for (frame, error) in json["errors"].as_array().unwrap().iter().enumerate() {
        assert!(error.as_f64().unwrap() < 0.2, "frame {frame}: {json}");
    }
    for mass in json["masses"].as_array().unwrap() {
        assert!((mass.as_f64().unwrap() - 1.0).abs() < 1e-6);
    }
    assert_eq!(place.unpack("way.npz", "operator_1").shape(), [10, 10]);
    assert!(place.holds("way.png"));
}

#[test]
fn what_makes_no_sense_is_refused() {
    let place = Workplace::new();
    place.write("a.npy", &hook(0));
    place.write("b.npy", &hook(1));
    place.write("x.npy", &cloud(1, 5));
    place.write("zero.npy", &Array2::<f64>::zeros((20, 20)));
    place.write("asymmetric.npy", &array![[0.0, 1.0], [2.0, 0.0]]);
    place.write("negative.npy", &array![[0.0, -1.0], [-1.0, 0.0]]);
    place.write("labels.npy", &Array1::<f64>::zeros(10));
    place.write("half.npy", &Array1::<f64>::from_elem(10, 0.5));
    place.write("costs.npy", &array![[0.0, 1.0], [1.0, 0.0]]);
    place.write("far.npy", &Array1::<f64>::from_elem(10, 7.0));
    let node = r#"{"image": "a.npy"}"#;
    place.text(
        "cycle.json",
        &format!(
            r#"{{"nodes": [{node}, {node}, {node}],
                 "edges": [{{"rows": 0, "cols": 1}}, {{"rows": 1, "cols": 0}}]}}"#
        ),
    );
    place.text("empty.json", &format!(r#"{{"nodes": [{node}, {{}}], "edges": []}}"#));
    for (words, code, message) in [
        ("gromov --as density a.npy", 2, "only one"),
        ("gromov --as density a.npy zero.npy", 1, "no mass"),
        ("gromov --distances asymmetric.npy asymmetric.npy", 1, "not symmetric"),
        ("gromov --distances negative.npy negative.npy", 1, "not negative"),
        ("gromov --as density a.npy b.npy --epsilon 0", 2, "epsilon"),
        ("gromov --as density a.npy b.npy --epsilon=-1", 2, "epsilon"),
        ("gromov --as density a.npy b.npy --law tv:1", 2, "no quadratic form"),
        (
            "gromov --as density a.npy b.npy --law fixed --law fixed --law fixed",
            2,
            "3 laws for 2 inputs",
        ),
        ("gromov --as density a.npy b.npy --rho 0", 2, "rho"),
        ("gromov --as density a.npy b.npy --law free", 1, "every node is free"),
        ("gromov --as density a.npy b.npy --labels labels.npy", 2, "1 files for 2 inputs"),
        ("gromov --as density a.npy b.npy --labels labels.npy half.npy", 1, "whole numbers"),
        (
            "gromov --as density a.npy b.npy --labels labels.npy far.npy --label-costs costs.npy",
            1,
            "outside",
        ),
        (
            "gromov --as density a.npy b.npy --labels labels.npy labels.npy --alpha 2",
            2,
            "between 0 and 1",
        ),
        ("gromov x.npy x.npy --picture p.png", 2, "not a picture"),
        ("gromov --tree cycle.json", 1, "cycle"),
        ("gromov --tree empty.json", 1, "not clear"),
        ("gromov --as density a.npy b.npy --memory-limit 1KiB", 1, "can be had"),
        ("barycenter a.npy b.npy --metric gromov --debiased --npy m.npy", 2, "debiased"),
        ("barycenter a.npy b.npy --metric fused --npy m.npy", 2, "has none"),
        ("barycenter a.npy b.npy --rho 1 --npy m.npy", 2, "--metric gromov"),
        ("barycenter a.npy b.npy a.npy --metric gromov --frames 3 --npy m.npy", 2, "takes two"),
        ("transfer a.npy", 2, "only one"),
        ("transfer a.npy zero.npy", 1, "frame 1: it has no mass"),
        ("transfer a.npy b.npy --kappa=-1", 2, "--damping"),
        ("transfer a.npy b.npy --propagate zero.npy", 1, "shape of the first frame"),
        ("transfer a.npy b.npy --propagate --truth a.npy zero.npy", 1, "array of --truth"),
    ] {
        let arguments: Vec<&str> = words.split_whitespace().collect();
        let ran = place.run(&[&arguments[..], &["--device", "cpu"]].concat());
        assert_eq!(ran.code, code, "{words}: {}", ran.stderr);
        assert!(ran.stderr.contains(message), "{words}: {}", ran.stderr);
        assert!(!place.holds("m.npy") && !place.holds("p.png"), "{words}");
    }
}

#[test]
fn large_pictures_are_averaged_down() {
    let place = Workplace::new();
    place.picture("wide.png", 40, 20, |x, y| if x > 3 && y > 3 { 255 } else { 0 });
    let line = "gromov wide.png wide.png --side 10 --max-iterations 3 --tolerance 0 --json o.json";
    let ran = place.run(&line.split(' ').collect::<Vec<_>>());
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    // Ten cells by five, but for those that are all dark: one of four along each side.
    assert!(ran.stderr.contains("a space of 36 points"), "{}", ran.stderr);
    assert_eq!(place.run(&["barycenter", "wide.png", "wide.png", "--side", "10"]).code, 2);
}
