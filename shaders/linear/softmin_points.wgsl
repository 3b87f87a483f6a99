#import index
#import points
#import tile
#import logsumexp
#import cost
// out_i = log sum_j exp(bias_j - rate c(x_i, y_j)) with the cost never stored.
// One workgroup per tile: 256 rows, two a thread, against a stretch of columns that passes through
// workgroup memory 128 points at a time. Points are stored coordinate by coordinate.
// Exponentials bind in low dimensions: one a pair, and one a row for every eight columns.

struct Params {
    first_tile: u32,
    tiles: u32,
    outputs: u32, // rows in all
    inputs: u32,  // columns in all
    dimension: u32,
    rate: f32,
    power: f32,
}

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> tiles: array<Tile>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> y: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> running: array<f32>;
// Logarithms, or where SPLIT is set pairs (peak, sum): slot by slot, output by output.
@group(0) @binding(5) var<storage, read_write> out: array<f32>;

const THREADS: u32 = 128u;

// Four neighbouring columns to a vector. Vectors are written whole: writing their components from
// different threads is a data race (and one that bites on Metal).
#if UNROLLED
// Low dimensions, DIMENSION known: both rows' coordinates in registers, 128 columns in the tile.
var<workgroup> columns: array<vec4<f32>, {TILE_VECTORS}>;
#else
// Any dimension: eight columns' squared distances in registers, 64 coordinates in the tile.
var<workgroup> columns: array<vec4<f32>, 128>;
#end
var<workgroup> biases: array<vec4<f32>, 32>;

// In base 2; columns beyond the end have no weight.
fn biases_of(first: u32, end: u32) -> vec4<f32> {
    let places = four_columns(first, end);
    let value = vec4<f32>(bias[places.x], bias[places.y], bias[places.z], bias[places.w]);
    let inside = vec4<u32>(first) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(end);
    return select(vec4<f32>(NOTHING), value * LOG2_E, inside);
}

fn write_out(tile: Tile, row: u32, total: LogSum) {
    if row < tile.row_end {
#if SPLIT
        let place = 2u * (tile.slot * params.outputs + row);
        out[place] = total.peak;
        out[place + 1u] = total.sum;
#else
        out[row] = natural(total);
#end
    }
}

// Joins eight scores: eight exponentials and one to rescale.
fn absorb(total: LogSum, s: vec4<f32>, t: vec4<f32>) -> LogSum {
    let highest = max(s, t);
    let peak = max(total.peak, max(max(highest.x, highest.y), max(highest.z, highest.w)));
    let terms = exp2(s - peak) + exp2(t - peak);
    let fresh = (terms.x + terms.y) + (terms.z + terms.w);
    return LogSum(peak, fma(total.sum, exp2(total.peak - peak), fresh));
}

// The two vectors' share of a pair of squared distances.
struct Squares {
    s: vec4<f32>,
    t: vec4<f32>,
}

fn add_coordinate(squares: Squares, coordinate: f32, s: vec4<f32>, t: vec4<f32>) -> Squares {
    let step_s = coordinate - s;
    let step_t = coordinate - t;
    return Squares(fma(step_s, step_s, squares.s), fma(step_t, step_t, squares.t));
}

fn absorb_pairs(total: LogSum, squares: Squares, rate: f32, first: u32) -> LogSum {
    let slope = vec4<f32>(-rate);
    return absorb(
        total,
        fma(slope, pair_cost(squares.s, params.power), biases[first]),
        fma(slope, pair_cost(squares.t, params.power), biases[first + 1u]),
    );
}

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
    let rate = params.rate * LOG2_E;
    let row_a = tile.row_begin + thread;
    let row_b = row_a + THREADS;
    let source_a = min(row_a, tile.row_end - 1u);
    let source_b = min(row_b, tile.row_end - 1u);
    let zero = Squares(vec4<f32>(0.0), vec4<f32>(0.0));
    var total_a = LogSum(NOTHING, 0.0);
    var total_b = LogSum(NOTHING, 0.0);
#if UNROLLED
#repeat k DIMENSION
    let a$k = x[$ku * params.outputs + source_a];
    let b$k = x[$ku * params.outputs + source_b];
#end
    for (var begin = tile.col_begin; begin < tile.col_end; begin += THREADS) {
        workgroupBarrier();
        for (var slot = thread; slot < {TILE_VECTORS}u; slot += THREADS) {
            let four = four_columns(begin + 4u * (slot % 32u), tile.col_end);
            columns[slot] = coordinates_of(slot / 32u, four);
        }
        if thread < 32u {
            biases[thread] = biases_of(begin + 4u * thread, tile.col_end);
        }
        workgroupBarrier();
        // A short last tile ends at a multiple of eight columns; those beyond have no weight.
        let vectors = 2u * ((min(THREADS, tile.col_end - begin) + 7u) / 8u);
        for (var j = 0u; j < vectors; j += 2u) {
            var squares_a = zero;
            var squares_b = zero;
#repeat k DIMENSION
            let s$k = columns[$ku * 32u + j];
            let t$k = columns[$ku * 32u + j + 1u];
            squares_a = add_coordinate(squares_a, a$k, s$k, t$k);
            squares_b = add_coordinate(squares_b, b$k, s$k, t$k);
#end
            total_a = absorb_pairs(total_a, squares_a, rate, j);
            total_b = absorb_pairs(total_b, squares_b, rate, j);
        }
    }
#else
    for (var begin = tile.col_begin; begin < tile.col_end; begin += 8u) {
        var squares_a = zero;
        var squares_b = zero;
        for (var base = 0u; base < params.dimension; base += 64u) {
            let coordinates = min(64u, params.dimension - base);
            workgroupBarrier();
            if thread < coordinates * 2u {
                let four = four_columns(begin + 4u * (thread % 2u), tile.col_end);
                columns[thread] = coordinates_of(base + thread / 2u, four);
            }
            if thread < 2u {
                biases[thread] = biases_of(begin + 4u * thread, tile.col_end);
            }
            workgroupBarrier();
            for (var k = 0u; k < coordinates; k++) {
                let s = columns[2u * k];
                let t = columns[2u * k + 1u];
                let row = (base + k) * params.outputs;
                squares_a = add_coordinate(squares_a, x[row + source_a], s, t);
                squares_b = add_coordinate(squares_b, x[row + source_b], s, t);
            }
        }
        total_a = absorb_pairs(total_a, squares_a, rate, 0u);
        total_b = absorb_pairs(total_b, squares_b, rate, 0u);
    }
#end
    write_out(tile, row_a, total_a);
    write_out(tile, row_b, total_b);
}
