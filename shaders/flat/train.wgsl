#import index
#import reduce
#import workgroup_product
// Trains networks f: R^d -> R with group-sort activations for several epochs, one workgroup to a
// network: f becomes the test function of the flat metric between two measures (Schmidt and Düll,
// "Computing the distance between unbalanced distributions: the flat metric", section 2).
// Everything of a network lies in one stretch of `arena`, see `network/plan.rs`.
// Multiply-adds bind: three products of (points x units x units) a hidden layer and epoch.

struct Params {
    networks: u32,
    epoch: u32, // the first
    epochs: u32, // to train
    all_epochs: u32,
    finish: u32, // 1: export the weights
    layers: u32,
    dimension: u32,
    parameters: u32,
    group: u32,
    chunk: u32,
    fixed: u32,
    work: u32,
    square: u32,
    iterations: u32, // of Björck
    beta_1: f32,
    beta_2: f32,
    decay: f32,
    clip: f32,
}

struct Layer {
    inputs: u32,
    outputs: u32,
    weights: u32,
    bias: u32,
    vectors: u32,
    ranks: u32,
    values: u32,
    applied: u32,
}

const HEAD: u32 = 16u;
const BEST: u32 = 0u;
const LAMBDA_1: u32 = 1u;
const LAMBDA_2: u32 = 2u;
const SCALES: u32 = 3u;
const THREADS: u32 = 256u;

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> plan: array<u32>;
@group(0) @binding(1) var<storage, read> networks: array<u32>; // place, points
@group(0) @binding(2) var<storage, read> schedule: array<f32>;
@group(0) @binding(3) var<storage, read_write> arena: array<f32>;
@group(0) @binding(4) var<storage, read_write> curve: array<f32>; // value, penalty
@group(0) @binding(5) var<storage, read_write> trained: array<f32>;

fn layer_of(base: u32, index: u32) -> Layer {
    let at = index * 8u;
    return Layer(plan[at], plan[at + 1u], base + plan[at + 2u], base + plan[at + 3u],
                 base + plan[at + 4u], base + plan[at + 5u], base + plan[at + 6u],
                 base + plan[at + 7u]);
}

// 1 / sigma of a layer.
fn scale_of(base: u32, index: u32) -> f32 {
#if SPECTRAL
    return arena[base + SCALES + index];
#else
    return 1.0;
#end
}

// Makes a vector one of length 1; returns what it was.
fn normalise(thread: u32, vector: u32, count: u32) -> f32 {
    var sum = 0.0;
    for (var i = thread; i < count; i += THREADS) {
        sum = fma(arena[vector + i], arena[vector + i], sum);
    }
    let length = sqrt(reduce_sum(thread, sum));
    for (var i = thread; i < count; i += THREADS) {
        arena[vector + i] /= max(length, 1e-30);
    }
    sync();
    return length;
}

// Sorts the groups of rows in ascending order: values, and in place of what goes in, its ranks.
fn activate(thread: u32, rows: u32, layer: Layer) {
    let width = layer.outputs;
    let group = min(params.group, width);
    let at_once = 1024u / width;
    for (var row = 0u; row < rows; row += at_once) {
        let count = min(at_once, rows - row) * width;
        let index = thread * 4u;
        let place = layer.ranks + row * width + index;
        var own = vec4<f32>(0.0);
        if index < count {
            own = vec4<f32>(arena[place], arena[place + 1u], arena[place + 2u], arena[place + 3u]);
        }
        tiles[thread] = own;
        workgroupBarrier();
        if index < count {
            var ranks = vec4<u32>(0u);
            let x = own.x;
            let y = own.y;
            let z = own.z;
            let w = own.w;
            if group == 2u {
                ranks = vec4<u32>(u32(x > y), u32(y >= x), u32(z > w), u32(w >= z));
                let first = (index % width);
                ranks += vec4<u32>(first, first, first + 2u, first + 2u);
            } else {
                let begin = index - (index % width) % group;
                // What is equal keeps its order.
                for (var other = begin / 4u; other < thread; other++) {
                    let there = tiles[other];
#repeat k 4
                    ranks += vec4<u32>(vec4<f32>(there[$ku]) <= own);
#end
                }
                ranks += vec4<u32>(
                    u32(y < x) + u32(z < x) + u32(w < x),
                    u32(x <= y) + u32(z < y) + u32(w < y),
                    u32(x <= z) + u32(y <= z) + u32(w < z),
                    u32(x <= w) + u32(y <= w) + u32(z <= w),
                );
                for (var other = thread + 1u; other < (begin + group) / 4u; other++) {
                    let there = tiles[other];
#repeat k 4
                    ranks += vec4<u32>(vec4<f32>(there[$ku]) < own);
#end
                }
                ranks += vec4<u32>(begin % width);
            }
            let sorted = layer.values + row * width + index - index % width;
#repeat k 4
            arena[sorted + ranks[$ku]] = own[$ku];
            arena[place + $ku] = f32(ranks[$ku]);
#end
        }
        workgroupBarrier();
    }
    sync();
}

