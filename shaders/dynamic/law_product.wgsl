#import index
// out_kj <- keep out_kj + factor (sum_i S_ji v_ki - w_kj) for planes k, S a sparse matrix row by row,
// v = source + extrapolation (next_source - source), w the same of `less` where there is one.
// Bytes bind: 8 for every entry of S and plane, 4 to 8 for what it meets.

struct Params {
    planes: u32,
    rows: u32,
    source_first: u32,
    source_stride: u32,
    less_first: u32,
    less_stride: u32,
    out_first: u32,
    out_stride: u32,
    extrapolation: f32,
    keep: f32,
    factor: f32,
}

var<immediate> params: Params;
@group(0) @binding(0) var<storage, read> starts: array<u32>;
@group(0) @binding(1) var<storage, read> columns: array<u32>;
@group(0) @binding(2) var<storage, read> weights: array<f32>;
@group(0) @binding(3) var<storage, read> source: array<f32>;
@group(0) @binding(4) var<storage, read> next_source: array<f32>;
@group(0) @binding(5) var<storage, read> less: array<f32>;
@group(0) @binding(6) var<storage, read> next_less: array<f32>;
@group(0) @binding(7) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let index = flat_workgroup(workgroup, workgroups) * 256u + thread;
    if index >= params.planes * params.rows {
        return;
    }
    let plane = index / params.rows;
    let row = index % params.rows;
    let first = params.source_first + plane * params.source_stride;
    var sum = 0.0;
    for (var entry = starts[row]; entry < starts[row + 1u]; entry++) {
        let at = first + columns[entry];
        let value = fma(params.extrapolation, next_source[at] - source[at], source[at]);
        sum = fma(weights[entry], value, sum);
    }
#if LESS
    let other = params.less_first + plane * params.less_stride + row;
    sum -= fma(params.extrapolation, next_less[other] - less[other], less[other]);
#end
    let place = params.out_first + plane * params.out_stride + row;
    out[place] = params.keep * out[place] + params.factor * sum;
}
