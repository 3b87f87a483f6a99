#import index
#import tile
// out_i = sum_j D_ij^2 v_j for a stored matrix D. Tiles of eight rows as in `softmin_rows`.
// Bytes bind: 4 per pair.

struct Params {
    first_tile: u32,
    tiles: u32,
    first: u32, // place of the vector among those of the batch
}

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> tiles: array<Tile>;
@group(0) @binding(1) var<storage, read> distances: array<f32>;
@group(0) @binding(2) var<storage, read> v: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

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
    let lane = thread % LANES;
    let row = tile.row_begin + thread / LANES;
    var sum = 0.0;
    if row < tile.row_end {
        let start = tile.element + (row - tile.row_begin) * tile.stride;
        for (var j = lane; j < tile.col_end; j += LANES) {
            let distance = distances[start + j];
            sum = fma(distance * distance, v[params.first + j], sum);
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
        out[params.first + row] = sums[thread];
    }
}