// The values f at points of a chunk.
fn forward(thread: u32, base: u32, points: u32, rows: u32) {
    var input = points;
    let last = params.layers - 1u;
    for (var index = 0u; index < last; index++) {
        let layer = layer_of(base, index);
        product(thread, Product(rows, layer.outputs, layer.inputs, input, layer.inputs, 1u,
                                layer.applied, 1u, layer.inputs, layer.ranks, layer.outputs, 1u,
                                scale_of(base, index), 0.0, layer.bias));
        activate(thread, rows, layer);
        input = layer.values;
    }
    let layer = layer_of(base, last);
    row_sums(thread, rows, layer.inputs, input, layer.inputs, layer.applied, layer.ranks,
             scale_of(base, last), layer.bias);
}

// The slopes dL / df at one point, and what it adds to the value and to the penalty.
fn slope(value: f32, charge: f32, weight: f32, lambda: f32) -> vec3<f32> {
#if CLAMPED
    // A gradient that leads back inside passes: what is beyond on the wrong side would stay there.
    let stuck = (value > 1.0 && charge > 0.0) || (value < -1.0 && charge < 0.0);
    return vec3<f32>(select(-charge, 0.0, stuck), charge * clamp(value, -1.0, 1.0), 0.0);
#else
    let excess = max(abs(value) - 1.0, 0.0);
    return vec3<f32>(2.0 * lambda * weight * excess * sign(value) - charge, charge * value,
                     weight * excess * excess);
#end
}

// Gradients of the loss by the weights that are applied, from the slopes of a chunk.
fn backward(thread: u32, base: u32, points: u32, rows: u32, add: bool) {
    let gradients = params.parameters;
    var index = params.layers - 1u;
    var layer = layer_of(base, index);
    var below = layer_of(base, max(index, 1u) - 1u);
    column_sums(thread, rows, layer.inputs, below.values, layer.inputs, layer.values, 1u,
                layer.weights + gradients, 1u, add);
    column_sums(thread, rows, 1u, layer.values, 1u, NONE, 0u, layer.bias + gradients, 1u, add);
    let scale = scale_of(base, index);
    for (var i = thread; i < rows * layer.inputs; i += THREADS) {
        let rank = u32(arena[below.ranks + i]);
        arena[below.ranks + i] =
            arena[layer.values + i / layer.inputs] * arena[layer.applied + rank] * scale;
    }
    sync();
    while index > 1u {
        index -= 1u;
        layer = layer_of(base, index);
        below = layer_of(base, index - 1u);
        column_sums(thread, rows, layer.outputs, layer.ranks, layer.outputs, NONE, 0u,
                    layer.bias + gradients, 1u, add);
        product(thread, Product(layer.outputs, layer.inputs, rows, layer.ranks, 1u, layer.outputs,
                                below.values, layer.inputs, 1u, layer.weights + gradients,
                                layer.inputs, 1u, 1.0, f32(add), NONE));
        product(thread, Product(rows, layer.inputs, layer.outputs, layer.ranks, layer.outputs, 1u,
                                layer.applied, layer.inputs, 1u, below.values, layer.inputs, 1u,
                                scale_of(base, index), 0.0, NONE));
        for (var i = thread; i < rows * layer.inputs; i += THREADS) {
            let row = i - i % layer.inputs;
            let rank = u32(arena[below.ranks + i]);
            arena[below.ranks + i] = arena[below.values + row + rank];
        }
        sync();
    }
    layer = layer_of(base, 0u);
    column_sums(thread, rows, layer.outputs, layer.ranks, layer.outputs, NONE, 0u,
                layer.bias + gradients, 1u, add);
    if layer.inputs <= 8u {
        // A tile of a product would be nearly empty.
        for (var axis = 0u; axis < layer.inputs; axis++) {
            column_sums(thread, rows, layer.outputs, layer.ranks, layer.outputs, points + axis,
                        layer.inputs, layer.weights + gradients + axis, layer.inputs, add);
        }
    } else {
        product(thread, Product(layer.outputs, layer.inputs, rows, layer.ranks, 1u, layer.outputs,
                                points, layer.inputs, 1u, layer.weights + gradients, layer.inputs,
                                1u, 1.0, f32(add), NONE));
    }
}

