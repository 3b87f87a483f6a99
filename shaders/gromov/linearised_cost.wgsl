#import index
#import tile
// costs_ij <- r_i + c_j + scale costs_ij + labels[label of i][label of j]: from the product
// D_p P D_c to the linearised cost of an edge (multi-marginal GW, proposition 4.7), with a scale
// for each problem of the batch. Tiles as in `softmin_rows`. Bytes bind: 8 per pair.

struct Params {
    first_tile: u32,
    tiles: u32,
    kinds: u32, // labels in all: the side of the table
}

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> tiles: array<Tile>;
@group(0) @binding(1) var<storage, read> row_parts: array<f32>;
@group(0) @binding(2) var<storage, read> col_parts: array<f32>;
@group(0) @binding(3) var<storage, read> scales: array<f32>;
@group(0) @binding(4) var<storage, read> row_labels: array<u32>;
@group(0) @binding(5) var<storage, read> col_labels: array<u32>;
@group(0) @binding(6) var<storage, read> labels: array<f32>;
@group(0) @binding(7) var<storage, read_write> costs: array<f32>;

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
    let scale = scales[tile.problem];
    let start = tile.element + (row - tile.row_begin) * tile.stride;
    let part = row_parts[row];
    let kind = row_labels[row] * params.kinds;
    for (var j = thread % LANES; j < tile.col_end - tile.col_begin; j += LANES) {
        let column = tile.col_begin + j;
        // The parts nearly cancel the product: they are added first.
        let structure = fma(scale, costs[start + j], part + col_parts[column]);
        costs[start + j] = structure + labels[kind + col_labels[column]];
    }
}
