#import index
#import tile
#import logsumexp
// out_ij = exp(f_i + g_j - rate C_ij): the coupling itself, stored. Tiles as in `softmin_rows`.
// Bytes bind: 8 per pair.

struct Params {
    first_tile: u32,
    tiles: u32,
    rate: f32,
}

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> tiles: array<Tile>;
@group(0) @binding(1) var<storage, read> costs: array<f32>;
@group(0) @binding(2) var<storage, read> f: array<f32>;
@group(0) @binding(3) var<storage, read> g: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

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
    let row = tile.row_begin + thread / LANES;
    if row >= tile.row_end {
        return;
    }
    let start = tile.element + (row - tile.row_begin) * tile.stride;
    for (var j = thread % LANES; j < tile.col_end - tile.col_begin; j += LANES) {
        let score = f[row] + g[tile.col_begin + j] - params.rate * costs[start + j];
        out[start + j] = exp(max(score, NOTHING));
    }
}
