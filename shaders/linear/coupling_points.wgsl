#import index
#import points
#import tile
#import logsumexp
#import cost
// Sums over the coupling P_ij = exp(f_i + g_j - rate c(x_i, y_j)) of points, never stored:
// VALUES: out_ik = sum_j P_ij V_jk, up to four columns at a time;
// COST:   out_i  = sum_j P_ij c(x_i, y_j), the linear part of the objective, row by row;
// SLOPE:  out_ik = sum_j P_ij d c(x_i, y_j) / d x_ik, up to four coordinates at a time.
// One row a thread; 128 columns at a time have their values in workgroup memory.

struct Params {
    first_tile: u32,
    tiles: u32,
    outputs: u32, // rows in all
    inputs: u32,  // columns in all
    dimension: u32,
    first: u32,   // first column of V, or first coordinate
    count: u32,   // columns or coordinates, at most 4
    rate: f32,
    power: f32,
}

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> tiles: array<Tile>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> y: array<f32>;
@group(0) @binding(3) var<storage, read> f: array<f32>;
@group(0) @binding(4) var<storage, read> g: array<f32>;
@group(0) @binding(5) var<storage, read> values: array<f32>; // column by column
@group(0) @binding(6) var<storage, read_write> out: array<f32>; // column by column

const THREADS: u32 = 128u;

var<workgroup> biases: array<f32, 128>;
var<workgroup> tile_values: array<vec4<f32>, 128>;

@compute @workgroup_size(128)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let index = flat_workgroup(workgroup, workgroups);
    if index >= params.tiles {
        return;
    }
    let tile = tiles[params.first_tile + index];
    let row = tile.row_begin + thread;
    let source_row = min(row, tile.row_end - 1u);
    let potential = f[source_row];
    var here = vec4<f32>(0.0);
#if SLOPE
    for (var k = 0u; k < params.count; k++) {
        here[k] = x[(params.first + k) * params.outputs + source_row];
    }
#end
    var sum = vec4<f32>(0.0);
    for (var begin = tile.col_begin; begin < tile.col_end; begin += THREADS) {
        let column = begin + thread;
        let source = min(column, tile.col_end - 1u);
        workgroupBarrier();
        biases[thread] = select(NOTHING, g[source], column < tile.col_end);
        var value = vec4<f32>(0.0);
#if VALUES
        for (var k = 0u; k < params.count; k++) {
            value[k] = values[(params.first + k) * params.inputs + source];
        }
#end
#if SLOPE
        for (var k = 0u; k < params.count; k++) {
            value[k] = y[(params.first + k) * params.inputs + source];
        }
#end
        tile_values[thread] = value;
        workgroupBarrier();
        let width = (min(THREADS, tile.col_end - begin) + 3u) & ~3u;
        for (var j = 0u; j < width; j += 4u) {
            let square = squared_distances(source_row, four_columns(begin + j, tile.col_end));
            let cost = pair_cost(square, params.power);
            let bias = vec4<f32>(biases[j], biases[j + 1u], biases[j + 2u], biases[j + 3u]);
            let mass = exp(max(potential + bias - params.rate * cost, vec4<f32>(NOTHING)));
#if COST
            sum.x += dot(mass, cost);
#end
#if VALUES
            sum += mass.x * tile_values[j] + mass.y * tile_values[j + 1u]
                + mass.z * tile_values[j + 2u] + mass.w * tile_values[j + 3u];
#end
#if SLOPE
            let weight = mass * pair_slope(square, params.power);
            sum += weight.x * (here - tile_values[j]) + weight.y * (here - tile_values[j + 1u])
                + weight.z * (here - tile_values[j + 2u]) + weight.w * (here - tile_values[j + 3u]);
#end
        }
    }
    if row < tile.row_end {
        for (var k = 0u; k < params.count; k++) {
            out[(params.first + k) * params.outputs + row] = sum[k];
        }
    }
}
