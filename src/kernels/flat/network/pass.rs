//! Points through a network, and gradients back: the f64 twin.

use ndarray::linalg::{general_mat_mul, general_mat_vec_mul};
use ndarray::{Array1, ArrayView1, ArrayView2, ArrayViewMut1, ArrayViewMut2, Axis, aview1, s};

use super::plan::SCALES;
use super::{Output, Plan, group_sort};

/// A network in use: the weights that are applied are those at `Layer::effective`, times 1 / sigma.
pub(crate) struct Pass<'a> {
    plan: &'a Plan,
    network: &'a [f64],
}

/// The points of a measure and what they are charged with: c in the value sum c f, w in the penalty.
#[derive(Clone, Copy)]
pub(crate) struct Points<'a> {
    pub places: ArrayView2<'a, f64>,
    pub charges: &'a [f64],
    pub weights: &'a [f64],
}

/// Sums over points.
#[derive(Clone, Debug)]
pub(crate) struct Sums {
    pub value: f64,
    pub penalty: f64,
    /// dL by theta, with the applied weights in the place of W.
    pub gradient: Vec<f64>,
}

/// What a layer does with the points of a chunk.
struct Stage {
    /// What goes into the activation, later dL there.
    input: Vec<f64>,
    ranks: Vec<u32>,
    /// What comes out of it, later dL there.
    output: Vec<f64>,
}

impl<'a> Pass<'a> {
    /// `network` is laid out by the plan, up to the end of the weights that are applied.
    pub(crate) fn new(plan: &'a Plan, network: &'a [f64]) -> Self {
        Self { plan, network }
    }

