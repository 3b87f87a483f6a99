#import index
#import logsumexp
// out_i = log of the sum over slots of partial log-sum-exps, in the order of the slots, for the
// problems that are running.

struct Params {
    outputs: u32,
    slots: u32,
}

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> partials: array<f32>;
@group(0) @binding(1) var<storage, read> problem: array<u32>; // of each output
@group(0) @binding(2) var<storage, read> running: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let i = flat_workgroup(workgroup, workgroups) * 256u + thread;
    if i >= params.outputs || running[problem[i]] == 0.0 {
        return;
    }
    var total = LogSum(NOTHING, 0.0);
    for (var slot = 0u; slot < params.slots; slot++) {
        let place = 2u * (slot * params.outputs + i);
        total = join(total, LogSum(partials[place], partials[place + 1u]));
    }
    out[i] = natural(total);
}
