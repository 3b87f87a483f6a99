//! `gaspard tree`

use ndarray::{Axis, Ix1, Ix2, array};

use super::workplace::{Workplace, cloud, devices, number, squared_distances, weights};

/// A chain a - free - b between clouds, with costs as a matrix on one edge.
fn chain() -> Workplace {
    let place = Workplace::new();
    let (x, y, z) = (cloud(1, 8), cloud(2, 6), cloud(3, 7));
    std::fs::create_dir(place.path("data")).unwrap();
    place.write("data/x.npy", &x);
    place.write("data/y.npy", &y);
    place.write("data/a.npy", &weights(4, 8));
    place.write("data/C.npy", &squared_distances(&y, &z));
    place.text(
        "data/chain.json",
        r#"{"epsilon": 0.05,
            "nodes": [{"weights": "a.npy", "points": "x.npy"},
                      {"size": 6, "points": "y.npy", "law": "free"},
                      {"weights": [1, 1, 2, 0, 1, 1, 1], "law": "kl:2"}],
            "edges": [{"rows": 0, "cols": 1, "cost": "sqeuclidean"},
                      {"rows": 1, "cols": 2, "cost": "C.npy", "weight": 0.5}]}"#,
    );
    place
}

#[test]
fn plans_marginals_and_couplings_agree() {
    let place = chain();
    for device in devices() {
        let json = place.results(&[
            "tree",
            "data/chain.json",
            "--out",
            "o.npz",
            "--plans",
            "--couple",
            "0,2",
            "--device",
            device,
        ]);
        let marginals = [0, 1, 2].map(|node| {
            let name = format!("marginal_{node}");
            place.unpack("o.npz", &name).into_dimensionality::<Ix1>().unwrap()
        });
        for (node, marginal) in marginals.iter().enumerate() {
            assert_eq!(place.unpack("o.npz", &format!("potential_{node}")).len(), marginal.len());
        }
        for (name, rows, cols) in [("plan_0", 0, 1), ("plan_1", 1, 2), ("coupling_0_2", 0, 2)] {
            let plan = place.unpack("o.npz", name).into_dimensionality::<Ix2>().unwrap();
            let off = (plan.sum_axis(Axis(1)) - &marginals[rows]).mapv(f64::abs).sum()
                + (plan.sum_axis(Axis(0)) - &marginals[cols]).mapv(f64::abs).sum();
            assert!(off < 1e-9, "{name}: {off:e}");
        }
        let off = (&marginals[0] - &weights(4, 8)).mapv(f64::abs).sum();
        assert!(off <= 2.0 * number(&json, "tolerance"), "{off:e}");
        assert!(number(&json, "marginal_terms") > 0.0);
        assert_eq!(json["sizes"], serde_json::json!([8, 6, 7]));
        assert_eq!(json["laws"], serde_json::json!(["fixed", "free", "kl:2"]));
        assert_eq!(json["costs"], serde_json::json!(["sqeuclidean", "matrix"]));
        assert_eq!((&json["reference"], &json["converged"]), (&"weights".into(), &true.into()));
        assert_eq!(number(&json, "epsilon"), 0.05);
    }
}

#[test]
fn two_nodes_are_transport() {
    let place = Workplace::new();
    place.write("x.npy", &cloud(1, 8));
    place.write("y.npy", &cloud(2, 6));
    place.text(
        "two.json",
        r#"{"reference": "counting",
            "nodes": [{"points": "x.npy", "law": "fixed"}, {"points": "y.npy", "law": "fixed"}],
            "edges": [{"rows": 0, "cols": 1, "cost": "euclidean"}]}"#,
    );
    for extra in [&[][..], &["--epsilon", "0.02"]] {
        let tree = place.results(&[&["tree", "two.json"], extra].concat());
        let between =
            ["transport", "x.npy", "y.npy", "--cost", "euclidean", "--reference", "counting"];
        let transport = place.results(&[&between[..], extra].concat());
        for name in ["value", "linear", "entropic", "epsilon", "dual"] {
            let (found, expected) = (number(&tree, name), number(&transport, name));
            assert!((found - expected).abs() < 1e-9, "{name}: {found} {expected}");
        }
    }
}

#[test]
fn grids_need_no_points() {
    let place = Workplace::new();
    place.write("density.npy", &array![[0.0, 1.0], [1.0, 0.0]]);
    place.text(
        "grids.json",
        r#"{"nodes": [{"weights": "density.npy"}, {"weights": [1, 1], "grid": [2, 1]}],
            "edges": [{"rows": 0, "cols": 1, "cost": "sqeuclidean"}], "epsilon": 1e-3}"#,
    );
    // Cells of side 1/2: half a cell to the left for one, to the right for the other.
    let json = place.results(&["tree", "grids.json"]);
    assert!((number(&json, "linear") - 2.0 * 0.0625).abs() < 1e-6, "{json}");
}

