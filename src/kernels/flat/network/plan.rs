//! Where the numbers of a network lie.

use std::ops::Range;

use crate::error::Result;
use crate::kernels::index;

/// How layers are kept from stretching space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Constraint {
    /// Weights over their largest singular value, estimated by power iterations.
    Spectral,
    /// Weights after so many Björck iterations, through which gradients flow.
    Bjorck { iterations: usize },
    /// Orthonormal weights: gradients along the manifold, and steps back onto it.
    Orthonormal,
}

/// How the output is kept between -1 and 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// By a penalty on what is beyond.
    Penalised,
    /// By a clamp, whose gradient vanishes only where it leads further out.
    Clamped,
}

/// One fully connected layer; places are relative to the first number of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layer {
    pub inputs: usize,
    pub outputs: usize,
    /// W (outputs, inputs), row by row.
    pub weights: usize,
    /// b (outputs).
    pub bias: usize,
    /// The left singular vector of power iterations (outputs), and right of it the other one (inputs).
    pub left: usize,
    pub right: usize,
    /// For the points of a chunk: what goes into the activation, then its ranks, then the gradient
    /// (point, outputs). Of the last layer: the values f (point).
    pub ranks: usize,
    /// What comes out of the activation, then the gradient there. Of the last layer: the slopes
    /// dL/df (point).
    pub values: usize,
    /// The weights that are applied, where these are not W itself (outputs, inputs).
    pub effective: usize,
}

impl Layer {
    pub(crate) fn matrix(&self) -> Range<usize> {
        self.weights..self.weights + self.inputs * self.outputs
    }

    /// The larger and the smaller side of W.
    pub(crate) fn sides(&self) -> (usize, usize) {
        (self.inputs.max(self.outputs), self.inputs.min(self.outputs))
    }
}

/// The shape of a network f: R^d -> R and the places of all that its training needs, as one stretch
/// of numbers:
///
/// ```text
/// head | theta | gradient | m | v | best | vectors | effective | work | chunk || x | c | w
/// ```
///
/// theta is W and b of all layers; m and v are Adam's moments; `best` is the theta with the best value
/// so far. x (points, d), c and w (points) follow where the plan ends.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plan {
    pub layers: Vec<Layer>,
    /// Sizes of the groups that the activation sorts.
    pub group: usize,
    pub constraint: Constraint,
    pub output: Output,
    /// Points that go through the network at a time.
    pub chunk: usize,
    /// Numbers in theta.
    pub parameters: usize,
    /// Where Björck iterates, and products of matrices, lie.
    pub work: usize,
    /// Numbers before the points.
    pub fixed: usize,
}

/// Numbers of the head: the best value, Lambda 1, Lambda 2, then 1 / sigma of every layer.
pub(crate) const HEAD: usize = 16;
/// Layers at most.
pub(crate) const MAX_LAYERS: usize = HEAD - 3;
/// Units in a layer at most: an activation sorts rows in the memory of a workgroup.
pub(crate) const MAX_WIDTH: usize = 1024;
/// Points that go through a network at a time.
const CHUNK: usize = 128;

/// Places of the head.
pub(crate) const BEST: usize = 0;
pub(crate) const LAMBDA_1: usize = 1;
pub(crate) const LAMBDA_2: usize = 2;
pub(crate) const SCALES: usize = 3;

impl Plan {
    pub(crate) fn new(
        dimension: usize,
        hidden: &[usize],
        group: usize,
        constraint: Constraint,
        output: Output,
    ) -> Self {
        let chunk = CHUNK;
        let mut sizes: Vec<usize> =
            std::iter::once(dimension).chain(hidden.iter().copied()).collect();
        sizes.push(1);
        let mut place = HEAD;
        let mut take = |count: usize| {
            place += count;
            place - count
        };
        let mut layers: Vec<Layer> = sizes
            .windows(2)
            .map(|sides| Layer {
                inputs: sides[0],
                outputs: sides[1],
                weights: take(sides[0] * sides[1]),
                bias: take(sides[1]),
                left: 0,
                right: 0,
                ranks: 0,
                values: 0,
                effective: 0,
            })
            .collect();
        let parameters = layers.iter().map(|layer| layer.outputs * (layer.inputs + 1)).sum();
        take(4 * parameters);
        let bjorck = matches!(constraint, Constraint::Bjorck { .. });
        for layer in &mut layers {
            layer.left = take(layer.outputs);
            layer.right = take(layer.inputs);
            layer.effective =
                if bjorck { take(layer.inputs * layer.outputs) } else { layer.weights };
        }
        let largest = |count: fn(&Layer) -> usize| layers.iter().map(count).max().unwrap_or(0);
        let matrix = largest(|layer| layer.inputs * layer.outputs);
        let square = largest(|layer| layer.sides().1 * layer.sides().1);
        let work = take(match constraint {
            Constraint::Spectral => 0,
            Constraint::Orthonormal => square + matrix,
            // Two products, the gradient and its successor, then all iterates.
            Constraint::Bjorck { iterations } => 2 * square + (iterations + 3) * matrix,
        });
        for layer in &mut layers {
            layer.ranks = take(chunk * layer.outputs);
            layer.values = take(chunk * layer.outputs);
        }
        let fixed = take(0);
        Self { layers, group, constraint, output, chunk, parameters, work, fixed }
    }

