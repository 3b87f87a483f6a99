#import index
#import tile
#import logsumexp
// out_i = log sum_j exp(bias_j - rate C_ij): softmin along the rows of stored cost matrices.
// One workgroup per tile of 8 rows, 32 lanes a row. The matrices of a batch lie one after
// another; a tile names its problem, rows, columns and the place of its first row in the window.
// Bytes bind: 4 per pair.

struct Params {
    first_tile: u32,
    tiles: u32,
    rate: f32,
}

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> tiles: array<Tile>;
@group(0) @binding(1) var<storage, read> costs: array<f32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read> running: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

var<workgroup> peaks: array<f32, 256>;
var<workgroup> sums: array<f32, 256>;

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
    if running[tile.problem] == 0.0 {
        return;
    }
    let lane = thread % LANES;
    let row = tile.row_begin + thread / LANES;
    let columns = tile.col_end - tile.col_begin;
    let rate = params.rate * LOG2_E;
    var total = LogSum(NOTHING, 0.0);
    if row < tile.row_end {
        let start = tile.element + (row - tile.row_begin) * tile.stride;
        var column = lane;
        // Eight at a time: eight loads in flight, one rescaling per eight exponentials.
        for (; column + 7u * LANES < columns; column += 8u * LANES) {
#repeat k 8
            let s$k = fma(-rate, costs[start + column + $ku * LANES],
                          bias[tile.col_begin + column + $ku * LANES] * LOG2_E);
#end
            let peak = max(total.peak,
                           max(max(max(s0, s1), max(s2, s3)), max(max(s4, s5), max(s6, s7))));
            let fresh = ((exp2(s0 - peak) + exp2(s1 - peak)) + (exp2(s2 - peak) + exp2(s3 - peak)))
                      + ((exp2(s4 - peak) + exp2(s5 - peak)) + (exp2(s6 - peak) + exp2(s7 - peak)));
            total = LogSum(peak, fma(total.sum, exp2(total.peak - peak), fresh));
        }
        for (; column < columns; column += LANES) {
            let score = fma(-rate, costs[start + column], bias[tile.col_begin + column] * LOG2_E);
            total = join(total, LogSum(score, 1.0));
        }
    }
    peaks[thread] = total.peak;
    sums[thread] = total.sum;
    workgroupBarrier();
    for (var width = LANES / 2u; width > 0u; width >>= 1u) {
        if lane < width {
            let merged = join(LogSum(peaks[thread], sums[thread]),
                              LogSum(peaks[thread + width], sums[thread + width]));
            peaks[thread] = merged.peak;
            sums[thread] = merged.sum;
        }
        workgroupBarrier();
    }
    if lane == 0u && row < tile.row_end {
        out[row] = natural(LogSum(peaks[thread], sums[thread]));
    }
}
