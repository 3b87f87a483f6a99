#import index
#import tile
// out_ij = sum_k M_i,j+k*width: copies of the same columns, added up. Tiles as in `softmin_rows`.
// Bytes bind: 4 per entry of M.

struct Params {
    first_tile: u32,
    tiles: u32,
    width: u32,
}

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> tiles: array<Tile>;
@group(0) @binding(1) var<storage, read> matrix: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

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
    let columns = tile.col_end - tile.col_begin;
    for (var j = thread % LANES; j < params.width; j += LANES) {
        var sum = 0.0;
        for (var column = j; column < columns; column += params.width) {
            sum += matrix[start + column];
        }
        out[row * params.width + j] = sum;
    }
}
