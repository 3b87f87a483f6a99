#import index
#import reduce
// out_s = sum of values from offsets_s to offsets_{s+1}, in a fixed order. One workgroup each.

struct Params {
    segments: u32,
    accumulate: u32, // 1: add to what is there
}

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> offsets: array<u32>;
@group(0) @binding(1) var<storage, read> values: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let segment = flat_workgroup(workgroup, workgroups);
    if segment >= params.segments {
        return;
    }
    // Compensated: each thread keeps what rounding lost.
    var sum = 0.0;
    var lost = 0.0;
    for (var i = offsets[segment] + thread; i < offsets[segment + 1u]; i += 256u) {
        let value = values[i];
        let next = sum + value;
        lost += select((value - next) + sum, (sum - next) + value, abs(sum) >= abs(value));
        sum = next;
    }
    let total = reduce_sum(thread, sum + lost);
    if thread == 0u {
        out[segment] = select(total, out[segment] + total, params.accumulate == 1u);
    }
}
