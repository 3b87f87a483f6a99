#import index
// C = A B, or C += A B, for row-major matrices of any size.
// One workgroup per tile of 128 x 128 of C; a thread makes 8 x 8 of it in registers, and eight
// columns of A and rows of B at a time pass through workgroup memory.
// Multiply-adds bind: 64 for every 8 numbers read from workgroup memory.

struct Params {
    rows: u32,
    inner: u32,
    cols: u32,
    a_first: u32, // places of the first elements in the windows
    b_first: u32,
    c_first: u32,
    a_stride: u32,
    b_stride: u32,
    c_stride: u32,
    add: u32, // 1: C += A B
}

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> c: array<f32>;

const TILE: u32 = 128u;
const DEPTH: u32 = 8u;

var<workgroup> tile_a: array<f32, 1024>;       // DEPTH x TILE: transposed
var<workgroup> tile_b: array<vec4<f32>, 256>;  // DEPTH x TILE / 4

fn a_at(row: u32, k: u32) -> f32 {
    if row < params.rows && k < params.inner {
        return a[params.a_first + row * params.a_stride + k];
    }
    return 0.0;
}

fn b_at(k: u32, col: u32) -> f32 {
    if k < params.inner && col < params.cols {
        return b[params.b_first + k * params.b_stride + col];
    }
    return 0.0;
}

fn write(row: u32, col: u32, value: f32) {
    if row < params.rows && col < params.cols {
        let place = params.c_first + row * params.c_stride + col;
        if params.add == 1u {
            c[place] += value;
        } else {
            c[place] = value;
        }
    }
}

fn write_four(row: u32, col: u32, values: vec4<f32>) {
    write(row, col, values.x);
    write(row, col + 1u, values.y);
    write(row, col + 2u, values.z);
    write(row, col + 3u, values.w);
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let index = flat_workgroup(workgroup, workgroups);
    let across = (params.cols + TILE - 1u) / TILE;
    let first_row = (index / across) * TILE;
    let first_col = (index % across) * TILE;
    if first_row >= params.rows {
        return;
    }
    let x = thread % 16u;
    let y = thread / 16u;
#repeat k 8
    var p$k = vec4<f32>(0.0);
    var q$k = vec4<f32>(0.0);
#end
    let a_row = thread / 2u;
    let a_depth = (thread % 2u) * 4u;
    let b_depth = thread / 32u;
    let b_col = first_col + (thread % 32u) * 4u;
    for (var base = 0u; base < params.inner; base += DEPTH) {
        workgroupBarrier();
        for (var k = 0u; k < 4u; k++) {
            tile_a[(a_depth + k) * TILE + a_row] = a_at(first_row + a_row, base + a_depth + k);
        }
        let k = base + b_depth;
        tile_b[thread] = vec4<f32>(b_at(k, b_col), b_at(k, b_col + 1u), b_at(k, b_col + 2u),
                                   b_at(k, b_col + 3u));
        workgroupBarrier();
        for (var depth = 0u; depth < DEPTH; depth++) {
            let s = tile_b[depth * 32u + x];
            let t = tile_b[depth * 32u + 16u + x];
#repeat k 8
            let a$k = tile_a[depth * TILE + y * 8u + $ku];
            p$k = fma(vec4<f32>(a$k), s, p$k);
            q$k = fma(vec4<f32>(a$k), t, q$k);
#end
        }
    }
    let row = first_row + y * 8u;
    let col = first_col + x * 4u;
#repeat k 8
    write_four(row + $ku, col, p$k);
    write_four(row + $ku, col + 64u, q$k);
#end
}
