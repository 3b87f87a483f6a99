// Points that lie coordinate by coordinate, those of the columns four neighbours at a time. A shader that
// imports this has the bindings `x` and `y`, and among its parameters
//     outputs,   // rows in all
//     inputs,    // columns in all
//     dimension

// Four neighbouring columns, the last one again beyond the end.
fn four_columns(first: u32, end: u32) -> vec4<u32> {
    return min(vec4<u32>(first) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(end - 1u));
}

fn coordinates_of(axis: u32, columns: vec4<u32>) -> vec4<f32> {
    let places = vec4<u32>(axis * params.inputs) + columns;
    return vec4<f32>(y[places.x], y[places.y], y[places.z], y[places.w]);
}

fn squared_distances(row: u32, columns: vec4<u32>) -> vec4<f32> {
    var square = vec4<f32>(0.0);
    for (var k = 0u; k < params.dimension; k++) {
        let step = x[k * params.outputs + row] - coordinates_of(k, columns);
        square = fma(step, step, square);
    }
    return square;
}
