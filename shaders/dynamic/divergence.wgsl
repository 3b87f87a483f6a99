#import index
#import spacetime
// d = div W of every field, W = U - tau (I^T y + force), with the planes at the border as they are
// given. With several fields, the mean of their divergences and what all but the first have beside
// it: that makes the Poisson problem one of single fields. With SOURCE, d less the source of W.
// Bytes bind: with two axes and one field, 24 read and 4 written per cell.

@group(0) @binding(0) var<storage, read> state: array<f32>;
@group(0) @binding(1) var<storage, read> dual: array<f32>;
@group(0) @binding(2) var<storage, read> end: array<f32>;
@group(0) @binding(3) var<storage, read> force: array<f32>;
@group(0) @binding(4) var<storage, read_write> divergences: array<f32>;

// W at the face below a cell that has a neighbour there.
fn face(component: u32, index: u32, stride: u32) -> f32 {
    let place = component * cells() + index;
    return state[place] - 0.5 * params.tau * (dual[place - stride] + dual[place]);
}

fn density_face(index: u32, stride: u32) -> f32 {
    let value = face(DENSITY, index, stride);
#if FORCED
    return value - params.tau * force[index];
#else
    return value;
#end
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
    var below = state[DENSITY * cells() + index];
    var above = end[cell.place];
    if has_lower(cell, 3u) {
        below = density_face(index, cell.strides.w);
    }
    if has_upper(cell, 3u) {
        above = density_face(index + cell.strides.w, cell.strides.w);
    }
    var density_part = params.rate_t * (above - below);
#if SOURCE
    let source = (DENSITY + 1u) * cells() + index;
    density_part -= state[source] - params.tau * dual[source];
#end
    let rates = vec3<f32>(params.rate_0, params.rate_1, params.rate_2);
    var mean = 0.0;
#repeat f FIELDS
    var d_$f = 0.0;
#repeat a AXES
    {
        let component = $fu * {AXES}u + $au;
        let stride = cell.strides[$au];
        var low = 0.0;
        var high = 0.0;
        if has_lower(cell, $au) {
            low = face(component, index, stride);
        }
        if has_upper(cell, $au) {
            high = face(component, index + stride, stride);
        }
        d_$f += rates[$au] * (high - low);
    }
#end
    mean += d_$f / f32({FIELDS});
#end
    divergences[index] = mean + density_part;
#repeat f FIELDS
    if $fu > 0u {
        divergences[$fu * cells() + index] = d_$f - mean;
    }
#end
}
