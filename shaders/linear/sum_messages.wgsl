#import index
#import logsumexp
// out = sum of `count` arrays (at most 6), never below NOTHING: what several messages say together.

struct Params {
    length: u32,
    count: u32,
}

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> message0: array<f32>;
@group(0) @binding(1) var<storage, read> message1: array<f32>;
@group(0) @binding(2) var<storage, read> message2: array<f32>;
@group(0) @binding(3) var<storage, read> message3: array<f32>;
@group(0) @binding(4) var<storage, read> message4: array<f32>;
@group(0) @binding(5) var<storage, read> message5: array<f32>;
@group(0) @binding(6) var<storage, read_write> out: array<f32>;

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
    var total = message0[i];
    if params.count > 1u { total += message1[i]; }
    if params.count > 2u { total += message2[i]; }
    if params.count > 3u { total += message3[i]; }
    if params.count > 4u { total += message4[i]; }
    if params.count > 5u { total += message5[i]; }
    out[i] = max(total, NOTHING);
}
