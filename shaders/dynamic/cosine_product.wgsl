#import index
// Every line along an axis of an array (outer, length, inner) times a matrix (from, to). One
// workgroup per tile of 64 numbers of 64 lines; a thread makes 4 x 4 of it in registers, and 16 rows
// of both factors at a time pass through workgroup memory.
// Multiply-adds bind: 16 for every 8 numbers read from workgroup memory.

struct Params {
    length: u32,
    lines: u32,
    inner: u32,
    first_tile: u32,
    end_tile: u32,
}

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> matrix: array<f32>;
@group(0) @binding(1) var<storage, read> values: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

const TILE: u32 = 64u;
const DEPTH: u32 = 16u;

var<workgroup> tile_m: array<vec4<f32>, 256>; // DEPTH x TILE / 4
var<workgroup> tile_v: array<f32, 1024>;      // DEPTH x TILE

fn address(line: u32, x: u32) -> u32 {
    return ((line / params.inner) * params.length + x) * params.inner + line % params.inner;
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let tile = params.first_tile + flat_workgroup(workgroup, workgroups);
    if tile >= params.end_tile {
        return;
    }
    let down = (params.length + TILE - 1u) / TILE;
    let first_to = tile % down * TILE;
    let first_line = tile / down * TILE;
    // Neighbouring threads reach neighbouring addresses, whichever way lines lie.
    let lined = params.inner == 1u;
    let low = thread % 16u;
    let high = thread / 16u;
    let x = select(low, high, lined); // which lines: x, x + 16, ..
    let y = select(high, low, lined); // which numbers of them: 4 y, 4 y + 1, ..
#repeat r 4
    var p$r = vec4<f32>(0.0);
#end
    for (var base = 0u; base < params.length; base += DEPTH) {
        workgroupBarrier();
        // Row `high` of the matrix, four neighbours.
        let from_here = base + high;
        let to = first_to + low * 4u;
        var row = vec4<f32>(0.0);
        for (var u = 0u; u < 4u; u++) {
            if from_here < params.length && to + u < params.length {
                row[u] = matrix[from_here * params.length + to + u];
            }
        }
        tile_m[thread] = row;
        for (var u = 0u; u < 4u; u++) {
            let slot = u * 256u + thread;
            let depth = select(slot / TILE, slot % DEPTH, lined);
            let local = select(slot % TILE, slot / DEPTH, lined);
            var value = 0.0;
            if base + depth < params.length && first_line + local < params.lines {
                value = values[address(first_line + local, base + depth)];
            }
            tile_v[depth * TILE + local] = value;
        }
        workgroupBarrier();
        for (var depth = 0u; depth < DEPTH; depth++) {
            let m = tile_m[depth * 16u + y];
#repeat r 4
            p$r = fma(vec4<f32>(tile_v[depth * TILE + x + 16u * $ru]), m, p$r);
#end
        }
    }
#repeat r 4
    let line$r = first_line + x + 16u * $ru;
    for (var u = 0u; u < 4u; u++) {
        let to = first_to + y * 4u + u;
        if line$r < params.lines && to < params.length {
            out[address(line$r, to)] = p$r[u];
        }
    }
#end
}
