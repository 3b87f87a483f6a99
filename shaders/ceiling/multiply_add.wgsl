#import index
// Chains of multiply-adds in registers: how many the device makes a second.
// 32 chains a thread; the factor and the summand come from outside, so that no compiler folds the
// chains, and their sum is written so that none can be left out.

struct Params {
    length: u32,
    steps: u32,
    factor: f32,
    summand: f32,
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
    let factor = vec4<f32>(params.factor);
    let summand = vec4<f32>(params.summand);
#repeat k 8
    var x$k = vec4<f32>(0.0, 0.25, 0.5, 0.75) + (seed + 0.03125 * $kf);
#end
    for (var step = 0u; step < params.steps; step++) {
#repeat k 8
        x$k = fma(x$k, factor, summand);
#end
    }
    let x = ((x0 + x1) + (x2 + x3)) + ((x4 + x5) + (x6 + x7));
    out[index] = (x.x + x.y) + (x.z + x.w);
}
