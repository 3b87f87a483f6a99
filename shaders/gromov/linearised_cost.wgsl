#import index
#import tile
// costs_ij <- r_i + c_j + scale product_ij + labels[label of i][label of j]: from the product
// D_p P D_c to the linearised cost of an edge (multi-marginal GW, proposition 4.7), with a scale
// for each problem of the batch. The product lies where the costs go, or with REPEATED in an array
// of its own that has the columns of one copy of the points only. Tiles as in `softmin_rows`.
// Bytes bind: 8 per pair.

struct Params {
    first_tile: u32,
    tiles: u32,
    rows: u32,  // rows in all
    kinds: u32, // labels in all: the side of the table
    width: u32, // columns of the product
}

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> tiles: array<Tile>;
@group(0) @binding(1) var<storage, read> row_parts: array<f32>;
@group(0) @binding(2) var<storage, read> col_parts: array<f32>;
@group(0) @binding(3) var<storage, read> scales: array<f32>;
@group(0) @binding(4) var<storage, read> labels: array<u32>; // of the rows, then of the columns
@group(0) @binding(5) var<storage, read> label_costs: array<f32>;
@group(0) @binding(6) var<storage, read> product: array<f32>;
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
    let kind = labels[row] * params.kinds;
    for (var j = thread % LANES; j < tile.col_end - tile.col_begin; j += LANES) {
        let column = tile.col_begin + j;
#if REPEATED
        let value = product[row * params.width + j % params.width];
#else
        let value = costs[start + j];
#end
        // The parts nearly cancel the product: they are added first.
        let structure = fma(scale, value, part + col_parts[column]);
        costs[start + j] = structure + label_costs[kind + labels[params.rows + column]];
    }
}
