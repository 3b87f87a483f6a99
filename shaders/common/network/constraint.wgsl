#import network/plan
#import reduce
#import workgroup_product
// What keeps every layer from stretching anything: its weights over their largest singular value
// (SPECTRAL), on the manifold of orthonormal matrices (ORTHONORMAL), or through Björck's iteration
// (BJORCK). `constrain` makes the weights that are applied, `finish_gradients` takes gradients by these
// to gradients by the weights, and `retract` follows a step.

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
