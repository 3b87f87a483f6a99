#import index
#import logsumexp
// Where the messages of several measures meet on one support. ADD: mean += sum_k weight_k A_k
// (a weighted geometric mean of scalings); SPREAD: h_k <- h_k + relaxation (mean - A_k - h_k), the
// bias of each message back.

struct Params {
    length: u32,
    members: u32,
    fresh: u32, // 1: the mean starts from zero, not from what is there
    relaxation: f32,
}

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> weights: array<f32>;
@group(0) @binding(1) var<storage, read> messages: array<f32>; // members x length
@group(0) @binding(2) var<storage, read_write> mean: array<f32>;
@group(0) @binding(3) var<storage, read_write> bias: array<f32>; // members x length

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
#if ADD
    var total = select(mean[i], 0.0, params.fresh == 1u);
    for (var k = 0u; k < params.members; k++) {
        total += weights[k] * messages[k * params.length + i];
    }
    mean[i] = max(total, NOTHING);
#end
#if SPREAD
    let meeting = mean[i];
    for (var k = 0u; k < params.members; k++) {
        let place = k * params.length + i;
        let reachable = meeting > NEARLY_NOTHING && messages[place] > NEARLY_NOTHING;
        let goal = select(NOTHING, meeting - messages[place], reachable);
        let old = bias[place];
        let step = params.relaxation * (goal - old);
        bias[place] = select(old + step, goal, min(old, goal) < NEARLY_NOTHING);
    }
#end
}
