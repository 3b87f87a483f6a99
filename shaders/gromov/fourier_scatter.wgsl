#import index
#import fourier
// The way back of `fourier_gather`: from transforms of images along their rows, conjugated, to
// columns of numbers at the cells of a grid. The transform of a conjugate is the conjugate of the
// inverse transform, so an image's second column is minus the imaginary part. What would go to
// cells without a point, and the padding, are dropped.
// Bytes bind: 8 read and 8 written per number of a row.

struct Params {
    length: u32,
    lines: u32,
    pitch: u32,
    radices: u32,
    first_line: u32,
    end_line: u32,
    images: u32,
    columns: u32, // an odd last one is a real part alone
    cells: u32,   // of a row, without padding
    first: u32,   // place of the first point's number in the first column
    first_point: u32,
    point_stride: u32,
    column_stride: u32,
    image_stride: u32, // of the transforms, in complex numbers
    row_stride: u32,
    frequency_stride: u32,
}

var<immediate> params: Params;
@group(0) @binding(1) var<storage, read> point_of_cell: array<u32>;
@group(0) @binding(2) var<storage, read> spectra: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read_write> matrix: array<f32>;

const NONE: u32 = 0xffffffffu;

fn write(line: u32, x: u32, value: vec2<f32>) {
    if line >= params.end_line || x >= params.cells {
        return;
    }
    let point = point_of_cell[(line / params.images) * params.cells + x];
    if point == NONE {
        return;
    }
    let column = 2u * (line % params.images);
    let place = params.first + (point - params.first_point) * params.point_stride
              + column * params.column_stride;
    matrix[place] = value.x;
    if column + 1u < params.columns {
        matrix[place + params.column_stride] = -value.y;
    }
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let first_line = params.first_line + flat_workgroup(workgroup, workgroups) * params.lines;
    if first_line >= params.end_line {
        return;
    }
    let numbers = params.lines * params.length;
    for (var slot = thread; slot < numbers; slot += 256u) {
        // Neighbouring threads read neighbouring addresses, whichever way the transforms lie.
        var local = slot % params.lines;
        var x = slot / params.lines;
        if params.frequency_stride == 1u {
            local = slot / params.length;
            x = slot % params.length;
        }
        let line = first_line + local;
        var value = vec2<f32>(0.0);
        if line < params.end_line {
            let place = (line % params.images) * params.image_stride
                      + (line / params.images) * params.row_stride + x * params.frequency_stride;
            value = spectra[place];
        }
        held[local * params.pitch + x] = value;
    }
    transform(thread);
    for (var slot = thread; slot < numbers; slot += 256u) {
        var line = slot % params.lines;
        var x = slot / params.lines;
        if params.point_stride == 1u {
            line = slot / params.length;
            x = slot % params.length;
        }
        write(first_line + line, x, held[line * params.pitch + x]);
    }
}
