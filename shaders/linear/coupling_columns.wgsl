#import index
#import tile
#import logsumexp
// out_jk = sum_i P_ij V_ik with P_ij = exp(f_i + g_j - rate C_ij) never stored; up to four columns
// of V at a time. A tile is 64 columns and all rows of its panel; later panels add to the first.

struct Params {
    first_tile: u32,
    tiles: u32,
    outputs: u32, // columns in all
    inputs: u32,  // rows in all
    first: u32,   // first column of V
    count: u32,   // columns of V, at most 4
    rate: f32,
}

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> tiles: array<Tile>;
@group(0) @binding(1) var<storage, read> costs: array<f32>;
@group(0) @binding(2) var<storage, read> f: array<f32>;
@group(0) @binding(3) var<storage, read> g: array<f32>;
@group(0) @binding(4) var<storage, read> values: array<f32>; // column by column
@group(0) @binding(5) var<storage, read_write> out: array<f32>; // column by column

var<workgroup> sums: array<vec4<f32>, 256>;

const WIDTH: u32 = 64u;
const STEP: u32 = 4u;

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
    let column = tile.col_begin + thread % WIDTH;
    var sum = vec4<f32>(0.0);
    if column < tile.col_end {
        let start = tile.element + thread % WIDTH;
        let potential = g[column];
        for (var i = thread / WIDTH; i < tile.row_end - tile.row_begin; i += STEP) {
            let row = tile.row_begin + i;
            let score = f[row] + potential - params.rate * costs[start + i * tile.stride];
            let mass = exp(max(score, NOTHING));
            for (var k = 0u; k < params.count; k++) {
                sum[k] += mass * values[(params.first + k) * params.inputs + row];
            }
        }
    }
    sums[thread] = sum;
    workgroupBarrier();
    if thread < WIDTH && column < tile.col_end {
        for (var step = 1u; step < STEP; step++) {
            sum += sums[thread + step * WIDTH];
        }
        for (var k = 0u; k < params.count; k++) {
            let place = (params.first + k) * params.outputs + column;
            out[place] = select(out[place], 0.0, tile.slot == 0u) + sum[k];
        }
    }
}
