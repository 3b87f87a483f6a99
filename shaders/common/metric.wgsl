#import spacetime
// The eigenbases of the metrics of all fields, number by number, each for all places: all
// eigenvalues of a field, then its eigenvectors row by row. The binding `metric` is needed.

#if TURNED
const METRIC_NUMBERS: u32 = {AXES}u * ({AXES}u + 1u);
#else
const METRIC_NUMBERS: u32 = {AXES}u;
#end

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
