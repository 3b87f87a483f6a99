#import index
// Chains of exponentials in registers: how many the device makes a second.
// Eight chains a thread, so that none waits for its own result; x -> 2^-x tends to 0.6412, which
// no compiler foresees, and the sum is written so that no chain can be left out.

struct Params {
    length: u32,
    steps: u32,
}

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let index = flat_workgroup(workgroup, workgroups) * 256u + thread;
    if index >= params.length {
        return;
    }
    let seed = f32(index) / f32(params.length);
#repeat k 8
    var x$k = seed + 0.125 * $kf;
#end
    for (var step = 0u; step < params.steps; step++) {
#repeat k 8
        x$k = exp2(-x$k);
#end
    }
    out[index] = ((x0 + x1) + (x2 + x3)) + ((x4 + x5) + (x6 + x7));
}
