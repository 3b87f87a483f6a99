#import spacetime
// Staggered components at the centres of cells. Bindings `state` (U) and `next` (U') are needed, and
// `params.extrapolation`.

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
