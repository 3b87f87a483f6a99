#import index
#import spectrum
// Cosine coefficients (fields, time, places) over the eigenvalues of a Poisson equation, in place.
// Bytes bind: 8 per number, and the eigenvalues in space, which caches hold.

struct Params {
    count: u32,
    length: u32,
    places: u32,
    balanced: u32, // 1: no shift
}

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> in_space: array<f32>;
@group(0) @binding(1) var<storage, read> in_time: array<f32>;
@group(0) @binding(2) var<storage, read_write> values: array<f32>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let index = flat_workgroup(workgroup, workgroups) * 256u + thread;
    if index >= params.count {
        return;
    }
    let place = index % params.places;
    let row = index / params.places;
    let frequency = row % params.length;
    values[index] *= inverse_eigenvalue(in_space[place], in_time[frequency], row / params.length,
                                        frequency, place, params.balanced);
}
