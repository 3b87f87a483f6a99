#import index
#import tile
// costs_ij <- (1 - share) costs_ij + share fresh_ij, with a share for each problem of the batch.
// Tiles as in `softmin_rows`. Bytes bind: 12 per pair.

struct Params {
    first_tile: u32,
    tiles: u32,
}

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> tiles: array<Tile>;
@group(0) @binding(1) var<storage, read> fresh: array<f32>;
@group(0) @binding(2) var<storage, read> shares: array<f32>;
@group(0) @binding(3) var<storage, read_write> costs: array<f32>;

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
    let share = shares[tile.problem];
    let row = tile.row_begin + thread / LANES;
    if row >= tile.row_end || share == 0.0 {
        return;
    }
    let start = tile.element + (row - tile.row_begin) * tile.stride;
    for (var j = thread % LANES; j < tile.col_end - tile.col_begin; j += LANES) {
        // The whole of it is taken as it is: what was there before may not be a number yet.
        let kept = select((1.0 - share) * costs[start + j], 0.0, share == 1.0);
        costs[start + j] = kept + share * fresh[start + j];
    }
}