#[test]
fn bad_descriptions_are_refused() {
    let place = chain();
    let node = r#"{"weights": [1, 1]}"#;
    let edge = r#"{"rows": 0, "cols": 1, "cost": "C2.npy"}"#;
    place.write("C2.npy", &array![[0.0, 1.0], [1.0, 0.0]]);
    let spec = |nodes: &str, edges: &str, extra: &str| {
        format!(r#"{{"nodes": [{nodes}], "edges": [{edges}]{extra}}}"#)
    };
    let two = format!("{node}, {node}");
    for (text, code, message) in [
        ("{".to_owned(), 1, "not the description of a tree"),
        (spec(&two, edge, r#", "colour": 1"#), 1, "unknown field `colour`"),
        (spec(r#"{"wieghts": [1]}"#, edge, ""), 1, "unknown field `wieghts`"),
        (spec(&two, r#"{"rows": 0, "cols": 1}"#, ""), 1, "missing field `cost`"),
        (spec(r#"{"weights": true}"#, edge, ""), 1, "list of numbers"),
        (spec(&two, "", ""), 1, "2 nodes and 0 edges"),
        (spec(&format!("{two}, {node}"), &format!("{edge}, {edge}"), ""), 1, "cycle"),
        (spec(&two, r#"{"rows": 0, "cols": 5, "cost": "C2.npy"}"#, ""), 1, "joins nodes 0 and 5"),
        (
            spec(&two, r#"{"rows": 0, "cols": 5, "cost": "euclidean"}"#, ""),
            1,
            "joins nodes 0 and 5",
        ),
        (spec(&two, r#"{"rows": 0, "cols": 1, "cost": "euclidean"}"#, ""), 1, "the node has none"),
        (spec(&two, r#"{"rows": 0, "cols": 1, "cost": "data/C.npy"}"#, ""), 1, "expected 2 x 2"),
        (spec(&two, r#"{"rows": 0, "cols": 1, "cost": "gone.npy"}"#, ""), 1, "no such file"),
        (spec(&two, r#"{"rows": 0, "cols": 1, "cost": "C2.npy", "weight": 0}"#, ""), 2, "weight"),
        (spec(r#"{"weights": [1, 2]}, {"weights": [1, 1]}"#, edge, ""), 1, "at masses 3 and 2"),
        (
            spec(r#"{"weights": [1, -1]}, {"weights": [1, 1]}"#, edge, ""),
            1,
            "node 0: weight 1 is -1",
        ),
        (
            spec(r#"{"weights": [0, 0]}, {"weights": [1, 1]}"#, edge, ""),
            1,
            "node 0: it has no mass",
        ),
        (spec(r#"{"weights": []}, {"weights": [1, 1]}"#, edge, ""), 1, "node 0: it is empty"),
        (spec(r#"{"law": "free"}, {"weights": [1, 1]}"#, edge, ""), 1, "how many points"),
        (spec(r#"{"size": 2}, {"size": 2}"#, edge, ""), 1, "every node is free"),
        (spec(r#"{"weights": [1], "law": "x"}, {"size": 2}"#, edge, ""), 2, "it is not a law"),
        (spec(r#"{"weights": [1, 1], "size": 3}, {"size": 2}"#, edge, ""), 1, "the size of node 0"),
        (spec(r#"{"points": "data/x.npy", "grid": [8]}"#, edge, ""), 1, "both points and a grid"),
        (spec(&two, edge, r#", "epsilon": 0"#), 2, "epsilon"),
        (spec(&two, edge, r#", "reference": "x""#), 1, "unknown variant `x`"),
    ] {
        place.text("bad.json", &text);
        let ran = place.run(&["tree", "bad.json", "--out", "o.npz"]);
        assert_eq!(ran.code, code, "{text}: {}", ran.stderr);
        assert!(ran.stderr.starts_with("gaspard: error: "), "{text}: {}", ran.stderr);
        assert!(ran.stderr.contains(message), "{text}: {}", ran.stderr);
        assert!(!place.holds("o.npz"));
    }
    for (extra, code, message) in [
        (&["--couple", "0,3", "--out", "o.npz"][..], 2, "nodes go from 0 to 2"),
        (&["--couple", "1,1", "--out", "o.npz"], 2, "not two different nodes"),
        (&["--couple", "1", "--out", "o.npz"], 2, "like 0,2"),
        (&["--plans"], 2, "--out"),
        (&["--plans", "--out", "o.npz", "--memory-limit", "400B"], 1, "the couplings to write"),
    ] {
        let ran = place.run(&[&["tree", "data/chain.json"], extra].concat());
        assert_eq!(ran.code, code, "{extra:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(message), "{extra:?}: {}", ran.stderr);
    }
}