// The larger and the smaller side of a matrix, and its strides along them.
struct Sides {
    large: u32,
    small: u32,
    along_large: u32,
    along_small: u32,
}

fn sides_of(layer: Layer) -> Sides {
    if layer.outputs >= layer.inputs {
        return Sides(layer.outputs, layer.inputs, layer.inputs, 1u);
    }
    return Sides(layer.inputs, layer.outputs, 1u, layer.inputs);
}

// S = A^T B, of the smaller side squared.
fn inner_product(thread: u32, s: Sides, a: u32, b: u32, out: u32) {
    product(thread, Product(s.small, s.small, s.large, a, s.along_small, s.along_large,
                            b, s.along_large, s.along_small, out, s.small, 1u, 1.0, 0.0, NONE));
}

// C = alpha A S + beta C.
fn outer_product(thread: u32, s: Sides, a: u32, square: u32, c: u32, alpha: f32, beta: f32) {
    product(thread, Product(s.large, s.small, s.small, a, s.along_large, s.along_small,
                            square, s.small, 1u, c, s.along_large, s.along_small, alpha, beta,
                            NONE));
}

#if SPECTRAL
// Two power iterations for the largest singular value of every layer, and its inverse.
fn constrain(thread: u32, base: u32) {
    for (var index = 0u; index < params.layers; index++) {
        let layer = layer_of(base, index);
        let left = layer.vectors;
        let right = left + layer.outputs;
        var sigma = 1.0;
        for (var iteration = 0u; iteration < 2u; iteration++) {
            column_sums(thread, layer.outputs, layer.inputs, layer.weights, layer.inputs, left, 1u,
                        right, 1u, false);
            normalise(thread, right, layer.inputs);
            row_sums(thread, layer.outputs, layer.inputs, layer.weights, layer.inputs, right, left,
                     1.0, NONE);
            // u^T W v, because u is W v made one.
            sigma = normalise(thread, left, layer.outputs);
        }
        if thread == 0u {
            arena[base + SCALES + index] = 1.0 / max(sigma, 1e-30);
        }
    }
    sync();
}

// From gradients by W / sigma to those by W.
fn finish_gradients(thread: u32, base: u32) {
    for (var index = 0u; index < params.layers; index++) {
        let layer = layer_of(base, index);
        let scale = scale_of(base, index);
        let count = layer.inputs * layer.outputs;
        var sum = 0.0;
        for (var i = thread; i < count; i += THREADS) {
            let place = layer.weights + i;
            sum = fma(arena[place], arena[place + params.parameters], sum);
        }
        let along = reduce_sum(thread, sum) * scale;
        for (var i = thread; i < count; i += THREADS) {
            let place = layer.weights + params.parameters + i;
            let u = arena[layer.vectors + i / layer.inputs];
            let v = arena[layer.vectors + layer.outputs + i % layer.inputs];
            arena[place] = (arena[place] - along * u * v) * scale;
        }
    }
    sync();
}

fn retract(thread: u32, base: u32) {}
#end

#if ORTHONORMAL
fn constrain(thread: u32, base: u32) {}

// Gradients along the manifold: G - W sym(W^T G).
fn finish_gradients(thread: u32, base: u32) {
    let square = base + params.work;
    for (var index = 0u; index < params.layers; index++) {
        let layer = layer_of(base, index);
        let sides = sides_of(layer);
        let gradient = layer.weights + params.parameters;
        inner_product(thread, sides, layer.weights, gradient, square);
        for (var i = thread; i < sides.small * sides.small; i += THREADS) {
            let row = i / sides.small;
            let col = i % sides.small;
            if col < row {
                let mirror = square + col * sides.small + row;
                let mean = 0.5 * (arena[square + i] + arena[mirror]);
                arena[square + i] = mean;
                arena[mirror] = mean;
            }
        }
        sync();
        outer_product(thread, sides, layer.weights, square, gradient, -1.0, 1.0);
    }
}

