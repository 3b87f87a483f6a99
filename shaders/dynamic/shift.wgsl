#import index
// values_i <- values_i + factor (a_i - b_i), for the values from `first` on.

struct Params {
    first: u32,
    count: u32,
    factor: f32,
}

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> values: array<f32>;

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
    values[params.first + i] += params.factor * (a[i] - b[i]);
}
