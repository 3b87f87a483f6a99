//! docs/json.md knows every field that a command writes, and no other.

use std::collections::BTreeSet;

use ndarray::{Array1, Array2, stack};
use serde_json::Value;

use super::workplace::{Workplace, cloud, devices};

/// One run of every command, and of every kind of result that it has.
const RUNS: &[&str] = &[
    "transport x.npy y.npy --epsilon 0.1 --profile",
    "transport x.npy y.npy --exact",
    "transport x.npy y.npy --epsilon 0.1 --divergence",
    "tree tree.json",
    "barycenter a.npy b.npy --frames 2",
    "barycenter a.npy b.npy --metric gromov --support 3x3 --frames 2",
    "barycenter a.npy b.npy --metric gromov --points 3",
    "gromov a.npy b.npy --as density",
    "transfer frames.npy --rho 1 --propagate --truth frames.npy",
    "dynamic gaussian:0.3,0.3,0.2 gaussian:0.7,0.7,0.2 --grid 6x6x4",
    "dynamic --example 6.1a --grid 6x6x4",
    "dynamic --example 6.2a --grid 6x6x4 --form coupled",
    "dynamic --example 6.3b --grid 6x6x4 --form kantorovich --exact",
    "dynamic --example 6.4a --grid 6x6x4 --form monge",
    "dynamic --example 6.1b --grid 6x6x4 --form monge",
    "flat x.npy y.npy --method sinkhorn",
    "flat x.npy y.npy --method paper --epochs 5 --hidden 8,8",
    "flat --pairwise list.txt --out distances.npy",
    "simulate --voices 2 --delays 90,-70 --seconds 0.6 --snr 20 --out mix.wav",
    "tdoa mix.wav --sources 2 --max-lag 200",
    "separate mix.wav --sources 2 --max-lag 200 --out found",
    "bench exact --quick",
];

/// The names of all fields, wherever they are.
fn names(value: &Value, all: &mut BTreeSet<String>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| names(value, all)),
        Value::Object(fields) => fields.iter().for_each(|(name, value)| {
            all.insert(name.clone());
            names(value, all);
        }),
        _ => {}
    }
}

/// The names in the first columns of tables.
fn tabulated(docs: &str) -> impl Iterator<Item = &str> {
    let rows = docs.lines().filter_map(|line| line.strip_prefix("| `"));
    let names = rows.flat_map(|row| row.split(" | ").next().unwrap_or_default().split(", "));
    names.map(|name| name.trim_matches('`'))
}

#[test]
fn every_field_is_explained() {
    let place = Workplace::new();
    place.write("x.npy", &cloud(1, 6));
    place.write("y.npy", &cloud(2, 5));
    let a = Array2::from_shape_fn((4, 4), |(i, j)| if i < 2 { (1 + j) as f64 } else { 0.0 });
    let b = Array2::from_shape_fn((4, 4), |(i, j)| if j < 2 { (1 + i) as f64 } else { 0.0 });
    place.write("frames.npy", &stack![ndarray::Axis(0), a, b]);
    place.write("a.npy", &a);
    place.write("b.npy", &b);
    place.write("w.npy", &Array1::from(vec![0.25, 0.75]));
    place.text("list.txt", "x.npy\ny.npy\n");
    place.text(
        "tree.json",
        r#"{"nodes": [{"points": "x.npy", "law": "fixed"}, {"weights": "w.npy", "grid": [2, 1]}],
            "edges": [{"rows": 0, "cols": 1, "cost": "euclidean"}]}"#,
    );
    let mut runs: Vec<String> =
        RUNS.iter().map(|line| format!("{line} --device cpu --json -")).collect();
    let has_gpu = devices().contains(&"gpu");
    if has_gpu {
        runs.push("check --quiet --json -".to_owned());
    }
    runs.push("devices --json -".to_owned());
    runs.push("demo --only exact --json - --quiet".to_owned());
    let docs = std::fs::read_to_string("docs/json.md").unwrap();
    let mut written = BTreeSet::new();
    for line in runs {
        let ran = place.run(&line.split(' ').collect::<Vec<_>>());
        assert!([0, 3].contains(&ran.code), "{line}: {}", ran.stderr);
        let json = ran.json();
        assert!(json["record"]["version"].is_string(), "{line}");
        let mut all = BTreeSet::new();
        names(&json, &mut all);
        for name in &all {
            assert!(docs.contains(&format!("`{name}`")), "{line}: docs/json.md lacks `{name}`");
        }
        written.extend(all);
    }
    for name in tabulated(&docs) {
        assert!(
            written.contains(name) || !has_gpu,
            "docs/json.md has `{name}`, which no run writes"
        );
    }
}
