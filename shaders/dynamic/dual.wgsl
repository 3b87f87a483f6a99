#import centred
#import index
#import paraboloid
// y' = y + relaxation (Proj(y + sigma I V) - y), V = U + extrapolation (U' - U): see `paraboloid`.
// Bytes bind: with two axes and one field, 40 read and 16 written per cell.

@group(0) @binding(0) var<storage, read> state: array<f32>;
@group(0) @binding(1) var<storage, read> next: array<f32>;
@group(0) @binding(2) var<storage, read> dual: array<f32>;
@group(0) @binding(3) var<storage, read> end: array<f32>;
@group(0) @binding(4) var<storage, read> metric: array<f32>;
@group(0) @binding(5) var<storage, read_write> roots: array<f32>;
@group(0) @binding(6) var<storage, read_write> next_dual: array<f32>;

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
    var point: Point;
#repeat f FIELDS
#repeat a AXES
    point.b_$f_$a = fma(params.sigma, centred($fu * {AXES}u + $au, cell, $au, 0.0),
                        dual[($fu * {AXES}u + $au) * cells() + index]);
#end
#end
#if SOURCE
    let source = (DENSITY + 1u) * cells() + index;
    point.source = fma(params.sigma, extrapolated(source), dual[source]);
#end
    point.a = fma(params.sigma, centred(DENSITY, cell, 3u, end[cell.place]),
                  dual[DENSITY * cells() + index]);
    step_to_projection(point, cell);
}