    /// The same networks under another constraint.
    pub(crate) fn with_constraint(&self, constraint: Constraint) -> Self {
        let hidden: Vec<usize> =
            self.layers[..self.layers.len() - 1].iter().map(|layer| layer.outputs).collect();
        Self::new(self.dimension(), &hidden, self.group, constraint, self.output)
    }

    pub(crate) fn dimension(&self) -> usize {
        self.layers[0].inputs
    }

    /// Numbers that the training of one network takes.
    pub(crate) fn numbers(&self, points: usize) -> usize {
        self.fixed + points * (self.dimension() + 2)
    }

    /// theta.
    pub(crate) fn theta(&self) -> Range<usize> {
        HEAD..HEAD + self.parameters
    }

    /// The `region`th after theta of as many numbers: 1 the gradient, 2 and 3 its moments, 4 the best.
    pub(crate) fn beside(&self, region: usize) -> Range<usize> {
        let begin = HEAD + region * self.parameters;
        begin..begin + self.parameters
    }

    /// Multiply-adds of one step over so many points, roughly.
    pub(crate) fn work_of_step(&self, points: usize) -> f64 {
        let matrices: f64 =
            self.layers.iter().map(|layer| (layer.inputs * layer.outputs) as f64).sum();
        let sorting: f64 = self
            .layers
            .iter()
            .map(|layer| (layer.outputs * self.group.min(layer.outputs)) as f64)
            .sum();
        let cubes: f64 = self
            .layers
            .iter()
            .map(|layer| (layer.inputs * layer.outputs * layer.sides().1) as f64)
            .sum();
        let constraint = match self.constraint {
            Constraint::Spectral => 5.0 * matrices,
            Constraint::Orthonormal => 6.0 * cubes,
            Constraint::Bjorck { iterations } => 8.0 * iterations as f64 * cubes,
        };
        points as f64 * (3.0 * matrices + sorting) + constraint + 10.0 * self.parameters as f64
    }

    /// Turns of all loops that a thread of the shader takes in an epoch over so many points, at most.
    pub(crate) fn turns_of_epoch(&self, points: usize) -> usize {
        let product = |rows: usize, cols: usize, inner: usize| {
            let strip = cols.div_ceil(64) * (1 + 17 * inner.div_ceil(16));
            rows.div_ceil(64) * (1 + strip)
        };
        let column_sums = |rows: usize, cols: usize| cols.div_ceil(64) * (1 + rows.div_ceil(4));
        let row_sums = |rows: usize, cols: usize| rows.div_ceil(32) * (1 + cols.div_ceil(8));
        let each = |count: usize| count.div_ceil(256);
        let mut turns = 0;
        for begin in (0..points).step_by(self.chunk) {
            let rows = self.chunk.min(points - begin);
            turns += 1 + each(rows);
            for layer in &self.layers {
                let Layer { inputs, outputs, .. } = *layer;
                let group = self.group.min(outputs);
                turns += product(rows, outputs, inputs) + row_sums(rows, inputs);
                turns += rows.div_ceil((MAX_WIDTH / outputs).max(1)) * (1 + 2 * group.div_ceil(4));
                turns += product(outputs, inputs, rows) + product(rows, inputs, outputs);
                turns += inputs.min(8) * (1 + column_sums(rows, outputs));
                turns += column_sums(rows, inputs) + column_sums(rows, outputs);
                turns += 2 * each(rows * inputs);
            }
        }
        for layer in &self.layers {
            let Layer { inputs, outputs, .. } = *layer;
            let (large, small) = layer.sides();
            let pair = product(small, small, large) + product(large, small, small);
            let sweep = each(inputs * outputs) + each(small * small);
            turns += 1 + match self.constraint {
                Constraint::Spectral => {
                    2 * (1 + column_sums(outputs, inputs) + row_sums(outputs, inputs))
                        + 8 * (1 + each(large))
                        + 2 * sweep
                }
                Constraint::Orthonormal => 2 + 3 * (pair + sweep),
                Constraint::Bjorck { iterations } => (4 * iterations + 2) * (1 + pair + sweep),
            };
        }
        // Reductions, the moments, the best.
        turns + 4 * 8 + 4 * each(self.parameters)
    }

    /// The layers as the shader takes them, eight numbers each.
    pub(crate) fn table(&self) -> Result<Vec<u32>> {
        let numbers = self.layers.iter().flat_map(|layer| {
            [
                layer.inputs,
                layer.outputs,
                layer.weights,
                layer.bias,
                layer.left,
                layer.ranks,
                layer.values,
                layer.effective,
            ]
        });
        numbers.map(|number| index("a network", number)).collect()
    }
}
