#import index
#import paraboloid
#import staggered
// `primal` and `dual` in one pass. U' = U + relaxation (W + grad p - U) at the faces below each cell is
// written; at those above, which are their neighbours' to write, it is computed once more, because
// the projection of y + sigma I V with V = U + extrapolation (U' - U) needs both.
// Bytes bind: with two axes and one field, each cell reads U (12), y (12), p (4) and r (4), and writes
// U' (12), y' (12) and r (4): 60, where the two kernels take 96. What neighbours read as well comes
// from the caches, and the metric, which is the same at all times, counts for nothing. With
// `divergence` (28) and five passes of cosine transforms (40), an iteration takes 128 per cell.

@group(0) @binding(0) var<storage, read> state: array<f32>;
@group(0) @binding(1) var<storage, read> dual: array<f32>;
@group(0) @binding(2) var<storage, read> pressure: array<f32>;
@group(0) @binding(3) var<storage, read> force: array<f32>;
@group(0) @binding(4) var<storage, read> end: array<f32>;
@group(0) @binding(5) var<storage, read> metric: array<f32>;
@group(0) @binding(6) var<storage, read_write> roots: array<f32>;
@group(0) @binding(7) var<storage, read_write> next: array<f32>;
@group(0) @binding(8) var<storage, read_write> next_dual: array<f32>;

// V at an entry that moves.
fn extrapolated(place: u32, moved: f32) -> f32 {
    return fma(params.extrapolation, moved - state[place], state[place]);
}

// y + sigma I V, from V below and above.
fn centred(place: u32, below: f32, above: f32) -> f32 {
    return fma(0.5 * params.sigma, below + above, dual[place]);
}

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
    // All that is read comes before all that is written, so that it is read once.
    var point: Point;
#repeat f FIELDS
#repeat a AXES
    let place_$f_$a = ($fu * {AXES}u + $au) * cells() + index;
    var moved_$f_$a = 0.0;
    if has_lower(cell, $au) {
        moved_$f_$a = moved_momentum($fu, $au, index, cell);
    }
    {
        let stride = cell.strides[$au];
        var above = 0.0;
        if has_upper(cell, $au) {
            let moved = moved_momentum($fu, $au, index + stride, cell);
            above = extrapolated(place_$f_$a + stride, moved);
        }
        let below = extrapolated(place_$f_$a, moved_$f_$a);
        point.b_$f_$a = centred(place_$f_$a, below, above);
    }
#end
#end
#if SOURCE
    let source = (DENSITY + 1u) * cells() + index;
    let moved_here = moved_source(index);
    point.source = fma(params.sigma, extrapolated(source, moved_here), dual[source]);
#end
    let density = DENSITY * cells() + index;
    let stride = cell.strides.w;
    var moved_density_here = state[density];
    if has_lower(cell, 3u) {
        moved_density_here = moved_density(index, stride);
    }
    var above = end[cell.place];
    if has_upper(cell, 3u) {
        above = extrapolated(density + stride, moved_density(index + stride, stride));
    }
    point.a = centred(density, extrapolated(density, moved_density_here), above);
    step_to_projection(point, cell);
#repeat f FIELDS
#repeat a AXES
    next[place_$f_$a] = moved_$f_$a;
#end
#end
#if SOURCE
    next[source] = moved_here;
#end
    next[density] = moved_density_here;
}
