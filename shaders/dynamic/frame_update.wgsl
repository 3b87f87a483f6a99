#import index
// f_i <- f_i + relaxation (log a_i - message_i - f_i), log a from `first` on: a half step of Sinkhorn
// between frames of positive probabilities, in units of epsilon.

struct Params {
    first: u32,
    count: u32,
    relaxation: f32,
}

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> logs: array<f32>;
@group(0) @binding(1) var<storage, read> messages: array<f32>;
@group(0) @binding(2) var<storage, read_write> potentials: array<f32>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let i = flat_workgroup(workgroup, workgroups) * 256u + thread;
    if i >= params.count {
        return;
    }
    let goal = logs[params.first + i] - messages[i];
    potentials[i] = fma(params.relaxation, goal - potentials[i], potentials[i]);
}
