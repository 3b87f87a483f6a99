#import spacetime
// What the kernels at cell centres have in common. Beside `spacetime`, bindings `state` (U) and
// `next` (U') of staggered components, `end` and `metric` are needed, and `params.extrapolation`.

const DENSITY: u32 = {FIELDS}u * {AXES}u;
#if TURNED
const METRIC_NUMBERS: u32 = {AXES}u * ({AXES}u + 1u);
#else
const METRIC_NUMBERS: u32 = {AXES}u;
#end

// U + extrapolation (U' - U) of an entry.
fn extrapolated(place: u32) -> f32 {
    return fma(params.extrapolation, next[place] - state[place], state[place]);
}

// The mean over the two faces of a cell.
fn centred(component: u32, cell: Cell, axis: u32, border: f32) -> f32 {
    let place = component * cells() + cell.index;
    var above = border;
    if has_upper(cell, axis) {
        above = extrapolated(place + cell.strides[axis]);
    }
    return 0.5 * (extrapolated(place) + above);
}

fn eigenvalue(field: u32, axis: u32, cell: Cell) -> f32 {
    return metric[(field * METRIC_NUMBERS + axis) * places() + cell.place];
}

// The part of an eigenvector along an axis.
fn turn(field: u32, axis: u32, vector: u32, cell: Cell) -> f32 {
#if TURNED
    let number = field * METRIC_NUMBERS + {AXES}u + axis * {AXES}u + vector;
    return metric[number * places() + cell.place];
#else
    return 1.0;
#end
}
