#import fourier
// Between columns of numbers at the cells of a grid and transforms of images along their rows. An
// image takes two columns, one as its real and one as its imaginary part. A workgroup takes some
// lines: line l is row l / images of image l % images, so that its images lie in neighbouring columns.
// A shader that imports this has the bindings `matrix` and `spectra`.

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

const NONE: u32 = 0xffffffffu;

// Line and place in it of a slot of the workgroup. Neighbouring threads take neighbouring addresses,
// whichever way an array lies: `stride` is that of places.
fn line_and_place(slot: u32, stride: u32) -> vec2<u32> {
    if stride == 1u {
        return vec2<u32>(slot / params.length, slot % params.length);
    }
    return vec2<u32>(slot % params.lines, slot / params.lines);
}

// Where an image's first column has the number of a cell, if there is a point.
fn place_in_matrix(line: u32, x: u32) -> u32 {
    if line >= params.end_line || x >= params.cells {
        return NONE;
    }
    let point = point_of_cell[(line / params.images) * params.cells + x];
    if point == NONE {
        return NONE;
    }
    let column = 2u * (line % params.images);
    return params.first + (point - params.first_point) * params.point_stride
         + column * params.column_stride;
}

// Whether an image has a second column.
fn has_second(line: u32) -> bool {
    return 2u * (line % params.images) + 1u < params.columns;
}

fn place_in_spectra(line: u32, frequency: u32) -> u32 {
    return (line % params.images) * params.image_stride + (line / params.images) * params.row_stride
         + frequency * params.frequency_stride;
}
