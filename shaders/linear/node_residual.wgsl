#import index
#import law
#import reduce
// How far a node's marginal is from where its law wants it, before the update:
// sum |exp(w + belief) - exp(w_new + belief)| over each chunk of points. For a fixed law this is
// the L1 error of the marginal. One workgroup per chunk; `segment_sum` adds the chunks.

struct Params {
    first_chunk: u32,
    chunks: u32,
    law: u32,
    first: f32,
    second: f32,
}

struct Chunk {
    begin: u32,
    end: u32,
}

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> chunks: array<Chunk>;
@group(0) @binding(1) var<storage, read> log_weight: array<f32>;
@group(0) @binding(2) var<storage, read> log_reference: array<f32>;
@group(0) @binding(3) var<storage, read> belief: array<f32>;
@group(0) @binding(4) var<storage, read> bias: array<f32>;
@group(0) @binding(5) var<storage, read_write> partials: array<f32>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let index = flat_workgroup(workgroup, workgroups);
    if index >= params.chunks {
        return;
    }
    let chunk = chunks[params.first_chunk + index];
    let law = Law(params.law, params.first, params.second);
    var distance = 0.0;
    for (var i = chunk.begin + thread; i < chunk.end; i += 256u) {
        let goal = law_potential(law, log_weight[i], log_reference[i], belief[i]);
        let now = exp(max(bias[i] + belief[i], NOTHING));
        let wanted = exp(max(goal + log_reference[i] + belief[i], NOTHING));
        distance += abs(now - wanted);
    }
    let total = reduce_sum(thread, distance);
    if thread == 0u {
        partials[params.first_chunk + index] = total;
    }
}
