#import index
#import reduce
// out_kj = log((1 - floor) x_kj / sum_j x_kj + floor / n), x what is positive of the values: the
// logarithms of probabilities that are nowhere zero. One workgroup a frame, two passes over it.

struct Params {
    frames: u32,
    length: u32,
    floor: f32,
}

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> values: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let frame = flat_workgroup(workgroup, workgroups);
    if frame >= params.frames {
        return;
    }
    let first = frame * params.length;
    var sum = 0.0;
    for (var j = thread; j < params.length; j += 256u) {
        sum += max(values[first + j], 0.0);
    }
    let total = reduce_sum(thread, sum);
    // A frame without mass is as good as a uniform one.
    var share = 0.0;
    if total > 0.0 {
        share = (1.0 - params.floor) / total;
    }
    let least = params.floor / f32(params.length);
    for (var j = thread; j < params.length; j += 256u) {
        out[first + j] = log2(fma(share, max(values[first + j], 0.0), least)) * LN_2;
    }
}
