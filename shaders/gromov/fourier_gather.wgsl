#import index
#import fourier
// From columns of numbers at the cells of a grid to transforms of images along their rows. An
// image takes two columns, one as its real and one as its imaginary part; cells without a point
// and the padding of a row are zero. A workgroup takes some lines: line l is row l / images of
// image l % images, so that its images read neighbouring columns.
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
@group(0) @binding(2) var<storage, read> matrix: array<f32>;
@group(0) @binding(3) var<storage, read_write> spectra: array<vec2<f32>>;

const NONE: u32 = 0xffffffffu;

fn image_value(line: u32, x: u32) -> vec2<f32> {
    var value = vec2<f32>(0.0);
    if line >= params.end_line || x >= params.cells {
        return value;
    }
    let point = point_of_cell[(line / params.images) * params.cells + x];
    if point == NONE {
        return value;
    }
    let column = 2u * (line % params.images);
    let place = params.first + (point - params.first_point) * params.point_stride
              + column * params.column_stride;
    value.x = matrix[place];
    if column + 1u < params.columns {
        value.y = matrix[place + params.column_stride];
    }
    return value;
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
        // Neighbouring threads read neighbouring addresses, whichever way the matrix lies.
        var line = slot % params.lines;
        var x = slot / params.lines;
        if params.point_stride == 1u {
            line = slot / params.length;
            x = slot % params.length;
        }
        held[line * params.pitch + x] = image_value(first_line + line, x);
    }
    transform(thread);
    for (var slot = thread; slot < numbers; slot += 256u) {
        var local = slot % params.lines;
        var x = slot / params.lines;
        if params.frequency_stride == 1u {
            local = slot / params.length;
            x = slot % params.length;
        }
        let line = first_line + local;
        if line < params.end_line {
            let place = (line % params.images) * params.image_stride
                      + (line / params.images) * params.row_stride + x * params.frequency_stride;
            spectra[place] = held[local * params.pitch + x];
        }
    }
}
