#import index
#import rows
// The way back of `fourier_gather`: from transforms of images along their rows, conjugated, to
// columns of numbers at the cells of a grid. The transform of a conjugate is the conjugate of the
// inverse transform, so an image's second column is minus the imaginary part. What would go to
// cells without a point, and the padding, are dropped.
// Bytes bind: 8 read and 8 written per number of a row.

@group(0) @binding(2) var<storage, read_write> matrix: array<f32>;
@group(0) @binding(3) var<storage, read> spectra: array<vec2<f32>>;

fn write(line: u32, x: u32, value: vec2<f32>) {
    let place = place_in_matrix(line, x);
    if place == NONE {
        return;
    }
    matrix[place] = value.x;
    if has_second(line) {
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
        let at = line_and_place(slot, params.frequency_stride);
        let line = first_line + at.x;
        var value = vec2<f32>(0.0);
        if line < params.end_line {
            value = spectra[place_in_spectra(line, at.y)];
        }
        held[at.x * params.pitch + at.y] = value;
    }
    transform(thread);
    for (var slot = thread; slot < numbers; slot += 256u) {
        let at = line_and_place(slot, params.point_stride);
        write(first_line + at.x, at.y, held[at.x * params.pitch + at.y]);
    }
}
