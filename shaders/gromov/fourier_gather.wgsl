#import index
#import rows
// From columns of numbers at the cells of a grid to transforms of images along their rows. Cells
// without a point and the padding of a row are zero.
// Bytes bind: 8 read and 8 written per number of a row.

@group(0) @binding(2) var<storage, read> matrix: array<f32>;
@group(0) @binding(3) var<storage, read_write> spectra: array<vec2<f32>>;

fn image_value(line: u32, x: u32) -> vec2<f32> {
    var value = vec2<f32>(0.0);
    let place = place_in_matrix(line, x);
    if place == NONE {
        return value;
    }
    value.x = matrix[place];
    if has_second(line) {
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
        let at = line_and_place(slot, params.point_stride);
        held[at.x * params.pitch + at.y] = image_value(first_line + at.x, at.y);
    }
    transform(thread);
    for (var slot = thread; slot < numbers; slot += 256u) {
        let at = line_and_place(slot, params.frequency_stride);
        let line = first_line + at.x;
        if line < params.end_line {
            spectra[place_in_spectra(line, at.y)] = held[at.x * params.pitch + at.y];
        }
    }
}
