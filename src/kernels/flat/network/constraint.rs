//! How weights are kept from stretching space: the f64 twins.

use ndarray::{Array2, ArrayView2, ArrayViewMut2};

use super::plan::SCALES;
use super::{Constraint, Layer, Plan};

/// Makes the weights that are applied out of W: before points go through the network.
pub(crate) fn constrain(plan: &Plan, network: &mut [f64]) {
    match plan.constraint {
        Constraint::Orthonormal => {}
        Constraint::Spectral => {
            for (index, layer) in plan.layers.iter().enumerate() {
                network[SCALES + index] = 1.0 / power_iterations(layer, network).max(1e-30);
            }
        }
        Constraint::Bjorck { iterations } => {
            for layer in &plan.layers {
                let last = iterates(layer, network, iterations).pop().expect("the first");
                let place = layer.effective;
                tall_mut(layer, network, place).assign(&last);
            }
        }
    }
}

/// Two power iterations; the largest singular value u^T W v, which is the length of W v.
fn power_iterations(layer: &Layer, network: &mut [f64]) -> f64 {
    let weights = view(layer, network, layer.weights).to_owned();
    let vectors = &mut network[layer.left..layer.left + layer.outputs + layer.inputs];
    let (left, right) = vectors.split_at_mut(layer.outputs);
    let mut u = ndarray::aview_mut1(left);
    let mut v = ndarray::aview_mut1(right);
    let mut sigma = 1.0;
    for _ in 0..2 {
        v.assign(&weights.t().dot(&u));
        v /= v.dot(&v).sqrt().max(1e-30);
        u.assign(&weights.dot(&v));
        sigma = u.dot(&u).sqrt();
        u /= sigma.max(1e-30);
    }
    sigma
}

/// From gradients by the weights that are applied to those by W, or along its manifold.
pub(crate) fn finish_gradients(plan: &Plan, network: &mut [f64]) {
    for (index, layer) in plan.layers.iter().enumerate() {
        let place = layer.weights + plan.parameters;
        match plan.constraint {
            Constraint::Spectral => {
                // sigma = u^T W v is differentiated as well; u and v count as constants.
                let weights = view(layer, network, layer.weights);
                let gradient = view(layer, network, place);
                let scale = network[SCALES + index];
                let along = scale * (&weights * &gradient).sum();
                let (u, v) = (layer.left, layer.left + layer.outputs);
                let finished = Array2::from_shape_fn(gradient.dim(), |(i, j)| {
                    (gradient[[i, j]] - along * network[u + i] * network[v + j]) * scale
                });
                view_mut(layer, network, place).assign(&finished);
            }
            Constraint::Orthonormal => {
                // G - W sym(W^T G).
                let weights = tall(layer, network, layer.weights);
                let inner = weights.t().dot(&tall(layer, network, place));
                let normal = weights.dot(&((&inner + &inner.t()) * 0.5));
                tall_mut(layer, network, place).zip_mut_with(&normal, |g, n| *g -= n);
            }
            Constraint::Bjorck { iterations } => {
                let mut all = iterates(layer, network, iterations);
                all.pop();
                let mut gradient = tall(layer, network, place).to_owned();
                for x in all.into_iter().rev() {
                    let mixed = x.t().dot(&gradient);
                    let bent = gradient.dot(&x.t().dot(&x)) + x.dot(&(&mixed + &mixed.t()));
                    gradient.zip_mut_with(&bent, |g, bent| *g = 1.5 * *g - 0.5 * bent);
                }
                gradient /= shrinkage(layer);
                tall_mut(layer, network, place).assign(&gradient);
            }
        }
    }
}

/// Back onto the manifold after a step: W <- 1.5 W - 0.5 W W^T W, twice.
pub(crate) fn retract(plan: &Plan, network: &mut [f64]) {
    if plan.constraint != Constraint::Orthonormal {
        return;
    }
    for layer in &plan.layers {
        for _ in 0..2 {
            let next = closer(tall(layer, network, layer.weights));
            tall_mut(layer, network, layer.weights).assign(&next);
        }
    }
}

/// One Newton-Schulz step towards the orthonormal matrix nearest to a tall one.
fn closer(x: ArrayView2<'_, f64>) -> Array2<f64> {
    let bent = x.dot(&x.t().dot(&x));
    &x * 1.5 - bent * 0.5
}

/// W over the root of its size, and what each Björck iteration makes of it; tall.
fn iterates(layer: &Layer, network: &[f64], iterations: usize) -> Vec<Array2<f64>> {
    let mut all = vec![tall(layer, network, layer.weights).to_owned() / shrinkage(layer)];
    for _ in 0..iterations {
        all.push(closer(all.last().expect("the first").view()));
    }
    all
}

fn shrinkage(layer: &Layer) -> f64 {
    ((layer.inputs * layer.outputs) as f64).sqrt()
}

fn view<'a>(layer: &Layer, network: &'a [f64], place: usize) -> ArrayView2<'a, f64> {
    let slice = &network[place..place + layer.inputs * layer.outputs];
    ArrayView2::from_shape((layer.outputs, layer.inputs), slice).expect("of this size")
}

fn view_mut<'a>(layer: &Layer, network: &'a mut [f64], place: usize) -> ArrayViewMut2<'a, f64> {
    let slice = &mut network[place..place + layer.inputs * layer.outputs];
    ArrayViewMut2::from_shape((layer.outputs, layer.inputs), slice).expect("of this size")
}

/// A matrix of a layer, transposed if it is wider than tall.
fn tall<'a>(layer: &Layer, network: &'a [f64], place: usize) -> ArrayView2<'a, f64> {
    let matrix = view(layer, network, place);
    if layer.outputs < layer.inputs { matrix.reversed_axes() } else { matrix }
}

fn tall_mut<'a>(layer: &Layer, network: &'a mut [f64], place: usize) -> ArrayViewMut2<'a, f64> {
    let matrix = view_mut(layer, network, place);
    if layer.outputs < layer.inputs { matrix.reversed_axes() } else { matrix }
}
