#import index
// For every frequency x of a row a product of matrices, products_x = conj(K_x spectra_x): K_x is
// real and symmetric, rows x rows, and spectra_x is rows x columns, its columns the real and
// imaginary parts of images in turn. One workgroup per tile of 64 x 64 of a product; a thread makes
// 4 x 4 of it in registers, and 16 rows of both factors at a time pass through workgroup memory.
// Multiply-adds bind: 16 for every 8 numbers read from workgroup memory.

struct Params {
    first_tile: u32,
    end_tile: u32,
    rows: u32,
    columns: u32,
    first_kernel: u32, // place of the first frequency's K
    mirrored: u32,     // 1: the next frequencies have the K before it, not those after it
    first: u32,        // places of the first frequency's columns
    first_product: u32,
}

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> kernels: array<f32>;
@group(0) @binding(1) var<storage, read> spectra: array<f32>;
@group(0) @binding(2) var<storage, read_write> products: array<f32>;

const TILE: u32 = 64u;
const DEPTH: u32 = 16u;

var<workgroup> tile_k: array<vec4<f32>, 256>; // DEPTH x TILE / 4
var<workgroup> tile_s: array<vec4<f32>, 256>;

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
    let across = (params.columns + TILE - 1u) / TILE;
    let down = (params.rows + TILE - 1u) / TILE;
    let frequency = tile / (across * down);
    let first_row = (tile / across) % down * TILE;
    let first_col = tile % across * TILE;
    let step = frequency * params.rows * params.rows;
    let kernel = select(params.first_kernel + step, params.first_kernel - step,
                        params.mirrored == 1u);
    let skipped = frequency * params.rows * params.columns;
    let x = thread % 16u;
    let y = thread / 16u;
#repeat r 4
    var p$r = vec4<f32>(0.0);
#end
    for (var base = 0u; base < params.rows; base += DEPTH) {
        workgroupBarrier();
        // Row y of the depth, four neighbours x; K is symmetric, so its rows will do for columns.
        let k = base + y;
        let row = first_row + x * 4u;
        let col = first_col + x * 4u;
        var from_k = vec4<f32>(0.0);
        var from_s = vec4<f32>(0.0);
        if k < params.rows {
            for (var u = 0u; u < 4u; u++) {
                if row + u < params.rows {
                    from_k[u] = kernels[kernel + k * params.rows + row + u];
                }
                if col + u < params.columns {
                    from_s[u] = spectra[params.first + skipped + k * params.columns + col + u];
                }
            }
        }
        tile_k[thread] = from_k;
        tile_s[thread] = from_s;
        workgroupBarrier();
        for (var depth = 0u; depth < DEPTH; depth++) {
            let k4 = tile_k[depth * 16u + y];
            let s4 = tile_s[depth * 16u + x];
#repeat r 4
            p$r = fma(vec4<f32>(k4[$r]), s4, p$r);
#end
        }
    }
    let col = first_col + x * 4u;
#repeat r 4
    let row$r = first_row + y * 4u + $ru;
    if row$r < params.rows {
        let place = params.first_product + skipped + row$r * params.columns + col;
        // The number of columns is even.
        if col < params.columns {
            products[place] = p$r.x;
            products[place + 1u] = -p$r.y;
        }
        if col + 2u < params.columns {
            products[place + 2u] = p$r.z;
            products[place + 3u] = -p$r.w;
        }
    }
#end
}
