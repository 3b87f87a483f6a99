#import index
#import points
#import tile
#import logsumexp
// What the rows of a plan exp(u_i + v_j - rate |x_i - y_j|) carry to columns nearer than 2, without
// u_i: log_i = log sum_j exp(v_j - rate d_ij), and mean_i, the mean of d_ij - 2 under its terms.
// One row a thread; 128 columns at a time have their values in workgroup memory.

struct Params {
    first_tile: u32,
    tiles: u32,
    outputs: u32, // rows in all
    inputs: u32,  // columns in all
    dimension: u32,
    rate: f32,
}

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> tiles: array<Tile>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> y: array<f32>;
@group(0) @binding(3) var<storage, read> v: array<f32>;
@group(0) @binding(4) var<storage, read> running: array<f32>;
@group(0) @binding(5) var<storage, read_write> logarithm: array<f32>;
@group(0) @binding(6) var<storage, read_write> mean: array<f32>;

const THREADS: u32 = 128u;
const FURTHEST: f32 = 2.0;

var<workgroup> biases: array<f32, 128>;

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
    if running[tile.problem] == 0.0 {
        return;
    }
    let row = tile.row_begin + thread;
    let source_row = min(row, tile.row_end - 1u);
    let rate = params.rate * LOG2_E;
    var total = LogSum(NOTHING, 0.0);
    var saved = 0.0;
    for (var begin = tile.col_begin; begin < tile.col_end; begin += THREADS) {
        let column = begin + thread;
        workgroupBarrier();
        let bias = v[min(column, tile.col_end - 1u)] * LOG2_E;
        biases[thread] = select(NOTHING, bias, column < tile.col_end);
        workgroupBarrier();
        let width = (min(THREADS, tile.col_end - begin) + 3u) & ~3u;
        for (var j = 0u; j < width; j += 4u) {
            let cost = sqrt(squared_distances(source_row, four_columns(begin + j, tile.col_end)));
            let near = cost < vec4<f32>(FURTHEST);
            let bias = vec4<f32>(biases[j], biases[j + 1u], biases[j + 2u], biases[j + 3u]);
            let score = select(vec4<f32>(NOTHING), bias - rate * cost, near);
            let peak = max(total.peak, max(max(score.x, score.y), max(score.z, score.w)));
            // Nothing beside nothing is no mass either.
            let mass = select(vec4<f32>(0.0), exp2(score - peak), score > vec4<f32>(NEARLY_NOTHING));
            let scale = exp2(total.peak - peak);
            total = LogSum(peak, fma(total.sum, scale, (mass.x + mass.y) + (mass.z + mass.w)));
            saved = fma(saved, scale, dot(mass, cost - vec4<f32>(FURTHEST)));
        }
    }
    if row < tile.row_end {
        logarithm[row] = natural(total);
        mean[row] = select(0.0, saved / total.sum, total.sum > 0.0);
    }
}