// Back onto the manifold: W <- 1.5 W - 0.5 W W^T W, twice.
fn retract(thread: u32, base: u32) {
    let square = base + params.work;
    let other = square + params.square;
    for (var index = 0u; index < params.layers; index++) {
        let layer = layer_of(base, index);
        let sides = sides_of(layer);
        for (var time = 0u; time < 2u; time++) {
            inner_product(thread, sides, layer.weights, layer.weights, square);
            outer_product(thread, sides, layer.weights, square, other, -0.5, 0.0);
            for (var i = thread; i < layer.inputs * layer.outputs; i += THREADS) {
                arena[layer.weights + i] = fma(1.5, arena[layer.weights + i], arena[other + i]);
            }
            sync();
        }
    }
}
#end

#if BJORCK
// The iterates W <- 1.5 W - 0.5 W W^T W from W over the root of its size; the last is where the result is.
fn iterate(thread: u32, base: u32, layer: Layer) -> u32 {
    let square = base + params.work;
    let count = layer.inputs * layer.outputs;
    var here = square + 2u * params.square + 3u * count;
    let shrink = inverseSqrt(f32(count));
    for (var i = thread; i < count; i += THREADS) {
        arena[here + i] = arena[layer.weights + i] * shrink;
    }
    sync();
    let sides = sides_of(layer);
    for (var k = 0u; k < params.iterations; k++) {
        let next = here + count;
        inner_product(thread, sides, here, here, square);
        for (var i = thread; i < count; i += THREADS) {
            arena[next + i] = 1.5 * arena[here + i];
        }
        sync();
        outer_product(thread, sides, here, square, next, -0.5, 1.0);
        here = next;
    }
    return here;
}

fn constrain(thread: u32, base: u32) {
    for (var index = 0u; index < params.layers; index++) {
        let layer = layer_of(base, index);
        let result = iterate(thread, base, layer);
        for (var i = thread; i < layer.inputs * layer.outputs; i += THREADS) {
            arena[layer.applied + i] = arena[result + i];
        }
        sync();
    }
}

// Through all iterations: G <- 1.5 G - 0.5 (G X^T X + X (R + R^T)), R = X^T G.
fn finish_gradients(thread: u32, base: u32) {
    for (var index = 0u; index < params.layers; index++) {
        let layer = layer_of(base, index);
        let sides = sides_of(layer);
        let count = layer.inputs * layer.outputs;
        let squared = base + params.work;
        let mixed = squared + params.square;
        let next = mixed + params.square;
        let gradient = layer.weights + params.parameters;
        var here = iterate(thread, base, layer);
        for (var k = 0u; k < params.iterations; k++) {
            here -= count;
            inner_product(thread, sides, here, here, squared);
            inner_product(thread, sides, here, gradient, mixed);
            for (var i = thread; i < count; i += THREADS) {
                arena[next + i] = 1.5 * arena[gradient + i];
            }
            for (var i = thread; i < sides.small * sides.small; i += THREADS) {
                let row = i / sides.small;
                let col = i % sides.small;
                if col <= row {
                    let mirror = mixed + col * sides.small + row;
                    let sum = arena[mixed + i] + arena[mirror];
                    arena[mixed + i] = sum;
                    arena[mirror] = sum;
                }
            }
            sync();
            outer_product(thread, sides, gradient, squared, next, -0.5, 1.0);
            outer_product(thread, sides, here, mixed, next, -0.5, 1.0);
            for (var i = thread; i < count; i += THREADS) {
                arena[gradient + i] = arena[next + i];
            }
            sync();
        }
        let shrink = inverseSqrt(f32(count));
        for (var i = thread; i < count; i += THREADS) {
            arena[gradient + i] *= shrink;
        }
    }
    sync();
}

fn retract(thread: u32, base: u32) {}
#end

