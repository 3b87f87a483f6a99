#import index
#import law
// The potential of a node from the belief that reaches it: g <- g + relaxation (law's g - g), and
// the bias w = g + log reference that its own messages start from.

struct Params {
    count: u32,
    law: u32,
    first: f32,
    second: f32,
    relaxation: f32,
}

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> log_weight: array<f32>;
@group(0) @binding(1) var<storage, read> log_reference: array<f32>;
@group(0) @binding(2) var<storage, read> belief: array<f32>;
@group(0) @binding(3) var<storage, read> problem: array<u32>; // of each point
@group(0) @binding(4) var<storage, read> running: array<f32>;
@group(0) @binding(5) var<storage, read_write> potential: array<f32>;
@group(0) @binding(6) var<storage, read_write> bias: array<f32>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let i = flat_workgroup(workgroup, workgroups) * 256u + thread;
    if i >= params.count || running[problem[i]] == 0.0 {
        return;
    }
    let law = Law(params.law, params.first, params.second);
    let goal = law_potential(law, log_weight[i], log_reference[i], belief[i]);
    let updated = relaxed(potential[i], goal, params.relaxation);
    potential[i] = updated;
    bias[i] = max(updated + log_reference[i], NOTHING);
}
