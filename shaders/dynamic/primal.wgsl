#import index
#import spacetime
// U' = U + relaxation (W + grad p - U), W = U - tau (I^T y + force): the projection of W on fields
// with the given divergence and border, where p solves the Poisson problem of `divergence`.
// Bytes bind: with two axes and one field, 28 read and 12 written per cell.

struct Params {
    time: u32,
    side_0: u32,
    side_1: u32,
    side_2: u32,
    rate_t: f32,
    rate_0: f32,
    rate_1: f32,
    rate_2: f32,
    tau: f32,
    relaxation: f32,
}

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> state: array<f32>;
@group(0) @binding(1) var<storage, read> dual: array<f32>;
@group(0) @binding(2) var<storage, read> pressure: array<f32>;
@group(0) @binding(3) var<storage, read> force: array<f32>;
@group(0) @binding(4) var<storage, read_write> next: array<f32>;

const DENSITY: u32 = {FIELDS}u * {AXES}u;

// How far the face below a cell moves before it is projected.
fn pull(component: u32, index: u32, stride: u32) -> f32 {
    let place = component * cells() + index;
    return -0.5 * params.tau * (dual[place - stride] + dual[place]);
}

fn slope(field: u32, index: u32, stride: u32) -> f32 {
    let place = field * cells() + index;
    return pressure[place] - pressure[place - stride];
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
    let rates = vec3<f32>(params.rate_0, params.rate_1, params.rate_2);
#repeat a AXES
    {
        let stride = cell.strides[$au];
        let inner = has_lower(cell, $au);
        // Pressures are their mean and, but for the first, the differences from it.
        var mean = 0.0;
        var others = 0.0;
        if inner {
            mean = slope(0u, index, stride);
#repeat f FIELDS
            if $fu > 0u {
                others += slope($fu, index, stride);
            }
#end
        }
#repeat f FIELDS
        {
            let component = $fu * {AXES}u + $au;
            let place = component * cells() + index;
            var moved = 0.0;
            if inner {
                var own = mean - others;
                if $fu > 0u {
                    own = mean + slope($fu, index, stride);
                }
                moved = state[place]
                      + params.relaxation * (pull(component, index, stride) + rates[$au] * own);
            }
            next[place] = moved;
        }
#end
    }
#end
    let density = DENSITY * cells() + index;
    var moved = state[density];
    if has_lower(cell, 3u) {
        // The mean counts for every field; the differences cancel.
        let slopes = f32({FIELDS}) * slope(0u, index, cell.strides.w);
        var change = pull(DENSITY, index, cell.strides.w) + params.rate_t * slopes;
#if FORCED
        change -= params.tau * force[index];
#end
        moved += params.relaxation * change;
    }
    next[density] = moved;
#if SOURCE
    let source = (DENSITY + 1u) * cells() + index;
    next[source] = state[source]
                 + params.relaxation * (pressure[index] - params.tau * dual[source]);
#end
}
