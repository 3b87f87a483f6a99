#import network/activation
#import network/plan
#import workgroup_product
// The values of a network at points of a chunk, and the gradients of the loss from there.

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
