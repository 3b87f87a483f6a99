//! `gaspard transport`

use ndarray::{Array1, Array2, Array3, Axis, Ix1, Ix2, array};

use super::workplace::{Workplace, cloud, devices, number, squared_distances, weights};

fn with_clouds() -> (Workplace, Array2<f64>, Array2<f64>) {
    let place = Workplace::new();
    let (x, y) = (cloud(1, 12), cloud(2, 9));
    place.write("x.npy", &x);
    place.write("y.npy", &y);
    (place, x, y)
}

#[test]
fn the_record_has_every_name() {
    let (place, ..) = with_clouds();
    for device in devices() {
        let json = place.results(&[
            "transport",
            "x.npy",
            "y.npy",
            "--device",
            device,
            "--epsilon",
            "0.05",
            "--seed",
            "7",
            "--profile",
        ]);
        for name in [
            "value",
            "linear",
            "entropic",
            "marginal_terms",
            "marginal_error",
            "iterations",
            "epsilon",
            "seconds",
            "dual",
            "mass",
            "tolerance",
            "n",
            "m",
        ] {
            assert!(json[name].is_number(), "{name} in {json}");
        }
        for name in ["converged", "interrupted", "evaluated_in_f64", "reached_epsilon"] {
            assert!(json[name].is_boolean(), "{name} in {json}");
        }
        assert_eq!((&json["converged"], &json["interrupted"]), (&true.into(), &false.into()));
        assert_eq!((&json["n"], &json["m"]), (&12.into(), &9.into()));
        assert_eq!(json["laws"], serde_json::json!(["fixed", "fixed"]));
        assert_eq!((&json["reference"], &json["cost"]), (&"weights".into(), &"sqeuclidean".into()));
        assert!(json["device"].is_string());
        assert!(json["trace"][0][0].is_u64() && json["trace"][0][1].is_f64());
        let terms = ["linear", "entropic", "marginal_terms"].map(|name| number(&json, name));
        assert!((terms.iter().sum::<f64>() - number(&json, "value")).abs() < 1e-12);
        assert_eq!(number(&json, "epsilon"), 0.05);
        let record = &json["record"];
        assert_eq!(record["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(record["seed"], 7);
        assert_eq!(record["arguments"][1], "transport");
        assert_eq!(record["device"]["kind"] == "cpu", device == "cpu", "{record}");
        assert_eq!(record["device"]["driver"].is_string(), device == "gpu");
        assert!(record["bytes_peak"].as_u64() > Some(0));
        assert!(record["kernels"][0]["seconds"].is_f64());
        assert!(record["timings"][0]["phase"].is_string());
    }
}

#[test]
fn both_devices_agree() {
    let (place, ..) = with_clouds();
    let values: Vec<f64> = devices()
        .iter()
        .map(|device| place.results(&["transport", "x.npy", "y.npy", "--device", device]))
        .map(|json| number(&json, "value"))
        .collect();
    assert!(values.iter().all(|value| (value - values[0]).abs() < 1e-4), "{values:?}");
}

#[test]
fn files_describe_one_coupling() {
    let (place, x, y) = with_clouds();
    let (a, b) = (weights(3, 12), weights(4, 9));
    place.write("a.npy", &a);
    place.write("b.npy", &b);
    for device in devices() {
        let json = place.results(&[
            "transport",
            "x.npy",
            "y.npy",
            "--weights-a",
            "a.npy",
            "--weights-b",
            "b.npy",
            "--epsilon",
            "0.02",
            "--device",
            device,
            "--potentials",
            "fg.npz",
            "--coupling",
            "plan.npy",
            "--out",
            "all.npz",
        ]);
        let plan = place.read("plan.npy").into_dimensionality::<Ix2>().unwrap();
        let [f, g] =
            ["f", "g"].map(|key| place.unpack("fg.npz", key).into_dimensionality::<Ix1>().unwrap());
        let costs = squared_distances(&x, &y);
        let expected = Array2::from_shape_fn(plan.dim(), |(i, j)| {
            a[i] * b[j] * ((f[i] + g[j] - costs[[i, j]]) / 0.02).exp()
        });
        assert!((&plan - &expected).mapv(f64::abs).sum() < 1e-12);
        let off = (plan.sum_axis(Axis(1)) - &a).mapv(f64::abs).sum()
            + (plan.sum_axis(Axis(0)) - &b).mapv(f64::abs).sum();
        assert!((off - number(&json, "marginal_error")).abs() < 1e-9, "{device}: {off:e}");
        assert!(off < 1e-4, "{device}: {off:e}");
        assert!(((&plan * &costs).sum() - number(&json, "linear")).abs() < 1e-9);
        for (key, expected) in [
            ("a", &a),
            ("b", &b),
            ("f", &f),
            ("g", &g),
            ("p", &plan.sum_axis(Axis(1))),
            ("q", &plan.sum_axis(Axis(0))),
        ] {
            let found = place.unpack("all.npz", key).into_dimensionality::<Ix1>().unwrap();
            assert!((&found - expected).mapv(f64::abs).sum() < 1e-12, "{key}");
        }
    }
}

#[test]
fn entropic_values_fall_to_the_exact_one() {
    let (place, x, y) = with_clouds();
    let exact = place.results(&[
        "transport",
        "x.npy",
        "y.npy",
        "--exact",
        "--coupling",
        "plan.npy",
        "--potentials",
        "fg.npz",
    ]);
    assert_eq!((number(&exact, "epsilon"), number(&exact, "entropic")), (0.0, 0.0));
    assert_eq!((&exact["converged"], &exact["reference"]), (&true.into(), &().into()));
    let value = number(&exact, "value");
    assert!((number(&exact, "dual") - value).abs() < 1e-12);
    let plan = place.read("plan.npy").into_dimensionality::<Ix2>().unwrap();
    assert!(((plan * squared_distances(&x, &y)).sum() - value).abs() < 1e-12);
    assert_eq!(place.unpack("fg.npz", "f").len(), 12);
    let mut last = f64::INFINITY;
    for epsilon in ["0.1", "0.02", "0.004"] {
        let json = place.results(&["transport", "x.npy", "y.npy", "--epsilon", epsilon]);
        let gap = number(&json, "linear") - value;
        assert!(gap > -1e-6 && gap < last, "{gap}");
        last = gap;
    }
    assert!(last < 1e-2 * value, "{last}");
}

#[test]
fn a_cost_matrix_stands_for_points() {
    let (place, x, y) = with_clouds();
    place.write("C.npy", &squared_distances(&x, &y));
    place.write("a.npy", &weights(3, 12));
    place.write("b.npy", &weights(4, 9));
    let value = |arguments: &[&str]| {
        number(&place.results(&[arguments, &["--epsilon", "0.05"]].concat()), "value")
    };
    let uniform = value(&["transport", "x.npy", "y.npy"]);
    assert!((value(&["transport", "--cost-matrix", "C.npy"]) - uniform).abs() < 1e-9);
    let flags = ["--weights-a", "a.npy", "--weights-b", "b.npy"];
    let weighted = value(&[&["transport", "x.npy", "y.npy"], &flags[..]].concat());
    assert!((weighted - uniform).abs() > 1e-4);
    for arguments in [
        &["transport", "a.npy", "b.npy", "--cost-matrix", "C.npy"][..],
        &[&["transport", "--cost-matrix", "C.npy"], &flags[..]].concat(),
    ] {
        assert!((value(arguments) - weighted).abs() < 1e-9);
    }
}

#[test]
fn the_divergence_is_made_of_its_parts() {
    let (place, ..) = with_clouds();
    let json = place.results(&["transport", "x.npy", "y.npy", "--divergence", "--epsilon", "0.1"]);
    let [between, a, b] = ["between", "self_a", "self_b"].map(|name| number(&json, name));
    assert!((number(&json, "value") - (between - 0.5 * (a + b))).abs() < 1e-12);
    assert!((number(&json, "linear") + number(&json, "entropic") - between).abs() < 1e-12);
    let same = place.results(&["transport", "x.npy", "x.npy", "--divergence", "--epsilon", "0.1"]);
    assert!(number(&same, "value").abs() < 1e-6);
}

#[test]
fn laws_and_references_are_passed_on() {
    let (place, ..) = with_clouds();
    let fixed = ["transport", "x.npy", "y.npy", "--epsilon", "0.05"];
    let relaxed =
        place.results(&[&fixed[..], &["--law-a", "kl:0.1", "--law-b", "tv:0.3"]].concat());
    assert_eq!(relaxed["laws"], serde_json::json!(["kl:0.1", "tv:0.3"]));
    assert!(number(&relaxed, "marginal_terms") > 0.0);
    assert!(number(&relaxed, "value") < number(&place.results(&fixed), "value"));
    // At mass 1, plain entropy is the relative one less the entropies of the weights.
    let counting = place.results(&[&fixed[..], &["--reference", "counting"]].concat());
    let plain = number(&place.results(&fixed), "entropic");
    let expected = plain - 0.05 * (12_f64.ln() + 9_f64.ln());
    assert!((number(&counting, "entropic") - expected).abs() < 1e-6);
    assert_eq!(counting["reference"], "counting");
}

#[test]
fn great_circles_join_latitudes_and_longitudes() {
    let place = Workplace::new();
    place.write("pole.npy", &array![[90.0, 0.0]]);
    place.write("equator.npy", &array![[0.0, 10.0], [0.0, 200.0]]);
    let arguments = ["transport", "pole.npy", "equator.npy", "--cost", "great-circle:1"];
    let value = number(&place.results(&arguments), "linear");
    assert!((value - std::f64::consts::FRAC_PI_2).abs() < 1e-6, "{value}");
}

#[test]
fn arrays_are_read_as_points_or_densities() {
    let place = Workplace::new();
    let dense = |rows, columns| Array2::from_elem((rows, columns), 0.5);
    place.write("line.npy", &Array1::<f64>::ones(5));
    place.write("cube.npy", &Array3::<f64>::ones((2, 3, 2)));
    place.write("square.npy", &dense(20, 20));
    place.write("rows.npy", &dense(30, 20));
    place.write("narrow.npy", &dense(20, 16));
    let mut negative = dense(20, 20);
    negative[[0, 0]] = -1.0;
    place.write("negative.npy", &negative);
    place.picture("picture.png", 4, 4, |x, _| x as u8);
    for (a, b, extra, expected) in [
        ("line.npy", "line.npy", "auto", "a density on 5 cells"),
        ("cube.npy", "cube.npy", "auto", "a density on 2 x 3 x 2 cells"),
        ("square.npy", "square.npy", "auto", "a density on 20 x 20 cells"),
        ("square.npy", "rows.npy", "auto", "20 points of dimension 20"),
        ("narrow.npy", "narrow.npy", "auto", "20 points of dimension 16"),
        ("narrow.npy", "narrow.npy", "density", "a density on 20 x 16 cells"),
        ("negative.npy", "square.npy", "auto", "20 points of dimension 20"),
        ("square.npy", "negative.npy", "auto", "20 points of dimension 20"),
        ("square.npy", "square.npy", "points", "20 points of dimension 20"),
        ("line.npy", "line.npy", "points", "5 points of dimension 1"),
        ("picture.png", "picture.png", "auto", "a density on 4 x 4 cells, mass 1"),
        ("picture.png", "square.npy", "auto", "a density on 4 x 4 cells, mass 1"),
    ] {
        let ran = place.run(&["transport", a, b, "--as", extra, "--normalise"]);
        assert_eq!(ran.code, 0, "{a} {b}: {}", ran.stderr);
        let line = ran.stderr.lines().next().unwrap();
        assert!(line.contains(&format!("{a}: read as {expected}")), "{a} {b}: {line}");
    }
}

#[test]
fn one_pixel_and_one_row_are_pictures_too() {
    let place = Workplace::new();
    place.picture("pixel.png", 1, 1, |_, _| 255);
    place.picture("row.png", 7, 1, |x, _| x as u8);
    for device in devices() {
        for (a, b) in [("pixel.png", "pixel.png"), ("row.png", "row.png"), ("pixel.png", "row.png")]
        {
            let json = place.results(&["transport", a, b, "--device", device]);
            assert!((number(&json, "mass") - 1.0).abs() < 1e-4);
        }
    }
}

#[test]
fn results_go_to_stdout_and_the_rest_to_stderr() {
    let (place, ..) = with_clouds();
    let ran = place.run(&["transport", "x.npy", "y.npy", "--device", "cpu"]);
    let names: Vec<_> = ran.stdout.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(
        names,
        ["value", "linear", "entropic", "marginal_terms", "marginal_error", "epsilon"]
    );
    assert!(ran.stderr.contains("device: CPU"), "{}", ran.stderr);
    let quiet = place.run(&[
        "transport",
        "x.npy",
        "y.npy",
        "--device",
        "cpu",
        "--quiet",
        "--json",
        "r.json",
    ]);
    assert_eq!((quiet.code, quiet.stderr.as_str()), (0, ""));
    assert!(std::fs::read_to_string(place.path("r.json")).unwrap().contains("\"record\""));
}

#[test]
fn a_software_adapter_is_announced() {
    let (place, ..) = with_clouds();
    let found = gaspard::Engine::devices();
    let only_software =
        found.iter().all(|device| device.kind == gaspard::engine::DeviceKind::Software);
    if found.is_empty() || !only_software {
        return;
    }
    let ran = place.run(&["transport", "x.npy", "y.npy", "--device", "gpu"]);
    assert!(ran.stderr.contains("emulated on the CPU"), "{}", ran.stderr);
    let ran = place.run(&["transport", "x.npy", "y.npy"]);
    assert!(ran.stderr.contains("CPU (f64"), "auto takes the CPU: {}", ran.stderr);
}

#[test]
fn what_has_not_converged_is_written_all_the_same() {
    let (place, ..) = with_clouds();
    let ran = place.run(&[
        "transport",
        "x.npy",
        "y.npy",
        "--epsilon",
        "1e-4",
        "--max-iterations",
        "20",
        "--json",
        "-",
        "--out",
        "all.npz",
    ]);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert!(ran.stderr.contains("not converged after 20 iterations"), "{}", ran.stderr);
    assert_eq!(ran.json()["converged"], false);
    assert_eq!(place.unpack("all.npz", "f").len(), 12);
}
