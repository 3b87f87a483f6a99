#import index
#import fourier
// Along the columns of images whose rows are transformed: transform, multiply by the real
// transform of a kernel, transform back, all in workgroup memory. What is written is the conjugate
// of the product, as `fourier_scatter` reads it. A workgroup takes some lines: line l is frequency
// l % width of image l / width. Rows beyond those of the grid are padding and never stored.
// Bytes bind: 16 per number of an image, and the kernel, which caches hold.

struct Params {
    length: u32,
    lines: u32,
    pitch: u32,
    radices: u32,
    first_line: u32,
    end_line: u32,
    rows: u32,
    width: u32, // frequencies of a row
}

var<immediate> params: Params;
@group(0) @binding(1) var<storage, read> kernel: array<f32>; // width x length
@group(0) @binding(2) var<storage, read_write> spectra: array<vec2<f32>>; // images x rows x width

fn place(line: u32, row: u32) -> u32 {
    return ((line / params.width) * params.rows + row) * params.width + line % params.width;
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
        let local = slot % params.lines;
        let row = slot / params.lines;
        let line = first_line + local;
        var value = vec2<f32>(0.0);
        if line < params.end_line && row < params.rows {
            value = spectra[place(line, row)];
        }
        held[local * params.pitch + row] = value;
    }
    transform(thread);
    for (var slot = thread; slot < numbers; slot += 256u) {
        let local = slot / params.length;
        let frequency = slot % params.length;
        let across = (first_line + local) % params.width;
        let factor = kernel[across * params.length + frequency];
        let at = local * params.pitch + frequency;
        held[at] *= vec2<f32>(factor, -factor);
    }
    transform(thread);
    for (var slot = thread; slot < numbers; slot += 256u) {
        let local = slot % params.lines;
        let row = slot / params.lines;
        let line = first_line + local;
        if line < params.end_line && row < params.rows {
            spectra[place(line, row)] = held[local * params.pitch + row];
        }
    }
}
