#import index
#import staggered
// U' = U + relaxation (W + grad p - U), W = U - tau (I^T y + force): the projection of W on fields
// with the given divergence and border, where p solves the Poisson problem of `divergence`.
// Bytes bind: with two axes and one field, 28 read and 12 written per cell.

@group(0) @binding(0) var<storage, read> state: array<f32>;
@group(0) @binding(1) var<storage, read> dual: array<f32>;
@group(0) @binding(2) var<storage, read> pressure: array<f32>;
@group(0) @binding(3) var<storage, read> force: array<f32>;
@group(0) @binding(4) var<storage, read_write> next: array<f32>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let index = flat_workgroup(workgroup, workgroups) * 256u + thread;
    if index >= cells() {
        return;
    }
    let cell = cell_of(index);
#repeat a AXES
#repeat f FIELDS
    {
        var moved = 0.0;
        if has_lower(cell, $au) {
            moved = moved_momentum($fu, $au, index, cell);
        }
        next[($fu * {AXES}u + $au) * cells() + index] = moved;
    }
#end
#end
    let density = DENSITY * cells() + index;
    var moved = state[density];
    if has_lower(cell, 3u) {
        moved = moved_density(index, cell.strides.w);
    }
    next[density] = moved;
#if SOURCE
    next[(DENSITY + 1u) * cells() + index] = moved_source(index);
#end
}
