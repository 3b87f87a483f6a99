// Cells of a grid in space and time, and the parameters of an iteration's steps, which read those
// that they need. `AXES` is the number of axes of space and `FIELDS` that of momenta that share a
// density. Components lie one after another: momenta field by field, the density, the source where
// there is one.

struct Params {
    time: u32,
    side_0: u32, // cells; unused axes have one
    side_1: u32,
    side_2: u32,
    rate_t: f32, // cells per unit
    rate_0: f32,
    rate_1: f32,
    rate_2: f32,
    tau: f32,
    sigma: f32,
    relaxation: f32,
    extrapolation: f32,
    reaction: f32, // the eigenvalue of the source
}

var<immediate> params: Params;

const DENSITY: u32 = {FIELDS}u * {AXES}u;

struct Cell {
    index: u32,
    place: u32,
    // Coordinates, and how many cells there are: x, y, z and time.
    at: vec4<u32>,
    sides: vec4<u32>,
    // From a cell to the next one along each axis.
    strides: vec4<u32>,
}

fn places() -> u32 {
    return params.side_0 * params.side_1 * params.side_2;
}

fn cells() -> u32 {
    return params.time * places();
}

fn cell_of(index: u32) -> Cell {
    let place = index % places();
    let rest = place / params.side_2;
    return Cell(
        index,
        place,
        vec4<u32>(rest / params.side_1, rest % params.side_1, place % params.side_2, index / places()),
        vec4<u32>(params.side_0, params.side_1, params.side_2, params.time),
        vec4<u32>(params.side_1 * params.side_2, params.side_2, 1u, places()),
    );
}

fn has_lower(cell: Cell, axis: u32) -> bool {
    return cell.at[axis] > 0u;
}

fn has_upper(cell: Cell, axis: u32) -> bool {
    return cell.at[axis] + 1u < cell.sides[axis];
}