    fn weights(&self, index: usize) -> ArrayView2<'a, f64> {
        let layer = &self.plan.layers[index];
        let count = layer.inputs * layer.outputs;
        let slice = &self.network[layer.effective..layer.effective + count];
        ArrayView2::from_shape((layer.outputs, layer.inputs), slice).expect("of this size")
    }

    fn bias(&self, index: usize) -> ArrayView1<'a, f64> {
        let layer = &self.plan.layers[index];
        aview1(&self.network[layer.bias..layer.bias + layer.outputs])
    }

    fn scale(&self, index: usize) -> f64 {
        match self.plan.constraint {
            super::Constraint::Spectral => self.network[SCALES + index],
            _ => 1.0,
        }
    }

    fn stages(&self, rows: usize) -> Vec<Stage> {
        let hidden = &self.plan.layers[..self.plan.layers.len() - 1];
        let stage = |layer: &super::Layer| Stage {
            input: vec![0.0; rows * layer.outputs],
            ranks: vec![0; rows * layer.outputs],
            output: vec![0.0; rows * layer.outputs],
        };
        hidden.iter().map(stage).collect()
    }

    /// f at points.
    pub(crate) fn values(&self, places: ArrayView2<'_, f64>) -> Array1<f64> {
        let chunk = self.plan.chunk;
        let mut stages = self.stages(chunk.min(places.nrows()));
        let mut values = Array1::zeros(places.nrows());
        let parts = places.axis_chunks_iter(Axis(0), chunk);
        for (part, mut values) in parts.zip(values.axis_chunks_iter_mut(Axis(0), chunk)) {
            self.forward(part, &mut stages, &mut values);
        }
        values
    }

    fn forward(
        &self,
        places: ArrayView2<'_, f64>,
        stages: &mut [Stage],
        values: &mut ArrayViewMut1<'_, f64>,
    ) {
        let rows = places.nrows();
        for index in 0..stages.len() {
            let (before, here) = stages.split_at_mut(index);
            let inputs = match before.last() {
                Some(stage) => matrix(&stage.output, (rows, self.plan.layers[index].inputs)),
                None => places,
            };
            let width = self.plan.layers[index].outputs;
            let Stage { input, ranks, output } = &mut here[0];
            let mut sums = matrix_mut(input, (rows, width));
            sums.assign(&self.bias(index));
            general_mat_mul(self.scale(index), &inputs, &self.weights(index).t(), 1.0, &mut sums);
            let group = self.plan.group.min(width);
            let lines = input.chunks(width).zip(output.chunks_mut(width));
            for ((row, sorted), ranks) in lines.zip(ranks.chunks_mut(width)).take(rows) {
                group_sort(row, group, sorted, ranks);
            }
        }
        let last = stages.len();
        let shape = (rows, self.plan.layers[last].inputs);
        let inputs = matrix(&stages[last - 1].output, shape);
        values.fill(self.bias(last)[0]);
        general_mat_vec_mul(self.scale(last), &inputs, &self.weights(last).row(0), 1.0, values);
    }

    /// The value, the penalty and the gradient over all points, a chunk after the other.
    pub(crate) fn sums(&self, points: Points<'_>, lambda: f64) -> Sums {
        let chunk = self.plan.chunk;
        let mut stages = self.stages(chunk.min(points.charges.len()));
        let mut sums = Sums { value: 0.0, penalty: 0.0, gradient: vec![0.0; self.plan.parameters] };
        for begin in (0..points.charges.len()).step_by(chunk) {
            let end = (begin + chunk).min(points.charges.len());
            let places = points.places.slice(s![begin..end, ..]);
            let mut slopes = Array1::zeros(end - begin);
            self.forward(places, &mut stages, &mut slopes.view_mut());
            let charged = points.charges[begin..end].iter().zip(&points.weights[begin..end]);
            for (slope, (charge, weight)) in slopes.iter_mut().zip(charged) {
                let (value, penalty);
                (*slope, value, penalty) = self.slope(*slope, *charge, *weight, lambda);
                sums.value += value;
                sums.penalty += penalty;
            }
            self.backward(places, &mut stages, slopes.view(), &mut sums.gradient);
        }
        sums
    }

    /// dL/df at a point where f has this value; its part of the value and of the penalty.
    fn slope(&self, value: f64, charge: f64, weight: f64, lambda: f64) -> (f64, f64, f64) {
        match self.plan.output {
            Output::Clamped => {
                // Descent goes along the charge. Where that leads further out, the slope is none.
                let stuck = (value > 1.0 && charge > 0.0) || (value < -1.0 && charge < 0.0);
                let slope = if stuck { 0.0 } else { -charge };
                (slope, charge * value.clamp(-1.0, 1.0), 0.0)
            }
            Output::Penalised => {
                let excess = (value.abs() - 1.0).max(0.0);
                let slope = 2.0 * lambda * weight * excess * value.signum() - charge;
                (slope, charge * value, weight * excess * excess)
            }
        }
    }

    fn backward(
        &self,
        places: ArrayView2<'_, f64>,
        stages: &mut [Stage],
        slopes: ArrayView1<'_, f64>,
        gradient: &mut [f64],
    ) {
        let rows = places.nrows();
        let last = stages.len();
        let shape = (rows, self.plan.layers[last].inputs);
        {
            let (mut weights, mut bias) = self.gradients(last, gradient);
            let inputs = matrix(&stages[last - 1].output, shape);
            general_mat_vec_mul(1.0, &inputs.t(), &slopes, 1.0, &mut weights.row_mut(0));
            bias[0] += slopes.sum();
        }
        let (applied, scale) = (self.weights(last), self.scale(last));
        let mut outputs = matrix_mut(&mut stages[last - 1].output, shape);
        for (mut row, slope) in outputs.outer_iter_mut().zip(slopes) {
            row.zip_mut_with(&applied.row(0), |out, weight| *out = slope * scale * weight);
        }
        for index in (0..last).rev() {
            let (before, here) = stages.split_at_mut(index);
            let width = self.plan.layers[index].outputs;
            let Stage { input, ranks, output } = &mut here[0];
            let lines = input.chunks_mut(width).zip(output.chunks(width));
            for ((slopes, sorted), ranks) in lines.zip(ranks.chunks(width)).take(rows) {
                for (slope, rank) in slopes.iter_mut().zip(ranks) {
                    *slope = sorted[*rank as usize];
                }
            }
            let slopes = matrix(input, (rows, width));
            let (mut weights, mut bias) = self.gradients(index, gradient);
            bias += &slopes.sum_axis(Axis(0));
            match before.last_mut() {
                None => general_mat_mul(1.0, &slopes.t(), &places, 1.0, &mut weights),
                Some(below) => {
                    let shape = (rows, self.plan.layers[index].inputs);
                    let inputs = matrix(&below.output, shape);
                    general_mat_mul(1.0, &slopes.t(), &inputs, 1.0, &mut weights);
                    let mut out = matrix_mut(&mut below.output, shape);
                    let applied = self.weights(index);
                    general_mat_mul(self.scale(index), &slopes, &applied, 0.0, &mut out);
                }
            }
        }
    }

    fn gradients<'g>(
        &self,
        index: usize,
        gradient: &'g mut [f64],
    ) -> (ArrayViewMut2<'g, f64>, ArrayViewMut1<'g, f64>) {
        let layer = &self.plan.layers[index];
        let begin = layer.weights - self.plan.theta().start;
        let count = layer.inputs * layer.outputs;
        let (weights, bias) = gradient[begin..begin + count + layer.outputs].split_at_mut(count);
        let shape = (layer.outputs, layer.inputs);
        let weights = ArrayViewMut2::from_shape(shape, weights).expect("of this size");
        (weights, ArrayViewMut1::from(bias))
    }
}

/// The first rows of a buffer.
fn matrix(buffer: &[f64], shape: (usize, usize)) -> ArrayView2<'_, f64> {
    ArrayView2::from_shape(shape, &buffer[..shape.0 * shape.1]).expect("of this size")
}

fn matrix_mut(buffer: &mut [f64], shape: (usize, usize)) -> ArrayViewMut2<'_, f64> {
    ArrayViewMut2::from_shape(shape, &mut buffer[..shape.0 * shape.1]).expect("of this size")
}
