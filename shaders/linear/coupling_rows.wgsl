#import index
#import tile
#import logsumexp
// out_ik = sum_j P_ij V_jk with P_ij = exp(f_i + g_j - rate C_ij) never stored; up to four columns
// of V at a time. With COST, V_jk is C_ij: the linear part of the objective, row by row; with MATRIX
// it is the entry of another matrix.
// Tiles as in `softmin_rows`.

struct Params {
    first_tile: u32,
    tiles: u32,
    outputs: u32, // rows in all
    inputs: u32,  // columns in all
    first: u32,   // first column of V
    count: u32,   // columns of V, at most 4
    rate: f32,
}

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> tiles: array<Tile>;
@group(0) @binding(1) var<storage, read> costs: array<f32>;
@group(0) @binding(2) var<storage, read> f: array<f32>;
@group(0) @binding(3) var<storage, read> g: array<f32>;
@group(0) @binding(4) var<storage, read> values: array<f32>; // column by column, or like the costs
@group(0) @binding(5) var<storage, read_write> out: array<f32>; // column by column

var<workgroup> sums: array<vec4<f32>, 256>;

const LANES: u32 = 32u;

@compute @workgroup_size(256)
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
    let lane = thread % LANES;
    let row = tile.row_begin + thread / LANES;
    var sum = vec4<f32>(0.0);
    if row < tile.row_end {
        let start = tile.element + (row - tile.row_begin) * tile.stride;
        let potential = f[row];
        for (var j = lane; j < tile.col_end - tile.col_begin; j += LANES) {
            let cost = costs[start + j];
            let mass = exp(max(potential + g[tile.col_begin + j] - params.rate * cost, NOTHING));
#if COST
            // An infinite cost carries no mass, and must not make the sum a NaN.
            sum.x += select(0.0, mass * cost, mass > 0.0);
#end
#if MATRIX
            sum.x += mass * values[start + j];
#end
#if VALUES
            for (var k = 0u; k < params.count; k++) {
                sum[k] += mass * values[(params.first + k) * params.inputs + tile.col_begin + j];
            }
#end
        }
    }
    sums[thread] = sum;
    workgroupBarrier();
    for (var width = LANES / 2u; width > 0u; width >>= 1u) {
        if lane < width {
            sums[thread] += sums[thread + width];
        }
        workgroupBarrier();
    }
    if lane == 0u && row < tile.row_end {
        for (var k = 0u; k < params.count; k++) {
            out[(params.first + k) * params.outputs + row] = sums[thread][k];
        }
    }
}
