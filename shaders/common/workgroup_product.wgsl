// Products of matrices that one workgroup of 256 threads makes by itself, all in `arena`, which the
// shader declares. Whoever calls these calls them in all threads, and writes what is read here
// before a `sync`; each ends with one.

const NONE: u32 = 0xffffffffu;

fn sync() {
    storageBarrier();
    workgroupBarrier();
}

// C[i, j] = alpha sum_k A[i, k] B[k, j] + beta C[i, j] + bias[j]; beta is 0 or not, and with 0 C is not
// read. Element (i, k) of A is at a + i a_row + k a_col, and so on.
struct Product {
    rows: u32,
    cols: u32,
    inner: u32,
    a: u32,
    a_row: u32,
    a_col: u32,
    b: u32,
    b_row: u32,
    b_col: u32,
    c: u32,
    c_row: u32,
    c_col: u32,
    alpha: f32,
    beta: f32,
    bias: u32, // NONE: without
}

// Sixteen columns of A and rows of B, 64 long, four numbers to a place. The 17th place of every line
// is empty: neighbouring threads then write to different banks.
var<workgroup> tiles: array<vec4<f32>, 544>;
const TILE_B: u32 = 272u;

fn element(place: u32, count: u32, at: u32) -> f32 {
    if at < count {
        return arena[place];
    }
    return 0.0;
}

// Loads what one thread has to of 64 lines `first..`, 16 elements of each from `depth` on.
fn load_tile(thread: u32, slot: u32, begin: u32, stride: u32, step: u32, lines: u32, first: u32,
             depth: u32, inner: u32) {
    // Neighbouring threads read neighbouring numbers.
    var k = thread / 16u;
    var quad = thread % 16u;
    if step == 1u {
        k = thread % 16u;
        quad = thread / 16u;
    }
    let line = first + quad * 4u;
    // What is beyond the depth counts as beyond the lines.
    let count = select(0u, lines, depth + k < inner);
    let place = begin + line * stride + (depth + k) * step;
    tiles[slot + k * 17u + quad] = vec4<f32>(
        element(place, count, line),
        element(place + stride, count, line + 1u),
        element(place + 2u * stride, count, line + 2u),
        element(place + 3u * stride, count, line + 3u),
    );
}

fn write_row(p: Product, row: u32, col: u32, sums: vec4<f32>) {
    if row >= p.rows {
        return;
    }
#repeat k 4
    if col + $ku < p.cols {
        let place = p.c + row * p.c_row + (col + $ku) * p.c_col;
        var value = p.alpha * sums[$ku];
        if p.bias != NONE {
            value += arena[p.bias + col + $ku];
        }
        if p.beta != 0.0 {
            value += p.beta * arena[place];
        }
        arena[place] = value;
    }
#end
}

// Multiply-adds bind: 16 for every 8 numbers read from workgroup memory.
fn product(thread: u32, p: Product) {
    let x = thread % 16u;
    let y = thread / 16u;
    for (var first_row = 0u; first_row < p.rows; first_row += 64u) {
        for (var first_col = 0u; first_col < p.cols; first_col += 64u) {
#repeat k 4
            var sums$k = vec4<f32>(0.0);
#end
            for (var depth = 0u; depth < p.inner; depth += 16u) {
                load_tile(thread, 0u, p.a, p.a_row, p.a_col, p.rows, first_row, depth, p.inner);
                load_tile(thread, TILE_B, p.b, p.b_col, p.b_row, p.cols, first_col, depth, p.inner);
                workgroupBarrier();
                for (var k = 0u; k < 16u; k++) {
                    let a = tiles[k * 17u + y];
                    let b = tiles[TILE_B + k * 17u + x];
#repeat k 4
                    sums$k = fma(vec4<f32>(a[$ku]), b, sums$k);
#end
                }
                workgroupBarrier();
            }
            let row = first_row + y * 4u;
            let col = first_col + x * 4u;
#repeat k 4
            write_row(p, row + $ku, col, sums$k);
#end
        }
    }
    sync();
}

var<workgroup> partial_sums: array<f32, 256>;

// out[j] = sum_i M[i, j] v[i], or out[j] += that; v is all ones where it is NONE. M is row-major.
fn column_sums(thread: u32, rows: u32, cols: u32, matrix: u32, stride: u32, vector: u32,
               vector_step: u32, out: u32, out_step: u32, add: bool) {
    let part = thread / 64u;
    for (var first = 0u; first < cols; first += 64u) {
        let col = first + thread % 64u;
        var sum = 0.0;
        if col < cols {
            for (var row = part; row < rows; row += 4u) {
                var factor = 1.0;
                if vector != NONE {
                    factor = arena[vector + row * vector_step];
                }
                sum = fma(arena[matrix + row * stride + col], factor, sum);
            }
        }
        partial_sums[thread] = sum;
        workgroupBarrier();
        if part == 0u && col < cols {
            sum += partial_sums[thread + 64u] + partial_sums[thread + 128u]
                + partial_sums[thread + 192u];
            let place = out + col * out_step;
            if add {
                sum += arena[place];
            }
            arena[place] = sum;
        }
        workgroupBarrier();
    }
    sync();
}

// out[i] = alpha sum_j M[i, j] v[j] + bias. M is row-major.
fn row_sums(thread: u32, rows: u32, cols: u32, matrix: u32, stride: u32, vector: u32, out: u32,
            alpha: f32, bias: u32) {
    let lane = thread % 8u;
    for (var first = 0u; first < rows; first += 32u) {
        let row = first + thread / 8u;
        var sum = 0.0;
        if row < rows {
            for (var col = lane; col < cols; col += 8u) {
                sum = fma(arena[matrix + row * stride + col], arena[vector + col], sum);
            }
        }
        partial_sums[thread] = sum;
        workgroupBarrier();
        if lane == 0u && row < rows {
#repeat k 7
            sum += partial_sums[thread + $ku + 1u];
#end
            sum *= alpha;
            if bias != NONE {
                sum += arena[bias];
            }
            arena[out + row] = sum;
        }
        workgroupBarrier();
    }
    sync();
}