// One step of Adam, after the gradient was cut to the length `clip`.
fn adam(thread: u32, base: u32, step: f32, correction: f32) {
    let count = params.parameters;
    let theta = base + HEAD;
    var sum = 0.0;
    for (var i = thread; i < count; i += THREADS) {
        let gradient = arena[theta + count + i];
        sum = fma(gradient, gradient, sum);
    }
    let length = sqrt(reduce_sum(thread, sum));
    let shorter = params.clip / max(params.clip, length + 1e-6);
    for (var i = thread; i < count; i += THREADS) {
        let here = theta + i;
        let value = arena[here];
        let gradient = fma(params.decay, value, arena[here + count] * shorter);
        let first = mix(gradient, arena[here + 2u * count], params.beta_1);
        let second = mix(gradient * gradient, arena[here + 3u * count], params.beta_2);
        arena[here + 2u * count] = first;
        arena[here + 3u * count] = second;
        arena[here] = value - step * first / fma(sqrt(second), correction, 1e-8);
    }
    sync();
}

// The weights that are applied, and biases, of the best network or of the last.
fn export_weights(thread: u32, base: u32, network: u32) {
#if CLAMPED
    for (var i = thread; i < params.parameters; i += THREADS) {
        let here = base + HEAD + i;
        arena[here] = arena[here + 4u * params.parameters];
    }
    sync();
#end
    constrain(thread, base);
    for (var index = 0u; index < params.layers; index++) {
        let layer = layer_of(base, index);
        let out = network * params.parameters + layer.weights - base - HEAD;
        let scale = scale_of(base, index);
        let count = layer.inputs * layer.outputs;
        for (var i = thread; i < count; i += THREADS) {
            trained[out + i] = arena[layer.applied + i] * scale;
        }
        for (var i = thread; i < layer.outputs; i += THREADS) {
            trained[out + count + i] = arena[layer.bias + i];
        }
    }
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let network = flat_workgroup(workgroup, workgroups);
    if network >= params.networks {
        return;
    }
    let base = networks[network * 2u];
    let points = networks[network * 2u + 1u];
    let last = layer_of(base, params.layers - 1u);
    let charges = base + params.fixed + points * params.dimension;
    let end = params.epoch + params.epochs;
    for (var epoch = params.epoch; epoch < end; epoch++) {
        let at = epoch * 8u;
        let lambda = 10.0 * schedule[at + 2u] + schedule[at + 3u] * arena[base + LAMBDA_1]
            + schedule[at + 4u] * arena[base + LAMBDA_2];
        constrain(thread, base);
        var value = 0.0;
        var penalty = 0.0;
        for (var begin = 0u; begin < points; begin += params.chunk) {
            let rows = min(params.chunk, points - begin);
            let here = base + params.fixed + begin * params.dimension;
            forward(thread, base, here, rows);
            for (var row = thread; row < rows; row += THREADS) {
                let charge = arena[charges + begin + row];
                let weight = arena[charges + points + begin + row];
                let found = slope(arena[last.ranks + row], charge, weight, lambda);
                arena[last.values + row] = found.x;
                value += found.y;
                penalty += found.z;
            }
            sync();
            backward(thread, base, here, rows, begin > 0u);
        }
        value = reduce_sum(thread, value);
        penalty = reduce_sum(thread, penalty);
        finish_gradients(thread, base);
#if CLAMPED
        if epoch == 0u || value > arena[base + BEST] {
            for (var i = thread; i < params.parameters; i += THREADS) {
                let here = base + HEAD + i;
                arena[here + 4u * params.parameters] = arena[here];
            }
        }
#end
        sync();
        if thread == 0u {
            let out = (network * params.all_epochs + epoch) * 2u;
            curve[out] = value;
            curve[out + 1u] = penalty;
            if epoch == 0u || value > arena[base + BEST] {
                arena[base + BEST] = value;
            }
            if schedule[at + 5u] == 1.0 {
                arena[base + LAMBDA_1] = max(2.0 * value, 0.0);
            }
            if schedule[at + 5u] == 2.0 {
                arena[base + LAMBDA_2] = arena[base + LAMBDA_1] * penalty / 0.02;
            }
        }
        adam(thread, base, schedule[at], schedule[at + 1u]);
        retract(thread, base);
    }
    if params.finish == 1u {
        export_weights(thread, base, network);
    }
}
