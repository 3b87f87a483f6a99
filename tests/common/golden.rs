//! Reading `golden/pot.json`, and comparing with it.

use gaspard::{Cost, Engine};
use ndarray::{Array1, Array2, ArrayD, IxDyn};
use serde_json::Value;

/// The cases of a kind.
pub fn golden(kind: &str) -> Vec<Value> {
    let path = format!("{}/tests/golden/pot.json", env!("CARGO_MANIFEST_DIR"));
    let all: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let cases = all[kind].as_array().unwrap().clone();
    assert!(!cases.is_empty());
    cases
}

/// Nested lists of numbers as an array.
pub fn array(value: &Value) -> ArrayD<f64> {
    fn flatten(value: &Value, shape: &mut Vec<usize>, depth: usize, flat: &mut Vec<f64>) {
        match value.as_array() {
            Some(items) => {
                if shape.len() == depth {
                    shape.push(items.len());
                }
                items.iter().for_each(|item| flatten(item, shape, depth + 1, flat));
            }
            None => flat.push(value.as_f64().unwrap()),
        }
    }
    let (mut shape, mut flat) = (Vec::new(), Vec::new());
    flatten(value, &mut shape, 0, &mut flat);
    ArrayD::from_shape_vec(IxDyn(&shape), flat).unwrap()
}

pub fn vector(value: &Value) -> Array1<f64> {
    array(value).into_dimensionality().unwrap()
}

pub fn matrix(value: &Value) -> Array2<f64> {
    array(value).into_dimensionality().unwrap()
}

pub fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

pub fn cost(case: &Value) -> Cost {
    match case["cost"].as_str().unwrap() {
        "squared_euclidean" => Cost::SquaredEuclidean,
        "euclidean" => Cost::Euclidean,
        other => panic!("unknown cost {other}"),
    }
}

#[track_caller]
pub fn close(name: &str, engine: &Engine, what: &str, found: f64, expected: f64, tolerance: f64) {
    let error = (found - expected).abs();
    assert!(
        error <= tolerance * expected.abs().max(1.0),
        "{name} on {engine:?}: {what} is {found}, not {expected} (off by {error:e})"
    );
}
