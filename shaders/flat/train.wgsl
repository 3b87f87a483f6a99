#import index
#import network/constraint
#import network/optimiser
#import network/pass
#import network/plan
#import reduce
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

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> plan: array<u32>;
@group(0) @binding(1) var<storage, read> networks: array<u32>; // place, points
@group(0) @binding(2) var<storage, read> schedule: array<f32>;
@group(0) @binding(3) var<storage, read_write> arena: array<f32>;
@group(0) @binding(4) var<storage, read_write> curve: array<f32>; // value, penalty
@group(0) @binding(5) var<storage, read_write> trained: array<f32>;

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
