#import spacetime
// The step of the staggered fields, face by face: U' = U + relaxation (W + grad p - U) with
// W = U - tau (I^T y + force). Bindings `state` (U), `dual` (y), `pressure` and `force` are needed, and
// `params.tau` and `params.relaxation`. All faces here lie below a cell that has another below it.

// How far a face moves before it is projected.
fn pull(component: u32, index: u32, stride: u32) -> f32 {
    let place = component * cells() + index;
    return -0.5 * params.tau * (dual[place - stride] + dual[place]);
}

fn slope(field: u32, index: u32, stride: u32) -> f32 {
    let place = field * cells() + index;
    return pressure[place] - pressure[place - stride];
}

// U' of a momentum below the cell `index`.
fn moved_momentum(field: u32, axis: u32, index: u32, cell: Cell) -> f32 {
    let stride = cell.strides[axis];
    let component = field * {AXES}u + axis;
    // Pressures are their mean and, but for the first, the differences from it.
    var own = slope(0u, index, stride);
#repeat f FIELDS
    if $fu > 0u && field == $fu {
        own += slope($fu, index, stride);
    }
    if $fu > 0u && field == 0u {
        own -= slope($fu, index, stride);
    }
#end
    let rate = vec3<f32>(params.rate_0, params.rate_1, params.rate_2)[axis];
    return state[component * cells() + index]
         + params.relaxation * (pull(component, index, stride) + rate * own);
}

// U' of the density below the cell `index`.
fn moved_density(index: u32, stride: u32) -> f32 {
    // The mean counts for every field; the differences cancel.
    let slopes = f32({FIELDS}) * slope(0u, index, stride);
    var change = pull(DENSITY, index, stride) + params.rate_t * slopes;
#if FORCED
    change -= params.tau * force[index];
#end
    return state[DENSITY * cells() + index] + params.relaxation * change;
}

#if SOURCE
// U' of the source at a cell.
fn moved_source(index: u32) -> f32 {
    let place = (DENSITY + 1u) * cells() + index;
    return state[place] + params.relaxation * (pressure[index] - params.tau * dual[place]);
}
#end
