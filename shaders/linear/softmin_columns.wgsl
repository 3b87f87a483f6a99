#import index
#import tile
#import logsumexp
// out_j = log sum_i exp(bias_i - rate C_ij): softmin along the columns of stored cost matrices.
// One workgroup per tile of 64 columns and a stretch of rows, 4 rows at a time. Where a problem's
// rows take several tiles (or panels), each writes a partial sum; `join_partials` joins them.
// Bytes bind: 4 per pair.

struct Params {
    first_tile: u32,
    tiles: u32,
    outputs: u32,
    rate: f32,
}

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> tiles: array<Tile>;
@group(0) @binding(1) var<storage, read> costs: array<f32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read> running: array<f32>;
// Logarithms, or where SPLIT is set pairs (peak, sum): slot by slot, output by output.
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

var<workgroup> peaks: array<f32, 256>;
var<workgroup> sums: array<f32, 256>;

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
    if running[tile.problem] == 0.0 {
        return;
    }
    let column = tile.col_begin + thread % WIDTH;
    let rate = params.rate * LOG2_E;
    var total = LogSum(NOTHING, 0.0);
    if column < tile.col_end {
        var row = thread / WIDTH;
        let rows = tile.row_end - tile.row_begin;
        let start = tile.element + thread % WIDTH;
        for (; row + 7u * STEP < rows; row += 8u * STEP) {
#repeat k 8
            let s$k = fma(-rate, costs[start + (row + $ku * STEP) * tile.stride],
                          bias[tile.row_begin + row + $ku * STEP] * LOG2_E);
#end
            let peak = max(total.peak,
                           max(max(max(s0, s1), max(s2, s3)), max(max(s4, s5), max(s6, s7))));
            let fresh = ((exp2(s0 - peak) + exp2(s1 - peak)) + (exp2(s2 - peak) + exp2(s3 - peak)))
                      + ((exp2(s4 - peak) + exp2(s5 - peak)) + (exp2(s6 - peak) + exp2(s7 - peak)));
            total = LogSum(peak, fma(total.sum, exp2(total.peak - peak), fresh));
        }
        for (; row < rows; row += STEP) {
            let score = fma(-rate, costs[start + row * tile.stride],
                            bias[tile.row_begin + row] * LOG2_E);
            total = join(total, LogSum(score, 1.0));
        }
    }
    peaks[thread] = total.peak;
    sums[thread] = total.sum;
    workgroupBarrier();
    if thread < WIDTH && column < tile.col_end {
        for (var step = 1u; step < STEP; step++) {
            total = join(total, LogSum(peaks[thread + step * WIDTH], sums[thread + step * WIDTH]));
        }
#if SPLIT
        let place = 2u * (tile.slot * params.outputs + column);
        out[place] = total.peak;
        out[place + 1u] = total.sum;
#else
        out[column] = natural(total);
#end
    }
}
