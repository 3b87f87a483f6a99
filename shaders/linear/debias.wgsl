#import index
#import logsumexp
// c <- (c + mean - self) / 2: the fixed point that takes the entropic blur out of a barycenter.
// Janati, Cuturi, Gramfort, Debiased Sinkhorn barycenters (2020), algorithm 1, in logarithms.

struct Params {
    length: u32,
}

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> mean: array<f32>;
@group(0) @binding(1) var<storage, read> blurred: array<f32>; // log K c
@group(0) @binding(2) var<storage, read_write> correction: array<f32>; // log c

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let i = flat_workgroup(workgroup, workgroups) * 256u + thread;
    if i >= params.length {
        return;
    }
    // Nothing stays nothing: halving would bring it back within a hundred iterations.
    let there = min(correction[i], min(mean[i], blurred[i])) > NEARLY_NOTHING;
    correction[i] = select(NOTHING, 0.5 * (correction[i] + mean[i] - blurred[i]), there);
}
